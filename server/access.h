/* access.h - may this client have this route? By its address (allow, ops_allow) and by its key (api_keys). */
#ifndef AKIN_ACCESS_H
#define AKIN_ACCESS_H

#include "http.h"
#include "settings.h"
#include "../metrics/counters.h"
#include "../shm/board.h"

/* What is known of a connection's other end; zeroed, nothing is. One a thread, for the connection it has. */
struct access_peer {
	bool known;
	bool listed[2];			/* in allow, in ops_allow */
};

/* Once in a worker, before its first request. All are borrowed; c may be NULL. */
void access_open(const struct settings *s, const struct board *b, struct counters *c);

/* May q have the route h? False: *a is the refusal, 403 or 401, and it has been counted. */
bool access_granted(struct access_peer *p, enum handler h, const struct request *q, struct answer *a);

#endif
