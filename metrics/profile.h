/* profile.h - what the monitor knows of a generation: of every entity that is counted, the bin that each of its features
 * falls into, how often the shop's own customers asked for it, and what the model says of its training data.
 *
 * Made once a generation from the model, which isn't needed after that. */
#ifndef AKIN_PROFILE_H
#define AKIN_PROFILE_H

#include "../shm/reference.h"
#include "watch.h"

struct profile {
	uint64_t generation;
	uint32_t entities[AXES];	/* of the model */
	uint32_t stride[AXES];
	uint32_t counted[AXES];		/* each stride-th of them: watch.h */
	uint8_t bin[FEATURE_BINNED][WATCH_ENTITIES]; /* [counted], of the entity that is counted there */
	uint32_t value[AXES][WATCH_ENTITIES]; /* a customer's items; an item's place in the popular ranking */
	double share[AXES][WATCH_ENTITIES]; /* of the training data's visits, or lines, of the whole axis */
	struct reference reference[FEATURE_BINNED];
	struct backtest backtest;
};

/* False: memory was short. */
bool profile_make(struct profile *p, const struct model *m, uint64_t generation, struct fault *why);

/* Bins of feature f, the buckets of item_mix included. */
static inline unsigned profile_bins(const struct profile *p, enum feature f)
{
	return f == FEATURE_ITEM_MIX ? FEATURE_BUCKETS : p->reference[f].bins;
}

/* Is this cell for unknown ids one of the axis' sample? Where only each stride-th entity is counted, as large a part of the
 * unknown ones is. */
static inline bool profile_stranger(const struct profile *p, enum axis_kind axis, unsigned cell)
{
	return cell / FEATURE_BUCKETS % p->stride[axis] == 0;
}

/* What is to be expected in the bins of f (weights[bins]) of the distinct entities, when `requests` of the axis come with the
 * shop's own mix: entity e with probability 1 - exp(-requests * share). */
void profile_mix(const struct profile *p, enum feature f, double requests, double *weights);

/* Hits of the backtest within the first n places. */
uint64_t profile_backtest_hits(const struct profile *p, uint32_t n);

#endif
