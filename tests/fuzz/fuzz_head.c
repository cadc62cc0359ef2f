/* fuzz_head.c - heads of requests. The first byte chooses the limits, the rest is what a client sent.
 *
 * Here the grammar of RFC 9112 is written down once more, as regular expressions over whole lines, and as plain loops over
 * all lines. What it takes must be taken, with the same meaning; what it does not must be refused, or wait for more. And
 * it must not matter in which pieces the bytes come. */
#include "fuzz.h"

#include <regex.h>
#include <strings.h>

#include "../../server/head.h"

#define LONGEST 2048

struct told {				/* what a sound head says */
	int status;
	char method[LONGEST], target[LONGEST];
	struct text path, query;
	bool modern, chunked, keep, expects;
	uint64_t length;
	size_t size;
};

static bool fits(unsigned which, const char *s, regmatch_t *part)
{
	static const char *const patterns[] = {
		"^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!\"$-~]+) HTTP/1[.]([0-9])$",
		"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$",
		"^([]!$%&'()*+,.;=_~0-9A-Za-z-]+|\\[[0-9A-Fa-f:.]{2,}\\])(:[0-9]{0,5})?$",
		"^https?://([^/?]*)(.*)$",
	};
	static regex_t compiled[4];
	static bool is_compiled;

	for (unsigned i = 0; i < 4 && !is_compiled; i++)
		REQUIRE(regcomp(&compiled[i], patterns[i], REG_EXTENDED | (i == 3 ? REG_ICASE : 0)) == 0);
	is_compiled = true;
	return regexec(&compiled[which], s, 4, part, 0) == 0;
}

enum { REQUEST_LINE, FIELD, AUTHORITY, ABSOLUTE };

static bool authority(const char *s)
{
	regmatch_t part[4];

	return fits(AUTHORITY, s, part) && (s[0] == '[' || !memchr(s, ']', strcspn(s, ":")));
}

static void copy(char *to, const char *line, regmatch_t part)
{
	memcpy(to, line + part.rm_so, (size_t)(part.rm_eo - part.rm_so));
	to[part.rm_eo - part.rm_so] = '\0';
}

static bool judge_target(struct told *t)
{
	static char host[LONGEST], rest[LONGEST];
	const char *s = t->target;
	regmatch_t part[4];

	t->path = (struct text){s, strcspn(s, "?")};
	t->query = s[t->path.len] ? (struct text){s + t->path.len + 1, strlen(s) - t->path.len - 1} : (struct text){NULL, 0};
	if (strcmp(t->method, "CONNECT") == 0) {
		t->path.len = strlen(s);
		t->query.at = NULL;
		return authority(s) && strchr(s, ':');
	}
	if (s[0] == '/')
		return true;
	if (strcmp(s, "*") == 0)
		return strcmp(t->method, "OPTIONS") == 0;
	if (!fits(ABSOLUTE, s, part))
		return false;
	copy(host, s, part[1]);
	copy(rest, s, part[2]);
	t->path = (struct text){rest, strcspn(rest, "?")};
	t->query = rest[t->path.len] ? (struct text){rest + t->path.len + 1, strlen(rest) - t->path.len - 1}
				     : (struct text){NULL, 0};
	if (t->path.len == 0)
		t->path = (struct text){*rest == '\0' && strcmp(t->method, "OPTIONS") == 0 ? "*" : "/", 1};
	return authority(host);
}

/* Is word among "a, b ,c"? others: is anything else? */
static bool lists(const char *value, const char *word, bool *others)
{
	char copied[LONGEST], *rest = copied;
	bool found = false;

	snprintf(copied, sizeof copied, "%s", value);
	for (char *one; (one = strsep(&rest, ","));) {
		one += strspn(one, " \t");
		while (*one && strchr(" \t", one[strlen(one) - 1]))
			one[strlen(one) - 1] = '\0';
		found |= strcasecmp(one, word) == 0;
		if (others && *one)
			*others |= strcasecmp(one, word) != 0;
	}
	return found;
}

static bool known(const char *method)
{
	char word[LONGEST + 2];

	snprintf(word, sizeof word, " %s ", method);
	return strstr(" GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK "
		      "REPORT ", word) != NULL;
}

