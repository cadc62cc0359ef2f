/* test_chunks.c - bodies in chunks: what is in them, where they end, and which are refused; whole and parted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../server/chunks.h"

#define BESIDES 20

static const struct {
	const char *bytes;
	enum chunks_result result;
	const char *body;		/* as far as it came */
	size_t rest;			/* bytes behind its end */
} cases[] = {
	{"0\r\n\r\n", CHUNKS_END, "", 0},
	{"0\r\n\r\nGET / ", CHUNKS_END, "", 6},
	{"5\r\nhello\r\n0\r\n\r\n", CHUNKS_END, "hello", 0},
	{"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n\r\n", CHUNKS_END, "hello world", 2},
	{"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", CHUNKS_END, "01234567890123456789", 0},
	{"0000000000000005\r\n\r\n0\r\n\r\n0\r\n\r\n", CHUNKS_END, "\r\n0\r\n", 0},
	{"5;a=b\r\nhello\r\n0;c=\"d e\"\r\n\r\n", CHUNKS_END, "hello", 0},
	{"5 ; a\r\nhello\r\n0\r\n\r\n", CHUNKS_BAD, "", 0},
	{"5; a \x80\t\r\nhello\r\n0\r\n\r\n", CHUNKS_END, "hello", 0},
	{"0\r\nA: b\r\nC-d:\r\n\r\nx", CHUNKS_END, "", 1},
	{"", CHUNKS_MORE, "", 0},
	{"5", CHUNKS_MORE, "", 0},
	{"5\r\nhel", CHUNKS_MORE, "hel", 0},
	{"5\r\nhello\r\n0\r\n", CHUNKS_MORE, "hello", 0},
	{"\r\n", CHUNKS_BAD, "", 0},
	{"x\r\n", CHUNKS_BAD, "", 0},
	{"g\r\n", CHUNKS_BAD, "", 0},
	{"-5\r\nhello\r\n", CHUNKS_BAD, "", 0},
	{"+5\r\nhello\r\n", CHUNKS_BAD, "", 0},
	{"0x5\r\nhello\r\n", CHUNKS_BAD, "", 0},
	{" 5\r\nhello\r\n", CHUNKS_BAD, "", 0},
	{"5 \r\nhello\r\n", CHUNKS_BAD, "", 0},
	{"5\nhello\n0\n\n", CHUNKS_BAD, "", 0},
	{"5\r\rhello", CHUNKS_BAD, "", 0},
	{";a\r\n", CHUNKS_BAD, "", 0},
	{"5;a\nhello", CHUNKS_BAD, "", 0},
	{"5;\x01\r\nhello", CHUNKS_BAD, "", 0},
	{"5\r\nhello0\r\n\r\n", CHUNKS_BAD, "hello", 0},
	{"5\r\nhello!\r\n0\r\n\r\n", CHUNKS_BAD, "hello", 0},
	{"5\r\nhello\n\n0\r\n\r\n", CHUNKS_BAD, "hello", 0},
	{"5\r\nhello\r0\r\n\r\n", CHUNKS_BAD, "hello", 0},
	{"5\r\nhello\n0\r\n\r\n", CHUNKS_BAD, "hello", 0},
	{"00000000000000005\r\nhello\r\n0\r\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\n A: b\r\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\nA : b\r\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\n: b\r\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\nA\r\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\nA: b\n\r\n", CHUNKS_BAD, "", 0},
	{"0\r\nA: b\r\r\n", CHUNKS_BAD, "", 0},
	{"0\r\n\rX", CHUNKS_BAD, "", 0},
	{"5;a2345678901234567890\r\nhello\r\n0\r\n\r\n", CHUNKS_LONG, "", 0},
	{"5;a234567890123456789\r\nhello\r\n0\r\n\r\n", CHUNKS_END, "hello", 0},
	{"5;a23456789\r\nhello\r\n0;a23456789\r\n\r\n", CHUNKS_END, "hello", 0},
	{"5;a23456789\r\nhello\r\n0;a23456789a\r\n\r\n", CHUNKS_LONG, "hello", 0},
	{"0\r\nA: 34567890123456789012345\r\n\r\n", CHUNKS_LONG, "", 0},
};

/* In pieces of `step` bytes, each in memory of its own. */
static enum chunks_result read_parted(const char *bytes, size_t len, size_t step, char *body, size_t *rest)
{
	struct chunks c = {.state = 0};
	enum chunks_result result = CHUNKS_MORE;

	for (size_t at = 0; at < len && (result == CHUNKS_MORE || result == CHUNKS_DATA);) {
		size_t n = step < len - at ? step : len - at, used;
		char *copy = malloc(n);
		struct text data;

		assert_non_null(copy);
		memcpy(copy, bytes + at, n);
		result = chunks_read(&c, BESIDES, copy, n, &used, &data);
		assert_true(used > 0 && used <= n);
		assert_true(result != CHUNKS_MORE || used == n);
		if (result == CHUNKS_DATA) {
			assert_true(data.len > 0);
			memcpy(body, data.at, data.len);
			body += data.len;
		}
		at += used;
		*rest = len - at;
		free(copy);
	}
	*body = '\0';
	return result == CHUNKS_DATA ? CHUNKS_MORE : result;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].bytes);

		for (size_t step = 1; step <= len; step++) {
			char body[64] = "";
			size_t rest = 0;
			enum chunks_result got = read_parted(cases[i].bytes, len, step, body, &rest);

			if (got != cases[i].result || strcmp(body, cases[i].body) != 0 ||
			    (got == CHUNKS_END && rest != cases[i].rest))
				fail_msg("case %zu in steps of %zu: %d, '%s', %zu behind it", i, step, got, body, rest);
		}
	}
}

/* The largest size there can be is awaited, not wrapped around. */
static void test_huge(void **state)
{
	static const char bytes[] = "ffffffffffffffff\r\nab";
	struct chunks c = {.state = 0};
	struct text data;
	size_t used;

	(void)state;
	assert_int_equal(chunks_read(&c, BESIDES, bytes, sizeof bytes - 1, &used, &data), CHUNKS_DATA);
	assert_int_equal(data.len, 2);
	assert_int_equal(used, sizeof bytes - 1);
	assert_int_equal(c.left, UINT64_MAX - 2);
}

static void test_nul(void **state)
{
	static const char bytes[][16] = {"5\0\r\nhello", "5;\0\r\nhello", "0\r\nA:\0\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
		char body[64];
		size_t rest;

		assert_int_equal(read_parted(bytes[i], sizeof bytes[i], 1, body, &rest), CHUNKS_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
