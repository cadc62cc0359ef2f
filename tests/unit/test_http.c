/* test_http.c - answers: JSON strings, numbers, heads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../server/http.h"

static const char *body(const struct answer *a)
{
	static char copy[8192];

	assert_false(a->failed);
	assert_true(a->body_len < sizeof copy);
	memcpy(copy, a->memory + ANSWER_HEAD, a->body_len);
	copy[a->body_len] = '\0';
	return copy;
}

static void strings_are_escaped(void **state)
{
	static const struct { const char *bytes; size_t len; const char *want; } cases[] = {
		{"", 0, "\"\""},
		{"85123A", 6, "\"85123A\""},
		{"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
		{"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
		{"\0\x01\x0b\x1f\x7f", 5, "\"\\u0000\\u0001\\u000b\\u001f\x7f\""},
		{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14, "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
	};
	struct answer a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		answer_reset(&a);
		answer_string(&a, (struct text){cases[i].bytes, cases[i].len});
		assert_string_equal(body(&a), cases[i].want);
	}
	answer_free(&a);
}

/* The longest a string can become, right at the edge of what is there. */
static void strings_fit_as_they_grow(void **state)
{
	struct answer a = {0};
	char bytes[3000];

	(void)state;
	memset(bytes, 1, sizeof bytes);
	for (size_t before = 0; before < 8; before++) {
		answer_reset(&a);
		for (size_t i = 0; i < before; i++)
			answer_bytes(&a, "x", 1);
		for (int k = 0; k < 3; k++)
			answer_string(&a, (struct text){bytes, sizeof bytes});
		assert_int_equal(a.body_len, before + 3 * (6 * sizeof bytes + 2));
		assert_memory_equal(a.memory + ANSWER_HEAD + a.body_len - 7, "\\u0001\"", 7);
		answer_free(&a);
	}
}

static void numbers(void **state)
{
	struct answer a = {0};

	(void)state;
	answer_reset(&a);
	answer_number(&a, 0);
	answer_text(&a, " ");
	answer_number(&a, 10);
	answer_text(&a, " ");
	answer_number(&a, UINT64_MAX);
	assert_string_equal(body(&a), "0 10 18446744073709551615");
	answer_reset(&a);
	answer_score(&a, 1);
	answer_text(&a, " ");
	answer_score(&a, 1.0 / 3);
	answer_text(&a, " ");
	answer_score(&a, 0.25);
	assert_string_equal(body(&a), "1 0.333333333333333 0.25");
	answer_free(&a);
}

/* The value of a field in a message, or NULL. */
static const char *field(const char *message, size_t len, const char *name)
{
	static char value[1024];
	const char *end = memmem(message, len, "\r\n\r\n", 4);
	size_t n = strlen(name);

	assert_non_null(end);
	for (const char *line = message; line < end; line = strstr(line, "\r\n") + 2) {
		if (strncmp(line, name, n) != 0 || line[n] != ':')
			continue;
		const char *stop = strstr(line, "\r\n");

		snprintf(value, sizeof value, "%.*s", (int)(stop - line - (long)n - 2), line + n + 2);
		return value;
	}
	return NULL;
}

static void a_message_is_head_and_body_in_one_piece(void **state)
{
	struct answer a = {0};
	size_t len;

	(void)state;
	answer_reset(&a);
	answer_text(&a, "{\"status\":\"ok\"}");
	a.generation = 12;
	const char *m = answer_message(&a, true, false, &len);

	assert_memory_equal(m, "HTTP/1.1 200 OK\r\n", 17);
	assert_memory_equal(m + len - 19, "\r\n\r\n{\"status\":\"ok\"}", 19);
	assert_ptr_equal(m + len, a.memory + ANSWER_HEAD + a.body_len);
	assert_string_equal(field(m, len, "Content-Length"), "15");
	assert_string_equal(field(m, len, "Content-Type"), "application/json");
	assert_string_equal(field(m, len, "Connection"), "keep-alive");
	assert_string_equal(field(m, len, "Server"), "Akin/" AKIN_VERSION);
	assert_string_equal(field(m, len, "Akin-Generation"), "12");
	assert_null(field(m, len, "Allow"));
	assert_null(field(m, len, "Location"));

	/* without a body it is the same head */
	size_t head = len - 15;

	m = answer_message(&a, false, true, &len);
	assert_int_equal(len, head - strlen("keep-alive") + strlen("close"));
	assert_string_equal(field(m, len, "Content-Length"), "15");
	assert_string_equal(field(m, len, "Connection"), "close");
	answer_free(&a);
}

