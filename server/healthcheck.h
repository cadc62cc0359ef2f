/* healthcheck.h - asking the server that runs with these settings whether it is ready, from outside. */
#ifndef AKIN_HEALTHCHECK_H
#define AKIN_HEALTHCHECK_H

#include "settings.h"

#define HEALTHCHECK_MS 3000	/* for all of it: connect, ask, be answered */

/* GET /readyz of the address and port in s. True: it said 200, and said becomes one line that tells so. False: *why
 * tells what came instead. */
bool healthcheck(const struct settings *s, char *said, size_t cap, struct fault *why);

#endif
