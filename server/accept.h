/* accept.h - how many connections this worker has of each listening socket, and no more of them. */
#ifndef AKIN_ACCEPT_H
#define AKIN_ACCEPT_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include "../metrics/counters.h"
#include "../shm/board.h"
#include "../shm/fault.h"

/* A listening socket, as one worker sees it. The first part is the caller's, set before accept_open() and left alone
 * after it; the rest is accept.c's. A door lives as long as the process. */
struct door {
	uint32_t number;		/* 0 or 1: which one of the worker's */
	uint32_t limit;			/* have at most this many connections: one a thread */
	uint32_t max_waiting;		/* of those that wait, tell more than these that there is no thread */
	struct counters *counted;	/* where its connections are counted, or NULL */
	struct counters *refused;	/* where refusals and endings are, or NULL */
	/* End one connection that has been idle for so many ms, or whose client has been slow for too long. False: there is
	 * none. Called in the accept thread. */
	bool (*make_room)(void *of, int64_t idle, enum ending *how);
	void *of;

	const struct board *board;
	_Atomic int fd;			/* the number under which accept() is called */
	int spare;			/* a descriptor to give up when there is no other */
	_Atomic bool shut;
	_Atomic uint32_t connections;
	sem_t freed;			/* posted when a connection closes while `full` */
	_Atomic bool full;		/* accept() waits for one to close */
	_Atomic uint32_t claims;	/* so many answers may close their connections */
	int64_t press_until;		/* ms; the accept thread's */
	int64_t eased;			/* ms; when connections were last not pressed for room; the accept thread's */
};

/* Before the door's first connection. */
bool accept_open(struct door *d, const struct board *b, struct fault *why);
/* The descriptor that accept() will be called with for this door. */
void accept_at(struct door *d, int fd);

/* Connections wait that nobody takes, and none is idle: true for as many callers, who are to close their own. */
bool accept_claim(struct door *d);

/* Connections accepted and not closed. One that is being accepted right now counts, and may turn out to be none. */
uint32_t accept_connections(struct door *d);
/* One was closed. */
void accept_closed(struct door *d);

/* Accept no more. */
void accept_shut(struct door *d);

#endif
