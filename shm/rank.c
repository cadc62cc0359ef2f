/* rank.c - who stands before whom, and the best n of a row without sorting the row.
 *
 * akin-prep ranks every row here, and a worker the few that reach beyond a stored one, so one rule orders both.
 * Can't fail once the ranker is open.
 *
 * The selection goes over the row twice. First every score is computed as a float, and the row is dealt into a few
 * hundred groups whose maxima are kept: when n + 1 groups have a maximum of t or more, at least n neighbours do, so
 * whoever is clearly below t is out. Then those above this bar are collected, a few more than n, and sorted. Floats
 * and doubles decide only where two scores differ by far more than their error; whatever is closer is decided by
 * integers. */
#include "rank.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS	 256		/* groups dealt into at a time: a constant, so that compilers use vectors */
#define DEALS	 8		/* most times GROUPS groups there are */
#define BLOCK	 16		/* scores looked at together */
#define HANDFUL	 255		/* candidates that are dealt into slots first; counted in a byte */
#define SLOTS	 256
#define SMALL	 12		/* ranges that insertion sorts faster */

/* (double)co*co/n has two roundings, each at most 2^-53: this is 2048 times their sum. */
#define MARGIN 0x1p-41
/* In floats co, its square, 1/n and the product are rounded, co twice over: five times 2^-24, and some more. */
#define FLOAT_MARGIN 0x1p-20

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
	r->score = malloc(((size_t)a->n + 1) * sizeof *r->score);
	r->found = malloc(((size_t)a->n + 1) * sizeof *r->found);
	r->pool = malloc(((size_t)a->n + 1) * sizeof *r->pool);
	if (!r->weight || !r->score || !r->found || !r->pool) {
		ranker_close(r);
		return false;
	}
	for (uint32_t i = 0; i < a->n; i++)
		r->weight[i] = 1.0f / (float)model_degree(a, i);
	return true;
}

void ranker_close(struct ranker *r)
{
	free(r->weight);
	free(r->score);
	free(r->found);
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

/* Score count entries of a row and raise the maxima of as many groups. */
static inline void score_some(const uint32_t *restrict co, const float *restrict weight, float *restrict score,
			      float *restrict max, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		float c = (float)(int32_t)co[i];	/* one instruction; unsigned takes seven */

		score[i] = c * c * weight[i];
		max[i] = score[i] > max[i] ? score[i] : max[i];
	}
}

/* Score the row. Returns a bar that at least n of it other than self reach, as far as floats can tell; 0, which every
 * count above 0 passes, where that is not worth finding. */
static float score_row(struct ranker *r, const uint32_t *co, uint32_t self, size_t n)
{
	size_t all = r->axis->n, deals = n / (GROUPS / 2) + 1, done = 0, at = 0;
	float max[DEALS * GROUPS];
	int32_t bits[DEALS * GROUPS], bar = 0;

	if (deals > DEALS)
		deals = DEALS;
	memset(max, 0, deals * GROUPS * sizeof *max);
	for (; all - done >= GROUPS; done += GROUPS, at = at + 1 < deals ? at + 1 : 0)
		score_some(co + done, r->weight + done, r->score + done, max + at * GROUPS, GROUPS);
	score_some(co + done, r->weight + done, r->score + done, max + at * GROUPS, all - done);
	if (n + 1 > deals * GROUPS || model_degree(r->axis, self) > INT32_MAX)
		return 0;		/* no count is greater than self's degree */

	/* Floats that are not negative stand in the order of their bits. The greatest number of 15 leading bits that
	 * n + 1 maxima reach: one of them may be self's. */
	memcpy(bits, max, deals * GROUPS * sizeof *bits);
	for (int bit = 30; bit > 15; bit--) {
		int32_t higher = bar | INT32_C(1) << bit, reach = 0;

		for (size_t deal = 0; deal < deals; deal++)
			for (size_t g = 0; g < GROUPS; g++)
				reach += bits[deal * GROUPS + g] >= higher;
		if ((size_t)reach >= n + 1)
			bar = higher;
	}
	memcpy(max, &bar, sizeof bar);
	return max[0];
}

/* Does any of BLOCK scores reach the bar? */
static inline bool any_above(const float *score, float bar)
{
	int any = 0;

	for (size_t k = 0; k < BLOCK; k++)
		any |= score[k] >= bar;
	return any;
}

/* List the entries whose scores reach the bar, self not among them. Spoils self's score. */
static size_t find_above(struct ranker *r, float bar, uint32_t self)
{
	size_t all = r->axis->n, found = 0, i = 0;

	if (bar < FLT_MIN)
		bar = FLT_MIN;			/* a count of zero never passes, any other does */
	r->score[self] = 0;
	while (i < all) {
		size_t end = all - i < BLOCK ? all : i + BLOCK;

		if (end == i + BLOCK && !any_above(r->score + i, bar)) {
			i = end;
			continue;
		}
		for (; i < end; i++) {
			r->found[found] = (uint32_t)i;	/* without a branch: nobody can guess who passes */
			found += r->score[i] >= bar;
		}
	}
	return found;
}

static inline int32_t float_bits(float x)
{
	int32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static inline struct candidate candidate_of(const struct axis *a, const uint32_t *co, uint32_t i)
{
	return (struct candidate){(double)co[i] * co[i] / model_degree(a, i), {i, co[i]}};
}

/* Sort a handful: deal them into slots by the leading bits of their scores, which nearly does it. */
static void deal_and_sort(struct ranker *r, const uint32_t *co, size_t found)
{
	uint8_t start[SLOTS + 1] = {0};
	int32_t low = INT32_MAX, high = 0;
	unsigned shift = 0;

	for (size_t k = 0; k < found; k++) {
		int32_t bits = float_bits(r->score[r->found[k]]);

		low = bits < low ? bits : low;
		high = bits > high ? bits : high;
	}
	while ((high - low) >> shift >= SLOTS)
		shift++;
	for (size_t k = 0; k < found; k++)
		start[((high - float_bits(r->score[r->found[k]])) >> shift) + 1]++;
	for (size_t slot = 1; slot < SLOTS; slot++)
		start[slot] = (uint8_t)(start[slot] + start[slot - 1]);
	for (size_t k = 0; k < found; k++) {
		uint32_t i = r->found[k];

		r->pool[start[(high - float_bits(r->score[i])) >> shift]++] = candidate_of(r->axis, co, i);
	}
	insertion_sort(r->axis, r->pool, found);
}

size_t ranker_top(struct ranker *r, const uint32_t *co, uint32_t self, struct neighbour *out, size_t n)
{
	if (n == 0)
		return 0;
	float bar = score_row(r, co, self, n) * (float)(1 - FLOAT_MARGIN);
	size_t found = find_above(r, bar, self);

	if (found <= HANDFUL) {
		deal_and_sort(r, co, found);
	} else {
		for (size_t k = 0; k < found; k++)
			r->pool[k] = candidate_of(r->axis, co, r->found[k]);
		sort_front(r->axis, r->pool, found, n);
	}
	if (found > n)
		found = n;
	for (size_t i = 0; i < found; i++)
		out[i] = r->pool[i].is;
	return found;
}
