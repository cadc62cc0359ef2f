/* generation.h - from a model file to a generation that workers serve: load, verify, pack, publish. The master's. */
#ifndef AKIN_GENERATION_H
#define AKIN_GENERATION_H

#include "../shm/board.h"

struct generation {			/* what a load has made, for the log */
	uint64_t number;
	uint32_t items, customers;
	uint64_t interactions;
	size_t bytes;			/* of its segment */
	int64_t took_ms;
};

/* Make the next generation of the model file and publish it on the board; the name of the one before is removed
 * (who has it mapped keeps it). Blocks for as long as it takes. RELOAD_OK fills *g; anything else says why, and
 * leaves the board and the generation before as they were. The board's figures of reloads are the caller's to write. */
enum reload_result generation_publish(struct board *b, const char *path, struct generation *g, struct fault *why);

/* Remove the name of the published generation: at the master's end. */
void generation_remove(const struct board *b);

/* Would it load? Reads and verifies the file in memory of this process only. */
bool generation_check(const char *path, struct generation *g, struct fault *why);

#endif
