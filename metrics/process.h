/* process.h - what the kernel knows of the whole process tree, master, monitor and workers, summed. */
#ifndef AKIN_PROCESS_H
#define AKIN_PROCESS_H

#include "../shm/board.h"

/* CPU time of a process so far, in nanoseconds; it may be dead, but not reaped. False: it can't be told. */
bool process_cpu(int32_t pid, uint64_t *ns);

/* Proportional memory (PSS) of this process, in bytes: shared pages are divided by the number of processes that have
 * them. 0: it can't be told. It costs some 0.3 ms, so it is not asked for at every scrape. */
uint64_t process_proportional(void);
#define PROCESS_PROPORTIONAL_MS 10000	/* how often each process asks for its own */

/* Sums over the tree. What can't be read of even one process, because it belongs to another user or because /proc is
 * not there, is not known at all: half a sum would look like a whole one. */
struct process_tree {
	bool cpu_known, memory_known, fds_known;
	uint64_t cpu;			/* nanoseconds, dead workers' included; never goes back */
	uint64_t resident, virtual;	/* bytes */
	uint64_t threads, fds;
};
void process_look(const struct board *b, struct process_tree *t);

#endif
