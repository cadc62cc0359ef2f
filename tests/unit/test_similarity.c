/* test_similarity.c - rows of neighbours against the matrix, for any number of threads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/interactions.h"
#include "../../prep/similarity.h"

static struct shop shop;

static bool bought(enum axis_kind kind, unsigned entry, unsigned other)
{
	return kind == AXIS_ITEM ? shop.bought[other][entry] : shop.bought[entry][other];
}

static unsigned in_common(enum axis_kind kind, unsigned x, unsigned y)
{
	unsigned co = 0;

	for (unsigned o = 0; o < SHOP_MAX; o++)
		co += bought(kind, x, o) && bought(kind, y, o);
	return co;
}

struct rival {
	char id[8];
	uint64_t co, n;
};

/* Greater co/sqrt(n) first, by whole numbers, then the smaller id. */
static int compare(const void *a, const void *b)
{
	const struct rival *x = a, *y = b;
	uint64_t left = x->co * x->co * y->n, right = y->co * y->co * x->n;

	return left != right ? (left > right ? -1 : 1) : strcmp(x->id, y->id);
}

static size_t expected_row(enum axis_kind kind, unsigned of, struct rival row[SHOP_MAX])
{
	size_t n = 0;

	for (unsigned e = 0; e < SHOP_MAX; e++) {
		unsigned co = in_common(kind, of, e);

		if (e == of || co == 0)
			continue;
		row[n] = (struct rival){.co = co, .n = in_common(kind, e, e)};
		strcpy(row[n++].id, shop.id[kind][e]);
	}
	qsort(row, n, sizeof *row, compare);
	return n;
}

static void assert_rows(const struct axis *own, enum axis_kind kind, const struct similarity *s, uint32_t limit)
{
	static struct rival want[SHOP_MAX];

	assert_int_equal(s->row_start[0], 0);
	for (uint32_t i = 0; i < own->n; i++) {
		size_t n = expected_row(kind, shop_number(own, i), want);
		const struct neighbour *got = s->rows + s->row_start[i];

		if (n > limit)
			n = limit;
		assert_int_equal(s->row_start[i + 1] - s->row_start[i], n);
		for (size_t k = 0; k < n; k++) {
			struct text id = model_id(own, got[k].id);

			assert_int_equal(id.len, strlen(want[k].id));
			assert_memory_equal(id.at, want[k].id, id.len);
			assert_int_equal(got[k].co, want[k].co);
		}
	}
}

static void assert_shop(unsigned customers, unsigned items, size_t sales, const unsigned *threads, size_t runs,
			uint32_t limit)
{
	struct transactions t;
	struct interactions x;
	struct fault why = {""};

	shop_random(&shop, customers, items, sales, 11);
	shop_open(&t, shop.sale, shop.sales, false);
	assert_true(interactions_build(&x, &t, &why));
	transactions_free(&t);
	for (int k = 0; k < AXES; k++) {
		struct axis own = interactions_axis(&x, k), other = interactions_axis(&x, !k);

		for (size_t r = 0; r < runs; r++) {
			struct similarity s;

			if (!similarity_build(&s, &own, &other, limit, NULL, threads[r], NULL, &why))
				fail_msg("%s", why.text);
			assert_rows(&own, k, &s, limit);
			similarity_free(&s);
		}
	}
	interactions_free(&x);
}

static void rows_are_the_best_of_the_matrix(void **state)
{
	static const unsigned threads[] = {1, 2, 3, SIMILARITY_MAX_THREADS};

	(void)state;
	assert_shop(350, 90, 6000, threads, 4, 100);
	assert_shop(350, 90, 900, threads, 2, 7);
	assert_shop(60, 90, 400, threads, 2, 1);
	assert_shop(60, 90, 400, threads, 1, 100000);
}

static void one_entry_has_no_neighbours(void **state)
{
	static const unsigned threads[] = {1, 2};

	(void)state;
	assert_shop(1, 1, 3, threads, 2, 100);
	assert_shop(1, 40, 200, threads, 2, 100);
	assert_shop(9, 1, 100, threads, 2, 100);
}

/* Every third, with the rows that all have when all are wanted. */
static void others_rows_stay_empty(void **state)
{
	struct transactions t;
	struct interactions x;
	struct similarity all, some;
	struct fault why;
	uint8_t only[SHOP_MAX];

	(void)state;
	shop_random(&shop, 350, 90, 6000, 11);
	shop_open(&t, shop.sale, shop.sales, false);
	assert_true(interactions_build(&x, &t, &why));
	transactions_free(&t);
	struct axis own = interactions_axis(&x, AXIS_CUSTOMER), other = interactions_axis(&x, AXIS_ITEM);

	for (uint32_t i = 0; i < own.n; i++)
		only[i] = i % 3 == 1;
	assert_true(similarity_build(&all, &own, &other, 4, NULL, 2, NULL, &why));
	assert_true(similarity_build(&some, &own, &other, 4, only, 2, NULL, &why));
	assert_int_equal(some.row_start[0], 0);
	for (uint32_t i = 0; i < own.n; i++) {
		uint64_t n = only[i] ? all.row_start[i + 1] - all.row_start[i] : 0;

		assert_int_equal(some.row_start[i + 1] - some.row_start[i], n);
		assert_memory_equal(some.rows + some.row_start[i], all.rows + all.row_start[i], n * sizeof *all.rows);
	}
	similarity_free(&all);
	similarity_free(&some);
	interactions_free(&x);
}

struct seen {
	uint64_t calls, last, total;
};

static void see(void *of, uint64_t done, uint64_t total)
{
	struct seen *s = of;

	assert_true(done >= s->last && done <= total);
	*s = (struct seen){s->calls + 1, done, total};
}

static void progress_goes_up_to_the_end(void **state)
{
	struct seen seen = {0};
	const struct similarity_progress progress = {see, &seen};
	struct transactions t;
	struct interactions x;
	struct similarity s;
	struct fault why = {""};

	(void)state;
	shop_random(&shop, 300, 50, 3000, 5);
	shop_open(&t, shop.sale, shop.sales, false);
	assert_true(interactions_build(&x, &t, &why));
	transactions_free(&t);
	struct axis own = interactions_axis(&x, AXIS_CUSTOMER), other = interactions_axis(&x, AXIS_ITEM);

	assert_true(similarity_build(&s, &own, &other, 10, NULL, 1, &progress, &why));
	assert_true(seen.calls > 1);
	assert_int_equal(seen.last, own.n);
	assert_int_equal(seen.total, own.n);
	similarity_free(&s);
	interactions_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_the_best_of_the_matrix),
		cmocka_unit_test(one_entry_has_no_neighbours),
		cmocka_unit_test(others_rows_stay_empty),
		cmocka_unit_test(progress_goes_up_to_the_end),
	};

	return cmocka_run_group_tests_name("similarity", tests, NULL, NULL);
}
