/* model_verify.c - is an image what model.h promises? The second gate, after model_view().
 *
 * Called by `akin-prep verify`, by `akin-server -t`, and by the master before it publishes a generation. The image
 * is hostile until the end: no number is followed before it has been checked, and lengths are compared, never
 * added to a pointer first. Every refusal names the rule and the value. */
#include "model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cooccur.h"
#include "rank.h"
#include "reference.h"
#include "utf8.h"

static const char *const axis_name[AXES] = {[AXIS_ITEM] = "item", [AXIS_CUSTOMER] = "customer"};

#define LL(x) ((unsigned long long)(x))

/* starts[0..n] must begin with 0, never fall, and end with total; each step is at most max and at least min. */
static bool verify_starts(const char *what, const uint64_t *start, uint32_t n, uint64_t total, uint64_t min,
			  uint64_t max, struct fault *why)
{
	if (start[0] != 0)
		return fault_set(why, "%s starts begin with %llu, must be 0", what, LL(start[0]));
	for (uint32_t i = 0; i < n; i++) {
		if (start[i + 1] < start[i] || start[i + 1] > total)
			return fault_set(why, "%s starts go from %llu to %llu at %u, must ascend to at most %llu", what,
					 LL(start[i]), LL(start[i + 1]), i, LL(total));
		if (start[i + 1] - start[i] < min || start[i + 1] - start[i] > max)
			return fault_set(why, "%s %u has length %llu, must be %llu to %llu", what, i,
					 LL(start[i + 1] - start[i]), LL(min), LL(max));
	}
	if (start[n] != total)
		return fault_set(why, "%s starts end with %llu, must be %llu", what, LL(start[n]), LL(total));
	return true;
}

/* Its length is right already. The two rules of model_is_id() that are left. */
static bool verify_id(const char *name, uint32_t i, struct text id, struct fault *why)
{
	char shown[96];

	if (!utf8_valid(id.at, id.len))
		return fault_set(why, "%s id %u is no UTF-8 text", name, i);
	size_t at = utf8_control(id.at, id.len);

	if (at == id.len)
		return true;
	/* the second byte of those of C1 is their number */
	return fault_set(why, "%s id %u, '%s', has the control character U+%04X at byte %zu, must have none", name, i,
			 fault_quote(shown, sizeof shown, id.at, id.len),
			 (unsigned)(uint8_t)id.at[(uint8_t)id.at[at] == 0xc2 ? at + 1 : at], at);
}

static bool verify_ids(const struct axis *a, const char *name, uint64_t text_bytes, struct fault *why)
{
	char what[32];

	snprintf(what, sizeof what, "%s id", name);
	if (!verify_starts(what, a->id_start, a->n, text_bytes, 1, MODEL_MAX_ID, why))
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		struct text id = model_id(a, i);

		if (!verify_id(name, i, id, why))
			return false;
		if (i > 0) {
			if (text_order(model_id(a, i - 1), id) >= 0)
				return fault_set(why, "%s ids %u and %u are not in byte order", name, i - 1, i);
		}
	}
	return true;
}

static bool verify_permutation(const uint32_t *value, uint32_t n, struct fault *why)
{
	uint8_t *seen = calloc((size_t)n, 1);

	if (!seen)
		return fault_set(why, "no memory to check %u first-appearance ranks", n);
	for (uint32_t i = 0; i < n; i++) {
		if (value[i] >= n || seen[value[i]]) {
			free(seen);
			return fault_set(why, "first-appearance rank %u of item %u is out of range or given twice",
					 value[i], i);
		}
		seen[value[i]] = 1;
	}
	free(seen);
	return true;
}

/* Ascending, in range, without doubles. rank maps a member to what must ascend; NULL: the member itself. */
static bool verify_members(const struct axis *a, const char *name, uint32_t other_n, const uint32_t *rank,
			   struct fault *why)
{
	for (uint32_t i = 0; i < a->n; i++) {
		for (uint64_t k = a->member_start[i]; k < a->member_start[i + 1]; k++) {
			uint32_t member = a->members[k];

			if (member >= other_n)
				return fault_set(why, "%s %u has member %u, must be below %u", name, i, member, other_n);
			if (k == a->member_start[i])
				continue;
			uint32_t last = a->members[k - 1];

			if (rank ? rank[last] >= rank[member] : last >= member)
				return fault_set(why, "members %u and %u of %s %u are out of order", last, member, name, i);
		}
	}
	return true;
}

