/* repeats.c - writing and finding fingerprints. Called by server/feedback_once.c. Cells are written whole, so a reader that
 * meets a writer sees the old one or the new one; nothing can fail. */
#include "repeats.h"

#include "slot.h"

static bool holds(const struct repeats_set *s, uint64_t fingerprint)
{
	for (unsigned i = 0; i < REPEATS_WAYS; i++) {
		if (atomic_load_explicit(&s->seen[i], memory_order_relaxed) == fingerprint)
			return true;
	}
	return false;
}

bool repeats_seen(const struct board *b, uint64_t fingerprint)
{
	for (uint32_t i = 0; i < board_slots(b); i++) {
		uint32_t sets = repeats_sets(slot_shown_of(b, i)->size);

		if (sets > 0 && holds(&slot_repeats_of(b, i)[fingerprint & (sets - 1)], fingerprint))
			return true;
	}
	return false;
}

void repeats_add(const struct board *b, uint64_t fingerprint)
{
	void *counters = board_own_counters(b);
	uint32_t sets = repeats_sets(slot_shown(counters)->size);

	if (sets == 0)
		return;
	struct repeats_set *s = &slot_repeats(counters)[fingerprint & (sets - 1)];
	uint64_t turn = atomic_load_explicit(&s->turn, memory_order_relaxed);

	atomic_store_explicit(&s->seen[turn % REPEATS_WAYS], fingerprint, memory_order_relaxed);
	atomic_store_explicit(&s->turn, turn + 1, memory_order_relaxed);
}
