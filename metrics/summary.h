/* summary.h - a series of values in a few numbers: enum statistic of monitored.h. Pure: no shared memory.
 *
 * Units are those of the values. Standard deviation is the population's (divided by n): a window is all there is of it, not a
 * sample. The quantile q is the least value that at least q * n values don't exceed (NumPy's "inverted_cdf"), so it is
 * always a value that occurred; the median is that of 0.5. With nothing in it n is 0 and every statistic NaN. */
#ifndef AKIN_SUMMARY_H
#define AKIN_SUMMARY_H

#include <stddef.h>

#include "monitored.h"

/* Of a histogram: counts[i] values of i / per + offset, per above 0: so the bin 346 of thousandths is the double 0.346, and no
 * neighbour of it. What a bin's values are rounded to is what they count for. */
void summary_of_histogram(struct monitored_statistics *s, const uint64_t *counts, unsigned bins, double per, double offset);

/* Of values that occurred `weight` times each, in any order; weight 0 is as if it was not there. They are sorted in
 * place, by qsort(). No value is NaN. */
struct weighted {
	double value;
	uint64_t weight;
};
void summary_of_weighted(struct monitored_statistics *s, struct weighted *values, size_t n);

#endif
