/* report.h - a model in words: what it was made from and what is in it. Shared by the summary of a build and by
 * akin-prep show, which must say the same of the same model. */
#ifndef AKIN_REPORT_H
#define AKIN_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "../shm/reference.h"

/* How a build went. */
struct effort {
	double read, backtest, interactions, similarities, write, total; /* seconds */
	unsigned threads;
	uint64_t peak_memory;		/* bytes */
};

/* A few aligned lines. h is a complete head; provenance an object, in which anything may be missing. */
void report_text(FILE *to, const char *path, const struct model_head *h, const struct backtest *b, const json_t *provenance);
/* The same as an object; a new reference, NULL when memory is short. provenance is borrowed. */
json_t *report_json(const char *path, const struct model_head *h, const struct backtest *b, json_t *provenance);
/* The backtest alone; null when there was none. */
json_t *report_backtest_json(const struct backtest *b);

void report_effort_text(FILE *to, const struct effort *e, bool each);
json_t *report_effort_json(const struct effort *e);

/* Print an object and give up its reference. False when it is NULL or can't be written. */
bool report_print_json(json_t *object);
/* Is everything on standard output written? */
bool report_flushed(void);

#endif
