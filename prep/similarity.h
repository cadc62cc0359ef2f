/* similarity.h - the rows of nearest neighbours of one side, on all processors. */
#ifndef AKIN_SIMILARITY_H
#define AKIN_SIMILARITY_H

#include "../shm/model.h"

#define SIMILARITY_MAX_THREADS 256

struct similarity {
	uint64_t *row_start;		/* [n + 1] into rows */
	struct neighbour *rows;
};

/* Told how far it is, on the calling thread only. May be NULL. */
struct similarity_progress {
	void (*step)(void *of, uint64_t done, uint64_t total);
	void *of;
};

/* Rank the best row_limit neighbours of every entry of own, or of those for which only[] is not 0, the rows of the others
 * staying empty; NULL: of all. The rows do not depend on threads, 1 to
 * SIMILARITY_MAX_THREADS; where the system gives fewer, fewer compute. Takes 8 * n * row_limit bytes for the answer
 * and, a thread, about 36 * n; never n * n. False when memory is short: nothing is to be freed then. */
bool similarity_build(struct similarity *s, const struct axis *own, const struct axis *other, uint32_t row_limit,
		      const uint8_t *only, unsigned threads, const struct similarity_progress *progress, struct fault *why);
void similarity_free(struct similarity *s);

#endif
