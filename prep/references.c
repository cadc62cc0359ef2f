/* references.c - where the bins of a feature begin and end. akin-prep build calls it when the rows of neighbours are there.
 *
 * Bins are quantiles: about WANTED_BINS of equal mass, so that the two sides of a comparison are looked at where the
 * entities are. Numbers like these have ties, a third of all at 0 or 1 sometimes, and a quantile falls into a tie as a rule.
 * So a value that a bin's worth of entities share gets a bin alone, [v, next double), and a bin never begins or ends within
 * a tie. Between two such values is always a bin, maybe an empty one. For k of them, at most 64 + k bins come about, 127 when
 * there is nothing else: what fits between the two open ends. Fails only for want of memory. */
#include "references.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_BINS   64
#define WANTED_GROUPS 10
_Static_assert(2 * WANTED_BINS - 1 + 2 <= REFERENCE_BINS && WANTED_GROUPS <= REFERENCE_GROUPS, "they fit");

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A bin begins at v. The one before has its count by then, or began there, too: a value may be the next double to one that
 * stands alone (2/sqrt(24) and 1/sqrt(6) are such a pair). */
static void begin_bin(struct reference *r, double v)
{
	if (r->bins > 1 && r->edge[r->bins - 2] == v)
		return;
	r->edge[r->bins - 1] = v;
	r->count[r->bins++] = 0;
}

/* value[] ascends. Afterwards the last bin is the open end. */
static void lay_bins(struct reference *r, const double *value, uint32_t n)
{
	bool full = true;		/* the bin at hand takes no more */

	r->bins = 1;
	for (uint32_t i = 0, ties; i < n; i += ties) {
		for (ties = 1; i + ties < n && value[i + ties] == value[i];)
			ties++;
		bool alone = (uint64_t)ties * WANTED_BINS >= n;

		if (full || alone)
			begin_bin(r, value[i]);
		r->count[r->bins - 1] += ties;
		full = (uint64_t)r->count[r->bins - 1] * WANTED_BINS >= n;
		if (alone && i + ties < n) {
			begin_bin(r, nextafter(value[i], INFINITY));
			full = false;
		}
	}
	begin_bin(r, nextafter(value[n - 1], INFINITY));
}

/* Join bins so that each group has about as many entities as are left for each of those that are left. */
static void lay_groups(struct reference *r, uint32_t n)
{
	uint32_t group = 0, in_group = 0, left = n;

	for (uint32_t i = 0; i < r->bins; i++) {
		double fair = (double)left / (WANTED_GROUPS - group);
		uint32_t more = r->count[i];

		/* Another group, when this one is nearer to its share without this bin than with it. */
		if (in_group > 0 && more > 0 && group + 1 < WANTED_GROUPS &&
		    in_group + more - fair > fair - in_group) {
			left -= in_group;
			in_group = 0;
			group++;
		}
		r->group[i] = (uint8_t)group;
		in_group += more;
	}
	r->groups = group + 1;
}

void reference_lay_out(struct reference *r, double *value, uint32_t n)
{
	memset(r, 0, sizeof *r);
	qsort(value, n, sizeof *value, compare);
	lay_bins(r, value, n);
	lay_groups(r, n);
}

bool references_build(struct reference *r, const struct model *m, struct fault *why)
{
	uint32_t items = m->axis[AXIS_ITEM].n, customers = m->axis[AXIS_CUSTOMER].n;
	uint32_t longer = items > customers ? items : customers;
	uint32_t *rank = malloc((size_t)items * sizeof *rank);
	double *value = malloc((size_t)longer * sizeof *value);
	bool ok = rank && value;

	if (ok)
		feature_ranks(m, rank);
	for (int f = 0; ok && f < FEATURE_BINNED; f++) {
		uint32_t n = m->axis[feature_axis((enum feature)f)].n;

		if (f == FEATURE_ITEM_MIX) {
			r[f] = (struct reference){.bins = FEATURE_BUCKETS, .groups = FEATURE_BUCKETS};
			reference_count(&r[f], m, (enum feature)f, rank);
			continue;
		}
		for (uint32_t i = 0; i < n; i++)
			value[i] = feature_value(m, (enum feature)f, i, rank);
		reference_lay_out(&r[f], value, n);
	}
	free(rank);
	free(value);
	return ok || fault_set(why, "no memory for the references of %u entities", longer);
}
