/* recommend.h - what to recommend: the two algorithms, over a packed model, without a word of HTTP.
 *
 * For a customer A: B is the most similar other customer (the first of A's row); the answer is what B has and A has
 * not, in order of first appearance, then, where that is short, popular items that neither has. For an item: the
 * most similar other items. All of it exact, and no answer longer than the model can make it. */
#ifndef AKIN_RECOMMEND_H
#define AKIN_RECOMMEND_H

#include "packed.h"

enum fill { FILL_POPULAR, FILL_RECENT, FILL_NONE };
enum source { SOURCE_USER, SOURCE_ITEM, SOURCE_POPULAR };

/* Entries out[0] to out[near - 1] come from the nearest customer or from the item's row, the rest of all `total`
 * from the fill. id is an item; co is, in an item's row, the co-occurrence count, in the fill the customers that
 * rank it, and else 0. */
struct recommendation {
	size_t near, total;
	struct neighbour nearest;	/* B, and what A and B have in common; MODEL_NONE: there is no B */
};

/* Fill out[n] for customer a. fill chooses what short answers are filled with: FILL_RECENT is the popular items of
 * the last 30 days of the data and, when they end, those of all time. False: memory was short. */
bool recommend_to_customer(struct recommendation *r, const struct packed *p, uint32_t a, enum fill fill,
			   struct neighbour *out, size_t n, struct scratch *s);

/* Fill out[n] for an item. */
bool recommend_by_item(struct recommendation *r, const struct packed *p, uint32_t item, struct neighbour *out,
		       size_t n, struct scratch *s);

/* The source of out[i], and its score, 0 to 1: of SOURCE_USER the similarity of the two customers, of SOURCE_ITEM
 * that of the two items, of SOURCE_POPULAR the share of all customers that has it (with FILL_RECENT: that bought it
 * in the period, while the period's items last). asked is what was asked for. */
enum source recommend_source(const struct recommendation *r, enum axis_kind asked, size_t i);
double recommend_score(const struct recommendation *r, const struct packed *p, enum axis_kind kind, uint32_t asked,
		       const struct neighbour *out, size_t i);

/* The scores of all results together. */
double recommend_score_sum(const struct recommendation *r, const struct packed *p, enum axis_kind kind, uint32_t asked,
			   const struct neighbour *out);

#endif
