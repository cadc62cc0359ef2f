/* feedback.h - POST /feedback: what customers did with what they were shown. */
#ifndef AKIN_FEEDBACK_H
#define AKIN_FEEDBACK_H

#include "serve.h"

/* Read the body of q, decide, log and count its events, and answer into t->answer: 200 with an outcome for each event, 503 with
 * the same when none could be logged, or a refusal of all of it. c: NULL when nothing is counted. Returns the bytes of the
 * body. */
uint64_t feedback(struct serve_thread *t, const struct settings *s, const struct board *b, struct counters *c,
		  const struct request *q);

#endif
