/* test_rank.c - the order of neighbours, against the definition worked out by brute force. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_model.h"
#include "../../shm/cooccur.h"
#include "../../shm/rank.h"

/* An axis of which only the degrees matter. */
static struct axis axis_of(uint64_t *start, const uint32_t *degree, uint32_t n)
{
	start[0] = 0;
	for (uint32_t i = 0; i < n; i++)
		start[i + 1] = start[i] + degree[i];
	return (struct axis){.n = n, .member_start = start};
}

static void pairs_compare_exactly(void **state)
{
	/* 3*3/9 = 2*2/4 = 1: a tie, which sqrt and a division may not see. 46340^2*(2^32-2) needs 63 bits and more. */
	static const uint32_t degree[] = {9, 4, 1, 4294967294u, 4294967293u, 3};
	uint64_t start[7];
	struct axis a = axis_of(start, degree, 6);

	(void)state;
	assert_true(rank_before(&a, (struct neighbour){0, 3}, (struct neighbour){1, 2}));
	assert_false(rank_before(&a, (struct neighbour){1, 2}, (struct neighbour){0, 3}));
	assert_true(rank_before(&a, (struct neighbour){2, 1}, (struct neighbour){5, 1}));
	assert_true(rank_before(&a, (struct neighbour){4, 4294967293u}, (struct neighbour){3, 4294967293u}));
	assert_false(rank_before(&a, (struct neighbour){3, 4294967293u}, (struct neighbour){4, 4294967293u}));
	assert_true(rank_before(&a, (struct neighbour){3, 4294967294u}, (struct neighbour){4, 4294967293u}));
}

/* Counts and degrees with many ties and near ties, ranked for every n against a plain insertion. */
static void top_is_the_sorted_prefix(void **state)
{
	enum { N = 3000 };
	static uint32_t degree[N], co[N];
	static uint64_t start[N + 1];
	static struct neighbour want[N], got[N];
	unsigned x = 12345;

	(void)state;
	for (int round = 0; round < 6; round++) {
		size_t all = 0;

		for (uint32_t i = 0; i < N; i++) {
			x = x * 1664525u + 1013904223u;
			/* few distinct degrees make ties; large close ones make near ties */
			degree[i] = round % 2 ? 1 + (x >> 20) % 12 : 2000000 + (x >> 20) % 50;
			x = x * 1664525u + 1013904223u;
			co[i] = (x >> 16) % 3 == 0 ? 0 : 1 + (x >> 18) % (round % 2 ? degree[i] : 30);
			if (round == 4)
				co[i] = 1 + i;		/* ascending: the worst order to see them in */
		}
		struct axis a = axis_of(start, degree, N);
		uint32_t self = 17;

		for (uint32_t i = 0; i < N; i++) {
			size_t at = all;

			if (i == self || co[i] == 0)
				continue;
			while (at > 0 && (unsigned __int128)co[i] * co[i] * degree[want[at - 1].id] >
						 (unsigned __int128)want[at - 1].co * want[at - 1].co * degree[i]) {
				want[at] = want[at - 1];
				at--;
			}
			want[at] = (struct neighbour){i, co[i]};
			all++;
		}
		struct ranker r;

		assert_true(ranker_open(&r, &a));
		static const size_t ns[] = {0, 1, 2, 5, 100, 255, 256, 257, 600, 2999, N};

		for (size_t k = 0; k < sizeof ns / sizeof *ns; k++) {
			size_t n = ranker_top(&r, co, self, got, ns[k]);

			assert_int_equal(n, ns[k] < all ? ns[k] : all);
			assert_memory_equal(got, want, n * sizeof *got);
		}
		ranker_close(&r);
	}
}

/* 40000^2 * NB - 39999^2 * NA = 1: the first is better by one part in 10^18, which no double sees. */
#define NA 1599919999u
#define NB 1599840004u

static void a_part_in_ten_to_the_eighteen(void **state)
{
	enum { N = 1200 };
	static uint32_t degree[N], co[N];
	static uint64_t start[N + 1];
	struct neighbour got[3];
	struct ranker r;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		degree[i] = i < N - 1 ? NB : NA;
		co[i] = i < N - 1 ? 39999 : 40000;
	}
	struct axis a = axis_of(start, degree, N);

	assert_true(ranker_open(&r, &a));
	assert_int_equal(ranker_top(&r, co, 0, got, 3), 3);
	assert_int_equal(got[0].id, N - 1);
	assert_int_equal(got[1].id, 1);
	assert_int_equal(got[2].id, 2);
	ranker_close(&r);
}

