/* watching.h - windows that open and close, and what becomes of them: the monitor's work, without its process.
 *
 * Whoever calls gives it sums, from the board or made up, and the time. It keeps what it finds in kept.found, and all that a
 * successor needs in kept, which is plain bytes. */
#ifndef AKIN_WATCHING_H
#define AKIN_WATCHING_H

#include "rates.h"
#include "verdict.h"

struct watching_kept {
	struct monitored found;
	struct live baseline, previous;
	struct rates rates;
};
_Static_assert(sizeof(struct watching_kept) <= MONITORED_KEPT, "it fits its place on the board");

struct watching {			/* a megabyte: not for a stack */
	struct window_rules rules;
	struct watching_kept kept;
	struct profile profile;
	struct sums start;		/* where the open windows began, each axis for itself */
	uint32_t start_requests[AXES];
	int64_t opened[WINDOW_KIND_COUNT]; /* ms */
	struct window window;		/* the one that is being closed */
	struct weighted room[WATCH_ENTITIES];
};

/* Nothing is watched yet. */
void watching_open(struct watching *w, const struct window_rules *rules);

/* Begin with a generation: windows are open from `now`, ms of any clock that does not jump, and from what stands in *start. If
 * it is the one that kept.found is of, as a predecessor left it, baseline, verdicts and detectors go on; else all is anew but the
 * numbers of windows. False: memory was short, and nothing has changed. */
bool watching_begin(struct watching *w, const struct model *m, uint64_t generation, const struct sums *start, int64_t now,
		    struct fault *why);

/* Take in trials, and close the window of feedback when that is due. True: watching_look() is due as well. */
bool watching_quick(struct watching *w, const struct sums_quick *q, int64_t now, int64_t wall);

/* Close every window that is due, with all that follows. wall: seconds since 1970, for those who read it. Returns the
 * windows that were closed, as bits 1 << enum window_kind, those of feedback included. */
unsigned watching_look(struct watching *w, const struct sums *s, int64_t now, int64_t wall);

#endif
