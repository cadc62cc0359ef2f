/* test_popularity.c - most customers first, over all time and over the last 30 days. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/popularity.h"

#define DAY INT64_C(86400)
#define NOW (INT64_C(15000) * DAY + 4711)

struct ranked {
	const char *item;
	uint32_t customers;
};

static void assert_ranked(const struct axis *item, const struct popular *got, uint32_t n, const struct ranked *want,
			  uint32_t want_n)
{
	assert_int_equal(n, want_n);
	for (uint32_t i = 0; i < n; i++) {
		struct text id = model_id(item, got[i].item);

		assert_int_equal(id.len, strlen(want[i].item));
		assert_memory_equal(id.at, want[i].item, id.len);
		assert_int_equal(got[i].customers, want[i].customers);
	}
}

static void assert_popularity(const struct sale *sales, size_t n, bool dated, int64_t newest, const struct ranked *all,
			      uint32_t all_n, const struct ranked *recent, uint32_t recent_n)
{
	struct transactions t;
	struct interactions x;
	struct popularity p;
	struct fault why = {""};

	shop_open(&t, sales, n, dated);
	assert_true(interactions_build(&x, &t, &why));
	if (!popularity_build(&p, &t, &x, &why))
		fail_msg("%s", why.text);
	struct axis item = interactions_axis(&x, AXIS_ITEM);

	assert_true(p.newest == newest);
	assert_ranked(&item, p.all, item.n, all, all_n);
	assert_ranked(&item, p.recent, p.recent_count, recent, recent_n);
	popularity_free(&p);
	interactions_free(&x);
	transactions_free(&t);
}

/* Rows in no order of time; a customer counts once an item; the edge of the period belongs to it. */
static const struct sale sales[] = {
	{"ann", "tea", NOW - 300 * DAY, NULL},	   {"bob", "tea", NOW - 200 * DAY, NULL},
	{"cid", "tea", NOW - 100 * DAY, NULL},	   {"ann", "jam", NOW, NULL},
	{"ann", "jam", NOW - 1, NULL},		   {"bob", "jam", NOW - 30 * DAY, NULL},
	{"cid", "jam", NOW - 30 * DAY - 1, NULL},  {"bob", "bun", NOW - 3 * DAY, NULL},
	{"cid", "bun", NOW - 29 * DAY, NULL},	   {"cid", "tea", NOW - 2 * DAY, NULL},
	{"cid", "tea", NOW - 1 * DAY, NULL},	   {"dan", "ale", NOW - 30 * DAY - 1, NULL},
};
static const struct ranked all[] = {{"jam", 3}, {"tea", 3}, {"bun", 2}, {"ale", 1}};

static void recent_is_thirty_days_to_the_second(void **state)
{
	static const struct ranked recent[] = {{"bun", 2}, {"jam", 2}, {"tea", 1}};

	(void)state;
	assert_popularity(sales, sizeof sales / sizeof *sales, true, NOW, all, 4, recent, 3);
}

static void without_dates_nothing_is_recent(void **state)
{
	(void)state;
	assert_popularity(sales, sizeof sales / sizeof *sales, false, TRANSACTIONS_NO_TIME, all, 4, NULL, 0);
}

static void times_at_the_ends_of_64_bits_do_no_harm(void **state)
{
	static const struct sale wild[] = {
		{"ann", "old", INT64_MIN, NULL},
		{"ann", "new", INT64_MAX, NULL},
		{"bob", "new", INT64_MAX - 30 * DAY, NULL},
		{"bob", "old", -5, NULL},
	};
	static const struct sale undated[] = {{"ann", "old", INT64_MIN, NULL}, {"bob", "new", INT64_MIN, NULL}};
	static const struct ranked both[] = {{"new", 2}, {"old", 2}}, recent[] = {{"new", 2}};
	static const struct ranked single[] = {{"new", 1}, {"old", 1}};

	(void)state;
	assert_popularity(wild, 4, true, INT64_MAX, both, 2, recent, 1);
	assert_popularity(undated, 2, true, TRANSACTIONS_NO_TIME, single, 2, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recent_is_thirty_days_to_the_second),
		cmocka_unit_test(without_dates_nothing_is_recent),
		cmocka_unit_test(times_at_the_ends_of_64_bits_do_no_harm),
	};

	return cmocka_run_group_tests_name("popularity", tests, NULL, NULL);
}
