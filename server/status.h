/* status.h - `akin-server --status`: what the board of the running server says, for people and programs. */
#ifndef AKIN_STATUS_H
#define AKIN_STATUS_H

#include "settings.h"

/* Print on standard output what akin-server(8) lists, a line a key, or as one JSON object. Returns the exit status: 0,
 * EXIT_NOT_RUNNING when no server runs with these settings, or 1 with *why when that can't be told. */
int status_print(const struct settings *s, bool json, struct fault *why);

#endif