/* Does this head, lines without their ends, deserve to be taken? */
static bool judge(struct told *t, char *const *line, unsigned lines, const struct head_limits *limits)
{
	unsigned hosts = 0, lengths = 0, encodings = 0;
	bool closes = false, keeps = false, word = false, odd = false;
	char name[LONGEST], value[LONGEST], length[LONGEST] = "", encoding[LONGEST] = "";
	regmatch_t part[4];

	if (!fits(REQUEST_LINE, line[0], part) || strlen(line[0]) > limits->target + 64)
		return false;
	copy(t->method, line[0], part[1]);
	copy(t->target, line[0], part[2]);
	t->modern = line[0][part[3].rm_so] != '0';
	if (strlen(t->target) > limits->target || !judge_target(t) || lines - 1 > limits->fields)
		return false;
	for (unsigned i = 1; i < lines; i++) {
		if (!fits(FIELD, line[i], part))
			return false;
		copy(name, line[i], part[1]);
		copy(value, line[i], part[2]);
		while (*value && strchr(" \t", value[strlen(value) - 1]))
			value[strlen(value) - 1] = '\0';
		if (strcasecmp(name, "host") == 0 && (hosts++ || (*value && !authority(value))))
			return false;
		if (strcasecmp(name, "content-length") == 0 && ++lengths)
			strcpy(length, value);
		if (strcasecmp(name, "transfer-encoding") == 0 && ++encodings)
			strcpy(encoding, value);
		if (strcasecmp(name, "connection") == 0) {
			closes |= lists(value, "close", NULL);
			keeps |= lists(value, "keep-alive", NULL);
		}
		if (strcasecmp(name, "expect") == 0)
			word |= lists(value, "100-continue", &odd);
	}
	t->chunked = encodings > 0;
	if ((t->modern && hosts == 0) || (encodings && (lengths || encodings > 1 || !t->modern || strcasecmp(encoding, "chunked"))))
		return false;
	const char *digits = length + strspn(length, "0");

	if (lengths && (lengths > 1 || !*length || length[strspn(length, "0123456789")] || strlen(digits) > 9))
		return false;
	t->length = strtoull(digits, NULL, 10);
	if (t->length > limits->body)
		return false;
	bool tunnel = strcmp(t->method, "CONNECT") == 0;

	odd = odd && t->modern;
	t->status = !known(t->method) || (tunnel && !odd) ? 501 : odd ? 417 : 0;
	t->keep = !closes && (t->modern || keeps) && !odd && !tunnel;
	t->expects = t->modern && word && (t->chunked || t->length > 0);
	return true;
}

/* Cut into lines. 1: sound, 0: to be refused, -1: not whole, and maybe to be refused. */
static int judge_bytes(struct told *t, const char *bytes, size_t len, const struct head_limits *limits)
{
	static char copied[LONGEST + 1];
	static char *line[LONGEST];
	unsigned lines = 0;
	size_t at = 0;

	memset(t, 0, sizeof *t);
	memcpy(copied, bytes, len);
	copied[len] = '\0';
	while (at + 1 < len && memcmp(copied + at, "\r\n", 2) == 0)
		at += 2;
	for (;;) {
		char *end = memmem(copied + at, len - at, "\r\n", 2);

		if (!end)
			return -1;
		*end = '\0';
		t->size = (size_t)(end + 2 - copied);
		if (t->size > limits->head)
			return 0;
		for (const char *c = copied + at; c < end; c++)
			if (((uint8_t)*c < 0x20 && *c != '\t') || *c == 0x7f)
				return 0;
		if (end == copied + at)
			return lines > 0 && judge(t, line, lines, limits);
		line[lines++] = copied + at;
		at = t->size;
	}
}

static bool same(struct text a, struct text b)
{
	return a.len == b.len && (a.at == NULL) == (b.at == NULL) && (!a.len || memcmp(a.at, b.at, a.len) == 0);
}

static void check_sound(const struct head *h, const struct told *t)
{
	REQUIRE(h->status == t->status && h->size == t->size && h->modern == t->modern && h->keep == t->keep);
	REQUIRE(h->chunked == t->chunked && h->length == t->length && h->expects == t->expects);
	REQUIRE(h->has_body == (t->chunked || t->length > 0));
	REQUIRE(same(h->path, t->path) && same(h->query, t->query) && h->path.len > 0);
	REQUIRE(!h->method == !known(t->method) && (!h->method || strcmp(h->method, t->method) == 0));
}

static void check_pieces(const struct head *whole, enum head_state state, const struct head_limits *limits,
			 const char *bytes, size_t len, size_t piece)
{
	struct head h = {.line = 0};
	enum head_state now = HEAD_MORE;

	for (size_t have = 0; now == HEAD_MORE && have < len;) {
		have = have + piece < len ? have + piece : len;
		now = head_read(&h, limits, bytes, have);
	}
	REQUIRE(now == state && h.status == whole->status && h.reason == whole->reason);
	if (state == HEAD_WHOLE)
		REQUIRE(h.size == whole->size && h.length == whole->length && h.keep == whole->keep &&
			same(h.path, whole->path) && same(h.query, whole->query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head h = {.line = 0};
	struct told t;

	if (size < 1 || size > LONGEST)
		return -1;
	const struct head_limits limits = {.head = data[0] & 1 ? 128 : 1024, .target = data[0] & 2 ? 16 : 512,
					   .fields = data[0] & 4 ? 3 : 63, .body = data[0] & 8 ? 0 : 1000};
	char *bytes = malloc(size - 1 + (size == 1));	/* as long as it is, so that a byte too far is seen */

	memcpy(bytes, data + 1, --size);
	enum head_state state = head_read(&h, &limits, bytes, size);
	int sound = judge_bytes(&t, bytes, size, &limits);

	if (sound > 0) {
		REQUIRE(state == HEAD_WHOLE);
		check_sound(&h, &t);
	} else {
		REQUIRE(state != HEAD_WHOLE && (sound < 0 || state == HEAD_REFUSED));
	}
	if (state == HEAD_REFUSED) {
		REQUIRE(h.status >= 400 && h.status <= 505 && !h.keep);
		fuzz_is_line(h.reason);
	}
	if (size) {
		check_pieces(&h, state, &limits, bytes, size, 1);
		check_pieces(&h, state, &limits, bytes, size, data[0] % 17 + 2);
	}
	free(bytes);
	return 0;
}
