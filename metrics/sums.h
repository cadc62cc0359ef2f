/* sums.h - what all workers have watched so far, added up: plain numbers, to take differences of.
 *
 * Whoever drives windows by hand, a test or a study, fills one itself. */
#ifndef AKIN_SUMS_H
#define AKIN_SUMS_H

#include "../shm/board.h"
#include "counters.h"
#include "watch.h"

#define SUMS_TRIALS TRIAL_CELLS		/* generations whose trials are told apart: g is in cell g % SUMS_TRIALS */

struct sums {				/* as in watch.h; wraps as its cells do */
	uint32_t asked[AXES][WATCH_ENTITIES];
	uint32_t returned[AXES][WATCH_ENTITIES];
	uint32_t strangers[AXES][WATCH_STRANGERS];
	uint32_t top_score[AXES][WATCH_SCORES];
	uint32_t mean_score[AXES][WATCH_SCORES];
	uint32_t own_results[AXES][WATCH_RESULTS];
	uint64_t trials[SUMS_TRIALS];	/* purchases after a recommendation: counters.h */
	uint64_t hits[SUMS_TRIALS];
};

/* How many entities of an axis of n are counted: the cells that can be other than 0. */
static inline uint32_t sums_counted(uint32_t n) { return n ? (n - 1) / watch_stride(n) + 1 : 0; }

/* Of all slots. Only as many entities of each axis as there are; the cells behind them become 0. */
void sums_of_board(struct sums *s, const struct board *b, const uint32_t counted[AXES]);

/* Predictions by axis, known and unknown ids, and trials: what tells whether more is worth reading. Wrap, too. */
struct sums_quick {
	uint32_t requests[AXES];
	uint64_t trials[SUMS_TRIALS], hits[SUMS_TRIALS];
};
void sums_quick_of_board(struct sums_quick *q, const struct board *b);
void sums_quick_of(struct sums_quick *q, const struct sums *s);

#endif
