/* find.h - the board of a master that lives, for a process that is none: a command of the operator's.
 *
 * Nobody is asked: the lock on a board tells who lives (segment.h), and the board is mapped read-only. So this works
 * while every thread of the server is taken, and can disturb nothing. */
#ifndef AKIN_FIND_H
#define AKIN_FIND_H

#include <sys/types.h>

#include "board.h"

enum find { FIND_ONE, FIND_NONE, FIND_UNCLEAR };

/* Map the board of the living master `pid`, or with pid 0 that of the only living master whose board this user may
 * read. FIND_ONE: b has to be closed with board_close(), and *found is the master's process id as this process sees
 * it, 0 if it can't. FIND_UNCLEAR says why: there are several, or this one has a layout that this program can't read.
 * Not for a process that owns a board. */
enum find find_board(struct board *b, pid_t pid, pid_t *found, struct fault *why);

#endif
