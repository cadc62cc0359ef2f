/* interactions.c - from kept rows to the lists of both sides. akin-prep build calls it once.
 *
 * Nothing here sorts rows or hashes pairs. Each side's ids are sorted alone (there are thousands of them, not
 * millions). Then the rows are dealt three times, each time into buckets whose sizes are known:
 *
 *   by item, in order of first appearance; a customer already seen in this item's bucket is dropped;
 *   from there by customer: so every customer's items stand by first appearance;
 *   from there, customers in index order, by item: so every item's customers stand by index.
 *
 * It takes 4 bytes a row and 8 a pair while it runs, and fails only for want of memory. */
#include "interactions.h"

#include <stdlib.h>
#include <string.h>

/* What one id is sorted by: its first eight bytes as a number, then its text. */
struct id_key {
	uint64_t prefix;
	const char *at;
	uint32_t len;
	uint32_t number;
};

static bool no_memory(struct fault *why, const char *what, uint64_t bytes)
{
	return fault_set(why, "no memory for %s, %llu bytes", what, (unsigned long long)bytes);
}

static int compare_ids(const void *a, const void *b)
{
	const struct id_key *x = a, *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return text_order((struct text){x->at, x->len}, (struct text){y->at, y->len});
}

static uint64_t first_eight(const char *at, size_t len)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < len ? (uint8_t)at[i] : 0);
	return prefix;
}

/* Lay out the ids of t in byte order. number_at[i] is then the number, in t, of the entry with index i. */
static bool sort_ids(struct side *s, const struct intern *t, uint32_t *number_at, struct fault *why)
{
	struct id_key *keys = malloc((size_t)t->n * sizeof *keys);

	s->n = t->n;
	s->id_start = malloc(((size_t)t->n + 1) * sizeof *s->id_start);
	s->ids = malloc(t->start[t->n] + 1);
	if (!keys || !s->id_start || !s->ids) {
		free(keys);
		return no_memory(why, "ids", t->start[t->n] + (uint64_t)t->n * sizeof *keys);
	}
	for (uint32_t i = 0; i < t->n; i++) {
		const char *at = t->bytes + t->start[i];
		uint32_t len = (uint32_t)(t->start[i + 1] - t->start[i]);

		keys[i] = (struct id_key){first_eight(at, len), at, len, i};
	}
	qsort(keys, t->n, sizeof *keys, compare_ids);

	uint64_t end = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		s->id_start[i] = end;
		memcpy(s->ids + end, keys[i].at, keys[i].len);
		end += keys[i].len;
		number_at[i] = keys[i].number;
	}
	s->id_start[t->n] = end;
	free(keys);
	return true;
}

/* Turn counts[0..n) into starts[0..n], counts[i] becoming the place of the first of i. */
static void starts_of(const uint32_t *counts, uint32_t n, uint64_t *starts)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < n; i++) {
		starts[i] = end;
		end += counts[i];
	}
	starts[n] = end;
}

/* The lists while they are made. Items go by their number in the transactions here, customers by their index. */
struct dealing {
	const uint32_t *item_at;	/* [items] number of the item with this index */
	uint32_t *customer_index;	/* [customers] index of the customer with this number */
	uint32_t *item_index;		/* [items] index of the item with this number */
	uint32_t *bucket;		/* [rows] customers by item, then without repetition */
	uint64_t *bucket_start;		/* [items + 1] */
	uint32_t *distinct;		/* [items] customers left in the bucket */
	uint32_t *degree;		/* [customers] items of each */
	uint64_t *next;			/* [the longer side + 1] where the next of a list goes */
	uint32_t *last_item;		/* [customers] the last item this customer was seen with */
};

static void dealing_free(struct dealing *d)
{
	free(d->customer_index);
	free(d->item_index);
	free(d->bucket);
	free(d->bucket_start);
	free(d->distinct);
	free(d->degree);
	free(d->next);
	free(d->last_item);
}

