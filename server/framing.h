/* framing.h - where one request ends and the next begins, and whether there may be a next one: what RFC 9112 asks of
 * the header fields that say so. Free of the HTTP library's types. */
#ifndef AKIN_FRAMING_H
#define AKIN_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {				/* one header field, as the client sent it */
	const char *name, *value;
};

struct framing {
	int status;			/* 0: fine; else the request is refused with it */
	const char *reason;		/* why; a literal */
	bool has_body;			/* some bytes follow the head */
	bool expects;			/* the client waits for a word before it sends them */
	bool chunked;
	uint64_t length;		/* of the body, when not chunked */
	bool keep;			/* the client wants, and the protocol allows, another request behind this one */
};

#define FRAMING_MAX_FIELDS 63		/* more are refused: the library keeps 64 and drops the rest unseen */

/* version is "1.0" or "1.1". */
void framing_read(struct framing *f, const char *version, const struct field *fields, size_t count);

/* What the library refused before there was a request, with its status and message, as it is said here: the status,
 * and *reason, a literal. full: its room for a head was full; late: the time for one was over. */
int framing_refusal(int status, const char *message, bool full, bool late, const char **reason);

#endif
