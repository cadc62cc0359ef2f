/* capacity.c - the settings that say "as many as fit this machine", resolved once, before the first fork, so that the
 * board, the workers and the log have the same numbers. Called by main() right before the master opens; what -T prints
 * still has the zeros.
 *
 * A connection has a thread for as long as it lives, so the number of threads is the number of clients that are served
 * without taking turns. 1024 threads on two workers were measured at 54 MB, model included, for a thread that sleeps
 * costs a stack it hardly uses. Many workers still get some each, since a connection is taken by whichever is awake. */
#include "capacity.h"

#include <sched.h>

#include "../shm/board.h"

#define THREADS_IN_ALL	 1024
#define THREADS_AT_LEAST 64
#define SPARE_FILES	 24		/* descriptors a worker needs beside one a connection */

uint32_t capacity_cores(void)
{
	cpu_set_t cores;
	int n = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;

	return (uint32_t)n;
}

void capacity_resolve(struct settings *s, uint32_t cores)
{
	if (s->workers == 0)
		s->workers = cores > BOARD_MAX_SLOTS ? BOARD_MAX_SLOTS : cores;
	if (s->threads == 0) {
		s->threads = (THREADS_IN_ALL + s->workers - 1) / s->workers;
		if (s->threads < THREADS_AT_LEAST)
			s->threads = THREADS_AT_LEAST;
	}
}

unsigned long capacity_files(const struct settings *s)
{
	return s->threads + (*s->ops_listen ? s->ops_threads : 0) + SPARE_FILES;
}