static bool dealing_open(struct dealing *d, const struct transactions *t, struct fault *why)
{
	size_t items = t->items.n, customers = t->customers.n;
	size_t longer = items > customers ? items : customers;

	d->customer_index = malloc(customers * sizeof *d->customer_index);
	d->item_index = malloc(items * sizeof *d->item_index);
	d->bucket = malloc(t->rows * sizeof *d->bucket);
	d->bucket_start = malloc((items + 1) * sizeof *d->bucket_start);
	d->distinct = calloc(items, sizeof *d->distinct);
	d->degree = calloc(customers, sizeof *d->degree);
	d->next = malloc((longer + 1) * sizeof *d->next);
	d->last_item = malloc(customers * sizeof *d->last_item);
	if (!d->customer_index || !d->item_index || !d->bucket || !d->bucket_start || !d->distinct || !d->degree ||
	    !d->next || !d->last_item)
		return no_memory(why, "rows", t->rows * sizeof *d->bucket);
	return true;
}

/* First deal: every row's customer into the bucket of its item; then each bucket without repetition. */
static void deal_by_item(struct dealing *d, const struct transactions *t)
{
	uint32_t items = t->items.n;

	for (uint64_t i = 0; i < t->rows; i++)
		d->distinct[t->item[i]]++;
	starts_of(d->distinct, items, d->bucket_start);
	memcpy(d->next, d->bucket_start, items * sizeof *d->next);
	for (uint64_t i = 0; i < t->rows; i++)
		d->bucket[d->next[t->item[i]]++] = d->customer_index[t->customer[i]];

	memset(d->last_item, 0xff, t->customers.n * sizeof *d->last_item);
	for (uint32_t item = 0; item < items; item++) {
		uint32_t *list = d->bucket + d->bucket_start[item];
		uint32_t rows = d->distinct[item], kept = 0;

		for (uint32_t i = 0; i < rows; i++) {
			uint32_t customer = list[i];

			if (d->last_item[customer] == item)
				continue;
			d->last_item[customer] = item;
			d->degree[customer]++;
			list[kept++] = customer;
		}
		d->distinct[item] = kept;
	}
}

/* Second deal: items in order of appearance to the customers in their buckets. */
static void deal_by_customer(struct side *customers, struct dealing *d, uint32_t items)
{
	starts_of(d->degree, customers->n, customers->member_start);
	memcpy(d->next, customers->member_start, customers->n * sizeof *d->next);
	for (uint32_t item = 0; item < items; item++) {
		const uint32_t *list = d->bucket + d->bucket_start[item];

		for (uint32_t i = 0; i < d->distinct[item]; i++)
			customers->members[d->next[list[i]]++] = d->item_index[item];
	}
}

/* Third deal: customers in index order to their items. */
static void deal_back(struct side *items, const struct side *customers, struct dealing *d)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < items->n; i++) {
		items->member_start[i] = end;
		end += d->distinct[d->item_at[i]];
	}
	items->member_start[items->n] = end;
	memcpy(d->next, items->member_start, items->n * sizeof *d->next);
	for (uint32_t c = 0; c < customers->n; c++)
		for (uint64_t i = customers->member_start[c]; i < customers->member_start[c + 1]; i++)
			items->members[d->next[customers->members[i]]++] = c;
}

static bool lists_open(struct side *s, uint64_t pairs, struct fault *why)
{
	s->member_start = malloc(((size_t)s->n + 1) * sizeof *s->member_start);
	s->members = malloc(pairs * sizeof *s->members);
	if (!s->member_start || !s->members)
		return no_memory(why, "interactions", pairs * sizeof *s->members);
	return true;
}

