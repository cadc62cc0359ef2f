/* head.c - reading the head of a request, line by line, as its bytes come in.
 *
 * Called by intake.c after each read, with all bytes that have come so far. Every byte is looked at once: what a line
 * means is decided when its end is there, but a byte that may stand nowhere in a head is refused when it comes, so that
 * who speaks another protocol is told at once. After the last line what only the whole can tell is decided.
 *
 * Stricter than RFC 9112 demands, where it leaves a choice: a line ends with CR LF; a request line has exactly two
 * spaces; the same Content-Length twice is as bad as two different ones; chunked is the only coding. */
#include "head.h"

#include <string.h>
#include <strings.h>

#include "fields.h"

#define LINE_BESIDES_TARGET 64		/* of the request line: the longest method that is waited for, and the version */

static enum head_state refuse(struct head *h, int status, const char *reason)
{
	h->status = status;
	h->reason = reason;
	h->keep = false;
	return HEAD_REFUSED;
}

/* A request that can be told from the next one is only not served: the first such reason counts. */
static void decline(struct head *h, int status, const char *reason)
{
	if (h->status)
		return;
	h->status = status;
	h->reason = reason;
}

/* "HTTP/1.1". A later 1.x is to be taken for 1.1 (RFC 9110, 2.5). */
static enum head_state read_version(struct head *h, struct text s)
{
	if (s.len != 8 || memcmp(s.at, "HTTP/", 5) != 0 || !byte_is(s.at[5], BYTE_DIGIT) || s.at[6] != '.' ||
	    !byte_is(s.at[7], BYTE_DIGIT))
		return refuse(h, 400, "the request line must be a method, a target and a version, a space between");
	if (s.at[5] != '1')
		return refuse(h, 505, "HTTP/1.0 and HTTP/1.1 are spoken here");
	h->modern = s.at[7] != '0';
	return HEAD_MORE;
}

/* Version first: of another one, nothing else can be judged. */
static enum head_state read_request_line(struct head *h, const struct head_limits *limits, struct text line)
{
	const char *first = memchr(line.at, ' ', line.len), *last = memrchr(line.at, ' ', line.len);
	struct text method = {line.at, first ? (size_t)(first - line.at) : 0};
	struct target target;

	if (method.len == 0 || span_of(method, BYTE_TOKEN) < method.len || first == last)
		return refuse(h, 400, "the request line must be a method, a target and a version, a space between");
	h->begun = true;
	if (read_version(h, (struct text){last + 1, line.len - (size_t)(last + 1 - line.at)}) != HEAD_MORE)
		return HEAD_REFUSED;
	h->method = known_method(method);
	if ((size_t)(last - first - 1) > limits->target)
		return refuse(h, 414, "the target is longer than the setting max_target_bytes");
	if (!read_target(&target, h->method, (struct text){first + 1, (size_t)(last - first - 1)}))
		return refuse(h, 400, target.reason);
	h->path = target.path;
	h->query = target.query;
	if (!h->method)
		decline(h, 501, "this method is not known here");
	return HEAD_MORE;
}

static void read_connection(struct head *h, struct text list)
{
	struct text one;

	while (next_element(&list, &one)) {
		h->close |= text_is(one, "close");
		h->keep_alive |= text_is(one, "keep-alive");
	}
}

static void read_expectation(struct head *h, struct text list)
{
	struct text one;

	while (next_element(&list, &one)) {
		if (text_is(one, "100-continue"))
			h->wants_word = true;
		else
			h->odd_expectation = true;
	}
}

/* The fields that say something about the message itself. */
static enum head_state note(struct head *h, struct text name, struct text value)
{
	switch (name.at[0] | 0x20) {
	case 'h':
		if (text_is(name, "host") && (h->hosts++ > 0 || !is_authority(value, true)))
			return refuse(h, 400, h->hosts > 1 ? "a request must have one Host field"
							   : "Host must be a name or an address, maybe with a port");
		break;
	case 'c':
		if (text_is(name, "content-length")) {
			h->lengths++;
			h->length_value = value;
		} else if (text_is(name, "connection")) {
			read_connection(h, value);
		}
		break;
	case 't':
		if (text_is(name, "transfer-encoding")) {
			h->encodings++;
			h->encoding_value = value;
		}
		break;
	case 'e':
		if (text_is(name, "expect"))
			read_expectation(h, value);
		break;
	default:
		break;
	}
	return HEAD_MORE;
}

static enum head_state read_field(struct head *h, const struct head_limits *limits, struct text line)
{
	size_t n = span_of(line, BYTE_TOKEN);

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return refuse(h, 400, "a header field must not go on in the next line");
	if (n == 0 || n == line.len || line.at[n] != ':')
		return refuse(h, 400, n > 0 && n < line.len && (line.at[n] == ' ' || line.at[n] == '\t')
					      ? "no space may stand before the colon of a header field"
					      : "a header field must be a name, a colon and a value");
	if (++h->fields > limits->fields)
		return refuse(h, 431, "there are more header fields than the setting max_fields");
	return note(h, (struct text){line.at, n}, trimmed((struct text){line.at + n + 1, line.len - n - 1}));
}

/* "chunked" alone can be read. Without it at the end nobody knows where the body ends; with it, and before it another
 * coding that exists, it is merely not built (RFC 9112, 6.1 and 6.3). */
