/* compare.h - two models side by side: what the later one has lost, and how far it answers as the earlier one did.
 *
 * The same questions are asked of both: entries that both have, taken by a hash of their ids, so that a comparison
 * repeated is the same comparison. The answers are the ids a client would see first:
 *   - to an item, the first COMPARE_TOP of its row, or as many as both models store;
 *   - to a customer, the first COMPARE_TOP of what the most similar customer has and this one has not. What a short
 *     answer is filled with is left out: popular items hardly change, and would hide what does.
 * An id of the earlier model's answer counts as kept when it stands anywhere in the later one's. Questions that had
 * no answer before are not counted. */
#ifndef AKIN_COMPARE_H
#define AKIN_COMPARE_H

#include "model.h"

#define COMPARE_SAMPLE 1000		/* questions on an axis: all up to here, and less than twice as many above */
#define COMPARE_TOP    10

struct compare_axis {
	uint32_t before, after;		/* entries */
	uint32_t lost, gained;
	uint32_t asked;			/* questions that had an answer before */
	uint32_t answered, kept;	/* ids in those answers; those of them that are answered still */
};

struct comparison {
	struct compare_axis axis[AXES];
	const struct model_head *before, *after;
};

/* Compare two verified models, which are borrowed. Takes one pass over the ids and 4 bytes an entry of `before` while
 * it runs. False: memory was short. */
bool compare_models(struct comparison *c, const struct model *before, const struct model *after, struct fault *why);

enum data_age { DATA_SAME, DATA_NEWER, DATA_OLDER };

/* Whether the data of `after` end later or earlier. Where neither model knows dates, the times at which they were built
 * decide; where one alone does, the one without counts as the older. */
enum data_age compare_age(const struct model_head *before, const struct model_head *after);

/* part of whole, in percent; of nothing it is 0. To be shown, never to be decided by. */
double compare_percent(uint64_t part, uint64_t whole);

#endif
