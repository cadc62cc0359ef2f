/* test_recommend.c - both algorithms against lists worked out by hand, and against the plainest loops over tables of
 * who bought what. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

#include "small_packed.h"
#include "../../shm/recommend.h"

/* By hand. Items 0 to 5 were first seen in the order 1 2 0 4 3 5; customers per item: 3 3 2 2 1 1. */
static const struct small by_hand = {
	.items = 6, .customers = 5, .row_limit = 3, .whole = 1,
	.bought = {
		{1, 1, 0, 0, 0, 0},	/* like 1: 2/sqrt(6), like 3: 2/sqrt(10) */
		{1, 1, 1, 0, 0, 0},	/* like 0: 2/sqrt(6), like 3: 3/sqrt(15) */
		{0, 0, 0, 1, 0, 0},	/* like 3: 1/sqrt(5) */
		{1, 1, 1, 1, 1, 0},	/* like 1: 3/sqrt(15) */
		{0, 0, 0, 0, 0, 1},	/* like nobody */
	},
	.first_seen = {2, 0, 1, 4, 3, 5},
};

static const struct {
	uint32_t customer;
	enum fill fill;
	size_t n, total, near;
	uint32_t items[6];
} to_customers[] = {
	{0, FILL_POPULAR, 6, 4, 1, {2, 3, 4, 5}},
	{0, FILL_POPULAR, 1, 1, 1, {2}},
	{0, FILL_POPULAR, 2, 2, 1, {2, 3}},
	{0, FILL_NONE, 6, 1, 1, {2}},
	{1, FILL_POPULAR, 6, 3, 0, {3, 4, 5}},	/* the nearest has nothing else */
	{1, FILL_NONE, 6, 0, 0, {0}},
	{2, FILL_POPULAR, 2, 2, 2, {1, 2}},
	{2, FILL_POPULAR, 6, 5, 4, {1, 2, 0, 4, 5}},
	{3, FILL_POPULAR, 6, 1, 0, {5}},
	{4, FILL_POPULAR, 3, 3, 0, {0, 1, 2}},	/* no neighbour */
	{4, FILL_POPULAR, 6, 5, 0, {0, 1, 2, 3, 4}},
	{4, FILL_RECENT, 6, 5, 0, {0, 1, 2, 3, 4}},
	{4, FILL_NONE, 6, 0, 0, {0}},
};

static void customers_by_hand(void **state)
{
	struct packed p;
	struct scratch scratch = {0};
	void *memory = small_packed(&by_hand, 1, 1, &p);

	(void)state;
	assert_non_null(memory);
	for (size_t i = 0; i < sizeof to_customers / sizeof *to_customers; i++) {
		struct neighbour out[6];
		struct recommendation r;

		assert_true(recommend_to_customer(&r, &p, to_customers[i].customer, to_customers[i].fill, out,
						  to_customers[i].n, &scratch));
		assert_int_equal(r.total, to_customers[i].total);
		assert_int_equal(r.near, to_customers[i].near);
		for (size_t k = 0; k < r.total; k++)
			assert_int_equal(out[k].id, to_customers[i].items[k]);
	}
	assert_null(scratch.co);	/* heads sufficed */
	scratch_free(&scratch);
	free(memory);
}

static void assert_close(double got, double want) { assert_true(fabs(got - want) < 1e-15); }

static void scores_by_hand(void **state)
{
	struct packed p;
	struct scratch scratch = {0};
	struct recommendation r;
	struct neighbour out[6];
	void *memory = small_packed(&by_hand, 1, 1, &p);

	(void)state;
	assert_non_null(memory);
	assert_true(recommend_to_customer(&r, &p, 0, FILL_POPULAR, out, 6, &scratch));
	assert_int_equal(r.nearest.id, 1);
	assert_int_equal(recommend_source(&r, AXIS_CUSTOMER, 0), SOURCE_USER);
	assert_close(recommend_score(&r, &p, AXIS_CUSTOMER, 0, out, 0), 2 / sqrt(6));
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(recommend_source(&r, AXIS_CUSTOMER, i), SOURCE_POPULAR);
	assert_close(recommend_score(&r, &p, AXIS_CUSTOMER, 0, out, 1), 2.0 / 5);
	assert_close(recommend_score(&r, &p, AXIS_CUSTOMER, 0, out, 2), 1.0 / 5);

	/* item 2 was bought by 1 and 3: like 0 and 1 by 2/sqrt(2*3), like 4 by 1/sqrt(2), like 3 by 1/sqrt(2*2) */
	assert_true(recommend_by_item(&r, &p, 2, out, 6, &scratch));
	assert_int_equal(r.total, 4);
	static const uint32_t want[] = {0, 1, 4, 3};
	const double score[] = {2 / sqrt(6), 2 / sqrt(6), 1 / sqrt(2), 0.5};

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(out[i].id, want[i]);
		assert_int_equal(recommend_source(&r, AXIS_ITEM, i), SOURCE_ITEM);
		assert_close(recommend_score(&r, &p, AXIS_ITEM, 2, out, i), score[i]);
	}
	assert_true(recommend_by_item(&r, &p, 5, out, 6, &scratch));	/* like nothing */
	assert_int_equal(r.total, 0);
	scratch_free(&scratch);
	free(memory);
}