static bool make_lists(struct interactions *x, const struct transactions *t, struct fault *why)
{
	struct side *items = &x->side[AXIS_ITEM], *customers = &x->side[AXIS_CUSTOMER];
	struct dealing d = {.item_at = x->first_seen};

	if (!dealing_open(&d, t, why)) {
		dealing_free(&d);
		return false;
	}
	for (uint32_t i = 0; i < customers->n; i++)
		d.customer_index[x->customer_number[i]] = i;
	for (uint32_t i = 0; i < items->n; i++)
		d.item_index[x->first_seen[i]] = i;
	deal_by_item(&d, t);
	x->pairs = 0;
	for (uint32_t i = 0; i < items->n; i++)
		x->pairs += d.distinct[i];

	bool ok = lists_open(items, x->pairs, why) && lists_open(customers, x->pairs, why);

	if (ok) {
		deal_by_customer(customers, &d, items->n);
		deal_back(items, customers, &d);
	}
	dealing_free(&d);
	return ok;
}

static bool lay_out_descriptions(struct interactions *x, const struct transactions *t, struct fault *why)
{
	uint32_t items = x->side[AXIS_ITEM].n;
	uint64_t bytes = 0, end = 0;

	for (uint32_t i = 0; i < items; i++) {
		uint32_t text = t->description_of[i];

		if (text != UINT32_MAX)
			bytes += t->descriptions.start[text + 1] - t->descriptions.start[text];
	}
	x->description_start = malloc(((size_t)items + 1) * sizeof *x->description_start);
	x->descriptions = malloc(bytes + 1);
	if (!x->description_start || !x->descriptions)
		return no_memory(why, "descriptions", bytes);
	for (uint32_t i = 0; i < items; i++) {
		uint32_t text = t->description_of[x->first_seen[i]];

		x->description_start[i] = end;
		if (text == UINT32_MAX)
			continue;
		uint64_t from = t->descriptions.start[text], len = t->descriptions.start[text + 1] - from;

		memcpy(x->descriptions + end, t->descriptions.bytes + from, len);
		end += len;
	}
	x->description_start[items] = end;
	return true;
}

bool interactions_build(struct interactions *x, const struct transactions *t, struct fault *why)
{
	*x = (struct interactions){0};
	if (t->items.n > MODEL_MAX_ENTRIES || t->customers.n > MODEL_MAX_ENTRIES)
		return fault_set(why, "a model holds at most %u items and %u customers, there are %u and %u",
				 MODEL_MAX_ENTRIES, MODEL_MAX_ENTRIES, t->items.n, t->customers.n);
	if (t->rows > UINT32_MAX)	/* one bucket may get them all, and is counted in 32 bits */
		return fault_set(why, "a model is made from at most %u rows, there are %llu", UINT32_MAX,
				 (unsigned long long)t->rows);

	x->customer_number = malloc(t->customers.n * sizeof *x->customer_number);
	x->first_seen = malloc(t->items.n * sizeof *x->first_seen);

	bool ok = x->customer_number && x->first_seen;

	if (!ok)
		no_memory(why, "ids", ((uint64_t)t->customers.n + t->items.n) * sizeof *x->first_seen);
	ok = ok && sort_ids(&x->side[AXIS_CUSTOMER], &t->customers, x->customer_number, why) &&
	     sort_ids(&x->side[AXIS_ITEM], &t->items, x->first_seen, why) &&
	     lay_out_descriptions(x, t, why) && make_lists(x, t, why);
	if (!ok)
		interactions_free(x);
	return ok;
}

void interactions_free(struct interactions *x)
{
	for (unsigned i = 0; i < AXES; i++) {
		free(x->side[i].id_start);
		free(x->side[i].ids);
		free(x->side[i].member_start);
		free(x->side[i].members);
	}
	free(x->first_seen);
	free(x->customer_number);
	free(x->description_start);
	free(x->descriptions);
	*x = (struct interactions){0};
}

struct axis interactions_axis(const struct interactions *x, enum axis_kind kind)
{
	const struct side *s = &x->side[kind];

	return (struct axis){.n = s->n, .id_start = s->id_start, .ids = s->ids, .member_start = s->member_start,
			     .members = s->members};
}
