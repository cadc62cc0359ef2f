/* worker.h - the life of a worker process, from the fork to its exit. */
#ifndef AKIN_WORKER_H
#define AKIN_WORKER_H

#include "settings.h"
#include "../shm/board.h"

struct worker_start {			/* what a worker is given by its master; borrowed for its life */
	const struct settings *settings;
	struct board *board;
	uint32_t slot;
	int listener;			/* the listening socket */
	int ops_listener;		/* the one for operations; -1: none */
	int lifeline;			/* reads end-of-file once the master is gone */
};

/* Serve until told to stop. All signals but those of faults are blocked when this is called. Exits by itself: 0 when
 * it has drained, 1 when it could not serve. */
_Noreturn void worker_run(const struct worker_start *w);

#endif
