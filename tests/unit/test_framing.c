/* test_framing.c - which requests are refused for their framing, and which connections may go on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "../../server/framing.h"

#define HOST {"Host", "x"}

static const struct {
	const char *version;
	struct field fields[6];
	int status;
	bool keep, body;
	uint64_t length;
} cases[] = {
	{"1.1", {HOST}, 0, true, false, 0},
	{"1.1", {{"hOsT", ""}}, 0, true, false, 0},
	{"1.0", {{0}}, 0, false, false, 0},
	{"1.0", {{"Connection", "Keep-Alive"}}, 0, true, false, 0},
	{"1.1", {HOST, {"Connection", "close"}}, 0, false, false, 0},
	{"1.1", {HOST, {"connection", "keep-alive , CLOSE"}}, 0, false, false, 0},
	{"1.1", {HOST, {"Connection", "keep-alive"}, {"Connection", "close"}}, 0, false, false, 0},
	{"1.1", {HOST, {"Connection", "Upgrade"}, {"Upgrade", "websocket"}}, 0, false, false, 0},
	{"1.1", {HOST, {"Connection", "TE, keep-alive"}, {"TE", "trailers"}}, 0, true, false, 0},
	{"1.1", {HOST, {"Connection", "keep-alive, upgrades"}}, 0, false, false, 0},
	/* civetweb would close after these, so nothing else may be said */
	{"1.1", {HOST, {"Connection", ""}}, 0, false, false, 0},
	{"1.1", {HOST, {"Connection", "TE"}}, 0, false, false, 0},
	{"1.1", {HOST, {"Connection", "TE"}, {"Connection", "keep-alive"}}, 0, false, false, 0},
	{"1.0", {{"Connection", "k"}}, 0, false, false, 0},
	{"1.1", {{"Accept", "*/*"}}, 400, false, false, 0},
	{"1.1", {HOST, HOST}, 400, false, false, 0},
	{"1.0", {HOST, HOST}, 400, false, false, 0},
	{"1.1", {HOST, {"", "x"}}, 400, false, false, 0},
	{"1.1", {HOST, {" ", "x"}}, 400, false, false, 0},
	{"1.1", {HOST, {"a b", "x"}}, 400, false, false, 0},
	{"1.1", {HOST, {"a\x80", "x"}}, 400, false, false, 0},
	{"1.1", {HOST, {"X-!#$%&'*+.^_`|~09", "x"}}, 0, true, false, 0},
	{"1.1", {HOST, {"Content-Length", "0"}}, 0, true, false, 0},
	{"1.1", {HOST, {"Content-Length", "12 "}}, 0, true, true, 12},
	{"1.1", {HOST, {"Content-Length", "+5"}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "-5"}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "5x"}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", ""}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "5, 5"}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "5"}, {"content-length", "5"}}, 400, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "18446744073709551616"}}, 413, false, false, 0},
	{"1.1", {HOST, {"Content-Length", "99999999999999999999"}}, 413, false, false, 0},
	{"1.1", {HOST, {"Transfer-Encoding", "Chunked"}}, 0, true, true, 0},
	{"1.0", {HOST, {"Transfer-Encoding", "chunked"}}, 400, false, true, 0},
	{"1.1", {HOST, {"Transfer-Encoding", "gzip, chunked"}}, 400, false, true, 0},
	{"1.1", {HOST, {"Transfer-Encoding", "identity"}}, 400, false, true, 0},
	{"1.1", {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, 400, false, true, 0},
	{"1.1", {HOST, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}, 400, false, true, 0},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct framing f;
		size_t n = 0;

		while (n < 6 && cases[i].fields[n].name)
			n++;
		framing_read(&f, cases[i].version, cases[i].fields, n);
		if (f.status != cases[i].status || f.keep != cases[i].keep)
			fail_msg("case %zu: status %d, keep %d", i, f.status, f.keep);
		assert_int_equal(f.status != 0, f.reason != NULL);
		if (f.status == 0) {
			assert_int_equal(f.has_body, cases[i].body);
			assert_int_equal(f.length, cases[i].length);
		}
	}
}

static void test_too_many_fields(void **state)
{
	struct field fields[FRAMING_MAX_FIELDS + 1] = {HOST};
	struct framing f;

	(void)state;
	for (size_t i = 1; i < sizeof fields / sizeof *fields; i++)
		fields[i] = (struct field){"X", "y"};
	framing_read(&f, "1.1", fields, FRAMING_MAX_FIELDS);
	assert_int_equal(f.status, 0);
	framing_read(&f, "1.1", fields, FRAMING_MAX_FIELDS + 1);
	assert_int_equal(f.status, 431);
	assert_false(f.keep);
}

static void test_waiting_for_a_word(void **state)
{
	const struct field fields[] = {HOST, {"Expect", "100-continue"}, {"Content-Length", "7"}};
	struct framing f;

	(void)state;
	framing_read(&f, "1.1", fields, 3);
	assert_int_equal(f.status, 0);
	assert_true(f.expects && f.has_body && !f.chunked);
	framing_read(&f, "1.1", fields, 1);
	assert_false(f.expects);
}

/* A full buffer says more than the clock, and the library's own word more than either. */
static void refusals(void **state)
{
	const char *reason;

	(void)state;
	assert_int_equal(framing_refusal(400, "Malformed message", false, false, &reason), 400);
	assert_non_null(strstr(reason, "can't be read"));
	assert_null(strstr(reason, "percent-encoded"));
	assert_int_equal(framing_refusal(400, "Bad request", false, false, &reason), 400);
	assert_non_null(strstr(reason, "percent-encoded"));
	assert_int_equal(framing_refusal(400, "Malformed message", false, true, &reason), 408);
	assert_int_equal(framing_refusal(400, "Malformed message", true, true, &reason), 431);
	assert_int_equal(framing_refusal(413, "Message too large", false, false, &reason), 431);
	assert_int_equal(framing_refusal(411, "Bad request", false, false, &reason), 400);
	assert_non_null(strstr(reason, "Content-Length"));
	assert_int_equal(framing_refusal(505, "Bad HTTP version: [9.9]", true, true, &reason), 505);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_too_many_fields),
		cmocka_unit_test(test_waiting_for_a_word),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
