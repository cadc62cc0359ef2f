/* purchases.c - newly arrived rows, put in order. Called once by akin-prep replay, when all rows are read.
 *
 * An export is mostly in order already, so that is looked at before anything is sorted. A pair is found to be new by dealing
 * the rows, in order, to their customers: in a customer's bucket an item is new when nobody has marked it for this customer.
 * Fails only for want of memory, and for more rows than a model could be made from. */
#include "purchases.h"

#include <stdlib.h>
#include <string.h>

/* When a row happened, for the order: without a time, after all that have one. */
static int64_t moment(const struct transactions *t, uint32_t row)
{
	return t->time && t->time[row] != TRANSACTIONS_NO_TIME ? t->time[row] : INT64_MAX;
}

static int compare(const void *a, const void *b, void *of)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int64_t at_x = moment(of, x), at_y = moment(of, y);

	if (at_x != at_y)
		return at_x < at_y ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort_rows(struct purchases *p, const struct transactions *t)
{
	bool sorted = true;

	for (uint32_t i = 0; i < p->rows; i++) {
		p->order[i] = i;
		sorted = sorted && (i == 0 || moment(t, i - 1) <= moment(t, i));
	}
	if (!sorted)
		qsort_r(p->order, p->rows, sizeof *p->order, compare, (void *)(uintptr_t)t);
}

/* A row begins a visit when its customer has none before, or one at an earlier time. last: [customers], INT64_MIN. */
static void find_visits(struct purchases *p, const struct transactions *t, int64_t *last)
{
	for (uint32_t i = 0; i < p->rows; i++) {
		uint32_t customer = t->customer[p->order[i]];
		int64_t now = moment(t, p->order[i]);

		p->visit[i] = last[customer] == INT64_MIN || (now != INT64_MAX && now != last[customer]);
		last[customer] = now;
	}
}

/* Each customer's places in order, to bucket; next: [customers + 1], zeroed, and then where each bucket ends. */
static void deal(const struct purchases *p, const struct transactions *t, uint64_t *next, uint32_t *bucket)
{
	for (uint64_t i = 0; i < p->rows; i++)
		next[t->customer[i] + 1]++;
	for (uint32_t c = 0; c < t->customers.n; c++)
		next[c + 1] += next[c];
	for (uint32_t i = 0; i < p->rows; i++)
		bucket[next[t->customer[p->order[i]]]++] = i;
}

/* Marks in p->at[place] the places that are purchases. owner: [items], all UINT32_MAX. */
static void find_firsts(struct purchases *p, const struct transactions *t, const uint64_t *end, const uint32_t *bucket,
			uint32_t *owner)
{
	uint64_t k = 0;

	for (uint32_t c = 0; c < t->customers.n; c++) {
		for (; k < end[c]; k++) {
			uint32_t item = t->item[p->order[bucket[k]]];

			p->at[bucket[k]] = owner[item] != c;
			owner[item] = c;
		}
	}
}

/* From marks to a list, in place, and the list of each customer. next: [customers + 1]. */
static void list_firsts(struct purchases *p, const struct transactions *t, uint64_t *next)
{
	for (uint32_t i = 0; i < p->rows; i++) {
		if (!p->at[i])
			continue;
		p->of_start[t->customer[p->order[i]] + 1]++;
		p->at[p->n++] = i;
	}
	for (uint32_t c = 0; c < t->customers.n; c++) {
		next[c] = p->of_start[c];
		p->of_start[c + 1] += p->of_start[c];
	}
	for (uint32_t k = 0; k < p->n; k++)
		p->of[next[t->customer[p->order[p->at[k]]]]++] = k;
}

bool purchases_open(struct purchases *p, const struct transactions *t, struct fault *why)
{
	size_t rows = t->rows, customers = t->customers.n;

	*p = (struct purchases){.rows = rows};
	if (rows > UINT32_MAX)
		return fault_set(why, "a replay takes at most %u rows, there are %zu", UINT32_MAX, rows);
	p->order = malloc(rows * sizeof *p->order);
	p->visit = malloc(rows * sizeof *p->visit);
	p->at = malloc(rows * sizeof *p->at);
	p->of = malloc(rows * sizeof *p->of);
	p->of_start = calloc(customers + 1, sizeof *p->of_start);

	uint32_t *bucket = malloc(rows * sizeof *bucket), *owner = malloc(t->items.n * sizeof *owner);
	uint64_t *next = calloc(customers + 1, sizeof *next);
	int64_t *last = malloc(customers * sizeof *last);
	bool ok = p->order && p->visit && p->at && p->of && p->of_start && bucket && owner && next && last;

	if (ok) {
		for (size_t c = 0; c < customers; c++)
			last[c] = INT64_MIN;
		memset(owner, 0xff, t->items.n * sizeof *owner);
		sort_rows(p, t);
		find_visits(p, t, last);
		deal(p, t, next, bucket);
		find_firsts(p, t, next, bucket, owner);
		list_firsts(p, t, next);
	}
	free(bucket);
	free(owner);
	free(next);
	free(last);
	if (ok)
		return true;
	purchases_free(p);
	return fault_set(why, "no memory to put %zu rows in order", rows);
}

void purchases_free(struct purchases *p)
{
	free(p->order);
	free(p->visit);
	free(p->at);
	free(p->of);
	free(p->of_start);
	*p = (struct purchases){0};
}
