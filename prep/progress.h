/* progress.h - what akin-prep says on standard error while it works: lines about the input, and on a terminal, after
 * the first second, a bar. */
#ifndef AKIN_PROGRESS_H
#define AKIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool quiet;
	bool terminal;			/* standard error is one: a bar may be drawn */
	bool drawn;			/* there is a bar on the last line */
	const char *phase;		/* what is being done; a literal */
	double begun;			/* when the program began, on clock_seconds() */
	double drawn_at;
};

void progress_open(struct progress *p, bool quiet);
/* A new phase, which begins at 0. */
void progress_phase(struct progress *p, const char *phase);
/* How far the phase is; total 0: not known, and done is bytes. of is the struct progress. */
void progress_step(void *of, uint64_t done, uint64_t total);
/* One line, unless quiet. of is the struct progress. */
void progress_note(void *of, const char *line);
/* Take the bar away. */
void progress_clear(struct progress *p);

/* Seconds on a clock that is never set. */
double clock_seconds(void);

#endif
