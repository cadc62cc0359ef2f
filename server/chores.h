/* chores.h - what the master does from time to time, whether the service runs or ends. */
#ifndef AKIN_CHORES_H
#define AKIN_CHORES_H

#include "master.h"

/* After SIGCHLD: bury all the dead, whoever they were, and do what follows from it. */
void chores_reap(struct master *m);

/* SIGUSR1: the log, here, in the monitor and in every worker. */
void chores_reopen_log(struct master *m);

/* The master's own share of memory, to the board, when that is due. Its workers tell theirs. */
void chores_tell_memory(struct master *m);

#endif
