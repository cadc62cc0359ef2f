/* predict.h - /predict/user/{user_id} and /predict/item/{item_id}: from a route and a query to the JSON answer. */
#ifndef AKIN_PREDICT_H
#define AKIN_PREDICT_H

#include "serve.h"
#include "../metrics/slot.h"

/* Where it is kept what was answered: parts of this worker's slot of the board. */
struct traces {
	const struct board *board;
	struct counters *counters;	/* NULL: nothing is counted or watched */
	struct watch *watch;
	struct shown *shown;		/* NULL: answers have no recommendation_id, and none is remembered */
};

/* Answer into t->answer from model p. kind: AXIS_CUSTOMER for a user, AXIS_ITEM for an item. */
void predict(struct serve_thread *t, const struct settings *s, const struct traces *to, const struct packed *p,
	     enum axis_kind kind, struct text id, struct text query);

#endif
