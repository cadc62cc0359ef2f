/* concept.h - do customers still buy what is recommended? Page-Hinkley's test on a stream of trials.
 *
 * A trial is a purchase after a recommendation, a hit if the item had been in it (monitored.h). With a share p0 of hits
 * expected, and a fall by the part `drop` worth knowing of, each trial adds p0 * (1 - drop / 2) - (1 if hit, else 0) to a
 * sum m: a stream half way between p0 and the fallen share would add nothing. The statistic is m - min(m), in hits: how many
 * are missing since the best moment. It sinks to 0 as long as the share is right, and grows by p0 * drop / 2 a trial once
 * that has fallen so far. (Page 1954; as river's PageHinkley looks for a fall, with the mean fixed at p0 and delta
 * p0 * drop / 2.)
 *
 * The state is plain numbers and may lie in shared memory; all zero means nothing, so begin with concept_begin(). */
#ifndef AKIN_CONCEPT_H
#define AKIN_CONCEPT_H

#include <stdint.h>

#include "monitored.h"

#define CONCEPT_LEAST 100		/* trials before there is a state */
#define CONCEPT_LEARN 1000		/* trials that p0 is learned from when the model does not say it */

struct concept {
	double p0;			/* share of hits expected, 0 to 1; NaN: being learned, or not to be had */
	double drop;			/* 0 to 1: what fall is looked for, as a part of p0 */
	double lambda;			/* hits: where the alarm is; the warning is at half of it */
	double statistic;		/* hits: m - min(m), 0 to 2 * lambda: no higher, so that it can recover */
	uint64_t trials, hits;		/* all that were fed */
	uint32_t drifted;		/* 1: alarm, until the statistic is below lambda / 2 again */
	uint32_t reserved;
};

/* p0: NaN to take the share of the first CONCEPT_LEARN trials, which then are not tested themselves. */
void concept_begin(struct concept *c, double p0, double drop, double lambda);

/* The next trials, of which so many were hits; their order is not known, so hits are spread evenly among them, the same way
 * each time. hits above trials count as trials. Time: a few nanoseconds a trial. */
void concept_feed(struct concept *c, uint64_t trials, uint64_t hits);

/* UNKNOWN: fewer than CONCEPT_LEAST trials, or no p0 above 0. DRIFTED: the statistic has exceeded lambda, and has not been
 * below half of it since. WARNING: it exceeds half of lambda. STABLE: none of these. */
enum concept_state concept_state(const struct concept *c);

#endif
