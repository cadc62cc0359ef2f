/* feature.c - the numbers in which drift is looked for. Called by akin-prep for every entity of a model, by everybody who
 * verifies one, and by the monitor for every entity that was asked for. Nothing here allocates or can fail. The model must
 * be verified at least as far as its rows: the first of one is followed. */
#include "feature.h"

#include <xxhash.h>

static const struct {
	const char *name;
	enum axis_kind axis;
} features[FEATURE_COUNT] = {
#define X(symbol, label, of) [FEATURE_##symbol] = {label, of},
	FEATURES(X)
#undef X
};

const char *feature_name(enum feature f)
{
	return features[f].name;
}

enum axis_kind feature_axis(enum feature f)
{
	return features[f].axis;
}

void feature_ranks(const struct model *m, uint32_t *rank)
{
	for (uint32_t i = 0; i < m->axis[AXIS_ITEM].n; i++)
		rank[m->popular[i].item] = i + 1;
}

/* The nearest other entry, or NULL. */
static const struct neighbour *nearest(const struct axis *a, uint32_t i)
{
	return a->row_start[i] < a->row_start[i + 1] ? &a->rows[a->row_start[i]] : NULL;
}

static double top_score(const struct axis *a, uint32_t i)
{
	const struct neighbour *b = nearest(a, i);

	return b ? model_similarity(b->co, model_degree(a, i), model_degree(a, b->id)) : 0;
}

static double user_results(const struct axis *a, uint32_t i)
{
	const struct neighbour *b = nearest(a, i);

	return b ? model_degree(a, b->id) - b->co : 0;
}

double feature_value(const struct model *m, enum feature f, uint32_t i, const uint32_t *rank)
{
	const struct axis *a = &m->axis[feature_axis(f)];

	switch (f) {
	case FEATURE_USER_TOP_SCORE:
	case FEATURE_ITEM_TOP_SCORE:
		return top_score(a, i);
	case FEATURE_USER_RESULTS:
		return user_results(a, i);
	case FEATURE_USER_HISTORY:
		return model_degree(a, i);
	case FEATURE_ITEM_RESULTS:
		return (double)(a->row_start[i + 1] - a->row_start[i]);
	case FEATURE_ITEM_RANK:
		return rank[i];
	case FEATURE_ITEM_MIX:
		return feature_bucket(model_id(a, i));
	default:
		return 0;		/* the unknown have no number */
	}
}

unsigned feature_bucket(struct text id)
{
	return (unsigned)(XXH3_64bits(id.at, id.len) % FEATURE_BUCKETS);
}
