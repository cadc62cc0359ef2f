/* http.c - building answers: JSON into memory that a thread keeps, and the head in front of it.
 *
 * Called for every request by the rooms that answer (serve.c and below) and by exchange.c, which sends what
 * answer_message() gives. In a steady state nothing is allocated: the memory has grown to the longest answer seen.
 * When it cannot grow, the answer is marked failed, later writes are dropped, and a constant 500 is sent. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_BODY 4096
#define HEAD_FIXED 384			/* more than all of the head but its variable values */
#define SERVER	   "Server: Akin/" AKIN_VERSION "\r\n"
#define OUR_FAULT  "{\"detail\":\"Internal Server Error\"}"
#define LITERAL(s) (s), sizeof(s) - 1

static bool grow(struct answer *a, size_t need)
{
	size_t cap = a->body_cap ? a->body_cap : FIRST_BODY;

	if (need > SIZE_MAX / 4 - a->body_len) {
		a->failed = true;
		return false;
	}
	while (cap < a->body_len + need)
		cap *= 2;
	char *memory = realloc(a->memory, ANSWER_HEAD + cap);
	if (!memory) {
		a->failed = true;	/* the old memory stays, for later answers */
		return false;
	}
	a->memory = memory;
	a->body_cap = cap;
	return true;
}

/* Where the next `need` bytes of the body may be written, or NULL. */
static inline char *room(struct answer *a, size_t need)
{
	if (a->failed)
		return NULL;
	if (need > a->body_cap - a->body_len && !grow(a, need))
		return NULL;
	return a->memory + ANSWER_HEAD + a->body_len;
}

void answer_reset(struct answer *a)
{
	a->status = 200;
	a->content_type = "application/json";
	a->allow = NULL;
	a->extra = NULL;
	a->generation = 0;
	a->body_len = 0;
	a->borrowed = (struct text){NULL, 0};
	a->failed = false;
	a->location[0] = '\0';
}

void answer_free(struct answer *a)
{
	free(a->memory);
	memset(a, 0, sizeof *a);
}

void answer_swap(struct answer *a, struct answer *b)
{
	struct answer c = *a;

	a->memory = b->memory;
	a->body_len = b->body_len;
	a->body_cap = b->body_cap;
	a->failed = b->failed;
	b->memory = c.memory;
	b->body_len = c.body_len;
	b->body_cap = c.body_cap;
	b->failed = c.failed;
}

bool answer_reserve(struct answer *a, size_t len) { return room(a, len) != NULL; }

void answer_bytes(struct answer *a, const char *bytes, size_t len)
{
	char *to = room(a, len);

	if (!to || len == 0)
		return;
	memcpy(to, bytes, len);
	a->body_len += len;
}

void answer_text(struct answer *a, const char *s)
{
	answer_bytes(a, s, strlen(s));
}

/* Decimal digits of v, the last one at end[-1]. Returns the first. */
static char *digits(char *end, uint64_t v)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return end;
}

void answer_number(struct answer *a, uint64_t v)
{
	char buffer[20], *end = buffer + sizeof buffer, *at = digits(end, v);

	answer_bytes(a, at, (size_t)(end - at));
}

void answer_score(struct answer *a, double v)
{
	char buffer[32];
	int n = snprintf(buffer, sizeof buffer, "%.15g", v);

	answer_bytes(a, buffer, (size_t)n);
}

/* What follows the backslash for a byte that must be escaped: 'u' for \u00XX; 0 for bytes that stand for
 * themselves. DEL and everything above do, as in Python's json with ensure_ascii off. */
static const char escape[256] = {
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
	'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
	['"'] = '"', ['\\'] = '\\',
};

void answer_string(struct answer *a, struct text s)
{
	static const char hex[] = "0123456789abcdef";
	char *start = room(a, s.len < SIZE_MAX / 8 ? 6 * s.len + 2 : SIZE_MAX), *to = start;

	if (!to)
		return;
	*to++ = '"';
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.at[i];

		if (!escape[c]) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '\\';
		*to++ = escape[c];
		if (escape[c] == 'u') {
			*to++ = '0';
			*to++ = '0';
			*to++ = hex[c >> 4];
			*to++ = hex[c & 15];
		}
	}
	*to++ = '"';
	a->body_len += (size_t)(to - start);
}

void answer_borrow(struct answer *a, struct text body)
{
	a->body_len = 0;
	a->borrowed = body;
}

void answer_detail(struct answer *a, int status, const char *detail)
{
	a->status = status;
	a->content_type = "application/json";
	a->body_len = 0;
	a->borrowed = (struct text){NULL, 0};
	answer_bytes(a, LITERAL("{\"detail\":"));
	answer_string(a, (struct text){detail, strlen(detail)});
	answer_bytes(a, LITERAL("}"));
}

/* Append s to the location, what may not stand in a header percent-encoded. */
static bool locate(char *location, size_t cap, size_t *at, struct text s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.at[i];

		if (*at + 4 > cap)
			return false;
		if (c > 0x20 && c < 0x7f)
			location[(*at)++] = (char)c;
		else
			*at += (size_t)snprintf(location + *at, cap - *at, "%%%02X", c);
	}
	location[*at] = '\0';
	return true;
}

bool answer_redirect(struct answer *a, struct text path, struct text query)
{
	char location[sizeof a->location];
	size_t at = 0;

	if (!locate(location, sizeof location, &at, path))
		return false;
	if (query.len && (!locate(location, sizeof location, &at, (struct text){LITERAL("?")}) ||
			 !locate(location, sizeof location, &at, query)))
		return false;
	memcpy(a->location, location, at + 1);
	a->status = 307;
	a->content_type = NULL;
	a->body_len = 0;
	a->borrowed = (struct text){NULL, 0};
	return true;
}

