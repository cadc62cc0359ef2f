/* reference.c - bins, and whether what a model says of its own data can be true.
 *
 * The last part of the second gate (model_verify.c calls it when all else is sound). Every count of a reference follows
 * from the model and the edges, so they are counted again, which costs a binary search an entity and feature: 1 ms for
 * Online Retail, of 10 in all. Edges and groups are a choice, and are held to the rules of reference.h. A backtest can't be
 * repeated from a model; it is held to what no backtest of these data can exceed. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LL(x) ((unsigned long long)(x))

unsigned reference_bin(const struct reference *r, double v)
{
	unsigned low = 0, high = r->bins - 1;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (r->edge[middle] <= v)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void reference_count(struct reference *r, const struct model *m, enum feature f, const uint32_t *rank)
{
	uint32_t n = m->axis[feature_axis(f)].n;

	memset(r->count, 0, sizeof r->count);
	for (uint32_t i = 0; i < n; i++) {
		double v = feature_value(m, f, i, rank);

		r->count[f == FEATURE_ITEM_MIX ? (unsigned)v : reference_bin(r, v)]++;
	}
}

static bool all_zero(const void *at, size_t n)
{
	const uint8_t *bytes = at;

	while (n > 0 && bytes[n - 1] == 0)
		n--;
	return n == 0;
}

/* Edges ascend and are numbers; groups ascend by at most one and are all there. */
static bool verify_layout(const struct reference *r, const char *name, bool mix, struct fault *why)
{
	uint32_t edges = mix ? 0 : r->bins - 1;

	if (mix ? r->bins != FEATURE_BUCKETS || r->groups != FEATURE_BUCKETS
		: r->bins < 3 || r->bins > REFERENCE_BINS || r->groups < 1 || r->groups > REFERENCE_GROUPS)
		return fault_set(why, "the reference of %s has %u bins and %u groups, which can't be", name, r->bins, r->groups);
	for (uint32_t i = 0; i < edges; i++)
		if (!isfinite(r->edge[i]) || (i > 0 && !(r->edge[i - 1] < r->edge[i])))
			return fault_set(why, "edge %u of the reference of %s is %g, must be a number above the one before", i,
					 name, r->edge[i]);
	for (uint32_t i = 0; !mix && i < r->bins; i++)
		if (i == 0 ? r->group[i] != 0 : r->group[i] < r->group[i - 1] || r->group[i] > r->group[i - 1] + 1)
			return fault_set(why, "bin %u of the reference of %s is in group %u, must be in that of the one before, or "
					      "the next", i, name, r->group[i]);
	if (!mix && r->group[r->bins - 1] + 1u != r->groups)
		return fault_set(why, "the reference of %s ends with group %u of %u", name, r->group[r->bins - 1], r->groups);
	if (!all_zero(r->edge + edges, (REFERENCE_EDGES - edges) * sizeof *r->edge) ||
	    !all_zero(r->count + r->bins, (REFERENCE_BINS - r->bins) * sizeof *r->count) ||
	    !all_zero(r->group + (mix ? 0 : r->bins), sizeof r->group - (mix ? 0 : r->bins)))
		return fault_set(why, "the reference of %s has something behind its last bin, must be 0", name);
	return true;
}

/* Every group has somebody, and the bins at the ends nobody. Counts are true. */
static bool verify_ends(const struct reference *r, const char *name, struct fault *why)
{
	uint64_t in_group[REFERENCE_GROUPS] = {0};

	if (r->count[0] != 0 || r->count[r->bins - 1] != 0)
		return fault_set(why, "the reference of %s has %u entities below its edges and %u above, must have none", name,
				 r->count[0], r->count[r->bins - 1]);
	for (uint32_t i = 0; i < r->bins; i++)
		in_group[r->group[i]] += r->count[i];
	for (uint32_t g = 0; g < r->groups; g++)
		if (in_group[g] == 0)
			return fault_set(why, "group %u of the reference of %s is empty", g, name);
	return true;
}

static bool verify_reference(const struct model *m, enum feature f, const uint32_t *rank, struct fault *why)
{
	const struct reference *r = &m->references[f];
	const char *name = feature_name(f);
	struct reference again;

	if (!verify_layout(r, name, f == FEATURE_ITEM_MIX, why))
		return false;
	again = *r;
	reference_count(&again, m, f, rank);
	for (uint32_t i = 0; i < r->bins; i++)
		if (r->count[i] != again.count[i])
			return fault_set(why, "bin %u of the reference of %s counts %u, but the model has %u there", i, name,
					 r->count[i], again.count[i]);
	return f == FEATURE_ITEM_MIX || verify_ends(r, name, why);
}

