/* serve.h - from a request to its answer: pin, route, answer, count. exchange.c calls it from its threads. */
#ifndef AKIN_SERVE_H
#define AKIN_SERVE_H

#include "access.h"
#include "http.h"
#include "scrape.h"
#include "settings.h"
#include "../metrics/counters.h"
#include "../shm/board.h"
#include "../shm/packed.h"

/* What a thread keeps between requests; zero-initialised before the first, freed by serve_thread_free(). */
struct serve_thread {
	struct answer answer;
	struct scratch scratch;
	struct neighbour *near;		/* room for max_n */
	size_t near_cap;
	struct scrape *scrape;		/* lent for the answer in hand, or NULL */
	struct access_peer peer;	/* of the connection in hand */
	struct counted counted;		/* what the request in hand is counted under, once it has its answer */
	uint64_t began;			/* ns; 0 when nobody wants to know */
};
void serve_thread_free(struct serve_thread *t);
/* Room for n in t->near; it grows to the largest n seen. False: memory is short. */
bool serve_thread_room(struct serve_thread *t, size_t n);

/* Once in a worker, before its first request. Both are borrowed for the life of the process. */
void serve_open(const struct settings *s, struct board *b);

/* Once its listening socket is known: /metrics tells how many wait in its queue. */
void serve_listens(int listener);

/* A connection begins: nothing is known of its other end. */
void serve_connection(struct serve_thread *t);

/* A request's head has been read, or cannot be: it is in hand, and its clock starts. Then one of the two below. */
void serve_begin(struct serve_thread *t);

/* Does the route of q take a body of its method? Then q->read() is called, or what is left of the body is to be thrown away
 * after the answer was made. */
bool serve_takes_body(const struct request *q);

/* Answer q into t->answer and count it. Never fails: what goes wrong is an answer too. The request stays in hand
 * until serve_sent(). */
void serve(struct serve_thread *t, const struct request *q);

/* The HTTP library refused a request before it had a path (malformed, too large, timed out): the JSON body for
 * that status, counted under handler "none". */
void serve_refused(struct serve_thread *t, const char *method, int status, const char *reason);

/* The answer is with the kernel, or cannot be sent: the request is out of hand, and its clock stops. Once after each of
 * the two above, since a worker that dies in between leaves the request among the unanswered. */
void serve_sent(struct serve_thread *t);

#endif
