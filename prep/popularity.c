/* popularity.c - popular items. akin-prep build calls it once, while the rows with their times are there.
 *
 * Over all time the counts are the lengths of the items' lists. For the last days the rows are dealt by item as in
 * interactions.c, and a customer's repetitions in one item's bucket are not counted. Fails only for want of memory. */
#include "popularity.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct popular *x = a, *y = b;

	if (x->customers != y->customers)
		return x->customers > y->customers ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static bool is_recent(const struct transactions *t, uint64_t row, int64_t newest)
{
	/* Times are far from the ends of 64 bits, but a hostile file must not make the difference overflow. */
	int64_t age;

	return !__builtin_sub_overflow(newest, t->time[row], &age) && age <= RECENT_SECONDS;
}

/* customers[item number] = distinct customers among the recent rows. */
static bool count_recent(const struct transactions *t, int64_t newest, uint32_t *customers)
{
	size_t items = t->items.n;
	uint64_t *start = calloc(items + 2, sizeof *start);	/* start[i + 2] counts, start[i + 1] deals */
	uint32_t *last_item = malloc(t->customers.n * sizeof *last_item);
	uint32_t *bucket = NULL;

	if (start && last_item) {
		for (uint64_t i = 0; i < t->rows; i++)
			start[t->item[i] + 2] += is_recent(t, i, newest);
		for (size_t i = 2; i < items + 2; i++)
			start[i] += start[i - 1];
		bucket = malloc(start[items + 1] * sizeof *bucket);
	}
	if (bucket) {
		for (uint64_t i = 0; i < t->rows; i++)
			if (is_recent(t, i, newest))
				bucket[start[t->item[i] + 1]++] = t->customer[i];
		memset(last_item, 0xff, t->customers.n * sizeof *last_item);
		for (uint32_t item = 0; item < items; item++) {
			customers[item] = 0;
			for (uint64_t i = start[item]; i < start[item + 1]; i++) {
				customers[item] += last_item[bucket[i]] != item;
				last_item[bucket[i]] = item;
			}
		}
	}
	free(start);
	free(last_item);
	free(bucket);
	return bucket != NULL;
}

static bool rank_recent(struct popularity *p, const struct transactions *t, const struct interactions *x)
{
	uint32_t items = x->side[AXIS_ITEM].n;
	uint32_t *customers = malloc(items * sizeof *customers);

	p->newest = t->time[0];
	for (uint64_t i = 1; i < t->rows; i++)
		if (t->time[i] > p->newest)
			p->newest = t->time[i];
	if (p->newest == TRANSACTIONS_NO_TIME) {	/* a date column with not one date in it */
		free(customers);
		return true;
	}
	if (!customers || !count_recent(t, p->newest, customers)) {
		free(customers);
		return false;
	}
	for (uint32_t i = 0; i < items; i++)
		if (customers[x->first_seen[i]] > 0)
			p->recent[p->recent_count++] = (struct popular){i, customers[x->first_seen[i]]};
	free(customers);
	qsort(p->recent, p->recent_count, sizeof *p->recent, compare);
	return true;
}

bool popularity_build(struct popularity *p, const struct transactions *t, const struct interactions *x,
		      struct fault *why)
{
	const struct side *items = &x->side[AXIS_ITEM];

	*p = (struct popularity){.newest = TRANSACTIONS_NO_TIME};
	p->all = malloc(items->n * sizeof *p->all);
	p->recent = malloc(items->n * sizeof *p->recent);
	if (!p->all || !p->recent || (t->time && !rank_recent(p, t, x))) {
		popularity_free(p);
		return fault_set(why, "no memory to rank %u items by popularity", items->n);
	}
	for (uint32_t i = 0; i < items->n; i++)
		p->all[i] = (struct popular){i, (uint32_t)(items->member_start[i + 1] - items->member_start[i])};
	qsort(p->all, items->n, sizeof *p->all, compare);
	return true;
}

void popularity_free(struct popularity *p)
{
	free(p->all);
	free(p->recent);
	*p = (struct popularity){.newest = TRANSACTIONS_NO_TIME};
}
