/* waiting.h - a thread's waits for its client: how long they may take in all, and how an idle one is called off. */
#ifndef AKIN_WAITING_H
#define AKIN_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What one thread waits for. Zero-initialised, it waits for nothing yet. */
struct waiting {
	_Atomic int state;		/* whether it sits in an idle wait; waiting.c has the values */
	_Atomic int64_t since;		/* ms; when waiting_from() was called */
	int64_t deadline;		/* ms; no read or write of the connection waits beyond */
	int fd;				/* the connection, from its first read on */
	int sleeping;			/* the connection whose recv() may sleep, plus 1; 0: none */
	bool idle;			/* nothing has been read since waiting_from() */
	bool ended;			/* an idle wait was called off: the connection has to end */
};

/* This thread's poll() and send() go by *w from now on. */
void waiting_as(struct waiting *w);

/* Read from a connection, and wait for at least one byte for as long as is allowed. As recv(): how many; 0 at the
 * end; -1, with ETIMEDOUT when it took too long. */
ssize_t waiting_recv(struct waiting *w, int fd, void *into, size_t room);

/* A wait for a request begins: allowed ms in all. idle: it may be called off until the first byte comes. */
void waiting_from(struct waiting *w, uint32_t allowed, bool idle);
/* What comes now may take so long, from now, and is no idle wait. */
void waiting_allow(struct waiting *w, uint32_t allowed);

/* Any thread: end w's wait if it is an idle one, as if its client had nothing more to say. True: it was, and the
 * connection will be closed by its thread. */
bool waiting_call_off(struct waiting *w);
/* Any thread: is it in an idle wait right now? Only a hint. */
bool waiting_idle(const struct waiting *w);

#endif