static enum head_state read_encoding(struct head *h)
{
	struct text list = h->encoding_value, one;
	bool others = false;

	h->has_body = h->chunked = true;
	if (!h->modern)
		return refuse(h, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (h->lengths > 0)
		return refuse(h, 400, "a request must not have both Content-Length and Transfer-Encoding");
	if (h->encodings == 1 && text_is(h->encoding_value, "chunked"))
		return HEAD_MORE;
	while (h->encodings == 1 && next_element(&list, &one)) {
		if (text_is(one, "chunked") && list.len == 0 && others)
			return refuse(h, 501, "the only Transfer-Encoding known here is 'chunked'");
		if (!text_is(one, "gzip") && !text_is(one, "x-gzip") && !text_is(one, "deflate") &&
		    !text_is(one, "compress") && !text_is(one, "x-compress"))
			break;
		others = true;
	}
	return refuse(h, 400, "Transfer-Encoding must be 'chunked', once");
}

static enum head_state read_body_length(struct head *h, const struct head_limits *limits)
{
	if (h->encodings > 0)
		return read_encoding(h);
	if (h->lengths == 0)
		return HEAD_MORE;
	enum value value = h->lengths == 1 ? read_length(h->length_value, &h->length) : VALUE_BAD;

	if (value == VALUE_BAD)
		return refuse(h, 400, "Content-Length must be one decimal number");
	if (value == VALUE_HUGE || h->length > limits->body)
		return refuse(h, 413, "the body is longer than the setting max_body_bytes");
	h->has_body = h->length > 0;
	return HEAD_MORE;
}

/* All lines have been read. HTTP/1.0 knows no expectations (RFC 9110, 10.1.1). What a client sends behind CONNECT, or
 * does not send behind an expectation that failed, is uncertain. */
static enum head_state finish(struct head *h, const struct head_limits *limits)
{
	if (h->modern && h->hosts == 0)
		return refuse(h, 400, "a request must have one Host field");
	if (read_body_length(h, limits) != HEAD_MORE)
		return HEAD_REFUSED;
	h->keep = !h->close && (h->modern || h->keep_alive);
	if (h->modern && h->odd_expectation) {
		decline(h, 417, "the only expectation known here is '100-continue'");
		h->keep = false;
	}
	if (h->method && strcmp(h->method, "CONNECT") == 0) {
		decline(h, 501, "no tunnels are made here");
		h->keep = false;
	}
	h->expects = h->modern && h->wants_word && h->has_body;
	return HEAD_WHOLE;
}

/* One line without its end. Empty ones before the request line are skipped (RFC 9112, 2.2). */
static enum head_state read_line(struct head *h, const struct head_limits *limits, struct text line)
{
	if (!h->begun)
		return line.len == 0 ? HEAD_MORE : read_request_line(h, limits, line);
	if (line.len > 0)
		return read_field(h, limits, line);
	return finish(h, limits);
}

/* Is the request line, as far as it has come, too long for any that would be taken? */
static bool too_long(const struct head *h, const struct head_limits *limits)
{
	return !h->begun && h->seen - h->line > (size_t)limits->target + LINE_BESIDES_TARGET;
}

/* The byte at h->seen is no text: is it the first of an end of line? */
static enum head_state judge_break(struct head *h, const char *at)
{
	if (at[0] == '\n')
		return refuse(h, 400, "a line must end with CR LF");
	if (at[0] != '\r')
		return refuse(h, 400, "a head must not have control characters");
	return at[1] == '\n' ? HEAD_MORE : refuse(h, 400, "a CR must be followed by LF");
}

static enum head_state end_line(struct head *h, const struct head_limits *limits, const char *bytes)
{
	struct text line = {bytes + h->line, h->seen - h->line};
	bool first = !h->begun;

	h->line = h->size = h->seen += 2;
	enum head_state state = read_line(h, limits, line);

	if (first && h->begun)
		h->first_field = h->line;
	return state;
}

enum head_state head_read(struct head *h, const struct head_limits *limits, const char *bytes, size_t len)
{
	size_t end = len < limits->head ? len : limits->head;
	enum head_state state;

	while (h->seen < end) {
		h->seen += span_of((struct text){bytes + h->seen, end - h->seen}, BYTE_TEXT);
		if (too_long(h, limits))
			return refuse(h, 414, "the target is longer than the setting max_target_bytes");
		if (h->seen == end || (bytes[h->seen] == '\r' && h->seen + 1 == end))
			break;		/* a CR is seen again, with what follows */
		state = judge_break(h, bytes + h->seen);
		if (state == HEAD_MORE)
			state = end_line(h, limits, bytes);
		if (state != HEAD_MORE)
			return state;
	}
	return end < limits->head ? HEAD_MORE : refuse(h, 431, "the head is longer than the setting max_head_bytes");
}

struct text head_field(const struct head *h, const char *bytes, const char *name)
{
	const char *at = bytes + h->first_field, *end = bytes + h->size - 2, *next;
	size_t len = strlen(name);

	for (; at < end; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		if ((size_t)(next - at) > len && at[len] == ':' && strncasecmp(at, name, len) == 0)
			return trimmed((struct text){at + len + 1, (size_t)(next - at) - len - 2});
	}
	return (struct text){NULL, 0};
}
