/* feedback_join.h - what an event means: which answer it follows, whether the item was in that, and where.
 *
 * An answer is not stored, only what was asked (metrics/shown.h), so it is made once more, by the generation that is served.
 * Events of one answer that stand together share that. */
#ifndef AKIN_FEEDBACK_JOIN_H
#define AKIN_FEEDBACK_JOIN_H

#include "feedback_read.h"
#include "serve.h"
#include "../metrics/shown.h"

/* Kept from one event of a body to the next; zeroed before the first. */
struct feedback_join {
	const struct board *board;
	const struct packed *packed;	/* pinned */
	enum fill fill;
	struct serve_thread *thread;	/* whose memory is used */
	bool made;			/* the thread's memory holds the answer to this: */
	struct shown_what of;
	struct recommendation r;
};

/* Decide an undecided event: its outcome and what goes with it, and the customer it is about, borrowed from the model or the
 * event, at NULL when nobody knows. False: memory was short. */
bool feedback_join(struct feedback_join *j, struct feedback_event *e, struct text *customer);

#endif
