/* drain.h - the end of the service: no more connections, what is in hand is answered, and then nobody is left. */
#ifndef AKIN_DRAIN_H
#define AKIN_DRAIN_H

#include "master.h"

/* SIGTERM and SIGINT hurry (stop_timeout_ms); SIGQUIT has time (drain_timeout_ms), and so has SIGUSR2, after handing over.
 * Returns when no worker is left, the exit status: 1 when some had to be killed. */
int drain_service(struct master *m, int number);

#endif
