/* master.h - the master: what is open for as long as the service runs, and the loop that waits for signals. */
#ifndef AKIN_MASTER_H
#define AKIN_MASTER_H

#include "bind.h"
#include "monitor.h"
#include "pidfile.h"
#include "reload.h"
#include "settings.h"
#include "workers.h"

struct master {
	const struct settings *settings;
	struct pidfile pidfile;
	struct board board;
	struct reload reload;		/* what is served, and how that changes */
	int listener;			/* -1: closed */
	int ops_listener;		/* -1: none, or closed */
	uint32_t handed;		/* a bit for each of them that a predecessor has handed over: see board.h */
	char where[BIND_WHERE];
	char ops_where[BIND_WHERE];	/* "": none */
	struct workers workers;
	struct monitor monitor;
	int64_t memory_due;		/* ms; when its share of memory is told again */
	bool announced;			/* the log has said that it serves */
	bool reloading;			/* and who waits for that is to be told when it is over */
	bool ready;			/* all workers have served, and who waits for that was told */
};

/* Open everything but the workers: log, pid file, sockets; then, as the setting `user`, board, keys, model. s is borrowed
 * until master_close(). False: what had been opened is closed again. All signals but those of faults are blocked from here on. */
bool master_open(struct master *m, const struct settings *s, struct fault *why);

/* Serve until told to stop. Returns the exit status. */
int master_run(struct master *m);

/* Close what is open, in reverse, and remove what had a name. */
void master_close(struct master *m);

#endif
