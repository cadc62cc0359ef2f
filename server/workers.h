/* workers.h - the master's side of its workers: forking them, noticing their deaths, replacing them. */
#ifndef AKIN_WORKERS_H
#define AKIN_WORKERS_H

#include <sys/types.h>

#include "settings.h"
#include "../shm/board.h"

struct post {				/* one slot's worker, as the master knows it */
	pid_t pid;			/* 0: none */
	int64_t born;			/* ms */
	int64_t due;			/* ms; when to fork, while there is none */
	uint32_t delay;			/* ms; the last wait before a fork, 0 after a life that was long enough */
	uint64_t beats;			/* heartbeat.c: its signs of life when last looked at, */
	uint32_t silent_ms;		/* how long there has been no other, */
	bool hung;			/* and whether it was killed for that */
};

struct workers {
	const struct settings *settings;
	struct board *board;
	int listener;			/* -1 once closed */
	int ops_listener;		/* -1: none */
	int lifeline[2];		/* a pipe nobody writes to: its write end lives as long as the master */
	bool stopping;			/* the dead are not replaced */
	bool killed;			/* some had to be */
	int64_t looked;			/* ms; when heartbeat.c last looked */
	uint32_t count;
	struct post post[BOARD_MAX_SLOTS];
};

/* No worker is forked yet: workers_tend() does that. */
bool workers_open(struct workers *w, const struct settings *s, struct board *b, int listener, int ops_listener,
		  struct fault *why);
void workers_close(struct workers *w);
/* In a child of the master that is no worker: let go of what would make the workers believe that the master lives, and
 * clients that somebody listens. */
void workers_part(struct workers *w);

/* Fork what is due. In a child this does not return. */
void workers_tend(struct workers *w);
/* After SIGCHLD: bury the dead, tell of them, set the date of their successors. The master has other children, too: one of
 * them that is dead is reaped and returned with its status, and there may be more dead behind it, of both kinds. 0: no
 * more. */
pid_t workers_reap(struct workers *w, int *status);
/* Milliseconds until workers_tend() has something to do; -1: nothing. */
int64_t workers_wait(const struct workers *w);

void workers_signal(const struct workers *w, int number);
/* Replace nobody any more, and tell those that live to drain. */
void workers_stop(struct workers *w);
/* The time for draining is over. */
void workers_kill(struct workers *w);

uint32_t workers_alive(const struct workers *w);
/* How many are in this state. */
uint32_t workers_in(const struct workers *w, enum worker_state state);

#endif
