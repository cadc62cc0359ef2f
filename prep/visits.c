/* visits.c - counting. akin-prep build calls it once, while the rows with their times are there.
 *
 * An invoice's lines share a customer and a time, so a customer's distinct times are the visits. The times are dealt by
 * customer; most inputs are in order of time, and a customer's need sorting only where they are not. Fails only for want
 * of memory. */
#include "visits.h"

#include <stdlib.h>
#include <string.h>

static int compare_times(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

uint32_t visits_distinct(int64_t *time, uint64_t n)
{
	uint32_t distinct = 0;
	bool ascending = true;

	for (uint64_t i = 1; ascending && i < n; i++)
		ascending = time[i - 1] <= time[i];
	if (!ascending)
		qsort(time, n, sizeof *time, compare_times);
	for (uint64_t i = 0; i < n; i++)
		distinct += time[i] != TRANSACTIONS_NO_TIME && (i == 0 || time[i - 1] != time[i]);
	return distinct;
}

/* visits[c] for the customers by index. */
static bool count_visits(const struct transactions *t, const struct interactions *x, uint32_t *visits)
{
	size_t n = t->customers.n;
	uint64_t *start = calloc(n + 2, sizeof *start);	/* start[c + 2] counts, start[c + 1] deals */
	int64_t *bucket = malloc(t->rows * sizeof *bucket);
	bool ok = start && bucket;

	if (ok) {
		for (uint64_t i = 0; i < t->rows; i++)
			start[t->customer[i] + 2]++;
		for (size_t c = 2; c < n + 2; c++)
			start[c] += start[c - 1];
		for (uint64_t i = 0; i < t->rows; i++)
			bucket[start[t->customer[i] + 1]++] = t->time[i];
		for (uint32_t c = 0; c < n; c++) {
			uint32_t number = x->customer_number[c];
			uint32_t times = visits_distinct(bucket + start[number], start[number + 1] - start[number]);

			visits[c] = times ? times : 1;
		}
	}
	free(start);
	free(bucket);
	return ok;
}

static bool count_lines(const struct transactions *t, const struct interactions *x, uint32_t *lines)
{
	uint32_t items = t->items.n;
	uint32_t *of = calloc(items, sizeof *of);	/* by number */

	if (!of)
		return false;
	for (uint64_t i = 0; i < t->rows; i++)
		of[t->item[i]]++;
	for (uint32_t i = 0; i < items; i++)
		lines[i] = of[x->first_seen[i]];
	free(of);
	return true;
}

bool visits_count(struct visits *v, const struct transactions *t, const struct interactions *x, struct fault *why)
{
	uint32_t customers = t->customers.n;

	v->visits = malloc(customers * sizeof *v->visits);
	v->lines = malloc(t->items.n * sizeof *v->lines);
	bool ok = v->visits && v->lines && count_lines(t, x, v->lines);

	for (uint32_t c = 0; ok && !t->time && c < customers; c++)
		v->visits[c] = 1;
	ok = ok && (!t->time || count_visits(t, x, v->visits));
	if (ok)
		return true;
	visits_free(v);
	return fault_set(why, "no memory to count the visits of %u customers", customers);
}

void visits_free(struct visits *v)
{
	free(v->visits);
	free(v->lines);
	*v = (struct visits){0};
}
