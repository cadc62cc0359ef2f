/* generation.h - from a model file to a generation that workers serve, and back to the one before. */
#ifndef AKIN_GENERATION_H
#define AKIN_GENERATION_H

#include "settings.h"
#include "../shm/board.h"

struct generation {			/* what a load has made, for the log */
	uint64_t number;		/* 0 until it is published */
	uint32_t items, customers;
	uint64_t interactions;
	size_t bytes;			/* of its segment */
	int64_t took_ms;
	char verdict[400];		/* what the gate found, in one line; "": it was not asked */
};

/* Make a generation of the model file, under a name that nobody serves from: load, verify, ask the gate, pack. gate:
 * the settings it goes by; NULL: it is not asked. One at a time. Blocks for as long as it takes; can be called in a child
 * of the master. RELOAD_OK fills *g; anything else says why, and leaves nothing behind. */
enum reload_result generation_build(const struct board *b, const char *path, const struct settings *gate,
				    struct generation *g, struct fault *why);

/* Remove what is being built: after whoever did so has died. */
void generation_abandon(const struct board *b);

/* The rest is the master's. Serve what generation_build() has made as the next generation. What was served is kept for
 * a rollback; what was kept until now goes (who has it mapped keeps it). False: nothing has changed, and what was built is
 * to be abandoned. */
bool generation_publish(struct board *b, struct generation *g, struct fault *why);

/* Serve the previous generation again, under the next number; what was served is the previous one then. Sets g->number.
 * False: nothing has changed. */
bool generation_roll_back(struct board *b, struct generation *g, struct fault *why);

/* Give up what is kept for a rollback, and its memory with it. */
void generation_forget_previous(struct board *b);

/* Remove all names: at the master's end. */
void generation_remove(const struct board *b);

/* Would it load? Reads and verifies the file in memory of this process only. */
bool generation_check(const char *path, struct generation *g, struct fault *why);

#endif
