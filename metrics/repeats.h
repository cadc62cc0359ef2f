/* repeats.h - which events were taken lately, so that one that is sent again, by a client or a proxy that has not seen its
 * answer, counts once: fingerprints of 64 bits in each worker's board slot.
 *
 * The worker that holds the slot writes it; every worker reads all. A fingerprint goes to one of the sets, by its low bits,
 * and stays until REPEATS_WAYS others have gone there after it. How many events that is, is chance: with 2 for each answer
 * that the ring remembers (the setting feedback_ring), 99.999 % of the events are still there; with 4 about half are. A
 * worker's death loses nothing; a new master begins with none. */
#ifndef AKIN_REPEATS_H
#define AKIN_REPEATS_H

#include "../shm/board.h"

#define REPEATS_WAYS 63

struct repeats_set {
	_Atomic uint64_t turn;		/* the next cell of these to be written, modulo their number */
	_Atomic uint64_t seen[REPEATS_WAYS]; /* 0: nothing yet */
};
_Static_assert(sizeof(struct repeats_set) == 512, "whole cache lines");

/* Sets beside a ring of so many answers, which is 0 or a power of two from 64 up; all zeroed at first. */
static inline uint32_t repeats_sets(uint32_t ring) { return ring / 16; }
static inline size_t repeats_size(uint32_t ring) { return repeats_sets(ring) * sizeof(struct repeats_set); }

/* Any thread: is it in any slot? fingerprint is not 0. */
bool repeats_seen(const struct board *b, uint64_t fingerprint);

/* A worker's, one thread at a time. */
void repeats_add(const struct board *b, uint64_t fingerprint);

#endif
