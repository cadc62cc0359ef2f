/* sums.c - adding up what the slots hold.
 *
 * Called by the monitor some times a second, so it reads no more than it must: the whole, 310 KB a slot for a large
 * catalogue, only when a window is closed; before that the cells that each prediction adds to once, 17 KB an axis and slot. The
 * cells are read one by one while workers add to them, so a prediction may be half in one sum: the other half is in the
 * next. Nothing can fail. */
#include "sums.h"

#include <string.h>

#include "slot.h"

static void add(uint32_t *to, const _Atomic uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

static uint32_t total(const _Atomic uint32_t *from, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += atomic_load_explicit(&from[i], memory_order_relaxed);
	return sum;
}

/* Hits first: a hit is counted after its trial, so there are never more of them. */
static void add_trials(const struct board *b, uint64_t trials[SUMS_TRIALS], uint64_t hits[SUMS_TRIALS])
{
	for (uint32_t i = 0; i < board_slots(b); i++) {
		const struct counters *c = board_counters(b, i);

		for (unsigned cell = 0; cell < SUMS_TRIALS; cell++)
			hits[cell] += atomic_load_explicit(&c->trial_hits_of[cell], memory_order_acquire);
		for (unsigned cell = 0; cell < SUMS_TRIALS; cell++)
			trials[cell] += atomic_load_explicit(&c->trials_of[cell], memory_order_relaxed);
	}
}

void sums_of_board(struct sums *s, const struct board *b, const uint32_t counted[AXES])
{
	memset(s, 0, sizeof *s);
	for (uint32_t i = 0; i < board_slots(b); i++) {
		const struct watch *w = slot_watch_of(b, i);

		for (unsigned axis = 0; axis < AXES; axis++) {
			add(s->asked[axis], w->asked[axis], counted[axis]);
			add(s->strangers[axis], w->strangers[axis], WATCH_STRANGERS);
			add(s->top_score[axis], w->top_score[axis], WATCH_SCORES);
			add(s->mean_score[axis], w->mean_score[axis], WATCH_SCORES);
			add(s->own_results[axis], w->own_results[axis], WATCH_RESULTS);
			add(s->returned[axis], w->returned[axis], counted[AXIS_ITEM]);
		}
	}
	add_trials(b, s->trials, s->hits);
}

void sums_quick_of_board(struct sums_quick *q, const struct board *b)
{
	memset(q, 0, sizeof *q);
	for (uint32_t i = 0; i < board_slots(b); i++) {
		const struct watch *w = slot_watch_of(b, i);

		for (unsigned axis = 0; axis < AXES; axis++)
			q->requests[axis] += total(w->own_results[axis], WATCH_RESULTS) +
					     total(w->strangers[axis], WATCH_STRANGERS);
	}
	add_trials(b, q->trials, q->hits);
}

void sums_quick_of(struct sums_quick *q, const struct sums *s)
{
	memset(q, 0, sizeof *q);
	for (unsigned axis = 0; axis < AXES; axis++) {
		for (unsigned i = 0; i < WATCH_RESULTS; i++)
			q->requests[axis] += s->own_results[axis][i];
		for (unsigned i = 0; i < WATCH_STRANGERS; i++)
			q->requests[axis] += s->strangers[axis][i];
	}
	memcpy(q->trials, s->trials, sizeof q->trials);
	memcpy(q->hits, s->hits, sizeof q->hits);
}
