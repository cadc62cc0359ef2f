/* test_csv.c - records of well-formed and of broken CSV, whatever pieces the input comes in. What is expected is
 * written down, or comes from a splitter in this file that has the whole text and walks it byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/csv.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct pieces {
	const char *at;
	size_t left, piece;
	bool fails_at_end;
};

static bool next_piece(void *of, char *to, size_t cap, size_t *got, struct fault *why)
{
	struct pieces *p = of;

	*got = p->left < p->piece ? p->left : p->piece;
	*got = *got < cap ? *got : cap;
	memcpy(to, p->at, *got);
	p->at += *got;
	p->left -= *got;
	return *got || !p->fails_at_end || fault_set(why, "the source failed");
}

/* A growing log of records: "line:field|field|\n", refusals as "line!quote" and "line!long". */
struct record_log {
	char *text;
	size_t len, cap;
};

static void add(struct record_log *l, const char *bytes, size_t len)
{
	if (l->len + len + 1 > l->cap) {
		l->cap = (l->len + len + 1) * 2;
		l->text = realloc(l->text, l->cap);
		assert_non_null(l->text);
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
	l->text[l->len] = '\0';
}

static void add_line(struct record_log *l, uint64_t line, const char *mark)
{
	char number[32];

	add(l, number, (size_t)snprintf(number, sizeof number, "%llu%s", (unsigned long long)line, mark));
}

static struct record_log read_log(const char *text, size_t len, size_t piece, char delimiter)
{
	static struct csv c;
	struct pieces p = {text, len, piece, false};
	struct record_log l = {0};
	struct fault why;
	enum csv_got got;

	add(&l, "", 0);
	assert_true(csv_open(&c, next_piece, &p, &why));
	csv_start(&c, 0, delimiter);
	while ((got = csv_next(&c, &why)) != CSV_END) {
		assert_int_not_equal(got, CSV_FAILED);
		if (got != CSV_RECORD) {
			add_line(&l, c.line, got == CSV_BAD_QUOTE ? "!quote\n" : "!long\n");
			assert_in_range(c.seen.len, 1, CSV_RECORD_MAX + CSV_BLOCK);
			assert_true(got == CSV_LONG_FIELD || c.seen.at[0] == '"');
			continue;
		}
		add_line(&l, c.line, ":");
		for (unsigned i = 0; i < c.fields; i++) {
			add(&l, csv_text(&c, i).at, csv_text(&c, i).len);
			add(&l, "|", 1);
		}
		add(&l, "\n", 1);
	}
	csv_close(&c);
	return l;
}

static const struct {
	const char *in, *want;
} cases[] = {
	{"", ""},
	{"\n\r\n\n", ""},
	{"a,b,c\n", "1:a|b|c|\n"},
	{"a,b,c", "1:a|b|c|\n"},
	{"a,b\r\nc,d\r\n", "1:a|b|\n2:c|d|\n"},
	{"a,b\r\nc,d\r", "1:a|b|\n2:c|d|\n"},
	{",,\n,\n", "1:|||\n2:||\n"},
	{"a\n\n\r\nb\n", "1:a|\n4:b|\n"},
	{"a\rb,c\n", "1:a\rb|c|\n"},
	{"a,\r\r\n", "1:a|\r|\n"},
	{"\"a,b\",c\n", "1:a,b|c|\n"},
	{"\"a\"\"b\",\"\"\"\",\"\"\n", "1:a\"b|\"||\n"},
	{"\"a\nb\r\nc\",d\r\ne\n", "1:a\nb\r\nc|d|\n4:e|\n"},
	{"a,\"b\"\r\n\"c\"\r", "1:a|b|\n2:c|\n"},
	{"12\" ruler,6\" nail\n", "1:12\" ruler|6\" nail|\n"},
	{"x, \"y, z\"\n", "1:x| \"y| z\"|\n"},
	{"a,\"b\"c,d\ne,f\n", "1!quote\n2:e|f|\n"},
	{"a,\"b,c\nd,e\nf,g\n", "1!quote\n2:d|e|\n3:f|g|\n"},
	{"a,\"b,c\nd,\"e\"\nf,g\n", "1!quote\n2:d|e|\n3:f|g|\n"},
	{"\"x\ny\",\"b,c\nd,e\n", "2!quote\n3:d|e|\n"},
	{"a\n\"", "1:a|\n2!quote\n"},
	{"\"a\"\rb\n", "1!quote\n"},
};

static void test_cases_in_every_piece_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *want = cases[i].want;

		for (size_t piece = 1; piece < 20; piece++) {
			struct record_log l = read_log(cases[i].in, strlen(cases[i].in), piece, ',');

			if (strcmp(l.text, want) != 0)
				fail_msg("case %zu by %zu: got %s want %s", i, piece, l.text, want);
			free(l.text);
		}
	}
}

