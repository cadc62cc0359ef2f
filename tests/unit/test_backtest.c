/* test_backtest.c - a backtest that can be followed by hand, and the ends of time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/backtest.h"

#define DAY	86400
#define NO_TIME TRANSACTIONS_NO_TIME

static struct backtest run(const struct sale *sale, size_t n, bool dated, uint32_t days, const char **off)
{
	const struct backtest_how how = {days, 2, NULL};
	struct transactions t;
	struct backtest b;
	struct fault why = {""};

	shop_open(&t, sale, n, dated);
	if (!backtest_run(&b, off, &t, &how, &why))
		fail_msg("%s", why.text);
	transactions_free(&t);
	return b;
}

/* Until day 20: a has 1 2, b has 1 2 3 4, c has 5. So a's nearest is b, with 3 4 to give, then the fill: of those that neither
 * has, 5. c has nobody; all it can get is the fill, by customers and then by id: 1 2 3 4. */
static const struct sale sales[] = {
	{"b", "1", 3 * DAY, NULL}, {"b", "2", 3 * DAY, NULL}, {"a", "1", 0, NULL}, {"a", "2", 5 * DAY, NULL},
	{"b", "3", 6 * DAY, NULL}, {"b", "4", 20 * DAY - 1, NULL}, {"c", "5", 7 * DAY, NULL},
	/* from then on */
	{"a", "4", 20 * DAY, NULL},		/* at place 2, b's */
	{"a", "4", 20 * DAY, NULL},		/* once however often */
	{"a", "2", 25 * DAY, NULL},		/* had it: no trial */
	{"a", "9", 25 * DAY, NULL},		/* unknown: no trial */
	{"a", "5", 26 * DAY, NULL},		/* at place 3, the fill's */
	{"c", "2", 30 * DAY, NULL},		/* at place 2 of nothing but fill */
	{"d", "1", 30 * DAY, NULL}, {"d", "9", 30 * DAY, NULL}, {"d", "1", 29 * DAY, NULL}, /* unknown: no trials, two visits */
	{"b", "1", 22 * DAY, NULL},		/* a customer without trials */
	{"c", "4", NO_TIME, NULL}, {"e", "7", NO_TIME, NULL},	/* in neither part */
};
#define SALES (sizeof sales / sizeof *sales)

static void by_hand(void **state)
{
	const struct backtest want = {.split = 20 * DAY, .customers = 2, .trials = 3, .hits_own = {0, 1},
				      .hits_popular = {0, 1, 1}, .visits = 7, .unknown_visits = 2, .lines = 10,
				      .unknown_lines = 2, .seen_users = 4, .unknown_users = 1, .seen_items = 5,
				      .unknown_items = 1};
	const char *off;
	struct backtest b = run(sales, SALES, true, 10, &off);

	(void)state;
	assert_null(off);
	assert_memory_equal(&b, &want, sizeof b);
	assert_float_equal(backtest_hit_percent(&b, 1), 0, 0);
	assert_float_equal(backtest_hit_percent(&b, 2), 200.0 / 3, 1e-12);
	assert_float_equal(backtest_hit_percent(&b, 20), 100, 1e-12);
	assert_float_equal(backtest_hit_percent(&b, 1000), 100, 1e-12);
}

static void none(const struct sale *sale, size_t n, bool dated, uint32_t days, const char *says)
{
	const struct backtest want = {.split = INT64_MIN};
	const char *off = NULL;
	struct backtest b = run(sale, n, dated, days, &off);

	assert_memory_equal(&b, &want, sizeof b);
	assert_non_null(off);
	assert_non_null(strstr(off, says));
	assert_float_equal(backtest_hit_percent(&b, 10), 0, 0);
}

static void no_backtest_says_why(void **state)
{
	static const struct sale undated[] = {{"a", "1", NO_TIME, NULL}, {"b", "1", NO_TIME, NULL}};
	static const struct sale once[] = {{"a", "1", 77, NULL}, {"b", "1", 77, NULL}};

	(void)state;
	none(sales, SALES, true, 0, "wanted");
	none(sales, SALES, false, 10, "no dates");
	none(sales, SALES, true, 16, "shorter");
	none(undated, 2, true, 1, "shorter");
	none(once, 2, true, 1, "shorter");
}

/* Where a difference of times does not fit 64 bits. */
static void the_ends_of_time(void **state)
{
	static const struct sale first[] = {{"a", "1", INT64_MIN + 1, NULL}, {"b", "1", INT64_MIN + 2, NULL}};
	static const struct sale both[] = {{"a", "1", INT64_MIN + 1, NULL}, {"b", "2", INT64_MIN + 1, NULL},
					   {"a", "2", INT64_MAX, NULL}};
	const char *off;

	(void)state;
	none(first, 2, true, 1, "shorter");
	none(first, 2, true, BACKTEST_DAYS_MAX, "shorter");
	struct backtest b = run(both, 3, true, BACKTEST_DAYS_MAX, &off);

	assert_null(off);
	assert_int_equal(b.trials, 1);
	assert_int_equal(b.hits_popular[0], 1);
	assert_int_equal(b.lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(no_backtest_says_why),
		cmocka_unit_test(the_ends_of_time),
	};

	return cmocka_run_group_tests_name("backtest", tests, NULL, NULL);
}
