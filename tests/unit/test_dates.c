/* test_dates.c - date texts to seconds; expected figures are those of date(1) -u +%s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/dates.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* What a date alone in the input comes to; an order it needs must be set or proven. */
static bool read_one(const char *format, const char *s, int64_t *value)
{
	struct dates d;
	struct fault why;
	enum dates_order order;

	assert_true(dates_init(&d, format, &why));
	if (!dates_read(&d, text(s), "f", 2, value))
		return false;
	assert_true(dates_decide(&d, &order, &why));
	assert_int_not_equal(order, DATES_UNKNOWN);
	dates_settle(value, 1, order);
	return true;
}

static const struct {
	const char *format, *text;
	int64_t want;
} good[] = {
	{NULL, "2011-12-09 12:50:00", 1323435000},
	{NULL, "2011-12-09T12:50:00Z", 1323435000},
	{NULL, "2011-12-09T12:50:00.123456+01:00", 1323435000},
	{NULL, "2011-12-09T12:50:00-0530", 1323435000},
	{NULL, "2011-12-09 12:50:00 UTC", 1323435000},
	{NULL, "2011-12-09 12:50", 1323435000},
	{NULL, "2011/12/09 12:50", 1323435000},
	{NULL, "2011.12.9 12:50", 1323435000},
	{"iso", "2011-12-09 12:50", 1323435000},
	{"mdy", "2011-12-09 12:50", 1323435000},
	{"mdy", "12/9/2011 12:50", 1323435000},
	{"mdy", "12-09-2011 12:50:00", 1323435000},
	{"mdy", "12/9/11 12:50", 1323435000},
	{"mdy", "12/9/2011 12:50:00 PM", 1323435000},
	{"mdy", "12/9/2011, 12:50:00 pm", 1323435000},
	{"mdy", "12/9/2011 12:50 AM", 1323391800},
	{"dmy", "9/12/2011 12:50", 1323435000},
	{"dmy", "9-12-2011 12:50", 1323435000},
	{"dmy", "09.12.2011 12:50", 1323435000},
	{NULL, "9.12.2011 12:50", 1323435000},
	{NULL, "1.12.2010 8:26", 1291191960},
	{NULL, "12/31/1999", 946598400},
	{NULL, "31/12/1999", 946598400},
	{NULL, "31-12-99", 946598400},
	{NULL, "1970-01-01", 0},
	{NULL, "1969-12-31 23:59:59", -1},
	{NULL, "2000-02-29", 951782400},
	{NULL, "2000-03-01", 951868800},
	{NULL, "1900-03-01", -2203891200},
	{NULL, "0001-01-01", -62135596800},
	{NULL, "9999-12-31 23:59:59", 253402300799},
	{NULL, "20111209", 1323388800},
	{NULL, "1323435000", 1323435000},
	{NULL, "978300760", 978300760},
	{NULL, "1323435000123", 1323435000},
	{"dmy", "1/2/69", 3126902400},
	{"dmy", "2/1/70", 86400},
};

static void test_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t value;

		if (!read_one(good[i].format, good[i].text, &value))
			fail_msg("not understood: '%s'", good[i].text);
		if (value != good[i].want)
			fail_msg("'%s' is %lld, got %lld", good[i].text, (long long)good[i].want, (long long)value);
	}
}

static const struct {
	const char *format, *text;
} bad[] = {
	{NULL, "x"}, {NULL, "2011"}, {NULL, "12/2011"}, {NULL, "2011-13-01"}, {NULL, "2011-02-29"}, {NULL, "1900-02-29"},
	{NULL, "2011-00-10"}, {NULL, "2011-01-00"}, {NULL, "0000-01-01"}, {NULL, "13/13/2011"}, {NULL, "2/30/2011"},
	{NULL, "30/2/2011"}, {NULL, "31/4/2011"}, {NULL, "0/1/2011"}, {NULL, "1/1/201"}, {NULL, "1/1/20111"},
	{NULL, "1/1-2011"}, {NULL, "2011-01/01"}, {NULL, "123/1/2011"}, {NULL, "2011-01-01 24:00"},
	{NULL, "2011-01-01 12:60"}, {NULL, "2011-01-01 12:00:61"}, {NULL, "2011-01-01 12"}, {NULL, "2011-01-01 1:2"},
	{NULL, "2011-01-01 13:00 PM"}, {NULL, "2011-01-01 0:00 AM"}, {NULL, "2011-01-01 12:00:00 CET"},
	{NULL, "2011-01-01 12:00:00+1"}, {NULL, "2011-01-01 12:00:00."}, {NULL, "2011-01-01x"}, {NULL, "2011-01-01 "},
	{NULL, "20111309"}, {NULL, "12345678901"}, {NULL, "123456789012"}, {NULL, "12345"}, {NULL, "-5/1/2011"},
	{NULL, "Dec 9, 2011"}, {NULL, "12.9.2011x"}, {NULL, "12.13.2011"}, {NULL, "99999999999999999999999"},
	{"mdy", "31/12/2011"}, {"dmy", "12/31/2011"}, {"iso", "12/31/2011"}, {"iso", "31.12.2011"}, {"iso", "1323435000"},
	{"mdy", "31.12.2011"},
};

