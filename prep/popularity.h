/* popularity.h - what is bought by most customers: over all time, and lately. */
#ifndef AKIN_POPULARITY_H
#define AKIN_POPULARITY_H

#include "interactions.h"

#define RECENT_SECONDS (INT64_C(30) * 24 * 60 * 60)

struct popularity {
	struct popular *all;		/* [items] */
	struct popular *recent;		/* [recent_count]; items bought at most RECENT_SECONDS before the newest row */
	uint32_t recent_count;		/* 0 without dates */
	int64_t newest;			/* time of the newest row; TRANSACTIONS_NO_TIME without dates */
};

/* Rank the items of x, which was built from t. Most distinct customers first, then by index. False when memory is
 * short: nothing is to be freed then. */
bool popularity_build(struct popularity *p, const struct transactions *t, const struct interactions *x,
		      struct fault *why);
void popularity_free(struct popularity *p);

#endif