/* The customers' lists must say the same pairs as the items'. Both hold `interactions` pairs; walking the customers
 * in index order, each of their items must name just this customer next. */
static bool verify_transposed(const struct model *m, struct fault *why)
{
	const struct axis *item = &m->axis[AXIS_ITEM], *customer = &m->axis[AXIS_CUSTOMER];
	uint64_t *next = malloc((size_t)item->n * sizeof *next);

	if (!next)
		return fault_set(why, "no memory to compare the lists of %u items", item->n);
	memcpy(next, item->member_start, (size_t)item->n * sizeof *next);
	for (uint32_t c = 0; c < customer->n; c++) {
		for (uint64_t k = customer->member_start[c]; k < customer->member_start[c + 1]; k++) {
			uint32_t i = customer->members[k];

			if (next[i] == item->member_start[i + 1] || item->members[next[i]] != c) {
				free(next);
				return fault_set(why, "customer %u has item %u, but the item's list does not say so", c, i);
			}
			next[i]++;
		}
	}
	free(next);
	return true;
}

static bool verify_row(const struct axis *a, const char *name, uint32_t i, uint32_t *row_of, struct fault *why)
{
	for (uint64_t k = a->row_start[i]; k < a->row_start[i + 1]; k++) {
		struct neighbour x = a->rows[k];

		if (x.id >= a->n || x.id == i)
			return fault_set(why, "row of %s %u names %u, must be another below %u", name, i, x.id, a->n);
		if (row_of[x.id] == i)
			return fault_set(why, "row of %s %u names %u twice", name, i, x.id);
		row_of[x.id] = i;
		if (x.co == 0 || x.co > model_degree(a, i) || x.co > model_degree(a, x.id))
			return fault_set(why, "row of %s %u counts %u in common with %u, more than they have", name, i, x.co,
					 x.id);
		if (k > a->row_start[i] && !rank_before(a, a->rows[k - 1], x))
			return fault_set(why, "row of %s %u is out of order at %u", name, i, x.id);
	}
	return true;
}

static bool verify_rows(const struct axis *a, const char *name, uint64_t entries, struct fault *why)
{
	uint32_t *row_of;		/* [n] the last row that named this entry */
	bool ok = true;
	char what[32];

	snprintf(what, sizeof what, "%s row", name);
	if (!verify_starts(what, a->row_start, a->n, entries, 0, a->row_limit, why))
		return false;
	row_of = malloc((size_t)a->n * sizeof *row_of);
	if (!row_of)
		return fault_set(why, "no memory to check the rows of %u %ss", a->n, name);
	memset(row_of, 0xff, (size_t)a->n * sizeof *row_of);
	for (uint32_t i = 0; ok && i < a->n; i++)
		ok = verify_row(a, name, i, row_of, why);
	free(row_of);
	return ok;
}

/* Most customers first, then index; each item once, with a count that can be. exact: over all time, so every item
 * stands there with its degree. */
static bool verify_popular(const struct model *m, const struct popular *p, uint32_t n, bool exact, struct fault *why)
{
	const char *what = exact ? "popularity" : "recent popularity";
	const struct axis *item = &m->axis[AXIS_ITEM];
	uint8_t *seen = calloc((size_t)item->n, 1);
	bool ok = true;

	if (!seen)
		return fault_set(why, "no memory to check the %s of %u items", what, item->n);
	if (n > item->n)
		ok = fault_set(why, "%s has %u entries for %u items", what, n, item->n);
	for (uint32_t i = 0; ok && i < n; i++) {
		if (p[i].item >= item->n || seen[p[i].item]++)
			ok = fault_set(why, "%s entry %u names item %u, out of range or twice", what, i, p[i].item);
		else if (p[i].customers == 0 || p[i].customers > model_degree(item, p[i].item) ||
			 (exact && p[i].customers != model_degree(item, p[i].item)))
			ok = fault_set(why, "%s gives item %u %u customers, it has %u", what, p[i].item, p[i].customers,
				       model_degree(item, p[i].item));
		else if (i > 0 && (p[i - 1].customers < p[i].customers ||
				   (p[i - 1].customers == p[i].customers && p[i - 1].item > p[i].item)))
			ok = fault_set(why, "%s is out of order at entry %u", what, i);
	}
	free(seen);
	return ok;
}