/* How often each entity was asked for: nobody less than was possible. The sums are for the backtest. */
static bool verify_asked(const struct model *m, uint64_t *visits, uint64_t *lines, struct fault *why)
{
	*visits = *lines = 0;
	for (uint32_t c = 0; c < m->axis[AXIS_CUSTOMER].n; c++) {
		if (m->visits[c] == 0)
			return fault_set(why, "customer %u has 0 visits, must have at least 1", c);
		*visits += m->visits[c];
	}
	for (uint32_t i = 0; i < m->axis[AXIS_ITEM].n; i++) {
		if (m->lines[i] < model_degree(&m->axis[AXIS_ITEM], i))
			return fault_set(why, "item %u has %u lines, but %u customers", i, m->lines[i],
					 model_degree(&m->axis[AXIS_ITEM], i));
		*lines += m->lines[i];
	}
	if (*visits > *lines)
		return fault_set(why, "the customers have %llu visits, which is more than the items' %llu lines", LL(*visits),
				 LL(*lines));
	return true;
}

static bool verify_hits(const struct backtest *b, struct fault *why)
{
	uint64_t hits = 0;

	for (int k = 0; k < BACKTEST_RANKS; k++) {
		if (b->hits_own[k] > b->customers || b->hits_popular[k] > b->customers - b->hits_own[k])
			return fault_set(why, "the backtest has %llu and %llu hits at place %d, for %llu customers",
					 LL(b->hits_own[k]), LL(b->hits_popular[k]), k + 1, LL(b->customers));
		hits += b->hits_own[k] + b->hits_popular[k];
	}
	return hits <= b->trials ||
	       fault_set(why, "the backtest has %llu hits in %llu trials", LL(hits), LL(b->trials));
}

static bool verify_backtest(const struct model *m, uint64_t visits, uint64_t lines, struct fault *why)
{
	const struct backtest *b = m->backtest;
	const struct model_head *h = m->head;
	const struct {
		const char *what;
		uint64_t part, whole;
	} at_most[] = {
		{"unknown visits for all visits", b->unknown_visits, b->visits},
		{"unknown lines for all lines", b->unknown_lines, b->lines},
		{"unknown users for all users", b->unknown_users, b->seen_users},
		{"unknown items for all items", b->unknown_items, b->seen_items},
		{"visits for the model's", b->visits, visits},
		{"lines for the model's", b->lines, lines},
		{"users for the model's customers", b->seen_users, h->customers},
		{"items for the model's", b->seen_items, h->items},
		{"visits for its lines", b->visits, b->lines},
		{"users for its visits", b->seen_users, b->visits},
		{"items for its lines", b->seen_items, b->lines},
		{"unknown users for unknown visits", b->unknown_users, b->unknown_visits},
		{"unknown items for unknown lines", b->unknown_items, b->unknown_lines},
		{"trials for the model's interactions", b->trials, h->interactions},
		{"trials for its lines of what was known", b->trials, b->lines - b->unknown_lines},
		{"customers for its trials", b->customers, b->trials},
		{"customers for the users that were known", b->customers, b->seen_users - b->unknown_users},
	};

	if (b->split == INT64_MIN)
		return all_zero((const uint8_t *)b + sizeof b->split, sizeof *b - sizeof b->split) ||
		       fault_set(why, "there was no backtest, but it has results");
	if (b->split >= h->data_until)
		return fault_set(why, "the backtest begins at %lld, but the data end at %lld", (long long)b->split,
				 (long long)h->data_until);
	for (size_t i = 0; i < sizeof at_most / sizeof *at_most; i++)
		if (at_most[i].part > at_most[i].whole)
			return fault_set(why, "the backtest has too many %s: %llu for %llu", at_most[i].what,
					 LL(at_most[i].part), LL(at_most[i].whole));
	if (b->seen_users == 0 || b->seen_items == 0 || (b->trials > 0 && b->customers == 0) ||
	    (b->unknown_visits > 0 && b->unknown_users == 0) || (b->unknown_lines > 0 && b->unknown_items == 0))
		return fault_set(why, "the backtest has trials, visits or lines of nobody or nothing");
	return verify_hits(b, why);
}

bool references_verify(const struct model *m, struct fault *why)
{
	uint32_t *rank = malloc((size_t)m->axis[AXIS_ITEM].n * sizeof *rank);
	uint64_t visits, lines;
	bool ok = true;

	if (!rank)
		return fault_set(why, "no memory to check the references of %u items", m->axis[AXIS_ITEM].n);
	feature_ranks(m, rank);
	for (int f = 0; ok && f < FEATURE_BINNED; f++)
		ok = verify_reference(m, (enum feature)f, rank, why);
	free(rank);
	return ok && verify_asked(m, &visits, &lines, why) && verify_backtest(m, visits, lines, why);
}
