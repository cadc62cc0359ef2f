/* recommend.c - the algorithms. Called by whoever answers, with a pinned model and the thread's own memory, and by
 * whoever wants to know what would be answered: akin-prep, and the worker that is told what a customer did then.
 *
 * A customer's items ascend by first appearance, so what B has and A has not is one merge of two lists, and whether
 * a customer has an item is a binary search. The fill passes over at most the items of A and B, so an answer costs
 * O(n + |A| + |B|) searches, and memory of the thread's only beyond the stored rows or the recent ranking. That it is
 * short is the only failure. */
#include "recommend.h"

#include "basket.h"

static bool has(const struct model *m, struct basket l, uint32_t item)
{
	uint32_t rank = m->first_seen[item], low = 0, high = l.n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (m->first_seen[l.at[middle]] < rank)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l.n && l.at[low] == item;
}

/* Append of the ranked items those that neither customer has and that are not marked; NULL: none is. */
static size_t fill_up(const struct model *m, const struct popular *ranked, size_t ranked_n, struct basket a,
		      struct basket b, const uint8_t *marked, struct neighbour *out, size_t total, size_t n)
{
	for (size_t i = 0; i < ranked_n && total < n; i++) {
		uint32_t item = ranked[i].item;

		if (!has(m, a, item) && !has(m, b, item) && !(marked && marked[item]))
			out[total++] = (struct neighbour){item, ranked[i].customers};
	}
	return total;
}

/* The recent ranking, and when it ends before the answer is full, those of the popular one that it did not have. */
static bool fill_with_recent(struct recommendation *r, const struct model *m, struct basket a, struct basket b,
			     struct neighbour *out, size_t n, struct scratch *s)
{
	const uint32_t items = m->axis[AXIS_ITEM].n;

	r->total = fill_up(m, m->recent, m->recent_count, a, b, NULL, out, r->total, n);
	if (r->total == n)
		return true;
	uint8_t *marked = scratch_marks(s, items);

	if (!marked)
		return false;
	for (size_t i = r->near; i < r->total; i++)
		marked[out[i].id] = 1;
	r->total = fill_up(m, m->popular, items, a, b, marked, out, r->total, n);
	return true;
}

bool recommend_to_customer(struct recommendation *r, const struct packed *p, uint32_t a, enum fill fill,
			   struct neighbour *out, size_t n, struct scratch *s)
{
	const struct model *m = &p->model;
	struct basket of_a = basket_of(m, a), of_b = {NULL, 0};
	bool ok = true;

	*r = (struct recommendation){.nearest = {MODEL_NONE, 0}};
	if (packed_top(p, AXIS_CUSTOMER, a, &r->nearest, 1, s, &ok) == 1)
		of_b = basket_of(m, r->nearest.id);
	else if (!ok)
		return false;
	r->near = r->total = basket_differ(m, of_a, of_b, out, n);
	/* Now the answer is full, or all that B has is A's or listed: the fill need only ask whether they have it. */
	if (fill == FILL_RECENT)
		return fill_with_recent(r, m, of_a, of_b, out, n, s);
	if (fill == FILL_POPULAR)
		r->total = fill_up(m, m->popular, m->axis[AXIS_ITEM].n, of_a, of_b, NULL, out, r->total, n);
	return true;
}

bool recommend_by_item(struct recommendation *r, const struct packed *p, uint32_t item, struct neighbour *out,
		       size_t n, struct scratch *s)
{
	bool ok = true;

	*r = (struct recommendation){.nearest = {MODEL_NONE, 0}};
	r->near = r->total = packed_top(p, AXIS_ITEM, item, out, n, s, &ok);
	return ok;
}

enum source recommend_source(const struct recommendation *r, enum axis_kind asked, size_t i)
{
	if (i >= r->near)
		return SOURCE_POPULAR;
	return asked == AXIS_ITEM ? SOURCE_ITEM : SOURCE_USER;
}

double recommend_score(const struct recommendation *r, const struct packed *p, enum axis_kind kind, uint32_t asked,
		       const struct neighbour *out, size_t i)
{
	const struct axis *a = &p->model.axis[kind];

	switch (recommend_source(r, kind, i)) {
	case SOURCE_USER:
		return model_similarity(r->nearest.co, model_degree(a, asked), model_degree(a, r->nearest.id));
	case SOURCE_ITEM:
		return model_similarity(out[i].co, model_degree(a, asked), model_degree(a, out[i].id));
	case SOURCE_POPULAR:
		break;
	}
	return (double)out[i].co / p->model.axis[AXIS_CUSTOMER].n;
}

/* A customer's results have one score, those of the fill one divisor. */
double recommend_score_sum(const struct recommendation *r, const struct packed *p, enum axis_kind kind, uint32_t asked,
			   const struct neighbour *out)
{
	uint64_t fill = 0;
	double sum = 0;

	if (kind == AXIS_ITEM) {
		for (size_t i = 0; i < r->near; i++)
			sum += recommend_score(r, p, kind, asked, out, i);
	} else if (r->near > 0) {
		sum = (double)r->near * recommend_score(r, p, kind, asked, out, 0);
	}
	for (size_t i = r->near; i < r->total; i++)
		fill += out[i].co;
	return sum + (double)fill / p->model.axis[AXIS_CUSTOMER].n;
}