int answer_status(const struct answer *a) { return a->failed ? 500 : a->status; }

size_t answer_length(const struct answer *a)
{
	if (a->failed)
		return sizeof OUR_FAULT - 1;
	return a->borrowed.at ? a->borrowed.len : a->body_len;
}

/* "HTTP/1.1 200 OK\r\n" for every status Akin gives. */
static const char *status_line(int status)
{
	switch (status) {
#define S(code, reason) case code: return "HTTP/1.1 " #code " " reason "\r\n";
	S(200, "OK") S(304, "Not Modified") S(307, "Temporary Redirect")
	S(400, "Bad Request") S(401, "Unauthorized") S(403, "Forbidden") S(404, "Not Found") S(405, "Method Not Allowed")
	S(406, "Not Acceptable") S(408, "Request Timeout") S(413, "Content Too Large") S(414, "URI Too Long")
	S(417, "Expectation Failed") S(422, "Unprocessable Entity") S(431, "Request Header Fields Too Large")
	S(500, "Internal Server Error") S(501, "Not Implemented") S(503, "Service Unavailable")
	S(505, "HTTP Version Not Supported")
#undef S
	default: return NULL;
	}
}

/* "Date: …\r\n", made once a second in each thread. 0 bytes when the clock is beyond what a date can say. */
static size_t date_line(const char **line)
{
	static _Thread_local struct { time_t second; size_t len; char text[40]; } date;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (date.second != now.tv_sec) {
		struct tm tm;

		date.second = now.tv_sec;
		date.len = gmtime_r(&now.tv_sec, &tm) ? strftime(date.text, sizeof date.text,
							"Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm) : 0;
	}
	*line = date.text;
	return date.len;
}

/* What a thread without memory says. */
static const char *message_failed(bool keep_alive, bool without_body, size_t *len)
{
#define FAILED(connection) "HTTP/1.1 500 Internal Server Error\r\n" SERVER "Content-Type: application/json\r\n" \
	"Content-Length: 34\r\nConnection: " connection "\r\n\r\n" OUR_FAULT
	static const char kept[] = FAILED("keep-alive"), closed[] = FAILED("close");
#undef FAILED
	_Static_assert(sizeof OUR_FAULT - 1 == 34, "the Content-Length above");

	*len = (keep_alive ? sizeof kept : sizeof closed) - 1 - (without_body ? sizeof OUR_FAULT - 1 : 0);
	return keep_alive ? kept : closed;
}

static char *put(char *to, const char *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static char *put_text(char *to, const char *s) { return put(to, s, strlen(s)); }

static char *put_number(char *to, uint64_t v)
{
	char buffer[20], *end = buffer + sizeof buffer, *at = digits(end, v);

	return put(to, at, (size_t)(end - at));
}

static size_t length_or_0(const char *s) { return s ? strlen(s) : 0; }

const char *answer_message(struct answer *a, bool keep_alive, bool without_body, size_t *len)
{
	room(a, 1);			/* the head needs memory even if the body is empty */
	if (a->failed || length_or_0(a->content_type) + length_or_0(a->allow) + length_or_0(a->extra) +
			 strlen(a->location) + HEAD_FIXED > ANSWER_HEAD)
		return message_failed(keep_alive, without_body, len);

	char *to = a->memory;
	const char *line = status_line(a->status);

	if (line) {
		to = put_text(to, line);
	} else {
		to = put(to, LITERAL("HTTP/1.1 "));
		to = put_number(to, (uint64_t)a->status);
		to = put(to, LITERAL(" \r\n"));	/* the reason may be empty, its space not */
	}
	to = put(to, LITERAL(SERVER));
	size_t date_len = date_line(&line);
	to = put(to, line, date_len);
	if (a->content_type) {
		to = put(to, LITERAL("Content-Type: "));
		to = put_text(to, a->content_type);
		to = put(to, LITERAL("\r\n"));
	}
	if (a->status != 304) {		/* that has no body, and the length would be that of the one it stands for */
		to = put(to, LITERAL("Content-Length: "));
		to = put_number(to, answer_length(a));
		to = put(to, LITERAL("\r\n"));
	}
	if (a->generation) {
		to = put(to, LITERAL("Akin-Generation: "));
		to = put_number(to, a->generation);
		to = put(to, LITERAL("\r\n"));
	}
	if (a->allow) {
		to = put(to, LITERAL("Allow: "));
		to = put_text(to, a->allow);
		to = put(to, LITERAL("\r\n"));
	}
	if (a->location[0]) {
		to = put(to, LITERAL("Location: "));
		to = put_text(to, a->location);
		to = put(to, LITERAL("\r\n"));
	}
	if (a->extra)
		to = put_text(to, a->extra);
	to = keep_alive ? put(to, LITERAL("Connection: keep-alive\r\n\r\n"))
			: put(to, LITERAL("Connection: close\r\n\r\n"));

	size_t head = (size_t)(to - a->memory);
	char *start = a->memory + ANSWER_HEAD - head;

	memmove(start, a->memory, head);
	*len = head + (without_body ? 0 : a->body_len);
	return start;
}

struct text answer_rest(const struct answer *a, bool without_body)
{
	return without_body || a->failed || !a->borrowed.at ? (struct text){"", 0} : a->borrowed;
}
