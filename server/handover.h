/* handover.h - the master's part in an upgrade: what it does to its board, its pid file and its log while it is replaced, or
 * while it replaces another. The start of a process, and the words between the two, are upgrade.h's. */
#ifndef AKIN_HANDOVER_H
#define AKIN_HANDOVER_H

#include "master.h"

/* SIGUSR2: start a successor, unless that is not allowed now. What fails is a line in the log, and nothing has changed. */
void handover_start(struct master *m);

/* In each turn of the loop: has the predecessor gone, or does the successor serve? True: it does, and this master is to
 * drain. */
bool handover_look(struct master *m);

/* A child that is no worker has died. True: it was the successor, before it served. */
bool handover_ended(struct master *m, pid_t pid, int status);

/* This master stops: its successor, if one is being started, is to end as well. */
void handover_stop(struct master *m);

#endif
