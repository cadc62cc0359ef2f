/* backtest.h - what a model of the older data would have recommended, against what was bought then. */
#ifndef AKIN_BACKTEST_H
#define AKIN_BACKTEST_H

#include "similarity.h"
#include "transactions.h"
#include "../shm/reference.h"

#define BACKTEST_DAYS	  30
#define BACKTEST_DAYS_MAX 36500

struct backtest_how {
	uint32_t days;			/* how long before the newest row the split lies; 0: no backtest is wanted */
	unsigned threads;
	const struct similarity_progress *progress;
};

/* Fill *b from the rows of t, which is only read. Where there can be none, b->split is INT64_MIN, all else 0, and *off a
 * literal that says why; else *off is NULL. Takes, until it returns, about 12 bytes a row and 8 a pair of the older data.
 * False when memory is short. */
bool backtest_run(struct backtest *b, const char **off, const struct transactions *t, const struct backtest_how *how,
		  struct fault *why);

/* Of all trials, in percent, those that the first n answers hit, n up to BACKTEST_RANKS. Without trials 0. */
double backtest_hit_percent(const struct backtest *b, unsigned n);

#endif
