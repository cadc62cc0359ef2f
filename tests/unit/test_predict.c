/* test_predict.c - the JSON of predictions and of their refusals, byte by byte, on a model worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_packed.h"
#include "../../server/predict.h"

/* Items were first seen in the order 1 2 0 3; customers per item: 3 3 2 1. */
static const struct small table = {
	.items = 4, .customers = 4, .row_limit = 3, .whole = 1,
	.bought = {{1, 1, 0, 0}, {1, 1, 1, 0}, {0, 0, 0, 1}, {1, 1, 1, 0}},
	.first_seen = {2, 0, 1, 3},
};

#define USER(total, id, list) "{\"success\":true,\"type\":\"user_based\",\"total\":" total ",\"data\":{\"" id "\":[" list "]}}"
#define ITEM(total, id, list) "{\"success\":true,\"type\":\"item_based\",\"total\":" total ",\"data\":{\"" id "\":[" list "]}}"
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	enum axis_kind kind;
	const char *id, *query;
	int status;
	const char *want;
} cases[] = {
	/* 0's nearest are 1 and 3, alike; the smaller id wins. They have item 2 more */
	{AXIS_CUSTOMER, "c00", NULL, 200, USER("2", "c00", "\"i02\",\"i03\"")},
	{AXIS_CUSTOMER, "c00", "n=1", 200, USER("1", "c00", "\"i02\"")},
	{AXIS_CUSTOMER, "c00", "details=true", 200,
	 USER("2", "c00", "{\"id\":\"i02\",\"description\":\"Item no 02\",\"score\":0.816496580927726,\"source\":\"user\"},"
			  "{\"id\":\"i03\",\"description\":\"Item no 03\",\"score\":0.25,\"source\":\"popular\"}")},
	{AXIS_CUSTOMER, "c02", "n=2", 200, USER("2", "c02", "\"i00\",\"i01\"")},
	{AXIS_CUSTOMER, "c01", "n=100", 200, USER("1", "c01", "\"i03\"")},
	{AXIS_ITEM, "i02", "n=100", 200, ITEM("2", "i02", "\"i00\",\"i01\"")},
	{AXIS_ITEM, "i02", "n=1&details=1", 200,
	 ITEM("1", "i02", "{\"id\":\"i00\",\"description\":\"Item no 00\",\"score\":0.816496580927726,\"source\":\"item\"}")},
	{AXIS_ITEM, "i00", "details=1", 200,
	 ITEM("2", "i00", "{\"id\":\"i01\",\"description\":\"Item no 01\",\"score\":1,\"source\":\"item\"},"
			  "{\"id\":\"i02\",\"description\":\"Item no 02\",\"score\":0.816496580927726,\"source\":\"item\"}")},
	{AXIS_ITEM, "i03", NULL, 200, ITEM("0", "i03", "")},
	{AXIS_ITEM, "i03", "details=yes", 200, ITEM("0", "i03", "")},

	{AXIS_CUSTOMER, "i00", NULL, 404, "{\"detail\":\"User 'i00' not found\"}"},
	{AXIS_ITEM, "c00", NULL, 404, "{\"detail\":\"Item 'c00' not found\"}"},
	{AXIS_ITEM, "I00", NULL, 404, "{\"detail\":\"Item 'I00' not found\"}"},
	{AXIS_ITEM, "i0", NULL, 404, "{\"detail\":\"Item 'i0' not found\"}"},
	{AXIS_ITEM, "i000", NULL, 404, "{\"detail\":\"Item 'i000' not found\"}"},
	{AXIS_ITEM, "a\"\\\n\xff\xc3\xa9", NULL, 404, "{\"detail\":\"Item 'a\\\"\\\\\\\\x0a\\\\xff\xc3\xa9' not found\"}"},
	{AXIS_ITEM, X32 X32 X32 X32 X32, NULL, 404, "{\"detail\":\"Item '" X32 X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx...' not found\"}"},

	/* a bad parameter comes before an unknown id */
	{AXIS_ITEM, "nope", "n=0", 422,
	 "{\"detail\":[{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is greater than or equal to 1\","
	 "\"type\":\"value_error.number.not_ge\",\"ctx\":{\"limit_value\":1}}]}"},
	{AXIS_CUSTOMER, "c00", "n=101", 422,
	 "{\"detail\":[{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is less than or equal to 100\","
	 "\"type\":\"value_error.number.not_le\",\"ctx\":{\"limit_value\":100}}]}"},
};

static struct text text(const char *s) { return (struct text){s, s ? strlen(s) : 0}; }

static void every_case(void **state)
{
	const struct settings settings = {.default_n = 3, .max_n = 100, .fill = FILL_POPULAR};
	struct serve_thread t = {.near = NULL};
	struct packed p;
	void *memory = small_packed(&table, 9, 1, &p);

	(void)state;
	assert_non_null(memory);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		answer_reset(&t.answer);
		predict(&t, &settings, &p, cases[i].kind, text(cases[i].id), text(cases[i].query));
		if (t.answer.status != cases[i].status || t.answer.body_len != strlen(cases[i].want) ||
		    memcmp(t.answer.memory + ANSWER_HEAD, cases[i].want, t.answer.body_len) != 0)
			fail_msg("%s?%s: %d %.*s", cases[i].id, cases[i].query, t.answer.status,
				 (int)t.answer.body_len, t.answer.memory + ANSWER_HEAD);
		assert_int_equal(t.answer.generation, cases[i].status == 422 ? 0 : 9);
	}
	answer_free(&t.answer);
	scratch_free(&t.scratch);
	free(t.near);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_case)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
