/* framing.c - judging a request's framing, strictly, since what two servers in a row read differently is how one
 * client's bytes become another's request.
 *
 * Called by exchange.c for every request, before anything else looks at it. civetweb is lenient here: it takes two
 * lengths, a length beside chunks, "+5", and spaces in names. It also takes "Connection: k" for keep-alive,
 * and any other Connection field for a close; what is kept here is what both would keep. */
#include "framing.h"

#include <string.h>
#include <strings.h>

/* Header fields that count here, as found. */
struct found {
	unsigned hosts, lengths, encodings, connections;
	const char *length, *encoding;
	bool close, upgrade;		/* in any Connection field */
	bool keep_alive;		/* in the first one, the only one that civetweb reads */
};

/* RFC 9110, 5.6.2. */
static bool is_token(const char *name)
{
	static const bool other[256] = {['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1,
					['+'] = 1, ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,
					['~'] = 1};
	const char *at = name;

	for (; *at; at++) {
		unsigned char c = (unsigned char)*at, letter = c | 0x20;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && !other[c])
			return false;
	}
	return at > name;
}

/* The elements of "a, b ,c". */
static void read_connection(struct found *found, const char *value)
{
	bool first = found->connections++ == 0;

	found->upgrade |= strcasestr(value, "upgrade") != NULL;
	while (*value) {
		value += strspn(value, ", \t");
		size_t len = strcspn(value, ", \t");

		found->close |= len == 5 && strncasecmp(value, "close", len) == 0;
		found->keep_alive |= first && len == 10 && strncasecmp(value, "keep-alive", len) == 0;
		value += len;
	}
}

static void note(struct framing *f, struct found *found, const struct field *x)
{
	switch (x->name[0] | 0x20) {
	case 'h':
		found->hosts += strcasecmp(x->name, "host") == 0;
		break;
	case 'c':
		if (strcasecmp(x->name, "content-length") == 0) {
			found->lengths++;
			found->length = x->value;
		} else if (strcasecmp(x->name, "connection") == 0) {
			read_connection(found, x->value);
		}
		break;
	case 't':
		if (strcasecmp(x->name, "transfer-encoding") == 0) {
			found->encodings++;
			found->encoding = x->value;
		}
		break;
	case 'e':
		f->expects |= strcasecmp(x->name, "expect") == 0;
		break;
	default:
		break;
	}
}

static void refuse(struct framing *f, int status, const char *reason)
{
	if (f->status)
		return;
	f->status = status;
	f->reason = reason;
}

static void read_body(struct framing *f, const struct found *found, bool modern)
{
	if (found->encodings > 0) {
		f->has_body = f->chunked = true;
		if (!modern || found->encodings > 1 || strcasecmp(found->encoding, "chunked") != 0)
			refuse(f, 400, "Transfer-Encoding must be 'chunked', once, in HTTP/1.1");
		if (found->lengths > 0)
			refuse(f, 400, "a request must not have both Content-Length and Transfer-Encoding");
		return;
	}
	if (found->lengths == 0)
		return;
	size_t digits = strspn(found->length, "0123456789");

	if (found->lengths > 1 || digits == 0 || found->length[digits + strspn(found->length + digits, " \t")]) {
		refuse(f, 400, "Content-Length must be one decimal number");
		return;
	}
	for (const char *d = found->length; d < found->length + digits; d++) {
		if (f->length > (UINT64_MAX - 9) / 10) {
			refuse(f, 413, "Content-Length is too large");
			return;
		}
		f->length = f->length * 10 + (uint64_t)(*d - '0');
	}
	f->has_body = f->length > 0;
}

void framing_read(struct framing *f, const char *version, const struct field *fields, size_t count)
{
	struct found found = {.hosts = 0};
	bool modern = strcmp(version, "1.1") == 0;

	memset(f, 0, sizeof *f);
	if (count > FRAMING_MAX_FIELDS)
		refuse(f, 431, "a request must have at most 63 header fields");
	for (size_t i = 0; i < count; i++) {
		if (!is_token(fields[i].name))
			refuse(f, 400, "the name of a header field has a character that names can't have");
		note(f, &found, &fields[i]);
	}
	if (found.hosts > 1 || (modern && found.hosts == 0))
		refuse(f, 400, "a request must have one Host field");
	read_body(f, &found, modern);
	f->keep = !f->status && !found.close && !found.upgrade &&
		  (found.connections > 0 ? found.keep_alive : modern);
}

int framing_refusal(int status, const char *message, bool full, bool late, const char **reason)
{
	if (status == 505) {
		*reason = "HTTP/1.0 and HTTP/1.1 are spoken here";
		return 505;
	}
	if (status == 411) {
		*reason = "Content-Length must be one decimal number";
		return 400;
	}
	if (status == 413 || full) {	/* 413 is what the library has for it and never says */
		*reason = "the request line and its header fields are too long";
		return 431;
	}
	if (late) {
		*reason = "the request did not arrive in time";
		return 408;
	}
	/* all it tells apart: the end of the head was not found, or what stands in the head is not understood */
	*reason = strstr(message, "Malformed") ? "the request can't be read"
					       : "the request can't be read: is its method a known one, in capitals, "
						 "and its path percent-encoded?";
	return status;
}
