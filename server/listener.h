/* listener.h - civetweb, kept in a box: connections in, requests to serve(), answers out. listener.c is the only file
 * that names it, and says there what it had to be taught.
 *
 * One a process. A worker's main thread calls these; the threads are civetweb's. */
#ifndef AKIN_LISTENER_H
#define AKIN_LISTENER_H

#include "settings.h"
#include "../shm/board.h"

/* Start the threads and take connections from socket, and from ops_socket for operations unless that is -1; they become
 * the listener's own. serve_open() and a first pin_adopt() have been called; signals that the threads must not see are
 * blocked. b is the board this worker has entered, borrowed for the life of the process: its slot's `answered` becomes 1
 * with the first answer. True: every thread is there. */
bool listener_start(const struct settings *s, int socket, int ops_socket, struct board *b, struct fault *why);

/* From now on each answer closes its connection. Connections are still taken. */
void listener_drain(void);
/* Are there connections that nobody has accepted yet? of: a bit for each listener that is asked about, 1 << BOARD_SERVICE
 * and so on. */
bool listener_backlog(uint32_t of);
/* Take no more connections. for_all: a bit for each listener where neither will anybody else, so that new ones are refused
 * rather than left waiting. */
void listener_shut(uint32_t for_all);

/* What is in hand, for a worker that wants to leave. */
struct listener_state {
	uint32_t connections;		/* accepted and not closed */
	bool busy;			/* one waits for a thread, or a request is being answered */
	uint64_t answers;		/* given so far; changes while there is traffic */
};
struct listener_state listener_look(void);

#endif
