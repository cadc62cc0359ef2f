/* feedback_read.h - from the body of a POST /feedback to its events: what stands in it, and nothing of what it means.
 *
 * A body is one object, an array of them, or {"events": [...]}. Anything wrong with all of it is a refusal; anything wrong
 * with one event is that event's outcome and leaves its neighbours alone. */
#ifndef AKIN_FEEDBACK_READ_H
#define AKIN_FEEDBACK_READ_H

#include "feedback_json.h"
#include "../metrics/counters.h"
#include "../shm/model.h"
#include "../shm/recommend.h"

#define FEEDBACK_DEPTH 8		/* objects and arrays within each other; an event is at the third level at most */
#define FEEDBACK_UNDECIDED OUTCOME_COUNT

/* One event. The texts are borrowed from the body's JSON; at is NULL where there is none. */
struct feedback_event {
	struct text id, user, item;	/* recommendation_id, user, item; each is UTF-8 without control characters */
	enum event kind;
	bool timed;			/* it says when it was: */
	int64_t ms;			/* milliseconds since 1970, UTC */
	enum outcome outcome;		/* FEEDBACK_UNDECIDED until it is known */
	const char *detail;		/* more on that, for people; a literal, or NULL */
	/* feedback_once.h */
	uint64_t fingerprint;		/* not 0 */
	uint32_t first;			/* the event of this body that it repeats; its own index: none */
	struct feedback_event *next;
	/* feedback_join.h */
	bool trial;
	uint32_t place;			/* of a hit, from 1 */
	enum source source;
};

struct feedback_body {
	struct feedback_event *event;
	uint32_t count;
	struct feedback_json json;
};

struct feedback_limits {
	uint32_t events;		/* the setting feedback_max_events */
	int64_t latest_ms;		/* a later time is of the future */
};

/* False: the body is refused as a whole, with *status 400, 413 or 500 and the reason in *why; there is nothing to free. */
bool feedback_read(struct feedback_body *b, struct text body, const struct feedback_limits *l, int *status, struct fault *why);
void feedback_read_free(struct feedback_body *b);

/* "2026-11-22T12:00:00.5+01:00" to milliseconds since 1970. Without a time of day it is midnight, without a zone UTC. */
bool feedback_time(struct text s, int64_t *ms);

#endif
