/* test_assets.c - the built-in pages: found by name, in the form the client takes, or not sent again. What they hold is
 * compared with the packages by the system tests; here only the plain page, which every build has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../../server/assets.h"

static const char *accept_encoding, *if_none_match;

static const char *header(const struct request *q, const char *name)
{
	(void)q;
	if (strcasecmp(name, "Accept-Encoding") == 0)
		return accept_encoding;
	return strcasecmp(name, "If-None-Match") == 0 ? if_none_match : NULL;
}

static void ask(struct answer *a, const char *name, const char *encoding, const char *tags)
{
	const struct request q = {.method = "GET", .header = header};

	accept_encoding = encoding;
	if_none_match = tags;
	answer_reset(a);
	assets_answer(a, &q, "/docs/", (struct text){name, strlen(name)});
}

/* The tag of an answer, with its quotes. */
static void tag_of(const struct answer *a, char tag[32])
{
	const char *at = strstr(a->extra, "\r\nETag: ");

	assert_non_null(at);
	at += strlen("\r\nETag: ");
	size_t len = strcspn(at, "\r");
	assert_true(len < 32);
	memcpy(tag, at, len);
	tag[len] = '\0';
}

static void test_unknown(void **state)
{
	static const char *const names[] = {"", "x", "plain", "plain.htm", "plain.html2", "../plain.html",
					    "oauth2-redirect", "/docs", "docs"};
	struct answer a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ask(&a, names[i], "gzip", "*");
		assert_int_equal(answer_status(&a), 404);
		assert_null(a.borrowed.at);
		assert_string_equal(a.content_type, "application/json");
	}
	answer_free(&a);
}

static void test_two_forms(void **state)
{
	static const uint8_t magic[] = {0x1f, 0x8b};
	struct answer a = {0};

	(void)state;
	ask(&a, "plain.html", NULL, NULL);
	assert_int_equal(answer_status(&a), 200);
	assert_string_equal(a.content_type, "text/html; charset=utf-8");
	assert_memory_equal(a.borrowed.at, "<!DOCTYPE html>", 15);
	assert_memory_equal(a.borrowed.at + a.borrowed.len - 8, "</html>\n", 8);
	assert_null(strstr(a.extra, "Content-Encoding"));
	size_t plain = a.borrowed.len;

	ask(&a, "plain.html", "br, gzip", NULL);
	assert_memory_equal(a.borrowed.at, magic, 2);
	assert_true(a.borrowed.len < plain);
	/* The last four bytes of gzip say how long the whole is. */
	const uint8_t *end = (const uint8_t *)a.borrowed.at + a.borrowed.len;
	assert_int_equal(end[-4] | end[-3] << 8 | end[-2] << 16, plain);
	assert_non_null(strstr(a.extra, "\r\nContent-Encoding: gzip\r\n"));
	answer_free(&a);
}

static void test_not_sent_again(void **state)
{
	static const struct { const char *field; bool has; } cases[] = {
		{"%", true}, {"W/%", true}, {"*", true}, {"\"x\", %", true}, {"\"x\",W/\"y\" ,\tW/%", true}, {", ,%", true},
		{"% , garbage", true},
		{"", false}, {"\"\"", false}, {"\"x\"", false}, {"w/%", false}, {"garbage, %", false}, {"\"", false},
		{"\"open, %", false}, {"W/", false},
	};
	struct answer a = {0};

	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		char tag[32], field[96];

		ask(&a, "plain.html", packed ? "gzip" : NULL, NULL);
		tag_of(&a, tag);
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			const char *hole = strchr(cases[i].field, '%');
			int before = hole ? (int)(hole - cases[i].field) : (int)strlen(cases[i].field);

			snprintf(field, sizeof field, "%.*s%s%s", before, cases[i].field, hole ? tag : "", hole ? hole + 1 : "");
			ask(&a, "plain.html", packed ? "gzip" : NULL, field);
			if (answer_status(&a) != (cases[i].has ? 304 : 200))
				fail_msg("%s: %d", field, answer_status(&a));
			assert_int_equal(a.borrowed.at == NULL, cases[i].has);
		}
		/* The tag of one form is not the other's. */
		ask(&a, "plain.html", packed ? NULL : "gzip", tag);
		assert_int_equal(answer_status(&a), 200);
	}
	answer_free(&a);
}

static void test_message(void **state)
{
	struct answer a = {0};
	char line[64];
	size_t len;

	(void)state;
	for (int head = 0; head < 2; head++) {
		ask(&a, "plain.html", NULL, NULL);
		const char *m = answer_message(&a, true, head, &len);

		assert_memory_equal(m + len - 4, "\r\n\r\n", 4);	/* the body is behind it, not in it */
		snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n", a.borrowed.len);
		assert_non_null(memmem(m, len, line, strlen(line)));
		assert_int_equal(answer_length(&a), a.borrowed.len);
		assert_int_equal(answer_rest(&a, head).len, head ? 0 : a.borrowed.len);
	}
	ask(&a, "plain.html", NULL, "*");
	const char *m = answer_message(&a, true, false, &len);
	assert_memory_equal(m, "HTTP/1.1 304 Not Modified\r\n", 27);
	assert_null(memmem(m, len, "Content-Length", 14));
	assert_null(memmem(m, len, "\r\nContent-Type", 14));
	assert_non_null(memmem(m, len, "\r\nETag: ", 8));
	assert_int_equal(answer_rest(&a, false).len, 0);

	/* What came before an answer leaves nothing in it. */
	ask(&a, "plain.html", NULL, NULL);
	answer_detail(&a, 404, "x");
	assert_int_equal(answer_rest(&a, false).len, 0);
	ask(&a, "plain.html", NULL, NULL);
	answer_reset(&a);
	assert_int_equal(answer_rest(&a, false).len, 0);
	a.failed = true;
	answer_borrow(&a, (struct text){"body", 4});
	assert_int_equal(answer_rest(&a, false).len, 0);	/* the 500 is a message of its own */
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_two_forms),
		cmocka_unit_test(test_not_sent_again),
		cmocka_unit_test(test_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
