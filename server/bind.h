/* bind.h - the listening sockets of a master and all its workers: the service's, and maybe one for operations. */
#ifndef AKIN_BIND_H
#define AKIN_BIND_H

#include <stdbool.h>

#include "endpoint.h"
#include "settings.h"

/* Bind and listen at a place, as the settings say. Returns the descriptor, or -1. where, of BIND_WHERE bytes, becomes the
 * address as a URL has it, with the port that was really taken: "127.0.0.1:8000", "[::1]:8000". */
#define BIND_WHERE 80		/* as BOARD_WHERE */
int bind_listener(const struct endpoint *e, const struct settings *s, char where[BIND_WHERE], struct fault *why);

/* Is fd, a listening socket that another process has made, at this place? Then it is made fit
 * for use as if bind_listener() had returned it. */
bool bind_adopt(int fd, const struct endpoint *e, const struct settings *s, char where[BIND_WHERE]);

/* This process's descriptor, other than but, that listens on 127.0.0.1 at this port, or -1. */
int bind_find_loopback(int port, int but);

/* Raise this process's limit of open descriptors to the setting, or as far as it goes. Returns the limit in force. */
unsigned long bind_raise_files(const struct settings *s);

#endif
