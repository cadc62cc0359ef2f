/* rank.c - who stands before whom, and the best n of a row without sorting the row.
 *
 * akin-prep ranks every row here, and a worker the few that reach beyond a stored one, so one rule orders both.
 * Can't fail once the ranker is open.
 *
 * The selection keeps a pool of candidates. An entry is let in unless its score, as a double, is clearly below the
 * worst of the best n so far; when the pool is full it is cut back to the best n, which raises that bar. A double
 * decides only where two scores differ by far more than its error; whatever is closer is decided by integers. */
#include "rank.h"

#include <stdlib.h>

#define POOL_CUT 512		/* candidates that are worth a cut; at least 2n */
#define SMALL	 12		/* ranges that insertion sorts faster */

/* co*co*(1/n) has three roundings, each at most 2^-53: this is 1024 times their sum. */
#define MARGIN 0x1p-41

struct candidate {
	double score;		/* co*co/n_b, nearly */
	struct neighbour is;
};

bool rank_before(const struct axis *a, struct neighbour x, struct neighbour y)
{
	unsigned __int128 left = (unsigned __int128)((uint64_t)x.co * x.co) * model_degree(a, y.id);
	unsigned __int128 right = (unsigned __int128)((uint64_t)y.co * y.co) * model_degree(a, x.id);

	return left != right ? left > right : x.id < y.id;
}

bool ranker_open(struct ranker *r, const struct axis *a)
{
	*r = (struct ranker){.axis = a};
	r->weight = malloc(((size_t)a->n + 1) * sizeof *r->weight);
	r->pool = malloc(((size_t)a->n + 1) * sizeof *r->pool);
	if (!r->weight || !r->pool) {
		ranker_close(r);
		return false;
	}
	for (uint32_t i = 0; i < a->n; i++)
		r->weight[i] = 1.0 / model_degree(a, i);
	return true;
}

void ranker_close(struct ranker *r)
{
	free(r->weight);
	free(r->pool);
	*r = (struct ranker){0};
}

static inline bool before(const struct axis *a, const struct candidate *x, const struct candidate *y)
{
	double gap = x->score - y->score, close = x->score * MARGIN;

	if (gap > close)
		return true;
	if (gap < -close)
		return false;
	return rank_before(a, x->is, y->is);
}

static inline void swap(struct candidate *x, struct candidate *y)
{
	struct candidate t = *x;

	*x = *y;
	*y = t;
}

static void insertion_sort(const struct axis *a, struct candidate *c, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct candidate x = c[i];
		size_t j = i;

		for (; j > 0 && before(a, &x, &c[j - 1]); j--)
			c[j] = c[j - 1];
		c[j] = x;
	}
}

static void heap_sort(const struct axis *a, struct candidate *c, size_t n)
{
	for (size_t end = n, start = n / 2; end > 1;) {
		if (start > 0)
			start--;
		else
			swap(&c[0], &c[--end]);
		for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
			if (child + 1 < end && before(a, &c[child], &c[child + 1]))
				child++;	/* the heap's top is the one that stands last */
			if (!before(a, &c[root], &c[child]))
				break;
			swap(&c[root], &c[child]);
		}
	}
}

/* Bring the first keep of c[0..n) in rank order to the front; what stands behind them is in no order. A quicksort
 * that leaves alone the parts nobody will see; where pivots keep splitting badly, heap sort bounds it. */
static void split_and_sort(const struct axis *a, struct candidate *c, size_t n, size_t keep, unsigned splits)
{
	while (n > SMALL) {
		size_t i = 0, j = n - 1, mid = n / 2;

		if (splits == 0) {
			heap_sort(a, c, n);
			return;
		}
		splits--;
		if (before(a, &c[mid], &c[0]))	/* the median of three, at mid */
			swap(&c[mid], &c[0]);
		if (before(a, &c[n - 1], &c[mid])) {
			swap(&c[n - 1], &c[mid]);
			if (before(a, &c[mid], &c[0]))
				swap(&c[mid], &c[0]);
		}
		struct candidate pivot = c[mid];

		for (;;) {
			while (before(a, &c[i], &pivot))
				i++;
			while (before(a, &pivot, &c[j]))
				j--;
			if (i >= j)
				break;
			swap(&c[i++], &c[j--]);
		}
		size_t left = j + 1;		/* c[0..left) all stand before or at the pivot */

		if (left < keep) {
			split_and_sort(a, c, left, left, splits);
			c += left;
			n -= left;
			keep -= left;
		} else {
			n = left;
		}
	}
	insertion_sort(a, c, n);
}

static void sort_front(const struct axis *a, struct candidate *c, size_t n, size_t keep)
{
	unsigned log2 = 63 - (unsigned)__builtin_clzll((unsigned long long)n | 1);

	split_and_sort(a, c, n, keep, 2 * log2);
}

size_t ranker_top(struct ranker *r, const uint32_t *co, uint32_t self, struct neighbour *out, size_t n)
{
	const struct axis *a = r->axis;
	struct candidate *pool = r->pool;
	size_t have = 0, full = 2 * n > POOL_CUT ? 2 * n : POOL_CUT;
	double bar = 0;			/* scores clearly below it can't be among the best n */

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < a->n; i++) {
		double score = (double)co[i] * co[i] * r->weight[i];

		if (score <= bar || i == self)	/* a count of zero never passes */
			continue;
		pool[have++] = (struct candidate){score, {i, co[i]}};
		if (have == full) {
			sort_front(a, pool, have, n);
			have = n;
			bar = pool[n - 1].score * (1 - MARGIN);
		}
	}
	sort_front(a, pool, have, n);
	if (have > n)
		have = n;
	for (size_t i = 0; i < have; i++)
		out[i] = pool[i].is;
	return have;
}