static void test_other_delimiters(void **state)
{
	static const char delimiters[] = ";\t|:";

	(void)state;
	for (size_t i = 0; i < sizeof delimiters - 1; i++) {
		char in[] = "a,b?\"c?d\"?e\n";

		for (char *p = in; *p; p++)
			*p = *p == '?' ? delimiters[i] : *p;
		char want[] = "1:a,b|c?d|e|\n";
		want[7] = delimiters[i];
		struct record_log l = read_log(in, strlen(in), 5, delimiters[i]);
		assert_string_equal(l.text, want);
		free(l.text);
	}
}

/* The rules of csv.h but the limits, for a text that is all there. */
static struct record_log naive_log(const char *s, size_t n)
{
	struct record_log l = {0};
	uint64_t line = 1;

	add(&l, "", 0);
	for (size_t pos = 0; pos < n;) {
		struct record_log r = {0};
		uint64_t lines = 0;		/* feeds inside the record so far */
		size_t at = pos;
		bool bad = false;

		add(&r, "", 0);
		for (;;) {
			if (at < n && s[at] == '"') {
				size_t open = at++;
				uint64_t feeds = 0;

				for (; at < n; at++) {
					if (s[at] == '"' && (at + 1 == n || s[at + 1] != '"'))
						break;
					at += s[at] == '"';
					feeds += s[at] == '\n';
					add(&r, s + at, 1);
				}
				bad = at == n;
				at++;
				if (!bad && at < n && s[at] == '\r' && (at + 1 == n || s[at + 1] == '\n'))
					at++;
				bad = bad || (at < n && s[at] != ',' && s[at] != '\n');
				if (bad) {
					at = open;
					break;
				}
				lines += feeds;
			} else {
				size_t from = at;

				while (at < n && s[at] != ',' && s[at] != '\n')
					at++;
				bool cr = at > from && s[at - 1] == '\r' && (at == n || s[at] == '\n');
				add(&r, s + from, at - from - cr);
			}
			add(&r, "|", 1);
			if (at == n || s[at] == '\n')
				break;
			at++;
		}
		if (bad) {
			add_line(&l, line + lines, "!quote\n");
			while (at < n && s[at] != '\n')
				at++;
		} else if (s[pos] != '"' && strcmp(r.text, "|") == 0) {
			/* an empty line */
		} else {
			add_line(&l, line, ":");
			add(&l, r.text, r.len);
			add(&l, "\n", 1);
		}
		line += lines + 1;
		pos = at + 1;
		free(r.text);
	}
	return l;
}

