/* accept.h - how many connections this worker has, and no more of them. */
#ifndef AKIN_ACCEPT_H
#define AKIN_ACCEPT_H

#include <stdint.h>

#include "../metrics/counters.h"
#include "../shm/fault.h"

/* Before the first connection. c is where they are counted, or NULL. */
bool accept_open(struct counters *c, struct fault *why);

/* Have at most this many connections: more are left to other workers, and when none takes them, make_room() is called
 * to end one that has been idle for so many ms. It tells whether it did. Without this call there is no limit. */
void accept_limit(uint32_t most, bool (*make_room)(int64_t idle));
/* A connection waits that nobody takes, and none is idle: true for one caller, who is to close its own. */
bool accept_claim(void);

/* Connections accepted and not closed. One that is being accepted right now counts, and may turn out to be none. */
uint32_t accept_connections(void);
/* One was closed. */
void accept_closed(void);

/* Accept no more. */
void accept_shut(void);

#endif
