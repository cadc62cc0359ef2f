/* test_visits.c - visits and lines, counted by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/visits.h"

#define NO_TIME TRANSACTIONS_NO_TIME

/* Index order is byte order of the ids: a, b, c, d and x, y, z. */
static void check(const struct sale *sale, size_t n, bool dated, const uint32_t *visits, const uint32_t *lines)
{
	struct transactions t;
	struct interactions x;
	struct visits v;
	struct fault why;

	shop_open(&t, sale, n, dated);
	assert_true(interactions_build(&x, &t, &why));
	assert_true(visits_count(&v, &t, &x, &why));
	assert_memory_equal(v.visits, visits, t.customers.n * sizeof *visits);
	assert_memory_equal(v.lines, lines, t.items.n * sizeof *lines);
	visits_free(&v);
	interactions_free(&x);
	transactions_free(&t);
}

static const struct sale sales[] = {
	{"c", "z", 50, NULL}, {"c", "x", 50, NULL}, {"c", "x", 50, NULL},	/* one visit */
	{"b", "x", 50, NULL},							/* of another customer at the same time */
	{"a", "z", 90, NULL}, {"a", "y", 10, NULL}, {"a", "z", 90, NULL}, {"a", "y", -10, NULL}, /* out of order */
	{"c", "x", 51, NULL},
	{"b", "y", NO_TIME, NULL},						/* no visit of its own */
	{"d", "y", NO_TIME, NULL}, {"d", "x", NO_TIME, NULL},			/* somebody was there, though */
};
#define SALES (sizeof sales / sizeof *sales)

static void a_visit_is_a_customer_and_a_time(void **state)
{
	(void)state;
	check(sales, SALES, true, (const uint32_t[]){3, 1, 2, 1}, (const uint32_t[]){5, 4, 3});
}

static void without_dates_everybody_came_once(void **state)
{
	(void)state;
	check(sales, SALES, false, (const uint32_t[]){1, 1, 1, 1}, (const uint32_t[]){5, 4, 3});
}

static void the_ends_of_time_are_times(void **state)
{
	static const struct sale two[] = {{"a", "x", INT64_MAX, NULL}, {"a", "x", INT64_MIN + 1, NULL}};

	(void)state;
	check(two, 2, true, (const uint32_t[]){2}, (const uint32_t[]){2});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_visit_is_a_customer_and_a_time),
		cmocka_unit_test(without_dates_everybody_came_once),
		cmocka_unit_test(the_ends_of_time_are_times),
	};

	return cmocka_run_group_tests_name("visits", tests, NULL, NULL);
}
