/* exposition.h - all families as text that Prometheus reads, summed over all workers' slots. */
#ifndef AKIN_EXPOSITION_H
#define AKIN_EXPOSITION_H

#include "../shm/board.h"
#include "../shm/packed.h"
#include "counters.h"

#define EXPOSITION_TEXT	       "text/plain; version=0.0.4; charset=utf-8"
#define EXPOSITION_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What a page says, and how. */
struct exposition {
	const struct board *board;
	const struct packed *packed;	/* the model this process serves, or NULL: what only it knows is left out */
	int listener;			/* the listening socket; -1: none, and its queue is left out */
	bool openmetrics;		/* else the text format */
	bool exact;			/* status="404" instead of "4xx", where statuses are counted one by one */
	const char *prefix;		/* of the http_ families, "" for none */
	uint32_t excluded;		/* handlers left out of the http_ families, as 1 << enum handler */
};

/* Write the page through put, piece by piece. Reads shared memory and asks the kernel for the processes' figures;
 * takes no lock and allocates nothing. sum is room to add up in, with any contents: 40 KB, too much for a thread's stack. */
void exposition_write(const struct exposition *e, struct counters *sum, void (*put)(void *of, const char *bytes, size_t len),
		      void *of);

/* The families as a table of Markdown, as docs/metrics.md has it. */
void exposition_table(void (*put)(void *of, const char *bytes, size_t len), void *of);

#endif
