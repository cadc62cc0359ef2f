/* rates.h - how many purchases had been recommended, per generation, and whether that falls. */
#ifndef AKIN_RATES_H
#define AKIN_RATES_H

#include "concept.h"
#include "sums.h"
#include "profile.h"
#include "window.h"

#define RATES_LEAST_HITS 30		/* of a backtest, below which it promises nothing */

/* Plain numbers, which a successor goes on with. */
struct rates {
	uint64_t used_trials[SUMS_TRIALS], used_hits[SUMS_TRIALS]; /* the cells as they were when last looked at */
	uint64_t trials, hits;		/* in the window that is open */
	struct concept concept;
};

/* A generation is served: its rate begins anew, and the one before is that of f->rate[1]. */
void rates_begin(struct rates *a, struct monitored *f, const struct profile *p, const struct window_rules *r);

/* What has come since the last look: to both generations, and to the detector. */
void rates_look(struct rates *a, struct monitored *f, const struct sums_quick *q);

/* The open window becomes the last one, but for its time and number, which are f's window's. */
void rates_close(struct rates *a, struct monitored *f);

#endif