static void the_date_is_now(void **state)
{
	struct answer a = {0};
	struct tm tm;
	size_t len;
	time_t before = time(NULL), got;

	(void)state;
	answer_reset(&a);
	const char *m = answer_message(&a, true, false, &len);
	const char *date = field(m, len, "Date");

	assert_non_null(date);
	assert_ptr_not_equal(strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm), NULL);
	got = timegm(&tm);
	assert_true(got >= before - 1 && got <= time(NULL));
	answer_free(&a);
}

static void refusals(void **state)
{
	struct answer a = {0};
	size_t len;

	(void)state;
	answer_reset(&a);
	answer_text(&a, "half an answer");
	answer_detail(&a, 405, "Method \"Not\" Allowed");
	a.allow = "GET";
	assert_string_equal(body(&a), "{\"detail\":\"Method \\\"Not\\\" Allowed\"}");
	const char *m = answer_message(&a, true, false, &len);

	assert_memory_equal(m, "HTTP/1.1 405 Method Not Allowed\r\n", 33);
	assert_string_equal(field(m, len, "Allow"), "GET");
	answer_reset(&a);
	answer_detail(&a, 299, "no reason known");
	m = answer_message(&a, true, false, &len);
	assert_memory_equal(m, "HTTP/1.1 299 \r\n", 15);
	assert_null(field(m, len, "Allow"));
	answer_free(&a);
}

static struct text text(const char *s) { return (struct text){s, strlen(s)}; }

static void redirects(void **state)
{
	struct answer a = {0};
	size_t len;
	char path[600];

	(void)state;
	answer_reset(&a);
	answer_text(&a, "something");
	assert_true(answer_redirect(&a, text("/predict/user/a%20b"), text("n=3")));
	const char *m = answer_message(&a, true, false, &len);

	assert_memory_equal(m, "HTTP/1.1 307 Temporary Redirect\r\n", 33);
	assert_string_equal(field(m, len, "Location"), "/predict/user/a%20b?n=3");
	assert_string_equal(field(m, len, "Content-Length"), "0");
	assert_null(field(m, len, "Content-Type"));
	assert_true(answer_redirect(&a, text("/m\r\nX: y\xff"), (struct text){NULL, 0}));
	assert_string_equal(a.location, "/m%0D%0AX:%20y%FF");

	assert_true(answer_redirect(&a, text("/metrics"), text("")));
	assert_string_equal(a.location, "/metrics");

	/* as long as it may be, and one longer */
	memset(path, 'x', sizeof path);
	assert_true(answer_redirect(&a, (struct text){path, sizeof a.location - 3}, (struct text){NULL, 0}));
	m = answer_message(&a, true, false, &len);
	assert_int_equal(strlen(field(m, len, "Location")), sizeof a.location - 3);
	answer_reset(&a);
	for (size_t n = sizeof a.location - 2; n < sizeof path; n++)
		assert_false(answer_redirect(&a, (struct text){path, n}, (struct text){NULL, 0}));
	assert_int_equal(a.status, 200);
	answer_free(&a);
}

static void short_of_memory(void **state)
{
	struct answer a = {0};
	size_t len;
	bool kept[] = {true, false};

	(void)state;
	answer_reset(&a);
	answer_text(&a, "an answer");
	answer_bytes(&a, "", SIZE_MAX / 2);	/* more than there is */
	answer_text(&a, "more");
	assert_true(a.failed);
	assert_int_equal(answer_status(&a), 500);
	for (int i = 0; i < 2; i++) {
		const char *m = answer_message(&a, kept[i], false, &len);

		assert_memory_equal(m, "HTTP/1.1 500 ", 13);
		assert_string_equal(field(m, len, "Connection"), kept[i] ? "keep-alive" : "close");
		const char *b = (const char *)memmem(m, len, "\r\n\r\n", 4) + 4;

		assert_int_equal((long)(m + len - b), atol(field(m, len, "Content-Length")));
		assert_memory_equal(b, "{\"detail\":\"Internal Server Error\"}", (size_t)(m + len - b));
		m = answer_message(&a, kept[i], true, &len);
		assert_memory_equal(m + len - 4, "\r\n\r\n", 4);
	}
	answer_reset(&a);			/* the next request is fine again */
	answer_text(&a, "ok");
	assert_string_equal(body(&a), "ok");
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(strings_fit_as_they_grow),
		cmocka_unit_test(numbers),
		cmocka_unit_test(a_message_is_head_and_body_in_one_piece),
		cmocka_unit_test(the_date_is_now),
		cmocka_unit_test(refusals),
		cmocka_unit_test(redirects),
		cmocka_unit_test(short_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
