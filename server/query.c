/* query.c - n and details out of a query string, and the refusal of bad ones. Called once a prediction by predict.c,
 * by router.c for the decoding. Values are decoded byte by byte as they are read, so nothing is copied and no length
 * is a limit. */
#include "query.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define END (-1)

struct reader {
	const char *at, *end;
	bool plus;
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next decoded byte, or END. */
static int next(struct reader *r)
{
	if (r->at == r->end)
		return END;
	char c = *r->at++;
	if (c == '+' && r->plus)
		return ' ';
	if (c == '%' && r->end - r->at >= 2 && hex(r->at[0]) >= 0 && hex(r->at[1]) >= 0) {
		int byte = hex(r->at[0]) << 4 | hex(r->at[1]);

		r->at += 2;
		return byte;
	}
	return (uint8_t)c;
}

size_t query_unescape(char *out, size_t cap, struct text s, bool plus)
{
	struct reader r = {s.at, s.at + s.len, plus};
	size_t len = 0;

	for (int c; len < cap && (c = next(&r)) != END;)
		out[len++] = (char)c;
	return len;
}

static bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(int c) { return c >= '0' && c <= '9'; }

/* What Python's int() takes, ASCII only: spaces around, a sign, digits with single underscores between them. */
static enum query_fault read_integer(struct reader r, uint32_t max, uint32_t *n)
{
	uint64_t v = 0;
	bool negative = false;
	int c = next(&r);

	while (is_space(c))
		c = next(&r);
	if (c == '+' || c == '-') {
		negative = c == '-';
		c = next(&r);
	}
	if (!is_digit(c))
		return QUERY_NO_INTEGER;
	while (is_digit(c)) {
		if (v <= UINT32_MAX)	/* beyond that it is too large, whatever follows */
			v = v * 10 + (uint64_t)(c - '0');
		c = next(&r);
		if (c == '_') {
			c = next(&r);
			if (!is_digit(c))
				return QUERY_NO_INTEGER;
		}
	}
	while (is_space(c))
		c = next(&r);
	if (c != END)
		return QUERY_NO_INTEGER;
	if (negative || v == 0)
		return QUERY_TOO_SMALL;
	if (v > max)
		return QUERY_TOO_LARGE;
	*n = (uint32_t)v;
	return QUERY_FINE;
}

/* What pydantic 1 takes for a bool, in any case of letters. */
static enum query_fault read_boolean(struct reader r, bool *v)
{
	static const struct { const char *word; bool means; } words[] = {
		{"true", true}, {"1", true}, {"on", true}, {"yes", true}, {"t", true}, {"y", true},
		{"false", false}, {"0", false}, {"off", false}, {"no", false}, {"f", false}, {"n", false},
	};
	char word[8];			/* longer than any of them */
	size_t len = 0;

	for (int c; len < sizeof word && (c = next(&r)) != END;)
		word[len++] = (char)c;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, word, len) == 0) {
			*v = words[i].means;
			return QUERY_FINE;
		}
	}
	return QUERY_NO_BOOLEAN;
}

static bool is_name(struct reader r, const char *name)
{
	for (; *name; name++)
		if (next(&r) != *name)
			return false;
	return next(&r) == END;
}

bool query_parse(struct query *q, struct text query, uint32_t default_n, uint32_t max_n)
{
	bool n_seen = false, details_seen = false;

	*q = (struct query){.n = default_n};
	if (!query.at)
		return true;
	for (const char *at = query.at, *end = at + query.len; at < end;) {
		const char *stop = memchr(at, '&', (size_t)(end - at));

		if (!stop)
			stop = end;
		const char *equals = memchr(at, '=', (size_t)(stop - at));
		struct reader name = {at, equals ? equals : stop, true};
		struct reader value = {equals ? equals + 1 : stop, stop, true};

		if (is_name(name, "n")) {
			q->n_fault = n_seen ? QUERY_TWICE : read_integer(value, max_n, &q->n);
			n_seen = true;
		} else if (is_name(name, "details")) {
			q->details_fault = details_seen ? QUERY_TWICE : read_boolean(value, &q->details);
			details_seen = true;
		}
		at = stop + (stop < end);
	}
	return q->n_fault == QUERY_FINE && q->details_fault == QUERY_FINE;
}

/* One element of detail, but for its end. */
static void refuse(struct answer *a, const char *name, const char *message, const char *type)
{
	answer_text(a, "{\"loc\":[\"query\",\"");
	answer_text(a, name);
	answer_text(a, "\"],\"msg\":\"");
	answer_text(a, message);
	answer_text(a, "\",\"type\":\"");
	answer_text(a, type);
	answer_text(a, "\"");
}

static void refuse_limit(struct answer *a, const char *name, const char *than, const char *type, uint32_t limit)
{
	char message[80];

	snprintf(message, sizeof message, "ensure this value is %s than or equal to %u", than, limit);
	refuse(a, name, message, type);
	answer_text(a, ",\"ctx\":{\"limit_value\":");
	answer_number(a, limit);
	answer_text(a, "}");
}

static void refuse_one(struct answer *a, const char *name, enum query_fault fault, uint32_t max)
{
	switch (fault) {
	case QUERY_FINE:
		return;
	case QUERY_NO_INTEGER:
		refuse(a, name, "value is not a valid integer", "type_error.integer");
		break;
	case QUERY_NO_BOOLEAN:
		refuse(a, name, "value could not be parsed to a boolean", "type_error.bool");
		break;
	case QUERY_TOO_SMALL:
		refuse_limit(a, name, "greater", "value_error.number.not_ge", 1);
		break;
	case QUERY_TOO_LARGE:
		refuse_limit(a, name, "less", "value_error.number.not_le", max);
		break;
	case QUERY_TWICE:
		refuse(a, name, "ensure this value is given once", "value_error.twice");
		break;
	}
	answer_text(a, "}");
}

void query_refuse(struct answer *a, const struct query *q, uint32_t max_n)
{
	a->status = 422;
	answer_text(a, "{\"detail\":[");
	refuse_one(a, "n", q->n_fault, max_n);
	if (q->n_fault != QUERY_FINE && q->details_fault != QUERY_FINE)
		answer_text(a, ",");
	refuse_one(a, "details", q->details_fault, max_n);
	answer_text(a, "]}");
}
