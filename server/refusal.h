/* refusal.h - connections that are told 503 before they get a thread: what accept.c does when it can't give them one. */
#ifndef AKIN_REFUSAL_H
#define AKIN_REFUSAL_H

#include <stdint.h>

#include "../metrics/counters.h"

/* Tell a connection why it is refused, and close it. Never waits. c is where that is counted, or NULL. */
void refusal_tell(int s, enum refusal why, struct counters *c);

/* How many connections wait in the queue of a listening socket; 0 when that can't be told. */
uint32_t refusal_waiting(int listener);

/* Of what waits at the listening socket, tell those beyond `most` that there is no thread for them: the oldest, and at
 * most `batch`. Returns how many were told: 0 too while another worker is at it. */
uint32_t refusal_surplus(int listener, uint32_t most, uint32_t batch, struct counters *c);

#endif
