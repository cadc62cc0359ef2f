/* router.h - from a raw path to a route: which template it fits, and the id in it.
 *
 * The path is split at its slashes as sent, and each part percent-decoded once, so an id may hold a slash (%2F). */
#ifndef AKIN_ROUTER_H
#define AKIN_ROUTER_H

#include "../metrics/counters.h"
#include "../shm/model.h"

enum match {
	MATCH_ROUTE,			/* handler and id are set */
	MATCH_NONE,			/* no such route */
	MATCH_SLASH,			/* one, but for slashes at the end: redirect to `path` */
	MATCH_NUL,			/* a %00: refused */
};

struct route {
	enum handler handler;		/* HANDLER_NONE unless MATCH_ROUTE */
	struct text id;			/* decoded; in the path or in id_memory; empty without one */
	struct text path;		/* for MATCH_SLASH: the path without them, still encoded */
	char id_memory[MODEL_MAX_ID + 1]; /* an id that fills it all is longer than any in a model */
};

/* path is borrowed by *r. */
enum match router_match(struct route *r, struct text path);

#endif
