/* test_query.c - n and details as FastAPI with pydantic 1 reads them, and the words they are refused with. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/query.h"

#define DEFAULT_N 5
#define MAX_N	  100

#define INTEGER "{\"loc\":[\"query\",\"n\"],\"msg\":\"value is not a valid integer\",\"type\":\"type_error.integer\"}"
#define SMALL	"{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is greater than or equal to 1\"," \
		"\"type\":\"value_error.number.not_ge\",\"ctx\":{\"limit_value\":1}}"
#define LARGE	"{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is less than or equal to 100\"," \
		"\"type\":\"value_error.number.not_le\",\"ctx\":{\"limit_value\":100}}"
#define TWICE(name) "{\"loc\":[\"query\",\"" name "\"],\"msg\":\"ensure this value is given once\"," \
		"\"type\":\"value_error.twice\"}"
#define BOOLEAN "{\"loc\":[\"query\",\"details\"],\"msg\":\"value could not be parsed to a boolean\"," \
		"\"type\":\"type_error.bool\"}"

static const struct {
	const char *query;		/* NULL: none */
	uint32_t n;
	bool details;
	const char *refused;		/* the elements of detail; NULL: taken */
} cases[] = {
	{NULL, DEFAULT_N, false, NULL},
	{"", DEFAULT_N, false, NULL},
	{"&&", DEFAULT_N, false, NULL},
	{"n=1", 1, false, NULL},
	{"n=100", 100, false, NULL},
	{"n=007", 7, false, NULL},
	{"n=%37", 7, false, NULL},
	{"%6e=7", 7, false, NULL},
	{"n=+7", 7, false, NULL},			/* a space */
	{"n=7+", 7, false, NULL},			/* one behind it */
	{"n=%2B7", 7, false, NULL},			/* a plus */
	{"n=%09%2B7%20%0a", 7, false, NULL},
	{"n=1_0", 10, false, NULL},
	{"x=1&n=7&y", 7, false, NULL},
	{"N=9&nn=9&xn=9&n%00=9", DEFAULT_N, false, NULL},
	{"n=3&n=4", 0, false, TWICE("n")},
	{"n=abc&n=4", 0, false, TWICE("n")},
	{"n=4&x=5&%6e=4", 0, false, TWICE("n")},
	{"n=4&n", 0, false, TWICE("n")},
	{"n=4&n=4&n=4", 0, false, TWICE("n")},
	{"n=4;details=1", 0, false, INTEGER},
	{"n=4&n=abc", 0, false, TWICE("n")},
	{"n=", 0, false, INTEGER},
	{"n", 0, false, INTEGER},
	{"n=abc", 0, false, INTEGER},
	{"n=1.5", 0, false, INTEGER},
	{"n=1e3", 0, false, INTEGER},
	{"n=0x10", 0, false, INTEGER},
	{"n=5=5", 0, false, INTEGER},
	{"n=1_", 0, false, INTEGER},
	{"n=_1", 0, false, INTEGER},
	{"n=1__0", 0, false, INTEGER},
	{"n=--1", 0, false, INTEGER},
	{"n=%2B", 0, false, INTEGER},
	{"n=%2B+1", 0, false, INTEGER},
	{"n=1+1", 0, false, INTEGER},
	{"n=5%00", 0, false, INTEGER},
	{"n=%", 0, false, INTEGER},
	{"n=%3", 0, false, INTEGER},
	{"n=%zz", 0, false, INTEGER},
	{"n=%1c7", 0, false, INTEGER},			/* no space to int() */
	{"n=%FF", 0, false, INTEGER},
	{"n=0", 0, false, SMALL},
	{"n=-0", 0, false, SMALL},
	{"n=-1", 0, false, SMALL},
	{"n=-1000000000000000000000000000000", 0, false, SMALL},
	{"n=101", 0, false, LARGE},
	{"n=4294967296", 0, false, LARGE},
	{"n=4294967301", 0, false, LARGE},		/* 5 in 32 bits */
	{"n=18446744073709551621", 0, false, LARGE},	/* 5 in 64 bits */
	{"n=1000000000000000000000000000000", 0, false, LARGE},

	{"details=true", DEFAULT_N, true, NULL},
	{"details=TRUE", DEFAULT_N, true, NULL},
	{"details=1", DEFAULT_N, true, NULL},
	{"details=on", DEFAULT_N, true, NULL},
	{"details=Yes", DEFAULT_N, true, NULL},
	{"details=t", DEFAULT_N, true, NULL},
	{"details=y", DEFAULT_N, true, NULL},
	{"details=tr%75e", DEFAULT_N, true, NULL},
	{"details=false", DEFAULT_N, false, NULL},
	{"details=0", DEFAULT_N, false, NULL},
	{"details=off", DEFAULT_N, false, NULL},
	{"details=no", DEFAULT_N, false, NULL},
	{"details=F", DEFAULT_N, false, NULL},
	{"details=n", DEFAULT_N, false, NULL},
	{"details=true&details=no", 0, false, TWICE("details")},
	{"details=maybe&details=1&n=2", 0, true, TWICE("details")},
	{"details=", 0, false, BOOLEAN},
	{"details", 0, false, BOOLEAN},
	{"details=2", 0, false, BOOLEAN},
	{"details=+true", 0, false, BOOLEAN},
	{"details=true%00", 0, false, BOOLEAN},
	{"details=truefalse", 0, false, BOOLEAN},
	{"details=falsey", 0, false, BOOLEAN},
	{"details=disabled", 0, false, BOOLEAN},
	{"details=x&n=x", 0, false, INTEGER "," BOOLEAN},
	{"n=0&details=x", 0, false, SMALL "," BOOLEAN},
};

