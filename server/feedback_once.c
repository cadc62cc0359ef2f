/* feedback_once.c - who has which event in hand, by fingerprint, in this worker; and those that any worker remembers
 * (metrics/repeats.h). Called by feedback.c around all that it does with a body.
 *
 * A thread takes all of its events or waits, so no two wait for each other. The lock is held for a few comparisons an event;
 * waiting lasts as long as the other's writing to the log. Nothing can fail. */
#include "feedback_once.h"

#include <pthread.h>
#include <xxhash.h>

#include "../metrics/repeats.h"

#define BUCKETS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static struct feedback_event *bucket[BUCKETS];

bool feedback_taken(enum outcome o)
{
	static const bool taken[] = {
#define X(symbol, label, taken) [OUTCOME_##symbol] = taken,
		OUTCOMES(X)
#undef X
	};

	return o < OUTCOME_COUNT && taken[o];
}

/* Lengths stand before the texts, so that no two events read alike. The seed is another with each master, so that nobody comes
 * with a list of events that share a fingerprint. */
static uint64_t fingerprint_of(const struct feedback_event *e, uint64_t seed)
{
	const struct text part[] = {e->id, e->user, e->item};
	const uint64_t head[] = {e->kind, e->timed, e->timed ? (uint64_t)e->ms : 0, part[0].len, part[1].len, part[2].len};
	char memory[sizeof head + 3 * MODEL_MAX_ID];
	size_t len = sizeof head;

	memcpy(memory, head, sizeof head);
	for (unsigned i = 0; i < 3; i++) {
		if (part[i].len)
			memcpy(memory + len, part[i].at, part[i].len);
		len += part[i].len;
	}
	uint64_t hash = XXH3_64bits_withSeed(memory, len, seed);

	return hash ? hash : 1;
}

static struct feedback_event **bucket_of(const struct feedback_event *e)
{
	return &bucket[(e->fingerprint >> 32) % BUCKETS];
}

static bool is_mine(const struct feedback_body *f, const struct feedback_event *e)
{
	return e >= f->event && e < f->event + f->count;
}

/* Whoever has an event like this one in hand: of this body or of another; NULL: nobody. */
static struct feedback_event *holder(const struct feedback_event *e)
{
	struct feedback_event *at = *bucket_of(e);

	while (at && at->fingerprint != e->fingerprint)
		at = at->next;
	return at;
}

static bool others_have_some(const struct feedback_body *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		if (f->event[i].outcome == FEEDBACK_UNDECIDED && holder(&f->event[i]))
			return true;
	}
	return false;
}

static void take_all(struct feedback_body *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		struct feedback_event *e = &f->event[i];

		if (e->outcome != FEEDBACK_UNDECIDED)
			continue;
		const struct feedback_event *before = holder(e);

		if (before && is_mine(f, before)) {
			e->first = (uint32_t)(before - f->event);
			continue;
		}
		e->next = *bucket_of(e);
		*bucket_of(e) = e;
	}
}

void feedback_once_take(const struct board *b, struct feedback_body *f)
{
	for (uint32_t i = 0; i < f->count; i++) {
		f->event[i].first = i;
		if (f->event[i].outcome == FEEDBACK_UNDECIDED)
			f->event[i].fingerprint = fingerprint_of(&f->event[i], b->head->shown_key);
	}
	pthread_mutex_lock(&lock);
	while (others_have_some(f))
		pthread_cond_wait(&given, &lock);
	take_all(f);
	pthread_mutex_unlock(&lock);
	/* Whoever had one of them before has remembered it by now. */
	for (uint32_t i = 0; i < f->count; i++) {
		if (f->event[i].outcome == FEEDBACK_UNDECIDED && f->event[i].first == i &&
		    repeats_seen(b, f->event[i].fingerprint))
			f->event[i].outcome = OUTCOME_DUPLICATE;
	}
}

static void unlink_event(struct feedback_event *e)
{
	struct feedback_event **at = bucket_of(e);

	while (*at && *at != e)
		at = &(*at)->next;
	if (*at)
		*at = e->next;
}

void feedback_once_give(const struct board *b, struct feedback_body *f, bool counted)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < f->count; i++) {
		struct feedback_event *e = &f->event[i];

		if (e->fingerprint == 0 || e->first != i)
			continue;
		if (counted && feedback_taken(e->outcome))
			repeats_add(b, e->fingerprint);
		unlink_event(e);
	}
	pthread_cond_broadcast(&given);
	pthread_mutex_unlock(&lock);
}
