/* feedback_join.c - events against answers, one at a time. Called by feedback.c with a pinned model.
 *
 * What the ring says was written by some worker: its numbers are held against the model before they are used. An answer of n
 * ids costs what it cost the first time, tens of microseconds for a usual n. */
#include "feedback_join.h"

#include <stdlib.h>

#define MOST_N 10000			/* largest value of the setting max_n */

static bool same(const struct shown_what *a, const struct shown_what *b)
{
	return a->kind == b->kind && a->asked == b->asked && a->n == b->n;
}

static bool is_text(struct text a, struct text b) { return a.len == b.len && memcmp(a.at, b.at, a.len) == 0; }

static bool has(const struct model *m, uint32_t customer, uint32_t item)
{
	const struct axis *a = &m->axis[AXIS_CUSTOMER];

	for (uint64_t i = a->member_start[customer]; i < a->member_start[customer + 1]; i++) {
		if (a->members[i] == item)
			return true;
	}
	return false;
}

/* Make the answer again, unless it is the one in hand. */
static bool recommend(struct feedback_join *j, const struct shown_what *w)
{
	struct serve_thread *t = j->thread;

	if (j->made && same(&j->of, w))
		return true;
	j->made = false;
	if (!serve_thread_room(t, w->n))
		return false;
	j->made = w->kind == AXIS_ITEM
			  ? recommend_by_item(&j->r, j->packed, w->asked, t->near, w->n, &t->scratch)
			  : recommend_to_customer(&j->r, j->packed, w->asked, j->fill, t->near, w->n, &t->scratch);
	j->of = *w;
	return j->made;
}

/* Is the item in the answer, and where? */
static void find_place(const struct feedback_join *j, struct feedback_event *e, uint32_t item)
{
	const struct shown_what *w = &j->of;

	e->trial = w->kind == AXIS_CUSTOMER && e->kind == EVENT_PURCHASE;
	e->outcome = OUTCOME_MISS;
	for (size_t i = 0; i < j->r.total; i++) {
		if (j->thread->near[i].id != item)
			continue;
		e->outcome = OUTCOME_HIT;
		e->place = (uint32_t)i + 1;
		e->source = recommend_source(&j->r, w->kind, i);
		return;
	}
}

static bool decide(struct feedback_event *e, enum outcome outcome)
{
	e->outcome = outcome;
	return false;
}

/* The answer of a recommendation_id. */
static bool find_by_id(const struct feedback_join *j, struct feedback_event *e, struct shown_what *w, struct text *customer)
{
	const struct axis *customers = &j->packed->model.axis[AXIS_CUSTOMER];

	switch (shown_find(j->board, e->id, w)) {
	case SHOWN_FOREIGN:
		return decide(e, OUTCOME_FOREIGN_ID);
	case SHOWN_GONE:
		return decide(e, OUTCOME_GONE);
	case SHOWN_KNOWN:
		break;
	}
	if (w->generation != j->packed->generation)
		return decide(e, OUTCOME_OLD_GENERATION);
	if (w->asked >= j->packed->model.axis[w->kind].n || w->n < 1 || w->n > MOST_N)
		return decide(e, OUTCOME_GONE);
	if (w->kind == AXIS_ITEM)
		return true;
	struct text asked = model_id(customers, w->asked);

	if (customer->at && !is_text(*customer, asked)) {
		e->detail = "the answer was another user's";
		return decide(e, OUTCOME_FOREIGN_ID);
	}
	*customer = asked;
	return true;
}

static bool find_user(const struct feedback_join *j, struct feedback_event *e, struct shown_what *w)
{
	*w = (struct shown_what){.kind = AXIS_CUSTOMER};
	w->asked = model_find(&j->packed->model.axis[AXIS_CUSTOMER], e->user.at, e->user.len);
	return w->asked != MODEL_NONE || decide(e, OUTCOME_UNKNOWN_USER);
}

/* The newest answer for that customer, who is known. */
static bool find_by_user(const struct feedback_join *j, struct feedback_event *e, struct shown_what *w)
{
	uint32_t customer = w->asked;

	return (shown_latest(j->board, j->packed->generation, customer, w) && w->asked == customer && w->n >= 1 &&
		w->n <= MOST_N) ||
	       decide(e, OUTCOME_NOT_SHOWN);
}

bool feedback_join(struct feedback_join *j, struct feedback_event *e, struct text *customer)
{
	const struct model *m = &j->packed->model;
	struct shown_what w;

	*customer = e->user;
	if (!(e->id.at ? find_by_id(j, e, &w, customer) : find_user(j, e, &w)))
		return true;
	uint32_t item = model_find(&m->axis[AXIS_ITEM], e->item.at, e->item.len);

	if (item == MODEL_NONE)
		return decide(e, OUTCOME_UNKNOWN_ITEM), true;
	if (w.kind == AXIS_CUSTOMER && has(m, w.asked, item))
		return decide(e, OUTCOME_REPEAT), true;
	if (!e->id.at && !find_by_user(j, e, &w))
		return true;
	if (!recommend(j, &w))
		return false;
	find_place(j, e, item);
	return true;
}
