/* predict.c - the two questions Akin exists for, between HTTP and the algorithms of recommend.c.
 *
 * Called by serve.c with a pinned model. What can go wrong is in the answer: 422 for a bad parameter, 404 for an id
 * the model does not know, 500 when memory is short. */
#include "predict.h"

#include <stdio.h>

#include "../shm/recommend.h"
#include "query.h"

#define LITERAL(s) (s), sizeof(s) - 1
#define QUOTED_ID  96			/* bytes of an unknown id that the answer repeats, escapes included */

static const char *const source_name[] = {
	[SOURCE_USER] = "user", [SOURCE_ITEM] = "item", [SOURCE_POPULAR] = "popular",
};

/* The id may be any bytes: it is shown as printable UTF-8, cut. */
static void refuse_unknown(struct answer *a, enum axis_kind kind, struct text id)
{
	char shown[QUOTED_ID], detail[QUOTED_ID + 32];

	fault_quote(shown, sizeof shown, id.at, id.len);
	snprintf(detail, sizeof detail, "%s '%s' not found", kind == AXIS_ITEM ? "Item" : "User", shown);
	answer_detail(a, 404, detail);
}

static void write_ids(struct answer *a, const struct model *m, const struct neighbour *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			answer_bytes(a, LITERAL(","));
		answer_string(a, model_id(&m->axis[AXIS_ITEM], out[i].id));
	}
}

/* Returns the sum of the scores. */
static double write_details(struct answer *a, const struct recommendation *r, const struct packed *p,
			    enum axis_kind kind, uint32_t asked, const struct neighbour *out)
{
	const struct model *m = &p->model;
	double sum = 0;

	for (size_t i = 0; i < r->total; i++) {
		double score = recommend_score(r, p, kind, asked, out, i);

		sum += score;
		if (i)
			answer_bytes(a, LITERAL(","));
		answer_bytes(a, LITERAL("{\"id\":"));
		answer_string(a, model_id(&m->axis[AXIS_ITEM], out[i].id));
		answer_bytes(a, LITERAL(",\"description\":"));
		answer_string(a, model_description(m, out[i].id));
		answer_bytes(a, LITERAL(",\"score\":"));
		answer_score(a, score);
		answer_bytes(a, LITERAL(",\"source\":\""));
		answer_text(a, source_name[recommend_source(r, kind, i)]);
		answer_bytes(a, LITERAL("\"}"));
	}
	return sum;
}

/* Remember the answer, and tell the client its name. */
static void write_name(struct serve_thread *t, const struct traces *to, uint64_t generation, enum axis_kind kind,
		       uint32_t asked, uint32_t n)
{
	const struct shown_what what = {
		.generation = generation, .kind = kind, .asked = asked, .n = n, .began = t->began,
	};
	char name[SHOWN_ID];

	shown_add(to->board, to->shown, &what, name);
	answer_bytes(&t->answer, LITERAL(",\"recommendation_id\":\""));
	answer_bytes(&t->answer, name, sizeof name);
	answer_bytes(&t->answer, LITERAL("\""));
}

static void watch(const struct traces *to, const struct packed *p, struct watch_answer *w, bool summed)
{
	if (!summed)
		w->sum = recommend_score_sum(w->r, p, w->kind, w->asked, w->out);
	if (w->r->total > 0)
		w->top = recommend_score(w->r, p, w->kind, w->asked, w->out, 0);
	watch_answered(to->watch, to->counters, &p->model, w);
}

void predict(struct serve_thread *t, const struct settings *s, const struct traces *to, const struct packed *p,
	     enum axis_kind kind, struct text id, struct text query)
{
	const struct axis *axis = &p->model.axis[kind];
	struct answer *a = &t->answer;
	struct recommendation r;
	struct query q;
	double sum = 0;

	if (!query_parse(&q, query, s->default_n, s->max_n)) {
		query_refuse(a, &q, s->max_n);
		return;
	}
	a->generation = p->generation;
	uint32_t asked = model_find(axis, id.at, id.len);
	if (asked == MODEL_NONE) {
		refuse_unknown(a, kind, id);
		if (to->counters)
			watch_stranger(to->watch, to->counters, kind, id);
		return;
	}
	if (to->counters)
		watch_asked_soon(to->watch, to->counters, &p->model, kind, asked);
	if (to->shown)
		shown_soon(to->shown, kind, asked);
	bool ok = serve_thread_room(t, q.n) &&
		  (kind == AXIS_ITEM
			   ? recommend_by_item(&r, p, asked, t->near, q.n, &t->scratch)
			   : recommend_to_customer(&r, p, asked, s->fill, t->near, q.n, &t->scratch));
	if (!ok) {
		a->failed = true;
		return;
	}
	if (to->counters)
		watch_results_soon(to->watch, &p->model, kind, &r, t->near);
	if (kind == AXIS_ITEM)
		answer_bytes(a, LITERAL("{\"success\":true,\"type\":\"item_based\",\"total\":"));
	else
		answer_bytes(a, LITERAL("{\"success\":true,\"type\":\"user_based\",\"total\":"));
	answer_number(a, r.total);
	answer_bytes(a, LITERAL(",\"data\":{"));
	answer_string(a, model_id(axis, asked));
	answer_bytes(a, LITERAL(":["));
	if (q.details)
		sum = write_details(a, &r, p, kind, asked, t->near);
	else
		write_ids(a, &p->model, t->near, r.total);
	answer_bytes(a, LITERAL("]}"));
	if (to->shown)
		write_name(t, to, p->generation, kind, asked, q.n);
	answer_bytes(a, LITERAL("}"));
	if (to->counters && !a->failed)
		watch(to, p, &(struct watch_answer){.kind = kind, .asked = asked, .n = q.n, .r = &r, .out = t->near, .sum = sum},
		      q.details);
}
