/* counters.h - what one worker counts, laid out once from the list of families (families.h). The block lives in
 * the worker's board slot; its threads add to it, the scrape sums all slots. */
#ifndef AKIN_COUNTERS_H
#define AKIN_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "families.h"

enum handler {
#define X(symbol, label) HANDLER_##symbol,
	HANDLERS(X)
#undef X
	HANDLER_COUNT
};

enum method {
#define X(symbol) METHOD_##symbol,
	METHODS(X)
#undef X
	METHOD_OTHER,
	METHOD_COUNT
};

enum status {
#define X(code) STATUS_##code,
	STATUSES(X)
#undef X
	STATUS_COUNT
};

/* One worker's counters. Only 64-bit words, all of them sums: slots are added word by word. Written by the threads
 * of the slot's worker, all fields relaxed; by the master only after that worker's death. */
struct counters {
#define FIELD_COMPUTED(symbol)
#define FIELD_ONE(symbol)	_Atomic uint64_t symbol;
#define FIELD_BY_ANSWER(symbol) _Atomic uint64_t symbol[HANDLER_COUNT][METHOD_COUNT][STATUS_COUNT];
#define X(symbol, type, shape, unit, name, help) FIELD_##shape(symbol)
	FAMILIES(X)
#undef X
#undef FIELD_COMPUTED
#undef FIELD_ONE
#undef FIELD_BY_ANSWER
};
_Static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "summed by words");

/* Bytes of a slot's counters: what board_create() wants. */
size_t counters_size(void);

/* The label of a method; NULL is METHOD_OTHER. */
enum method counters_method(const char *method);
/* The cell of a status code; never fails. */
enum status counters_status(int code);

/* A request is in hand. */
static inline void counters_begin(struct counters *c)
{
	atomic_fetch_add_explicit(&c->in_progress, 1, memory_order_relaxed);
}

/* It has its answer. Counted before the answer is sent, so that a client who has it finds it in the next scrape. */
static inline void counters_answered(struct counters *c, enum handler h, enum method m, enum status s)
{
	atomic_fetch_add_explicit(&c->requests[h][m][s], 1, memory_order_relaxed);
}

/* It is out of hand: the answer is sent, or cannot be. */
static inline void counters_end(struct counters *c)
{
	atomic_fetch_sub_explicit(&c->in_progress, 1, memory_order_relaxed);
}

/* Add a slot's counters to a sum, which starts zeroed and is nobody else's. */
void counters_add(struct counters *sum, const void *counters);

/* Master, after a worker died: clear its gauges (in progress), for what was in its hands is over. Returns how many
 * requests that was. Totals stay. */
uint64_t counters_bury(void *counters);

#endif
