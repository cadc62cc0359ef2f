/* reference.h - what a model says of the data it was made from, for those who watch whether the world has moved on.
 *
 * Three things, each a section of the image (model.h): how often every entity was asked for in the training data, a
 * histogram for each feature (feature.h), and how well a model of the same kind would have done on the newest part of the
 * data (the backtest). They change with the model, since they are part of it. */
#ifndef AKIN_REFERENCE_H
#define AKIN_REFERENCE_H

#include "feature.h"

#define REFERENCE_EDGES	 128
#define REFERENCE_BINS	 (REFERENCE_EDGES + 1)
#define REFERENCE_GROUPS 12		/* at most */
#define BACKTEST_RANKS	 20

/* A histogram over all entities of an axis, each once. Bin 0 is what lies below edge[0], bin i has edge[i - 1] <= v < edge[i],
 * the last bin is what is not below the last edge; nothing in the model falls into the first or the last. A value that many
 * entities share has a bin of its own: its edges are the value and the next double. item_mix has no edges, and a bin and a
 * group for each of FEATURE_BUCKETS.
 *
 * Bins are for the Kolmogorov-Smirnov distance, of which many are better; PSI wants few, so bins are joined to groups, of
 * about equal counts where ties allow it, none of them empty; of item_mix, each bucket is a group of its own, and group[] is
 * not used. What is not used of an array is 0. */
struct reference {
	uint32_t bins;			/* 3 to REFERENCE_BINS, of which 2 are empty; of item_mix FEATURE_BUCKETS */
	uint32_t groups;		/* of PSI: 1 to REFERENCE_GROUPS; of item_mix FEATURE_BUCKETS */
	double edge[REFERENCE_EDGES];	/* [bins - 1], ascending */
	uint32_t count[REFERENCE_BINS];	/* [bins] entities; their sum is the axis' n */
	uint8_t group[REFERENCE_BINS + 3]; /* [bins] from 0 to groups - 1, never descending */
};
_Static_assert(sizeof(struct reference) == 8 + 8 * REFERENCE_EDGES + 5 * REFERENCE_BINS + 3, "no padding");

/* Recommendations made from what was known before `split`, against what was bought from split on until data_until. A trial
 * is a customer and an item, both known before, where this one had not bought it before and bought it then, once however
 * often. `hits` are those trials whose item was answered, by its place in the answer; BACKTEST_RANKS places were asked for,
 * filled with popular items. Rows without a date are in neither part. */
struct backtest {
	int64_t split;			/* seconds as in the data; INT64_MIN: there was none, and all is 0 */
	uint64_t customers;		/* with trials */
	uint64_t trials;
	uint64_t hits_own[BACKTEST_RANKS]; /* by place from 0, of the nearest customer's items */
	uint64_t hits_popular[BACKTEST_RANKS];
	uint64_t visits, unknown_visits;   /* a visit is a customer and a time; unknown: of a customer with no row before split */
	uint64_t lines, unknown_lines;	   /* kept rows, and those of an item with no row before split */
	uint64_t seen_users, unknown_users; /* distinct customers in the period, and those unknown before */
	uint64_t seen_items, unknown_items; /* distinct items */
};

/* The bin of a value: a binary search. NaN falls into bin 0. Not for item_mix, whose bin is the bucket. */
unsigned reference_bin(const struct reference *r, double v);

/* Count all entities of m into r's bins, by the edges that stand there. rank: as feature_ranks() has filled it. */
void reference_count(struct reference *r, const struct model *m, enum feature f, const uint32_t *rank);

/* What model_verify() checks of visits, lines, references and backtest, last of all: m is sound but for them. Trusts no
 * number there. */
bool references_verify(const struct model *m, struct fault *why);

#endif
