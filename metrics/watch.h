/* watch.h - what predictions were asked for and what they said, one worker's: cells that only grow, in its board slot.
 *
 * A prediction adds to a handful of them, each a relaxed addition to a place that is known (watch_answered()), and beside
 * them to the families of counters.h, which Prometheus takes. What a
 * window is, the requests path does not know: the monitor sums the slots now and then, and a window is the difference of
 * two sums (window.h). So nothing is ever reset, a worker's death loses nothing, and no reader stops a writer. Cells are 32
 * bits and wrap: a difference is right as long as a window has fewer than 2^32 of anything.
 *
 * Entities are counted one by one up to WATCH_ENTITIES an axis. Of a larger catalogue each `stride`-th is, in byte order of
 * the ids: a sample that is fixed, and has nothing to do with what the entities are. The same index means another entity
 * in another generation, so the monitor begins anew with each. */
#ifndef AKIN_WATCH_H
#define AKIN_WATCH_H

#include <stdatomic.h>
#include <stdint.h>

#include "counters.h"
#include "../shm/recommend.h"

#define WATCH_ENTITIES 16384
#define WATCH_STRANGERS 4096		/* cells for unknown ids, by hash: two may share one */
#define WATCH_SCORES   1001		/* a score s is counted at floor(s * 1000 + 0.5) */
#define WATCH_RESULTS  129		/* a number of results at itself, larger ones at the last */

struct watch {
	_Atomic uint32_t asked[AXES][WATCH_ENTITIES];	 /* requests for entity i * stride */
	_Atomic uint32_t returned[AXES][WATCH_ENTITIES]; /* answers of this kind that item i * stride was in */
	_Atomic uint32_t strangers[AXES][WATCH_STRANGERS]; /* requests for unknown ids, by the low bits of the id's XXH3 */
	_Atomic uint32_t top_score[AXES][WATCH_SCORES];	 /* answers by the score of their first own result; none: not here */
	_Atomic uint32_t mean_score[AXES][WATCH_SCORES]; /* by the mean score of all their results; none: not here */
	_Atomic uint32_t own_results[AXES][WATCH_RESULTS]; /* by how many of their results are their own, not fill */
};

/* Which entities of an axis of n are counted. */
static inline uint32_t watch_stride(uint32_t n) { return (n - 1) / WATCH_ENTITIES + 1; }

static inline void watch_more(_Atomic uint32_t *cell) { atomic_fetch_add_explicit(cell, 1, memory_order_relaxed); }

/* An answer as it was given. */
struct watch_answer {
	enum axis_kind kind;
	uint32_t asked, n;		/* index on its axis; ids that were asked for */
	const struct recommendation *r;
	const struct neighbour *out;
	double top, sum;		/* score of the first result, and of all together; 0 when there is none */
};

/* Fetch lines of the cache that watch_answered() will write, so that they come while the answer is still being made: once
 * when it is known what was asked for, once when it is known what the results are. */
void watch_asked_soon(const struct watch *w, const struct counters *c, const struct model *m, enum axis_kind kind, uint32_t asked);
void watch_results_soon(const struct watch *w, const struct model *m, enum axis_kind kind, const struct recommendation *r,
			const struct neighbour *out);

/* The worker's, by any of its threads: an answer of model m was given; an id was asked for that the model does not know. */
void watch_answered(struct watch *w, struct counters *c, const struct model *m, const struct watch_answer *a);
void watch_stranger(struct watch *w, struct counters *c, enum axis_kind kind, struct text id);

#endif
