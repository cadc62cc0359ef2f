/* exchange.h - one request and its answer on a civetweb connection. listener.c gives it every request and refusal. */
#ifndef AKIN_EXCHANGE_H
#define AKIN_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake.h"
#include "serve.h"
#include "waiting.h"

struct mg_connection;

/* A thread of civetweb's, for as long as it lives: mg_get_thread_pointer(). listener.c makes them. */
struct seat {
	_Alignas(64) struct serve_thread serve;
	_Atomic bool answering;
	_Atomic uint64_t answers;
	struct waiting wait;		/* since its connection was begun, or its last answer sent */
	struct intake intake;		/* the request in hand */
	bool first;			/* nothing was answered on its connection yet */
	bool ops;			/* the operations listener's */
	struct door *door;		/* where its connections come in */
	_Atomic uint64_t *unheard;	/* counts connections whose first request has not come; NULL: nobody does */
};

/* Once in a worker, before its first connection. Both are borrowed for the life of the process. */
void exchange_open(const struct settings *s, struct board *b);

/* civetweb's begin_request and http_error: they always answer. */
int exchange_request(struct mg_connection *c);
int exchange_refusal(struct mg_connection *c, int status, const char *message);

/* civetweb's end_request: if it gave up on a request by itself, that is answered with a 500 and a close. */
void exchange_ended(const struct mg_connection *c, int status);

/* From now on, every answer closes its connection. */
void exchange_drain(void);

#endif