/* The recent ranking of small_model.h is the first half of the popular one, which would tell nothing: turn it round,
 * with counts of its own. */
static void turn_recent(struct packed *p)
{
	struct popular *recent = (struct popular *)(uintptr_t)p->model.recent;
	uint32_t n = p->model.recent_count;

	for (uint32_t i = 0; i < n / 2; i++) {
		struct popular first = recent[i];

		recent[i] = recent[n - 1 - i];
		recent[n - 1 - i] = first;
	}
	for (uint32_t i = 0; i < n; i++)
		recent[i].customers = 1000 - i;
}

/* All items, most customers first. */
static void rank_popular(const struct small *s, uint32_t *ranked)
{
	uint32_t n = 0;

	for (uint32_t most = s->customers; most > 0; most--)
		for (uint32_t i = 0; i < s->items; i++)
			if (small_co(s, AXIS_ITEM, i, i) == most)
				ranked[n++] = i;
}

/* What customer a should get, by asking the table again and again. co[] is the count that ranks each of the fill. */
static size_t expect(const struct small *s, uint32_t a, enum fill fill, uint32_t *want, uint32_t *co, size_t n,
		     size_t *near)
{
	struct neighbour row[SMALL_MAX];
	uint32_t ranked[SMALL_MAX], recent = s->items / 2;
	bool listed[SMALL_MAX] = {false};
	size_t total = 0;

	if (small_row(s, AXIS_CUSTOMER, a, row) > 0) {
		for (uint32_t rank = 0; rank < s->items; rank++)
			for (uint32_t i = 0; i < s->items; i++)
				if (s->first_seen[i] == rank && s->bought[row[0].id][i] && !s->bought[a][i] && total < n) {
					want[total++] = i;
					listed[i] = true;
				}
	}
	*near = total;
	rank_popular(s, ranked);
	for (uint32_t k = 0; fill == FILL_RECENT && k < recent; k++) {
		uint32_t i = ranked[recent - 1 - k];

		if (!s->bought[a][i] && !listed[i] && total < n) {
			co[total] = 1000 - k;
			want[total++] = i;
			listed[i] = true;
		}
	}
	for (uint32_t k = 0; fill != FILL_NONE && k < s->items; k++) {
		uint32_t i = ranked[k];

		if (!s->bought[a][i] && !listed[i] && total < n) {
			co[total] = small_co(s, AXIS_ITEM, i, i);
			want[total++] = i;
		}
	}
	return total;
}

static void compare(const struct small *s)
{
	struct packed p;
	struct scratch scratch = {0};
	void *memory = small_packed(s, 1, 1, &p);

	assert_non_null(memory);
	turn_recent(&p);
	for (uint32_t a = 0; a < s->customers; a++) {
		for (int fill = FILL_POPULAR; fill <= FILL_NONE; fill++) {
			for (size_t n = 1; n <= s->items + 1; n += n < 6 ? 1 : 11) {
				struct neighbour out[SMALL_MAX + 1];
				uint32_t want[SMALL_MAX + 1], co[SMALL_MAX + 1];
				struct recommendation r;
				size_t near, total = expect(s, a, (enum fill)fill, want, co, n, &near);

				assert_true(recommend_to_customer(&r, &p, a, (enum fill)fill, out, n, &scratch));
				assert_int_equal(r.total, total);
				assert_int_equal(r.near, near);
				for (size_t k = 0; k < total; k++)
					assert_int_equal(out[k].id, want[k]);
				for (size_t k = near; k < total; k++)
					assert_int_equal(out[k].co, co[k]);
			}
		}
	}
	for (uint32_t i = 0; i < s->items; i++) {
		struct neighbour out[SMALL_MAX], want[SMALL_MAX];
		struct recommendation r;
		uint32_t all = small_row(s, AXIS_ITEM, i, want);

		assert_true(recommend_by_item(&r, &p, i, out, SMALL_MAX, &scratch));
		assert_int_equal(r.total, all);
		assert_memory_equal(out, want, all * sizeof *out);
	}
	scratch_free(&scratch);
	free(memory);
}

static void random_tables(void **state)
{
	static const unsigned percent[] = {2, 10, 40, 90, 100};
	struct small s;

	(void)state;
	for (size_t i = 0; i < sizeof percent / sizeof *percent; i++) {
		for (unsigned seed = 0; seed < 6; seed++) {
			small_random(&s, 9 + 8 * seed, 50 - 7 * seed, percent[i], seed);
			s.whole = seed % 2;
			s.row_limit = seed % 3 ? 5 : 1;
			compare(&s);
		}
	}
	small_random(&s, 1, 1, 100, 0);
	compare(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(customers_by_hand),
		cmocka_unit_test(scores_by_hand),
		cmocka_unit_test(random_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
