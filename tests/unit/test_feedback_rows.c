/* test_feedback_rows.c - what a row of the log of events looks like. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../server/feedback_rows.h"

static struct text text(const char *s) { return (struct text){s, s ? strlen(s) : 0}; }

static void rows_are_csv(void **state)
{
	static const struct {
		struct feedback_event e;
		const char *id, *item, *customer, *want;
	} cases[] = {
		{{.kind = EVENT_PURCHASE, .timed = true, .ms = 1795348800999}, "000000000000002ac92e1fa4", "85123A", "12350",
		 "purchase-000000000000002ac92e1fa4,85123A,,1,2026-11-22 12:00:00,,12350,\n"},
		{{.kind = EVENT_CLICK}, NULL, "a,b", "say \"hello\"",
		 "click,\"a,b\",,0,1970-01-01 00:01:39,,\"say \"\"hello\"\"\",\n"},
		/* no name of ours */
		{{.kind = EVENT_CART}, "0000000000,0002ac92e1fa4", "\"", NULL, "cart,\"\"\"\",,0,1970-01-01 00:01:39,,,\n"},
		{{.kind = EVENT_CART}, NULL, " x", "y ", "cart,\" x\",,0,1970-01-01 00:01:39,,\"y \",\n"},
	};
	struct feedback_rows r = {.count = 0};
	char want[1024] = "";

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct feedback_event e = cases[i].e;

		e.id = text(cases[i].id);
		e.item = text(cases[i].item);
		assert_true(feedback_rows_add(&r, &e, text(cases[i].customer), 99));
		strcat(want, cases[i].want);
		assert_int_equal(r.len, strlen(want));
		assert_memory_equal(r.at, want, r.len);
	}
	assert_int_equal(r.count, 4);
	free(r.at);
}

/* The longest there can be, all of quotes, in memory of just the size it has. */
static void rows_grow(void **state)
{
	static char quotes[MODEL_MAX_ID];
	struct feedback_rows r = {.count = 0};
	struct text longest = {quotes, sizeof quotes};

	(void)state;
	memset(quotes, '"', sizeof quotes);
	for (unsigned i = 0; i < 50; i++) {
		struct feedback_event e = {.kind = EVENT_PURCHASE, .id = longest, .item = longest, .timed = true,
					   .ms = INT64_C(253402300799000)};

		assert_true(feedback_rows_add(&r, &e, longest, 0));
	}
	assert_int_equal(r.len, 50 * (2 * (2 * sizeof quotes + 2) + strlen("purchase,,,1,9999-12-31 23:59:59,,,\n")));
	free(r.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_csv),
		cmocka_unit_test(rows_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
