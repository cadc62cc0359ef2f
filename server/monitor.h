/* monitor.h - the master's side of the monitor, the process that watches what is asked and answered: forking it, replacing
 * it, telling it to go. */
#ifndef AKIN_MONITOR_H
#define AKIN_MONITOR_H

#include "workers.h"

struct monitor {
	const struct settings *settings;
	struct board *board;
	struct workers *workers;
	pid_t pid;			/* 0: none */
	int64_t born;			/* ms */
	int64_t due;			/* ms; when to fork, while there is none */
	uint32_t delay;			/* ms; the last wait before a fork, 0 after a life that was long enough */
	uint64_t beats;			/* its signs of life when last looked at, */
	uint32_t silent_ms;		/* how long there has been no other, */
	int64_t looked;			/* ms; when that was */
	bool fresh;			/* it has given no sign of life yet */
	bool stopping;			/* it is not replaced */
};

/* None is forked yet: monitor_tend() does that. All is borrowed. */
void monitor_open(struct monitor *m, const struct settings *s, struct board *b, struct workers *w);

/* Fork it, if it is due and the first generation is published; kill it when it hangs. In the child this does not return. */
void monitor_tend(struct monitor *m);
/* Milliseconds until monitor_tend() has something to do; -1: nothing. */
int64_t monitor_wait(const struct monitor *m);

/* A child that is no worker has died. True: it was the monitor. */
bool monitor_ended(struct monitor *m, pid_t pid, int status);

/* The log's name may lead to another file. */
void monitor_reopen_log(const struct monitor *m);

/* The service ends: tell it to go, and don't wait. */
void monitor_stop(struct monitor *m);
/* The end: whatever it does, it is gone after this, or can't be. Fine on a zeroed one. */
void monitor_close(struct monitor *m);

#endif
