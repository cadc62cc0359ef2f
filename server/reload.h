/* reload.h - the model's changes while it is served: what SIGHUP and its neighbours ask for. The master's. */
#ifndef AKIN_RELOAD_H
#define AKIN_RELOAD_H

#include "generation.h"
#include "workers.h"

enum reload_kind { RELOAD_NONE, RELOAD_CHECKED, RELOAD_FORCED };	/* a forced one passes no gate */

struct reload {
	const struct settings *settings;
	struct board *board;
	struct workers *workers;
	struct generation generation, previous; /* what is served, and what a rollback would serve */
	struct load *load;		/* what the loader hands back, in memory that it shares with the master */
	pid_t loader;			/* 0: none */
	enum reload_kind running, next;	/* what the loader was forked for; what comes when it has ended */
	uint64_t began;			/* ns; of the load that runs */
};

/* Load and publish the first generation, in this process. All is borrowed until reload_close(). False: reload_close() it
 * all the same. */
bool reload_open(struct reload *r, const struct settings *s, struct board *b, struct workers *w, struct fault *why);
/* End a loader, and remove the names of the generations. Fine on a zeroed one. */
void reload_close(struct reload *r);

/* Have the model file loaded by a child, and served when that has ended well; this returns at once. While a load runs,
 * one more is kept, and is forced when any of those who asked meanwhile wanted it so. */
void reload_ask(struct reload *r, enum reload_kind kind);
/* A child that is no worker has died. True: it was the loader, and what there is to do has been done. */
bool reload_ended(struct reload *r, pid_t pid, int status);

/* Serve the previous generation again, at once. A load that runs, and one that waits for it, come to nothing. */
void reload_roll_back(struct reload *r);

/* Is a load under way? */
static inline bool reload_busy(const struct reload *r) { return r->loader != 0; }

/* The service ends: end the loader, and start none any more. */
void reload_stop(struct reload *r);

#endif
