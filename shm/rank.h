/* rank.h - the order of neighbours, and the best n of a row.
 *
 * Similarity is co/sqrt(n_a*n_b). Within a row n_a is the same for all, so the order is that of co*co/n_b, and
 * two neighbours compare exactly by co_x*co_x*n_y against co_y*co_y*n_x, in 128-bit integers, which no count that
 * fits 32 bits can overflow. A double of co/sqrt(n_a*n_b) puts 485 of Online Retail's 3665 rows in the wrong
 * order. Equal similarities stand in index order, which is byte order of ids (model.h). */
#ifndef AKIN_RANK_H
#define AKIN_RANK_H

#include "model.h"

/* Does x stand before y in a row of axis a? x and y are indexes on a with counts at least 1. */
bool rank_before(const struct axis *a, struct neighbour x, struct neighbour y);

struct candidate;

/* Working memory to rank rows of one axis: 28 bytes an entry, touched only as far as a row needs it. One thread at
 * a time; reusable for any row. */
struct ranker {
	const struct axis *axis;
	float *weight;			/* [n] 1/n_b, nearly */
	float *score;			/* [n] co*co/n_b of the row at hand, nearly */
	uint32_t *found;		/* [n] entries above the bar */
	struct candidate *pool;		/* [n] the same, to be sorted */
};

/* False when memory is short (nothing to close then). a is borrowed; only its member_start and n are read. */
bool ranker_open(struct ranker *r, const struct axis *a);
/* Fine on a zeroed one. */
void ranker_close(struct ranker *r);

/* The best n neighbours of entry self into out[], best first. co[] has a count for each of the axis's n entries;
 * zeros and self are passed over. Returns how many there are, at most n. n may be 0. Never allocates. */
size_t ranker_top(struct ranker *r, const uint32_t *co, uint32_t self, struct neighbour *out, size_t n);

#endif