static uint32_t dice(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void test_random_short_texts(void **state)
{
	static const char alphabet[] = "aab,,\"\"\"\r\n\n";
	uint32_t seed = 20111209;

	(void)state;
	for (unsigned round = 0; round < 40000; round++) {
		char in[120];
		size_t len = dice(&seed) % (round % 4 ? 16 : sizeof in);

		for (size_t i = 0; i < len; i++)
			in[i] = alphabet[dice(&seed) % (sizeof alphabet - 1)];
		struct record_log want = naive_log(in, len);
		struct record_log got = read_log(in, len, 1 + dice(&seed) % 70, ',');
		if (strcmp(got.text, want.text) != 0)
			fail_msg("'%.*s': got %s want %s", (int)len, in, got.text, want.text);
		free(want.text);
		free(got.text);
	}
}

/* Several windows of text, with quotes and without, so that records meet every edge. */
static void test_random_long_texts(void **state)
{
	static const char *const parts[] = {"17850", ",", ",", ",", "\n", "\r\n", "\"a,b\"", "\"x\ny\"\"z\"", "",
					    "WHITE HANGING HEART T-LIGHT HOLDER", "\n\"", "\"\n", "6\" x"};
	size_t size = 5 * CSV_BLOCK + 12345;
	char *in = malloc(size + 64);

	(void)state;
	assert_non_null(in);
	for (uint32_t seed = 1; seed <= 6; seed++) {
		uint32_t rolls = seed;
		size_t len = 0;

		while (len < size) {
			const char *part = parts[dice(&rolls) % (seed % 2 ? COUNT(parts) : 10)];

			memcpy(in + len, part, strlen(part));
			len += strlen(part);
		}
		struct record_log want = naive_log(in, len);
		struct record_log got = read_log(in, len, seed % 3 ? 65536 : 1000003, ',');
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.text, want.text, want.len);
		free(want.text);
		free(got.text);
	}
	free(in);
}

/* What needs a look ahead, with the edge of a block at every place in it. */
static void test_quotes_at_the_edge_of_a_block(void **state)
{
	static const char tail[] = "\"a\"\"b\",\"c\nd\"\r\n\"\"\"\",\"e\"\r\nf\"\",g\r\n\"h\"x\ni\n\"j";
	char *in = malloc(CSV_BLOCK + sizeof tail);

	(void)state;
	assert_non_null(in);
	for (size_t before = 0; before < sizeof tail; before++) {
		size_t filler = CSV_BLOCK - before, len = filler + sizeof tail - 1;

		memset(in, 'm', filler);
		for (size_t i = 99; i < filler; i += 100)
			in[i] = '\n';
		in[filler - 1] = '\n';
		memcpy(in + filler, tail, sizeof tail - 1);
		struct record_log want = naive_log(in, len), got = read_log(in, len, 65536, ',');
		if (strcmp(got.text, want.text) != 0)
			fail_msg("%zu: got %s want %s", before, got.text + filler, want.text + filler);
		free(want.text);
		free(got.text);
	}
	free(in);
}

/* before, n times fill, after */
static struct record_log read_filled(const char *before, char fill, size_t n, const char *after)
{
	size_t b = strlen(before), a = strlen(after);
	char *in = malloc(b + n + a);

	assert_non_null(in);
	memcpy(in, before, b);
	memset(in + b, fill, n);
	memcpy(in + b + n, after, a);
	struct record_log l = read_log(in, b + n + a, 65536, ',');
	free(in);
	return l;
}

static void assert_filled(const char *before, char fill, size_t n, const char *after, const char *want)
{
	struct record_log l = read_filled(before, fill, n, after);

	if (strcmp(l.text, want) != 0)
		fail_msg("%s... x %zu ...%s: got %.200s want %s", before, n, after, l.text, want);
	free(l.text);
}

static void test_longest_field(void **state)
{
	static const struct {
		const char *before, *after;
	} shapes[] = {{"x\na,", "\nz\n"}, {"x\na,", "\r\nz\n"}, {"x\na,", ",b\nz\n"}, {"x\na,\"", "\"\nz\n"},
		      {"x\na,\"", "\"\r\nz\n"}, {"x\na,\"", "\",b\nz\n"}, {"x\n\"q\",", "\r\nz\n"}, {"x\n\"q\",", ",b\nz\n"}};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct record_log l = read_filled(shapes[i].before, 'm', CSV_FIELD_MAX, shapes[i].after);

		assert_in_range(l.len, CSV_FIELD_MAX, CSV_FIELD_MAX + 32);
		assert_memory_equal(l.text + l.len - 6, "\n3:z|\n", 6);
		free(l.text);
		assert_filled(shapes[i].before, 'm', CSV_FIELD_MAX + 1, shapes[i].after, "1:x|\n2!long\n3:z|\n");
		assert_filled(shapes[i].before, 'm', 1000000, shapes[i].after, "1:x|\n2!long\n3:z|\n");
		assert_filled(shapes[i].before, 'm', 5000000, shapes[i].after, "1:x|\n2!long\n3:z|\n");
	}
	assert_filled("x\n", 'm', 3000000, "", "1:x|\n2!long\n");
	assert_filled("x\n\"", 'm', 3000000, "", "1:x|\n2!long\n");
	assert_filled("x\n\"", 'm', CSV_FIELD_MAX + 1, "", "1:x|\n2!long\n");
	assert_filled("x\n\"", 'm', CSV_FIELD_MAX, "", "1:x|\n2!quote\n");
}

