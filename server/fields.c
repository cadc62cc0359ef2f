/* fields.c - bytes, words, lengths, hosts, methods and targets of a request's head, one strict reading of each.
 *
 * Called by head.c, a few times a request. Nothing here allocates, and nothing reads beyond the text it is given. */
#include "fields.h"

#include <string.h>
#include <strings.h>

#define VISIBLE (BYTE_TEXT | BYTE_TARGET)
#define MARK	(VISIBLE | BYTE_TOKEN | BYTE_HOST)	/* legal in all four */
#define NUMERAL (MARK | BYTE_DIGIT | BYTE_HEX)
#define LETTER	MARK
#define HEXES	(MARK | BYTE_HEX)

const uint8_t byte_kinds[256] = {
	['\t'] = BYTE_TEXT,
	[' '] = BYTE_TEXT,
	['!'] = MARK, ['"'] = VISIBLE, ['#'] = BYTE_TEXT | BYTE_TOKEN, ['$'] = MARK, ['%'] = MARK, ['&'] = MARK,
	['\''] = MARK, ['('] = VISIBLE | BYTE_HOST, [')'] = VISIBLE | BYTE_HOST, ['*'] = MARK, ['+'] = MARK,
	[','] = VISIBLE | BYTE_HOST, ['-'] = MARK, ['.'] = MARK, ['/'] = VISIBLE,
	['0'] = NUMERAL, ['1'] = NUMERAL, ['2'] = NUMERAL, ['3'] = NUMERAL, ['4'] = NUMERAL,
	['5'] = NUMERAL, ['6'] = NUMERAL, ['7'] = NUMERAL, ['8'] = NUMERAL, ['9'] = NUMERAL,
	[':'] = VISIBLE, [';'] = VISIBLE | BYTE_HOST, ['<'] = VISIBLE, ['='] = VISIBLE | BYTE_HOST, ['>'] = VISIBLE,
	['?'] = VISIBLE, ['@'] = VISIBLE,
	['A'] = HEXES, ['B'] = HEXES, ['C'] = HEXES, ['D'] = HEXES, ['E'] = HEXES, ['F'] = HEXES,
	['G'] = LETTER, ['H'] = LETTER, ['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER,
	['N'] = LETTER, ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER, ['S'] = LETTER, ['T'] = LETTER,
	['U'] = LETTER, ['V'] = LETTER, ['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,
	['['] = VISIBLE, ['\\'] = VISIBLE, [']'] = VISIBLE,
	['^'] = VISIBLE | BYTE_TOKEN, ['_'] = MARK, ['`'] = VISIBLE | BYTE_TOKEN,
	['a'] = HEXES, ['b'] = HEXES, ['c'] = HEXES, ['d'] = HEXES, ['e'] = HEXES, ['f'] = HEXES,
	['g'] = LETTER, ['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER,
	['n'] = LETTER, ['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER,
	['u'] = LETTER, ['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,
	['{'] = VISIBLE, ['|'] = VISIBLE | BYTE_TOKEN, ['}'] = VISIBLE, ['~'] = MARK,
	[0x80 ... 0xff] = BYTE_TEXT,
};

size_t span_of(struct text s, uint8_t kind)
{
	size_t n = 0;

	while (n < s.len && byte_is(s.at[n], kind))
		n++;
	return n;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

struct text trimmed(struct text s)
{
	while (s.len > 0 && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool text_is(struct text s, const char *word) { return strlen(word) == s.len && strncasecmp(s.at, word, s.len) == 0; }

bool next_element(struct text *list, struct text *element)
{
	while (list->len > 0) {
		const char *comma = memchr(list->at, ',', list->len);
		size_t len = comma ? (size_t)(comma - list->at) : list->len, used = len + (comma != NULL);

		*element = trimmed((struct text){list->at, len});
		list->at += used;
		list->len -= used;
		if (element->len > 0)
			return true;
	}
	return false;
}

enum value read_length(struct text s, uint64_t *length)
{
	uint64_t v = 0;

	*length = 0;
	if (s.len == 0 || span_of(s, BYTE_DIGIT) < s.len)
		return VALUE_BAD;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)(s.at[i] - '0');

		if (v > (UINT64_MAX - digit) / 10)
			return VALUE_HUGE;
		v = v * 10 + digit;
	}
	*length = v;
	return VALUE_FINE;
}

/* In brackets only what an address has, a zone left aside: RFC 3986, 3.2.2. */
static size_t host_len(struct text s)
{
	size_t n = 1;

	if (s.len == 0 || s.at[0] != '[')
		return span_of(s, BYTE_HOST);
	while (n < s.len && (byte_is(s.at[n], BYTE_HEX) || s.at[n] == ':' || s.at[n] == '.'))
		n++;
	return n > 2 && n < s.len && s.at[n] == ']' ? n + 1 : 0;
}

bool is_authority(struct text s, bool empty_allowed)
{
	size_t n = host_len(s);

	if (s.len == 0)
		return empty_allowed;
	if (n == 0)
		return false;
	if (n == s.len)
		return true;
	struct text port = {s.at + n + 1, s.len - n - 1};

	return s.at[n] == ':' && port.len <= 5 && span_of(port, BYTE_DIGIT) == port.len;
}

/* Those of RFC 9110, 5789 and 4918, and the one that civetweb knows beside them. */
const char *known_method(struct text s)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
					    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strlen(known[i]) == s.len && memcmp(known[i], s.at, s.len) == 0)
			return known[i];
	}
	return NULL;
}

static bool refuse(struct target *t, const char *reason)
{
	t->reason = reason;
	return false;
}

static bool begins(struct text s, const char *scheme)
{
	size_t len = strlen(scheme);

	return s.len >= len && strncasecmp(s.at, scheme, len) == 0;
}

static bool split(struct target *t, struct text s)
{
	const char *mark = memchr(s.at, '?', s.len);

	t->path = s;
	t->query = (struct text){NULL, 0};
	if (mark) {
		t->path.len = (size_t)(mark - s.at);
		t->query = (struct text){mark + 1, s.len - t->path.len - 1};
	}
	return true;
}

/* "http://host:port/path?query": as a proxy is asked, and any server has to understand (RFC 9112, 3.2.2). Which host it
 * is does not matter here, no more than in Host. Without a path it is "/", or "*" with OPTIONS. */
static bool read_absolute(struct target *t, const char *method, struct text s)
{
	size_t skip = begins(s, "http://") ? 7 : begins(s, "https://") ? 8 : 0, n = skip;

	if (skip == 0)
		return refuse(t, "a target begins with a slash, or with 'http://'");
	while (n < s.len && s.at[n] != '/' && s.at[n] != '?')
		n++;
	if (!is_authority((struct text){s.at + skip, n - skip}, false))
		return refuse(t, "what stands before the target's path is not a host and a port");
	struct text rest = {s.at + n, s.len - n};

	split(t, rest);
	if (t->path.len == 0)
		t->path = (struct text){!t->query.at && method && strcmp(method, "OPTIONS") == 0 ? "*" : "/", 1};
	return true;
}

bool read_target(struct target *t, const char *method, struct text s)
{
	size_t n = span_of(s, BYTE_TARGET);

	t->reason = NULL;
	if (n < s.len && (uint8_t)s.at[n] >= 0x80)
		return refuse(t, "the target has bytes beyond ASCII, which must be percent-encoded");
	if (n < s.len)
		return refuse(t, s.at[n] == '#' ? "the target has a '#', which must be percent-encoded"
						: "the request line must be a method, a target and a version, a space between");
	if (s.len == 0)
		return refuse(t, "the request line must be a method, a target and a version, a space between");
	t->query = (struct text){NULL, 0};
	t->path = s;
	if (method && strcmp(method, "CONNECT") == 0)
		return (is_authority(s, false) && memchr(s.at, ':', s.len)) ||
		       refuse(t, "CONNECT takes a host and a port");
	if (s.at[0] == '/')
		return split(t, s);
	if (s.len == 1 && s.at[0] == '*')
		return (method && strcmp(method, "OPTIONS") == 0) || refuse(t, "only OPTIONS has the target '*'");
	return read_absolute(t, method, s);
}
