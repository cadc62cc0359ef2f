/* test_purchases.c - rows in order of time, first of their pair, first of their visit; against lists by hand and the plainest
 * loops. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/purchases.h"

#define NONE TRANSACTIONS_NO_TIME

static void open_good(struct purchases *p, const struct transactions *t)
{
	struct fault why = {""};

	if (!purchases_open(p, t, &why))
		fail_msg("%s", why.text);
	assert_int_equal(p->rows, t->rows);
}

static void assert_list(const uint32_t *got, uint64_t n, const uint32_t *want, uint64_t want_n)
{
	assert_int_equal(n, want_n);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
}
#define ASSERT_LIST(got, n, ...) \
	assert_list(got, n, (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static const struct sale sales[] = {
	{"ann", "tea", 300, NULL},	/* 0 */
	{"bob", "tea", 100, NULL},	/* 1 */
	{"ann", "jam", NONE, NULL},	/* 2: last, and ann has jam since 200 */
	{"ann", "jam", 200, NULL},	/* 3 */
	{"cid", "bun", NONE, NULL},	/* 4: cid has no times, and so one visit */
	{"bob", "tea", 100, NULL},	/* 5: the same again */
	{"ann", "bun", 200, NULL},	/* 6: the same visit as 3 */
	{"cid", "jam", NONE, NULL},	/* 7 */
	{"bob", "jam", -50, NULL},	/* 8: before 1970 */
};

static void test_by_time(void **state)
{
	struct transactions t;
	struct purchases p;

	(void)state;
	shop_open(&t, sales, 9, true);
	open_good(&p, &t);
	ASSERT_LIST(p.order, p.rows, 8, 1, 5, 3, 6, 0, 2, 4, 7);
	ASSERT_LIST(p.at, p.n, 0, 1, 3, 4, 5, 7, 8);
	assert_memory_equal(p.visit, ((uint8_t[]){1, 1, 0, 1, 0, 1, 0, 1, 0}), 9);
	/* by customer: ann, bob, cid are 0, 1, 2; purchases 0 to 6 are rows 8, 1, 3, 6, 0, 4, 7 */
	assert_int_equal(p.of_start[0], 0);
	ASSERT_LIST(p.of, p.n, 2, 3, 4, 0, 1, 5, 6);
	assert_true(p.of_start[1] == 3 && p.of_start[2] == 5 && p.of_start[3] == 7);
	purchases_free(&p);
	transactions_free(&t);
}

static void test_without_dates(void **state)
{
	struct transactions t;
	struct purchases p;

	(void)state;
	shop_open(&t, sales, 9, false);
	open_good(&p, &t);
	ASSERT_LIST(p.order, p.rows, 0, 1, 2, 3, 4, 5, 6, 7, 8);
	ASSERT_LIST(p.at, p.n, 0, 1, 2, 4, 6, 7, 8);
	assert_memory_equal(p.visit, ((uint8_t[]){1, 1, 0, 0, 1, 0, 0, 0, 0}), 9);
	purchases_free(&p);
	transactions_free(&t);
}

/* Is there a row before this one, in time and then in the input, of the same customer and, if asked for, item or time? */
static bool has_earlier(const struct transactions *t, uint64_t row, bool item, bool time)
{
	for (uint64_t i = 0; i < t->rows; i++) {
		bool before = t->time[i] != t->time[row] ? t->time[i] < t->time[row] : i < row;

		if (before && t->customer[i] == t->customer[row] && (!item || t->item[i] == t->item[row]) &&
		    (!time || t->time[i] == t->time[row]))
			return true;
	}
	return false;
}

static void test_random(void **state)
{
	static struct shop s;
	struct transactions t;
	struct purchases p;
	uint32_t k = 0;

	(void)state;
	shop_random(&s, 40, 30, 2000, 7);
	for (size_t i = 0; i < s.sales; i++)
		s.sale[i].time = (int64_t)(i * 7919 % 97);
	shop_open(&t, s.sale, s.sales, true);
	open_good(&p, &t);
	for (uint64_t i = 0; i < p.rows; i++) {
		bool first = !has_earlier(&t, p.order[i], true, false);

		assert_true(i == 0 || t.time[p.order[i - 1]] < t.time[p.order[i]] ||
			    (t.time[p.order[i - 1]] == t.time[p.order[i]] && p.order[i - 1] < p.order[i]));
		assert_int_equal(p.visit[i], !has_earlier(&t, p.order[i], false, true));
		assert_int_equal(first, k < p.n && p.at[k] == i);
		k += first;
	}
	assert_int_equal(k, p.n);
	for (uint32_t c = 0; c < t.customers.n; c++) {
		for (uint64_t i = p.of_start[c]; i < p.of_start[c + 1]; i++) {
			assert_int_equal(t.customer[p.order[p.at[p.of[i]]]], c);
			assert_true(i == p.of_start[c] || p.of[i - 1] < p.of[i]);
		}
	}
	assert_int_equal(p.of_start[t.customers.n], p.n);
	purchases_free(&p);
	transactions_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_time),
		cmocka_unit_test(test_without_dates),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
