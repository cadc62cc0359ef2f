/* predict.h - /predict/user/{user_id} and /predict/item/{item_id}: from a route and a query to the JSON answer. */
#ifndef AKIN_PREDICT_H
#define AKIN_PREDICT_H

#include "serve.h"

/* Answer into t->answer from model p. kind: AXIS_CUSTOMER for a user, AXIS_ITEM for an item. */
void predict(struct serve_thread *t, const struct settings *s, const struct packed *p, enum axis_kind kind,
	     struct text id, struct text query);

#endif