static void test_not_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct dates d;
		struct fault why;
		int64_t value;

		assert_true(dates_init(&d, bad[i].format, &why));
		if (dates_read(&d, text(bad[i].text), "f", 2, &value))
			fail_msg("taken: '%s'", bad[i].text);
	}
}

static void test_order_is_that_of_the_whole_input(void **state)
{
	static const struct {
		const char *proof;
		enum dates_order order;
		int64_t first;		/* of 3/4/2011 */
		const char *format;
	} cases[] = {{"12/13/2010", DATES_MDY, 1299196800, "m/d/Y"}, {"13/12/2010", DATES_DMY, 1301788800, "d/m/Y"},
		     {"2/29/2012", DATES_MDY, 1299196800, "m/d/Y"}, {"29-2-2012", DATES_DMY, 1301788800, "d/m/Y"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dates d;
		struct fault why;
		int64_t value[3];
		enum dates_order order;

		assert_true(dates_init(&d, NULL, &why));
		assert_true(dates_read(&d, text("3/4/2011"), "f", 2, &value[0]));
		assert_true(dates_open_question(&d));
		assert_true(dates_read(&d, text("2011-12-09"), "f", 3, &value[1]));
		assert_true(dates_read(&d, text(cases[i].proof), "f", 4, &value[2]));
		assert_false(dates_open_question(&d));
		assert_true(dates_decide(&d, &order, &why));
		assert_int_equal(order, cases[i].order);
		dates_settle(value, 3, order);
		assert_int_equal(value[0], cases[i].first);
		assert_int_equal(value[1], 1323388800);
		assert_string_equal(dates_format(&d, order), cases[i].format);
	}
}

static void test_ambiguous(void **state)
{
	struct dates d;
	struct fault why;
	int64_t value;
	enum dates_order order;

	(void)state;
	assert_true(dates_init(&d, NULL, &why));
	assert_false(dates_open_question(&d));
	assert_true(dates_read(&d, text("12/12/2011 8:26"), "f", 2, &value));
	assert_true(dates_decide(&d, &order, &why));
	assert_int_equal(order, DATES_UNKNOWN);
	assert_true(dates_init(&d, "dmy", &why));
	assert_true(dates_read(&d, text("1/2/2011"), "f", 2, &value));
	assert_false(dates_open_question(&d));
}

static void test_contradiction_names_both(void **state)
{
	struct dates d;
	struct fault why;
	int64_t value;
	enum dates_order order;

	(void)state;
	assert_true(dates_init(&d, NULL, &why));
	assert_true(dates_read(&d, text("1/2/2011"), "shop.csv", 2, &value));
	assert_true(dates_read(&d, text("13/1/2011"), "shop.csv", 17, &value));
	assert_true(dates_read(&d, text("14/1/2011"), "shop.csv", 18, &value));
	assert_true(dates_read(&d, text("12/31/2011"), "more.csv", 23, &value));
	assert_false(dates_decide(&d, &order, &why));
	assert_non_null(strstr(why.text, "more.csv:23 '12/31/2011'"));
	assert_non_null(strstr(why.text, "shop.csv:17 '13/1/2011'"));
}

static void test_formats(void **state)
{
	struct dates d;
	struct fault why;
	int64_t value;

	(void)state;
	assert_false(dates_init(&d, "ymd", &why));
	assert_non_null(strstr(why.text, "'ymd'"));
	assert_true(dates_init(&d, NULL, &why));
	assert_true(dates_read(&d, text("1323435000"), "f", 2, &value));
	assert_string_equal(dates_format(&d, DATES_ISO), "seconds since 1970");
	assert_true(dates_read(&d, text("9.12.2011"), "f", 2, &value));
	assert_string_equal(dates_format(&d, DATES_ISO), "d.m.Y");
	assert_true(dates_read(&d, text("2011-12-09"), "f", 2, &value));
	assert_string_equal(dates_format(&d, DATES_ISO), "ISO 8601");
}

static void test_no_time_is_left_alone(void **state)
{
	int64_t value[] = {INT64_MIN, -62135596800, 253402300799, 0};

	(void)state;
	dates_settle(value, 4, DATES_MDY);
	assert_true(value[0] == INT64_MIN);
	assert_int_equal(value[1], -62135596800);
	assert_int_equal(value[2], 253402300799);
	assert_int_equal(value[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_understood),
		cmocka_unit_test(test_not_understood),
		cmocka_unit_test(test_order_is_that_of_the_whole_input),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_contradiction_names_both),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_no_time_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
