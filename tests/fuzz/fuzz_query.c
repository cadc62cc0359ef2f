/* fuzz_query.c - query strings. Two bytes choose default_n and max_n, the rest is the query.
 *
 * What query.c reads byte by byte as it decodes, is here first cut and decoded into memory and then judged whole; both
 * must come to the same. The decoding itself must undo an encoding once and only once. */
#include "fuzz.h"

#include <strings.h>

#include "../../server/query.h"

#define LONGEST 4096

static int digit(uint8_t c)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? memchr(hex, c, sizeof hex - 1) : NULL;

	return at ? (int)((at - hex) % 16) : -1;
}

/* Decoded once, '+' a space; NUL-terminated, the length returned. */
static size_t decode(char *out, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool escaped = s[i] == '%' && i + 2 < len && digit((uint8_t)s[i + 1]) >= 0 && digit((uint8_t)s[i + 2]) >= 0;

		out[n++] = s[i] == '+' ? ' ' : s[i];
		if (escaped) {
			out[n - 1] = (char)(16 * digit((uint8_t)s[i + 1]) + digit((uint8_t)s[i + 2]));
			i += 2;
		}
	}
	out[n] = '\0';
	return n;
}

/* [blanks][sign]digits[_digits]...[blanks] */
static enum query_fault judge_integer(const char *v, size_t len, uint32_t max, uint32_t *n)
{
	const char *end = v + len, *digits;
	char plain[LONGEST + 1];
	size_t count = 0;
	bool negative;

	while (v < end && strchr(" \t\n\v\f\r", *v) && *v)
		v++;
	while (end > v && strchr(" \t\n\v\f\r", end[-1]) && end[-1])
		end--;
	negative = v < end && *v == '-';
	v += v < end && (*v == '-' || *v == '+');
	for (digits = v; v < end; v++) {
		bool inside = v > digits && v + 1 < end && v[-1] != '_';

		if (*v == '_' && inside)
			continue;
		if (*v < '0' || *v > '9')
			return QUERY_NO_INTEGER;
		if (count || *v != '0')
			plain[count++] = *v;
	}
	if (v == digits)
		return QUERY_NO_INTEGER;
	plain[count] = '\0';
	if (negative || count == 0)
		return QUERY_TOO_SMALL;
	if (count > 10 || strtoull(plain, NULL, 10) > max)
		return QUERY_TOO_LARGE;
	*n = (uint32_t)strtoull(plain, NULL, 10);
	return QUERY_FINE;
}

static enum query_fault judge_boolean(const char *v, size_t len, bool *b)
{
	static const char *const words[] = {"true", "1", "on", "yes", "t", "y", "false", "0", "off", "no", "f", "n"};

	for (unsigned i = 0; i < 12; i++) {
		if (strlen(v) == len && strcasecmp(v, words[i]) == 0) {
			*b = i < 6;
			return QUERY_FINE;
		}
	}
	return QUERY_NO_BOOLEAN;
}

static struct query judge(struct text all, uint32_t default_n, uint32_t max_n)
{
	struct query q = {.n = default_n};
	unsigned ns = 0, details = 0;
	char name[LONGEST + 1], value[LONGEST + 1];

	for (size_t at = 0; at < all.len;) {
		size_t end = at, equals;

		while (end < all.len && all.at[end] != '&')
			end++;
		for (equals = at; equals < end && all.at[equals] != '=';)
			equals++;
		size_t name_len = decode(name, all.at + at, equals - at);
		size_t value_len = equals < end ? decode(value, all.at + equals + 1, end - equals - 1) : decode(value, "", 0);

		if (name_len == 1 && name[0] == 'n')
			q.n_fault = ns++ ? QUERY_TWICE : judge_integer(value, value_len, max_n, &q.n);
		if (name_len == 7 && memcmp(name, "details", 7) == 0)
			q.details_fault = details++ ? QUERY_TWICE : judge_boolean(value, value_len, &q.details);
		at = end + 1;
	}
	return q;
}

static void check_refusal(const struct query *q, uint32_t max_n)
{
	static struct answer a;
	size_t i, faults = (q->n_fault != QUERY_FINE) + (size_t)(q->details_fault != QUERY_FINE);
	const json_t *one;

	answer_reset(&a);
	query_refuse(&a, q, max_n);
	REQUIRE(a.status == 422);
	json_t *all = fuzz_body(&a), *detail = json_object_get(all, "detail");

	REQUIRE(json_array_size(detail) == faults);
	json_array_foreach(detail, i, one) {
		const char *of = json_string_value(json_array_get(json_object_get(one, "loc"), 1));
		bool limited = json_object_get(one, "ctx") != NULL;

		REQUIRE(of && strcmp(of, i == 0 && q->n_fault != QUERY_FINE ? "n" : "details") == 0);
		REQUIRE(json_is_string(json_object_get(one, "msg")) && json_is_string(json_object_get(one, "type")));
		REQUIRE(limited == (of[0] == 'n' && (q->n_fault == QUERY_TOO_SMALL || q->n_fault == QUERY_TOO_LARGE)));
	}
	json_decref(all);
}

/* In an exact piece of the heap, so that a byte too far is seen. */
static void check_decoding(const char *s, size_t len)
{
	char *sent = malloc(3 * len + 1), *back = malloc(len + 1), expected[LONGEST + 1];

	for (int plus = 0; plus < 2; plus++) {
		size_t n = query_unescape(back, len, (struct text){s, len}, plus);

		if (plus)
			REQUIRE(n == decode(expected, s, len) && memcmp(back, expected, n) == 0);
		REQUIRE(n <= len && len <= 3 * n);
		REQUIRE(query_unescape(back, n / 2, (struct text){s, len}, plus) == n / 2);
	}
	for (size_t i = 0; i < len; i++)
		snprintf(sent + 3 * i, 4, i % 2 ? "%%%02X" : "%%%02x", (unsigned)(uint8_t)s[i]);
	REQUIRE(query_unescape(back, len + 1, (struct text){sent, 3 * len}, true) == len && memcmp(back, s, len) == 0);
	free(sent);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t most[] = {1, 2, 5, 100, 4095, 10000, UINT32_MAX - 1, UINT32_MAX};
	struct query q, expected;

	if (size < 2 || size > LONGEST)
		return -1;
	uint32_t max_n = most[data[0] % 8], default_n = data[1] < max_n ? data[1] + 1u : max_n;
	struct text all = {(const char *)data + 2, size - 2};
	bool fine = query_parse(&q, all, default_n, max_n);

	expected = judge(all, default_n, max_n);
	REQUIRE(q.n_fault == expected.n_fault && q.details_fault == expected.details_fault);
	REQUIRE(fine == (q.n_fault == QUERY_FINE && q.details_fault == QUERY_FINE));
	if (fine)
		REQUIRE(q.n == expected.n && q.n >= 1 && q.n <= max_n && q.details == expected.details);
	else
		check_refusal(&q, max_n);
	check_decoding(all.at, all.len);
	return 0;
}
