/* compare.c - one merge of two sorted lists of ids on each axis, and then some questions to both models.
 *
 * Called by the loader before a new generation is packed, by akin-server --gate and by akin-prep diff. Index order is
 * byte order of ids on both sides, so the merge finds what is lost, what is new, and where the rest stands now; the
 * table of that (`now`) then translates answers, and no id is looked up again. Only memory can fail. */
#include "compare.h"

#include <stdlib.h>

#include "basket.h"

struct both {
	const struct model *before, *after;
	uint32_t *now[AXES];		/* [before's n] index in after, or MODEL_NONE */
};

static void merge(const struct both *b, enum axis_kind kind, struct compare_axis *c)
{
	const struct axis *before = &b->before->axis[kind], *after = &b->after->axis[kind];
	uint32_t i = 0, j = 0;

	*c = (struct compare_axis){.before = before->n, .after = after->n};
	while (i < before->n) {
		int order = j < after->n ? text_order(model_id(before, i), model_id(after, j)) : -1;

		if (order > 0) {
			j++;
			continue;
		}
		b->now[kind][i++] = order == 0 ? j++ : MODEL_NONE;
		c->lost += order < 0;
	}
	c->gained = after->n - (before->n - c->lost);
}

/* FNV-1a: any hash would do that spreads, and this one anybody can write down again. */
static uint64_t hash(struct text id)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (uint8_t)id.at[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* The first n ids of what a client gets for entry i. */
static size_t answer(const struct model *m, enum axis_kind kind, uint32_t i, struct neighbour *out, size_t n)
{
	const struct axis *a = &m->axis[kind];
	const struct neighbour *row = a->rows + a->row_start[i];
	size_t stored = (size_t)(a->row_start[i + 1] - a->row_start[i]);

	if (stored == 0)
		return 0;
	if (kind == AXIS_CUSTOMER)
		return basket_differ(m, basket_of(m, i), basket_of(m, row[0].id), out, n);
	n = n < stored ? n : stored;
	memcpy(out, row, n * sizeof *row);
	return n;
}

static void ask(const struct both *b, enum axis_kind kind, uint32_t i, size_t n, struct compare_axis *c)
{
	struct neighbour was[COMPARE_TOP], is[COMPARE_TOP];
	size_t had = answer(b->before, kind, i, was, n), has = answer(b->after, kind, b->now[kind][i], is, n);

	c->asked += had > 0;
	c->answered += (uint32_t)had;
	for (size_t x = 0; x < had; x++) {
		for (size_t y = 0; y < has; y++)
			c->kept += is[y].id == b->now[AXIS_ITEM][was[x].id];
	}
}

/* An answer to an item is compared as far as both models store their rows; one to a customer needs no more than a row's
 * first, which all store. */
static size_t depth(const struct both *b, enum axis_kind kind)
{
	uint32_t before = b->before->axis[kind].row_limit, after = b->after->axis[kind].row_limit;
	uint32_t least = before < after ? before : after;

	return kind == AXIS_CUSTOMER || least > COMPARE_TOP ? COMPARE_TOP : least;
}

static void ask_sample(const struct both *b, enum axis_kind kind, struct compare_axis *c)
{
	uint32_t stride = (c->before - c->lost) / COMPARE_SAMPLE;

	for (uint32_t i = 0; i < c->before; i++) {
		if (b->now[kind][i] == MODEL_NONE)
			continue;
		if (stride <= 1 || hash(model_id(&b->before->axis[kind], i)) % stride == 0)
			ask(b, kind, i, depth(b, kind), c);
	}
}

bool compare_models(struct comparison *c, const struct model *before, const struct model *after, struct fault *why)
{
	struct both b = {.before = before, .after = after};
	bool ok = true;

	*c = (struct comparison){.before = before->head, .after = after->head};
	for (int k = 0; k < AXES; k++) {
		b.now[k] = malloc(before->axis[k].n * sizeof *b.now[k]);
		ok = ok && b.now[k];
	}
	for (int k = 0; ok && k < AXES; k++)
		merge(&b, k, &c->axis[k]);
	for (int k = 0; ok && k < AXES; k++)
		ask_sample(&b, k, &c->axis[k]);
	for (int k = 0; k < AXES; k++)
		free(b.now[k]);
	return ok || fault_set(why, "no memory to compare %u items and %u customers", before->axis[AXIS_ITEM].n,
			       before->axis[AXIS_CUSTOMER].n);
}

enum data_age compare_age(const struct model_head *before, const struct model_head *after)
{
	bool dated = before->data_until != INT64_MIN || after->data_until != INT64_MIN;
	int64_t was = dated ? before->data_until : before->created, is = dated ? after->data_until : after->created;

	return is == was ? DATA_SAME : is > was ? DATA_NEWER : DATA_OLDER;
}

double compare_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}
