/* feature.h - what drift is looked for in: a number for each customer and each item, which the model alone determines.
 *
 * akin-prep counts them over all entities of a model and writes the histograms into it (reference.h); the monitor
 * takes them of the entities that clients ask for. Both call this, so both mean the same.
 *
 * Of a customer A whose nearest other one is B, and of an item whose nearest other one is J:
 *   user_top_score    similarity of A and B, 0 to 1; 0: there is no B
 *   user_results      items that B has and A has not, what an answer can have of its own: n_B - co
 *   user_history      items that A has
 *   item_top_score    similarity of the item and J; 0: there is no J
 *   item_results      neighbours that its row stores
 *   item_rank         place in the popular ranking, 1 for the first
 *   item_mix          which of FEATURE_BUCKETS buckets its id falls into; a category, not a number
 * Two more features are shares and not numbers of an entity, so they have no histogram: user_unknown and item_unknown,
 * of the ids that were asked for those that the model does not know. */
#ifndef AKIN_FEATURE_H
#define AKIN_FEATURE_H

#include "model.h"

#define FEATURE_BUCKETS 64

/* X(symbol, label, axis): those with a histogram first. */
#define FEATURES(X) \
	X(USER_TOP_SCORE, "user_top_score", AXIS_CUSTOMER) \
	X(USER_RESULTS,   "user_results",   AXIS_CUSTOMER) \
	X(USER_HISTORY,   "user_history",   AXIS_CUSTOMER) \
	X(ITEM_TOP_SCORE, "item_top_score", AXIS_ITEM) \
	X(ITEM_RESULTS,   "item_results",   AXIS_ITEM) \
	X(ITEM_RANK,      "item_rank",      AXIS_ITEM) \
	X(ITEM_MIX,       "item_mix",       AXIS_ITEM) \
	X(USER_UNKNOWN,   "user_unknown",   AXIS_CUSTOMER) \
	X(ITEM_UNKNOWN,   "item_unknown",   AXIS_ITEM)

enum feature {
#define X(symbol, label, axis) FEATURE_##symbol,
	FEATURES(X)
#undef X
	FEATURE_COUNT
};
#define FEATURE_BINNED FEATURE_USER_UNKNOWN	/* how many have a histogram; the first so many */

/* The label of a feature, and the axis it is of. */
const char *feature_name(enum feature f);
enum axis_kind feature_axis(enum feature f);

/* Places in the popular ranking: rank[item] = 1 for the first. rank has room for all items of m. */
void feature_ranks(const struct model *m, uint32_t *rank);

/* The feature of entity i of its axis; f < FEATURE_BINNED. rank: as feature_ranks() has filled it; only item_rank reads it. */
double feature_value(const struct model *m, enum feature f, uint32_t i, const uint32_t *rank);

/* The bucket of an item's id: the low bits of its 64-bit XXH3. Known or not makes no difference. */
unsigned feature_bucket(struct text id);

#endif