static bool verify_texts(const struct model *m, struct fault *why)
{
	uint64_t bytes = m->head->section[SECTION_DESCRIPTIONS].length;
	json_error_t error;

	if (!verify_starts("description", m->description_start, m->axis[AXIS_ITEM].n, bytes, 0, bytes, why))
		return false;
	for (uint32_t i = 0; i < m->axis[AXIS_ITEM].n; i++) {
		struct text d = model_description(m, i);

		if (!utf8_valid(d.at, d.len))
			return fault_set(why, "description of item %u is no UTF-8 text", i);
	}
	json_t *provenance = json_loadb(m->provenance.at, m->provenance.len, JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(provenance)) {
		char shown[JSON_ERROR_TEXT_LENGTH];	/* the parser quotes what it stumbled over as it stands there */
		bool json = provenance != NULL;

		json_decref(provenance);
		return fault_set(why, "the provenance is no JSON object%s%s", json ? "" : ": ",
				 json ? "" : fault_quote(shown, sizeof shown, error.text, strlen(error.text)));
	}
	json_decref(provenance);
	return true;
}

bool model_verify(const struct model *m, struct fault *why)
{
	const struct model_head *h = m->head;
	const struct axis *item = &m->axis[AXIS_ITEM], *customer = &m->axis[AXIS_CUSTOMER];
	const size_t from = offsetof(struct model_head, items);
	uint64_t sum = XXH3_64bits((const uint8_t *)h + from, (size_t)h->size - from);

	if (sum != h->checksum)
		return fault_set(why, "the checksum is %016llx, the head says %016llx: the model is damaged", LL(sum),
				 LL(h->checksum));
	if (!verify_ids(item, axis_name[AXIS_ITEM], h->section[SECTION_ITEM_IDS].length, why) ||
	    !verify_ids(customer, axis_name[AXIS_CUSTOMER], h->section[SECTION_CUSTOMER_IDS].length, why) ||
	    !verify_permutation(m->first_seen, item->n, why) ||
	    !verify_starts("item member", item->member_start, item->n, h->interactions, 1, customer->n, why) ||
	    !verify_starts("customer member", customer->member_start, customer->n, h->interactions, 1, item->n, why) ||
	    !verify_members(item, axis_name[AXIS_ITEM], customer->n, NULL, why) ||
	    !verify_members(customer, axis_name[AXIS_CUSTOMER], item->n, m->first_seen, why) ||
	    !verify_transposed(m, why))
		return false;
	for (int k = 0; k < AXES; k++) {
		int section = k == AXIS_ITEM ? SECTION_ITEM_ROWS : SECTION_CUSTOMER_ROWS;

		if (!verify_rows(&m->axis[k], axis_name[k], h->section[section].length / sizeof(struct neighbour), why))
			return false;
	}
	return verify_popular(m, m->popular, item->n, true, why) &&
	       verify_popular(m, m->recent, m->recent_count, false, why) && verify_texts(m, why) &&
	       references_verify(m, why);
}

bool model_verify_rows(const struct model *m, struct fault *why)
{
	for (int k = 0; k < AXES; k++) {
		const struct axis *a = &m->axis[k], *other = &m->axis[axis_other((enum axis_kind)k)];
		size_t limit = a->row_limit < a->n ? a->row_limit : a->n;
		uint32_t *co = malloc((size_t)a->n * sizeof *co);
		struct neighbour *row = malloc(limit * sizeof *row);
		struct ranker ranker = {0};
		bool ok = co && row && ranker_open(&ranker, a);

		if (!ok)
			fault_set(why, "no memory to compute the rows of %u %ss again", a->n, axis_name[k]);
		for (uint32_t i = 0; ok && i < a->n; i++) {
			size_t stored = (size_t)(a->row_start[i + 1] - a->row_start[i]);

			memset(co, 0, (size_t)a->n * sizeof *co);
			cooccur_row(a, other, i, co);
			size_t n = ranker_top(&ranker, co, i, row, limit);

			if (n != stored || memcmp(row, a->rows + a->row_start[i], n * sizeof *row) != 0)
				ok = fault_set(why, "the row of %s %u is not what the lists of customers and items give",
					       axis_name[k], i);
		}
		ranker_close(&ranker);
		free(row);
		free(co);
		if (!ok)
			return false;
	}
	return true;
}
