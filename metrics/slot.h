/* slot.h - what lies in a worker's board slot: its counters, what it watches, its ring of answers, and what
 * was told of them, in this order. */
#ifndef AKIN_SLOT_H
#define AKIN_SLOT_H

#include "counters.h"
#include "repeats.h"
#include "shown.h"
#include "watch.h"

#define SLOT_ALIGN(n) (((n) + 63) / 64 * 64)

/* Bytes of it, with a ring of so many answers: what board_create() wants as counters_size. */
static inline size_t slot_size(uint32_t ring)
{
	return SLOT_ALIGN(sizeof(struct counters)) + SLOT_ALIGN(sizeof(struct watch)) + SLOT_ALIGN(shown_size(ring)) +
	       repeats_size(ring);
}

/* From where the counters are, board_own_counters() or board_counters(), to the others. */
static inline struct watch *slot_watch(void *counters)
{
	return (struct watch *)((uint8_t *)counters + SLOT_ALIGN(sizeof(struct counters)));
}

static inline const struct watch *slot_watch_of(const struct board *b, uint32_t i)
{
	return (const struct watch *)((const uint8_t *)board_counters(b, i) + SLOT_ALIGN(sizeof(struct counters)));
}

static inline struct shown *slot_shown(void *counters)
{
	return (struct shown *)((uint8_t *)counters + SLOT_ALIGN(sizeof(struct counters)) + SLOT_ALIGN(sizeof(struct watch)));
}

static inline const struct shown *slot_shown_of(const struct board *b, uint32_t i)
{
	return (const struct shown *)((const uint8_t *)board_counters(b, i) + SLOT_ALIGN(sizeof(struct counters)) +
				      SLOT_ALIGN(sizeof(struct watch)));
}

/* The ring tells how many sets there are, and may be none. */
static inline struct repeats_set *slot_repeats(void *counters)
{
	struct shown *s = slot_shown(counters);

	return (struct repeats_set *)((uint8_t *)s + SLOT_ALIGN(shown_size(s->size)));
}

static inline const struct repeats_set *slot_repeats_of(const struct board *b, uint32_t i)
{
	const struct shown *s = slot_shown_of(b, i);

	return (const struct repeats_set *)((const uint8_t *)s + SLOT_ALIGN(shown_size(s->size)));
}

#endif
