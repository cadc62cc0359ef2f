/* reload.h - the model's changes while it is served: what SIGHUP asks for. The master's. */
#ifndef AKIN_RELOAD_H
#define AKIN_RELOAD_H

#include "generation.h"
#include "settings.h"
#include "workers.h"

struct reload {
	const struct settings *settings;
	struct board *board;
	struct workers *workers;
	struct generation generation;	/* what is served */
};

/* Load and publish the first generation. All is borrowed until reload_close(). */
bool reload_open(struct reload *r, const struct settings *s, struct board *b, struct workers *w, struct fault *why);
/* Remove the names of the generations. Fine on a zeroed one. */
void reload_close(struct reload *r);

/* Load the model file again. */
void reload_ask(struct reload *r);

#endif
