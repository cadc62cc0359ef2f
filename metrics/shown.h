/* shown.h - what was recommended lately, so that what customers then do can be held against it: a ring in each worker's
 * board slot, and the names of its entries, which clients get with their answers.
 *
 * An answer is determined by its model, by who or what was asked for and by n, so that is all that is kept of it: whoever
 * learns what became of it recommends once more. An entry's name, the recommendation_id, is 24 hexadecimal digits: 2 of the
 * slot, 14 of the number that the answer had there, and 8 that only this master and this number give (a keyed hash), so
 * that a name of another server, or one that was made up, is known to be that.
 *
 * The worker that holds the slot writes its ring; every worker reads all rings. An entry is overwritten when its worker has
 * given `size` more answers. No entry is ever locked, since whoever writes it may die: it has a checksum instead. A reader
 * that meets a writer, two that write one entry, or what a worker left that died, sees an entry that is none. */
#ifndef AKIN_SHOWN_H
#define AKIN_SHOWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../shm/board.h"
#include "../shm/model.h"

#define SHOWN_ID 24			/* bytes of a name */
#define SHOWN_USER UINT32_C(0x80000000)	/* in n: the answer is for a customer */

struct shown_entry {
	_Atomic uint64_t number;	/* from 1 */
	_Atomic uint64_t at;		/* nanoseconds of CLOCK_MONOTONIC, which all processes share */
	_Atomic uint32_t generation;	/* low 32 bits */
	_Atomic uint32_t asked;		/* index on its axis, in that generation */
	_Atomic uint32_t n;		/* asked for; | SHOWN_USER */
	_Atomic uint32_t check;		/* of all the others */
};
_Static_assert(sizeof(struct shown_entry) == 32, "two a cache line");

struct shown {				/* lies behind struct watch in the slot: slot.h */
	_Alignas(64) _Atomic uint64_t last; /* the number that was given last */
	_Alignas(64) uint32_t size;	/* entries; 0 or a power of two; master, before the first worker */
	/* then struct shown_entry[size], then _Atomic uint64_t latest[size]: the last number given to a customer, by index
	 * modulo size */
	_Alignas(64) struct shown_entry entry[];
};

/* Answers remembered for so many asked for (the setting feedback_ring): the next power of two. */
uint32_t shown_ring(uint32_t answers);

/* Bytes of a ring of that many entries, and making it one in zeroed memory. size: 0 for none, or a power of two. */
size_t shown_size(uint32_t size);
void shown_make(struct shown *s, uint32_t size);

struct shown_what {
	uint64_t generation;
	enum axis_kind kind;
	uint32_t asked, n;
	uint64_t began;			/* nanoseconds of CLOCK_MONOTONIC, of the request */
	int64_t at;			/* the same in seconds since 1970; filled by those who find */
};

/* Fetch the lines of the cache that shown_add() will write, a while before it. */
void shown_soon(const struct shown *s, enum axis_kind kind, uint32_t asked);

/* The worker's, by any of its threads: keep w, and write its name to id[SHOWN_ID]. One atomic addition and a few stores. The
 * slot is its own (b->own_index); its names are keyed by a number that the master has drawn, board_head.shown_key. */
void shown_add(const struct board *b, struct shown *s, const struct shown_what *w, char id[SHOWN_ID]);

/* KNOWN: *w is filled. GONE: the name is right, and the ring has gone past it. FOREIGN: it is no name of this server's, since
 * its master started. */
enum shown_found { SHOWN_KNOWN, SHOWN_GONE, SHOWN_FOREIGN };
enum shown_found shown_find(const struct board *b, struct text id, struct shown_what *w);

/* The newest answer for a customer of that generation that the rings know; one forgets a customer earlier than by its size
 * when it gives an answer to another whose index is the same modulo its size. False: none. */
bool shown_latest(const struct board *b, uint64_t generation, uint32_t customer, struct shown_what *w);

#endif
