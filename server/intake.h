/* intake.h - what comes in on a connection: heads, which it judges, and bodies, which it reads. One a thread; civetweb
 * sees none of it. */
#ifndef AKIN_INTAKE_H
#define AKIN_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunks.h"
#include "head.h"
#include "settings.h"
#include "waiting.h"

/* What a thread has read of its connection. The bytes in hand are bytes[0..len): the head of the request in hand, then
 * what is read of its body, or of the next request; those before `at` are done with. */
struct intake {
	struct waiting *wait;
	const struct settings *settings;
	struct head_limits limits;
	char *bytes;			/* room for the longest head, and then some; of its own pages, since few are used */
	size_t at, len;
	struct head head;		/* of the request in hand */
	struct chunks chunks;
	uint64_t left;			/* of a body with a length: not read yet */
	uint64_t body_len;		/* read of the body so far */
	bool body_over;			/* the next byte is not the body's */
	bool first;			/* no request was read yet */
	bool timed;			/* the deadline in force is that of the request in hand */
	bool handed;			/* civetweb has been given a request that exchange.c has not seen yet */
	int status;			/* of a body that can't be read: as in struct head; else 0 */
	const char *reason;
};

/* Before the thread starts. s and w are borrowed for the life of the process. False: no memory. */
bool intake_open(struct intake *in, struct waiting *w, const struct settings *s);

/* This thread's recv() is *in's from now on. */
void intake_as(struct intake *in);

/* A new connection: waiting_from() has been called for it, and its first request has that deadline. */
void intake_begin(struct intake *in);

/* The request in hand has been seen; in->head is its head, or says why there is none. */
void intake_seen(struct intake *in);

/* The request's field of that name, or NULL; the first, when there are more. Valid until the next request. */
const char *intake_field(struct intake *in, const char *name);

/* Has some of the body come already? */
bool intake_has_some(const struct intake *in);

/* The next bytes of the body, at most room (not 0): how many; 0 at its end; -1 when it can't be read, and in->status
 * and in->reason say why. No more than the setting max_body_bytes come in all, and all within request_timeout_ms, the
 * head included. */
int intake_body(struct intake *in, char *into, size_t room);

/* Is there anything left that the client has sent, or will send, and that nobody will read? */
bool intake_unread(const struct intake *in);

/* The connection's last answer has been sent: read on for a moment what nobody wants, since closing with unread bytes
 * would reset the connection and could take the answer away from the client (RFC 9112, 9.6). */
void intake_linger(struct intake *in);

#endif