static void test_record_of_too_many_bytes(void **state)
{
	size_t size = CSV_RECORD_MAX + CSV_BLOCK + 1000;
	char *in = malloc(size + 3);

	(void)state;
	assert_non_null(in);
	memset(in, 'm', size);
	for (size_t i = 0; i < size; i += 1000)
		in[i] = ',';
	memcpy(in + size, "\nz\n", 3);
	struct record_log l = read_log(in, size + 3, 65536, ',');
	assert_string_equal(l.text, "1!long\n2:z|\n");
	free(l.text);
	free(in);
}

/* A quote that never ends costs its own line, be the input short or long. */
static void test_endless_quote_swallows_one_line(void **state)
{
	static const size_t sizes[] = {10, 1000, 20000, 400000};

	(void)state;
	for (size_t s = 0; s < COUNT(sizes); s++) {
		struct record_log in = {0}, want = {0};
		char line[64];

		for (size_t i = 1; i <= sizes[s]; i++) {
			bool broken = i == sizes[s] / 2;

			add(&in, line, (size_t)snprintf(line, sizeof line, "%zu,%sx\n", i, broken ? "\"" : ""));
			if (broken)
				add_line(&want, i, "!quote\n");
			else
				add(&want, line, (size_t)snprintf(line, sizeof line, "%zu:%zu|x|\n", i, i));
		}
		struct record_log got = read_log(in.text, in.len, 4096, ',');
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.text, want.text, want.len);
		free(in.text);
		free(want.text);
		free(got.text);
	}
}

static void test_more_fields_than_can_be_looked_at(void **state)
{
	static char in[CSV_COLUMNS_MAX * 2 + 1];
	static struct csv c;
	struct pieces p = {in, sizeof in, sizeof in, false};
	struct fault why;

	(void)state;
	memset(in, ',', sizeof in);
	in[sizeof in - 1] = '\n';
	assert_true(csv_open(&c, next_piece, &p, &why));
	csv_start(&c, 0, ',');
	assert_int_equal(csv_next(&c, &why), CSV_RECORD);
	assert_int_equal(c.fields, CSV_COLUMNS_MAX * 2 + 1);
	assert_int_equal(csv_next(&c, &why), CSV_END);
	assert_int_equal(csv_next(&c, &why), CSV_END);
	csv_close(&c);
}

static void test_failing_source(void **state)
{
	static struct csv c;
	static char in[CSV_BLOCK];
	struct pieces p = {in, sizeof in, sizeof in, true};
	struct fault why = {{0}};

	(void)state;
	memset(in, 'x', sizeof in);
	assert_true(csv_open(&c, next_piece, &p, &why));
	csv_start(&c, 0, ',');
	assert_int_equal(csv_next(&c, &why), CSV_FAILED);
	assert_string_equal(why.text, "the source failed");
	csv_close(&c);
	p = (struct pieces){in, 0, 1, true};
	assert_false(csv_open(&c, next_piece, &p, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_in_every_piece_size),
		cmocka_unit_test(test_other_delimiters),
		cmocka_unit_test(test_random_short_texts),
		cmocka_unit_test(test_random_long_texts),
		cmocka_unit_test(test_quotes_at_the_edge_of_a_block),
		cmocka_unit_test(test_longest_field),
		cmocka_unit_test(test_record_of_too_many_bytes),
		cmocka_unit_test(test_endless_quote_swallows_one_line),
		cmocka_unit_test(test_more_fields_than_can_be_looked_at),
		cmocka_unit_test(test_failing_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
