/* test_intern.c - texts keep the number of their first sight, whatever the table does meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/intern.h"

static uint32_t put(struct intern *t, const char *text, size_t len)
{
	uint32_t number = UINT32_MAX;

	assert_true(intern_put(t, text, len, &number));
	return number;
}

static void test_numbers_in_order_of_first_sight(void **state)
{
	struct intern t = {0};
	uint32_t number;

	(void)state;
	assert_false(intern_find(&t, "a", 1, &number));
	assert_int_equal(put(&t, "85123A", 6), 0);
	assert_int_equal(put(&t, "71053", 5), 1);
	assert_int_equal(put(&t, "85123A", 6), 0);
	assert_int_equal(put(&t, "85123a", 6), 2);
	assert_int_equal(put(&t, "", 0), 3);
	assert_int_equal(put(&t, "", 0), 3);
	assert_int_equal(put(&t, "a\0b", 3), 4);
	assert_int_equal(put(&t, "a", 1), 5);
	assert_int_equal(t.n, 6);
	assert_true(intern_find(&t, "71053", 5, &number));
	assert_int_equal(number, 1);
	assert_false(intern_find(&t, "7105", 4, &number));
	assert_int_equal(t.start[0], 0);
	assert_int_equal(t.start[2], 11);
	assert_memory_equal(t.bytes, "85123A7105385123aa\0ba", 21);
	intern_free(&t);
	assert_int_equal(t.n, 0);
	assert_null(t.start);
}

static void test_many_survive_growth(void **state)
{
	enum { MANY = 200000 };
	struct intern t = {0};
	char text[32];

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(put(&t, text, (size_t)snprintf(text, sizeof text, "item %u", i * 7919u)), i);
	for (uint32_t i = 0; i < MANY; i++) {
		int len = snprintf(text, sizeof text, "item %u", i * 7919u);

		assert_int_equal(put(&t, text, (size_t)len), i);
		assert_int_equal(t.start[i + 1] - t.start[i], len);
		assert_memory_equal(t.bytes + t.start[i], text, len);
	}
	assert_int_equal(t.n, MANY);
	intern_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_in_order_of_first_sight),
		cmocka_unit_test(test_many_survive_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
