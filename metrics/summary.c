/* summary.c - mean, deviation and quantiles of a window's values.
 *
 * Called by the monitor when a window closes. Both kinds of series are brought to (value, weight) pairs in ascending order,
 * which one walk sums up; a second one is for the deviation, since sum of squares minus square of sum cancels. */
#include "summary.h"

#include <math.h>
#include <stdlib.h>

/* A series in ascending order: pair i into *value, *weight. */
struct series {
	const uint64_t *counts;		/* of a histogram; or NULL */
	double per, offset;
	const struct weighted *values;
	size_t n;
};

static struct weighted pair(const struct series *s, size_t i)
{
	return s->counts ? (struct weighted){(double)i / s->per + s->offset, s->counts[i]} : s->values[i];
}

static const struct {
	enum statistic statistic;
	unsigned percent;
} quantiles[] = {
	{STATISTIC_P10, 10}, {STATISTIC_P25, 25}, {STATISTIC_MEDIAN, 50},
	{STATISTIC_P75, 75}, {STATISTIC_P90, 90}, {STATISTIC_P99, 99},
};
#define QUANTILES (sizeof quantiles / sizeof *quantiles)

/* Values that the quantile must not exceed, rounded up: in integers, since 0.1 * 30 is more than 3. */
static uint64_t at_least(uint64_t n, unsigned percent)
{
	return (uint64_t)(((unsigned __int128)n * percent + 99) / 100);
}

static void sum_up(struct monitored_statistics *out, const struct series *s)
{
	double sum = 0, squares = 0;
	uint64_t seen = 0;
	size_t quantile = 0;

	out->n = 0;
	for (int i = 0; i < STATISTIC_COUNT; i++)
		out->of[i] = NAN;
	for (size_t i = 0; i < s->n; i++)
		out->n += pair(s, i).weight;
	if (out->n == 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		struct weighted p = pair(s, i);

		if (p.weight == 0)
			continue;
		if (seen == 0)
			out->of[STATISTIC_MIN] = p.value;
		out->of[STATISTIC_MAX] = p.value;
		sum += p.value * (double)p.weight;
		seen += p.weight;
		for (; quantile < QUANTILES && seen >= at_least(out->n, quantiles[quantile].percent); quantile++)
			out->of[quantiles[quantile].statistic] = p.value;
	}
	double mean = sum / (double)out->n;

	for (size_t i = 0; i < s->n; i++) {
		struct weighted p = pair(s, i);

		if (p.weight > 0)
			squares += (p.value - mean) * (p.value - mean) * (double)p.weight;
	}
	out->of[STATISTIC_MEAN] = mean;
	out->of[STATISTIC_STDDEV] = sqrt(squares / (double)out->n);
}

void summary_of_histogram(struct monitored_statistics *s, const uint64_t *counts, unsigned bins, double per, double offset)
{
	sum_up(s, &(struct series){.counts = counts, .per = per, .offset = offset, .n = bins});
}

static int by_value(const void *a, const void *b)
{
	double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;

	return (x > y) - (x < y);
}

void summary_of_weighted(struct monitored_statistics *s, struct weighted *values, size_t n)
{
	if (n > 0)
		qsort(values, n, sizeof *values, by_value);
	sum_up(s, &(struct series){.values = values, .n = n});
}