/* (tc)^2/(t^2 n) is the same for every t, but not as a product of doubles: ids decide, whatever the roundings. */
static void equal_fractions_stand_by_id(void **state)
{
	enum { N = 2000 };
	static uint32_t degree[N], co[N];
	static uint64_t start[N + 1];
	static struct neighbour got[N];
	struct ranker r;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		uint32_t t = 1 + 2 * (i * 13 % 40);

		degree[i] = t * t * 7;
		co[i] = t * 3;
	}
	struct axis a = axis_of(start, degree, N);

	assert_true(ranker_open(&r, &a));
	assert_int_equal(ranker_top(&r, co, N - 1, got, N), N - 1);
	for (uint32_t i = 0; i < N - 1; i++)
		assert_int_equal(got[i].id, i);
	assert_int_equal(ranker_top(&r, co, 0, got, 50), 50);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(got[i].id, i + 1);
	ranker_close(&r);
}

/* t^2/t^2 is 1 for every t, a number of one bit, so the bar of the first look can be just that; but (1/t^2)*t^2 in
 * floats is 1 - 2^-24 for some t, 11 and 81 among them. They must not be turned away: their ids are the smallest. */
static void floats_below_the_bar_may_be_at_it(void **state)
{
	enum { N = 2000, BEST = 40 };
	static uint32_t degree[N], co[N];
	static uint64_t start[N + 1];
	struct neighbour got[BEST];
	struct ranker r;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		uint32_t t = i > BEST ? 1 : 2 * i + 1;

		degree[i] = t * t;
		co[i] = t;
	}
	struct axis a = axis_of(start, degree, N);

	assert_true(ranker_open(&r, &a));
	for (size_t n = 1; n <= BEST; n++) {
		assert_int_equal(ranker_top(&r, co, N - 1, got, n), n);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(got[i].id, i);
	}
	ranker_close(&r);
}

/* What the quick first look at a row could get wrong: self passing for a neighbour, a score that is the bar itself,
 * counts that only fit 32 bits without a sign. */
static void the_first_look_turns_nobody_away(void **state)
{
	enum { N = 2000, SELF = 100 };
	static uint32_t degree[N], co[N];
	static uint64_t start[N + 1];
	static const uint32_t four[] = {3, 205, 901, 1406}, best[] = {1999, 3, 205, 901, 1406};
	struct neighbour got[5];
	struct ranker r;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {	/* four good ones, a fifth far behind, self before them all */
		degree[i] = 1000;
		co[i] = 0;
	}
	for (int k = 0; k < 4; k++)
		co[four[k]] = 10;
	co[1700] = 5;
	co[SELF] = 1000;
	struct axis a = axis_of(start, degree, N);

	assert_true(ranker_open(&r, &a));
	assert_int_equal(ranker_top(&r, co, SELF, got, 5), 5);
	for (int k = 0; k < 4; k++)
		assert_int_equal(got[k].id, four[k]);
	assert_int_equal(got[4].id, 1700);
	ranker_close(&r);

	for (uint32_t i = 0; i < N; i++) {	/* all scores are 2*2/4, a number of one bit */
		degree[i] = 4;
		co[i] = 2;
	}
	a = axis_of(start, degree, N);
	assert_true(ranker_open(&r, &a));
	assert_int_equal(ranker_top(&r, co, 0, got, 5), 5);
	for (uint32_t k = 0; k < 5; k++)
		assert_int_equal(got[k].id, k + 1);
	ranker_close(&r);

	for (uint32_t i = 0; i < N; i++) {	/* the best stands behind 2^31 */
		degree[i] = 4294967294u;
		co[i] = 1;
	}
	for (int k = 0; k < 4; k++)
		co[four[k]] = 2147483647u - (uint32_t)k;
	for (uint32_t i = 1500; i < 1510; i++)
		co[i] = 2000000000u;
	co[1999] = 4294967290u;
	a = axis_of(start, degree, N);
	assert_true(ranker_open(&r, &a));
	assert_int_equal(ranker_top(&r, co, SELF, got, 5), 5);
	for (int k = 0; k < 5; k++)
		assert_int_equal(got[k].id, best[k]);
	ranker_close(&r);
}

static void counts_are_the_columns_in_common(void **state)
{
	struct small s;
	struct model m;
	struct fault why;
	void *image;
	size_t size;

	(void)state;
	small_random(&s, 40, 33, 20, 9);
	assert_true(small_image(&s, &image, &size));
	assert_true(model_view(&m, image, size, &why));
	for (int k = 0; k < AXES; k++) {
		for (uint32_t i = 0; i < small_n(&s, k); i++) {
			uint32_t co[SMALL_MAX] = {0};

			cooccur_row(&m.axis[k], &m.axis[!k], i, co);
			for (uint32_t j = 0; j < small_n(&s, k); j++)
				assert_int_equal(co[j], small_co(&s, k, i, j));
		}
	}
	model_file_free(image, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_compare_exactly),
		cmocka_unit_test(top_is_the_sorted_prefix),
		cmocka_unit_test(a_part_in_ten_to_the_eighteen),
		cmocka_unit_test(equal_fractions_stand_by_id),
		cmocka_unit_test(floats_below_the_bar_may_be_at_it),
		cmocka_unit_test(the_first_look_turns_nobody_away),
		cmocka_unit_test(counts_are_the_columns_in_common),
	};

	return cmocka_run_group_tests_name("rank", tests, NULL, NULL);
}
