/* queue.h - how many connections wait in the kernel's queue of somebody else's listening socket. */
#ifndef AKIN_QUEUE_H
#define AKIN_QUEUE_H

#include <stdint.h>
#include <sys/types.h>

/* Connections that wait to be accepted at `where`, "127.0.0.1:8000" or "[::]:8000", in the network namespace of
 * process pid; -1: it can't be told. */
int64_t queue_length(pid_t pid, const char *where);

#endif
