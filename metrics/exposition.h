/* exposition.h - all families as text that Prometheus reads, summed over all workers' slots. */
#ifndef AKIN_EXPOSITION_H
#define AKIN_EXPOSITION_H

#include "../shm/board.h"
#include "../shm/packed.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Write the page through put, piece by piece. p is the model this process serves, or NULL: then what is known of
 * the model only from there is left out. Reads shared memory only; takes no lock and allocates nothing. */
void exposition_write(const struct board *b, const struct packed *p,
		      void (*put)(void *of, const char *bytes, size_t len), void *of);

#endif
