/* head.h - the head of a request: where it ends, what it asks for, where its body ends, and whether it may be answered
 * at all. What RFC 9112 and 9110 leave to a server's mercy is refused, since what two servers in a row read
 * differently is how one client's bytes become another's request.
 *
 * A pure function over bytes, free of the HTTP library's types; server/fields.h has single bytes and values. */
#ifndef AKIN_HEAD_H
#define AKIN_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shm/model.h"

struct head_limits {
	uint32_t head;			/* bytes, the empty line at the end included */
	uint32_t target;		/* bytes */
	uint32_t fields;
	uint64_t body;			/* bytes, as announced */
};

/* A head as far as it has come. Zero-initialised before its first byte. The bytes that texts point to are the caller's;
 * while they are moved, or more are awaited, the texts say nothing. */
struct head {
	/* how far it was read */
	size_t line;			/* where the line in hand begins */
	size_t seen;			/* bytes that were looked at */
	bool begun;			/* there was a line that is not empty */
	uint32_t hosts, lengths, encodings, fields;
	struct text length_value, encoding_value;
	bool close, keep_alive, wants_word, odd_expectation;

	/* what it says: whole ones only, and method, which a refused one may have, too */
	int status;			/* 0: fine; else what the request is to be refused with */
	const char *reason;		/* why; a literal */
	size_t size;			/* bytes, empty lines before it included */
	size_t first_field;		/* where the fields begin, for head_field() */
	const char *method;		/* a literal; NULL: none that is known here */
	struct text path;		/* "/…" as sent, or "*"; never empty */
	struct text query;		/* as sent, without '?'; at is NULL when there is none */
	bool modern;			/* HTTP/1.1, not 1.0 */
	bool has_body;			/* some bytes follow, or a chunk of none */
	bool chunked;
	uint64_t length;		/* of the body, when not chunked */
	bool expects;			/* the client waits for "100 Continue" before it sends them */
	bool keep;			/* another request may follow: the client wants it, and where it begins is certain */
};

enum head_state {
	HEAD_MORE,			/* not there yet, and nothing wrong so far */
	HEAD_WHOLE,			/* the next byte is not its own. It may have a status all the same: 501, 417 */
	HEAD_REFUSED,			/* status and reason are set. Nothing that follows can be trusted */
};

/* Read on in bytes[0..len), which are those of the last call, at the same place, and maybe more. The result does not
 * depend on how the bytes were parted. Once it is not HEAD_MORE, it must not be called again. */
enum head_state head_read(struct head *h, const struct head_limits *limits, const char *bytes, size_t len);

/* The value of the first field of this name, in any case, without the white space around it; at is NULL when there is
 * none. h is whole, bytes are those it was read from. */
struct text head_field(const struct head *h, const char *bytes, const char *name);

#endif