static void every_case(void **state)
{
	struct answer a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct query q;
		size_t len = cases[i].query ? strlen(cases[i].query) : 0;
		char want[512], *query = cases[i].query ? test_malloc(len ? len : 1) : NULL;

		if (query)
			memcpy(query, cases[i].query, len);
		bool taken = query_parse(&q, (struct text){query, len}, DEFAULT_N, MAX_N);

		if (taken != !cases[i].refused)
			fail_msg("'%s' was %s", cases[i].query, taken ? "taken" : "refused");
		if (taken) {
			if (q.n != cases[i].n || q.details != cases[i].details)
				fail_msg("'%s': n %u, details %d", cases[i].query, q.n, q.details);
		} else {
			answer_reset(&a);
			query_refuse(&a, &q, MAX_N);
			snprintf(want, sizeof want, "{\"detail\":[%s]}", cases[i].refused);
			assert_int_equal(a.status, 422);
			if (a.body_len != strlen(want) || memcmp(a.memory + ANSWER_HEAD, want, a.body_len) != 0)
				fail_msg("'%s': %.*s", cases[i].query, (int)a.body_len, a.memory + ANSWER_HEAD);
		}
		if (query)
			test_free(query);
	}
	answer_free(&a);
}

/* However many digits there are. */
static void very_long_numbers(void **state)
{
	static char query[20000];
	struct query q;

	(void)state;
	query[0] = 'n';
	query[1] = '=';
	memset(query + 2, '9', sizeof query - 2);
	assert_false(query_parse(&q, (struct text){query, sizeof query}, DEFAULT_N, UINT32_MAX));
	assert_int_equal(q.n_fault, QUERY_TOO_LARGE);
	memset(query + 2, '0', sizeof query - 3);
	assert_true(query_parse(&q, (struct text){query, sizeof query}, DEFAULT_N, MAX_N));
	assert_int_equal(q.n, 9);
	memcpy(query + 2, "4294967295", 10);
	assert_true(query_parse(&q, (struct text){query, 12}, DEFAULT_N, UINT32_MAX));
	assert_int_equal(q.n, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_case), cmocka_unit_test(very_long_numbers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
