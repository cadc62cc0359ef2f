/* test_values.c - what field texts say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/values.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void assert_text(struct text got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.at, want, got.len);
}

static void test_trim(void **state)
{
	(void)state;
	assert_text(value_trim(text("")), "");
	assert_text(value_trim(text(" \t ")), "");
	assert_text(value_trim(text("  BANK CHARGES\t")), "BANK CHARGES");
	assert_text(value_trim(text("\xc2\xa0x")), "\xc2\xa0x");
}

static void test_missing(void **state)
{
	static const char *const yes[] = {"", "nan", "NaN", "NULL", "null", "None", "NA", "N/A"};
	static const char *const no[] = {"0", "na", "none", "Nan", "NAN", "Null", "NULLS", "NAX", "-", "n", "N", "N/B"};

	(void)state;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(value_missing(text(yes[i])));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(value_missing(text(no[i])));
}

static void test_customer(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{"17850", "17850"}, {"17850.0", "17850"}, {"0.0", "0"}, {"007.0", "007"}, {".0", ".0"},
		{"17850.00", "17850.00"}, {"17850.0.0", "17850.0.0"}, {"A1.0", "A1.0"}, {"-1.0", "-1.0"},
		{"17850.5", "17850.5"}, {"17850,0", "17850,0"}, {"", ""}, {"0", "0"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_text(value_customer(text(cases[i].in)), cases[i].want);
}

static void test_quantity(void **state)
{
	static const char *const above[] = {"6", "6.0", "6,0", "+2", "1e3", "1E+3", "1,200", "1.200,50", "1,200.50", ".5",
					    "0.01", "6.", "80995", "00001", "1e-9", "12345678901234567890123456789",
					    "1,234,567", "1.234.567", "12,345,678.9", "1.234.567,89", "999,000.", "1,2345",
					    "1,200e3", "1,234,567e-3"};
	static const char *const not_above[] = {"0", "-1", "0.0", "0,00", "-0", "-6.0", "-80995", "0e5", "+0", "-1e3",
						"-1,234,567", "0,000,000.0"};
	static const char *const no_number[] = {"", "six", "6x", "x6", "-", "+", ".", ",", "1e", "1e+", "1..2", "1,,2", "--1",
						"1 2", "0x10", "inf", "nan", "1-", "(5)", "6e1.5", "\xc2\xbd", "1.5.2", "12.1.2010",
						"1.12.2010", "2010.12.1", "1,200,50", "1,200,", "1.200,5.0", "1.200.5,0",
						"1,.5", ".200.300", ",200.5", "1234,567,890", "1,23,456", "1,2345.6"};

	(void)state;
	for (size_t i = 0; i < COUNT(above); i++)
		assert_int_equal(value_quantity(text(above[i])), VALUE_ABOVE_0);
	for (size_t i = 0; i < COUNT(not_above); i++)
		assert_int_equal(value_quantity(text(not_above[i])), VALUE_NOT_ABOVE_0);
	for (size_t i = 0; i < COUNT(no_number); i++)
		assert_int_equal(value_quantity(text(no_number[i])), VALUE_NO_NUMBER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trim),	 cmocka_unit_test(test_missing),  cmocka_unit_test(test_customer),
		cmocka_unit_test(test_quantity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
