/* waiting.h - a thread's waits for its client: how long they may take in all, and how an idle or a slow one is called off. */
#ifndef AKIN_WAITING_H
#define AKIN_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What one thread waits for. Zero-initialised, it waits for nothing yet. */
struct waiting {
	_Atomic int state;		/* what it sits in; waiting.c has the values */
	_Atomic int64_t since;		/* ms; when waiting_from() was called */
	_Atomic int64_t slow_since;	/* ms; when the client began to be slow, while `slow` */
	int64_t deadline;		/* ms; no read or write of the connection waits beyond */
	int fd;				/* the connection, from its first read on */
	int sleeping;			/* the connection whose recv() may sleep, plus 1; 0: none */
	bool idle;			/* nothing has been read since waiting_from() */
	bool slow;			/* there was a wait since then that was not idle */
	bool ended;			/* a wait was called off: the connection has to end */
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

/* Any thread, and no more than a hint: what w waits for right now, and since when, in ms. */
enum waiting_kind { WAITING_NOT, WAITING_IDLE, WAITING_SLOW };
enum waiting_kind waiting_look(const struct waiting *w, int64_t *when);
/* Any thread: end the wait that was seen so, as if w's client had nothing more to say. True: it was still there, and its
 * thread will close the connection. */
bool waiting_call_off(struct waiting *w, enum waiting_kind kind, int64_t when);

#endif
