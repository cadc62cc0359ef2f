/* http.h - a request and its answer as Akin sees them, free of the HTTP library's types. exchange.c fills the one
 * and sends the other. */
#ifndef AKIN_HTTP_H
#define AKIN_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shm/model.h"

struct body_fault {			/* of a body that can't be read */
	int status;
	const char *reason;		/* a literal */
};

struct request {			/* all borrowed for the length of one request */
	const char *method;		/* "GET" */
	struct text path;		/* as sent, still percent-encoded, without the query */
	struct text query;		/* as sent, without '?'; at is NULL when there is none */
	uint64_t body_len;		/* of the request's own body, which was thrown away */
	const char *(*header)(const struct request *q, const char *name); /* first value, or NULL */
	/* Of a route that takes a body: its next bytes, at most room; 0 at its end; -1: *why not. Else not called */
	int (*read)(const struct request *q, char *into, size_t room, struct body_fault *why);
	void *of;			/* for header() and read() */
	bool ops;			/* it came in by the operations listener */
	int fd;				/* the connection's, to ask who the peer is; -1: there is none */
};

/* An answer is built in memory that its thread keeps: the body first, then the head right before it, so that both
 * go out in one write. */
struct answer {
	int status;
	const char *content_type;	/* a literal; NULL: no body, no field */
	const char *allow;		/* value of Allow, or NULL; a literal */
	const char *extra;		/* whole further header lines with CRLF, or NULL; a literal */
	uint64_t generation;		/* of the model that answered; 0: none did */
	char *memory;			/* ANSWER_HEAD bytes for the head, then the body */
	size_t body_len, body_cap;
	struct text borrowed;		/* the body, when at is not NULL; see answer_borrow() */
	bool failed;			/* memory was short; nothing written after that counts */
	char location[512];		/* value of Location, or "" */
};
#define ANSWER_HEAD 1024

/* Make an answer empty again, status 200 and JSON, keeping its memory. Zero-initialised will do for a first call. */
void answer_reset(struct answer *a);
void answer_free(struct answer *a);

/* Exchange bodies and their memory, and nothing else. */
void answer_swap(struct answer *a, struct answer *b);

/* Make room for so many bytes behind those that the body has. False: memory is short, and the answer has failed. */
bool answer_reserve(struct answer *a, size_t len);

/* Append to the body. */
void answer_bytes(struct answer *a, const char *bytes, size_t len);
void answer_text(struct answer *a, const char *s);
void answer_number(struct answer *a, uint64_t v);
void answer_score(struct answer *a, double v);			/* 15 significant digits; v must be finite */
void answer_string(struct answer *a, struct text s);		/* a JSON string with its quotes; s must be UTF-8 */

/* Let the body be these bytes, which stay where they are until the program ends: for what is too long to be copied
 * for each client, and kept by each thread. Nothing may be appended then. */
void answer_borrow(struct answer *a, struct text body);

/* {"detail":"…"} with this status, instead of whatever was written. */
void answer_detail(struct answer *a, int status, const char *detail);

/* 307 to path, with the query unless that is empty, without a body. False, with nothing changed, when that is longer than
 * `location` holds. Bytes that may not stand in a header are percent-encoded. */
bool answer_redirect(struct answer *a, struct text path, struct text query);

/* The status that will be sent: 500 when memory was short; and the length of the body, HEAD left aside. */
int answer_status(const struct answer *a);
size_t answer_length(const struct answer *a);

/* Write the head before the body and give the whole message: *len bytes, borrowed until the next reset. keep_alive
 * says what the Connection field tells. A failed answer becomes a 500 of its own. without_body: HEAD. Of a borrowed body
 * the message is the head alone. */
const char *answer_message(struct answer *a, bool keep_alive, bool without_body, size_t *len);
/* What is to be sent behind that message: a borrowed body, else nothing. */
struct text answer_rest(const struct answer *a, bool without_body);

#endif
