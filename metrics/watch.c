/* watch.c - what is added for a prediction: to the cells that the monitor takes windows from, and to the families that
 * Prometheus takes.
 *
 * Called by predict.c once an answer is complete. Nothing here can fail. Each value costs one bin index and one relaxed
 * addition; what is expensive in that is not the addition but a line of the cache that another core has written last. */
#include "watch.h"

#include <xxhash.h>

#define SOON 8				/* results whose lines are fetched: the core has no more hands */

/* A prediction's mean score can be a few 1e-16 more than 1. */
static void add_score(_Atomic uint32_t bins[WATCH_SCORES], double score)
{
	uint32_t i = (uint32_t)(score * (WATCH_SCORES - 1) + 0.5);

	watch_more(&bins[i < WATCH_SCORES ? i : WATCH_SCORES - 1]);
}

/* Entity i of an axis of n. */
static void add_entity(_Atomic uint32_t cells[WATCH_ENTITIES], uint32_t n, uint32_t i)
{
	uint32_t stride = watch_stride(n);

	if (stride == 1)
		watch_more(&cells[i]);
	else if (i % stride == 0)
		watch_more(&cells[i / stride]);
}

static unsigned score_bin(double it) { return 0 SCORE_BOUNDS(BIN_OF_IT); }

static unsigned result_bin(size_t it) { return 0 RESULT_BOUNDS(BIN_OF_IT); }

static enum delivery delivery(const struct watch_answer *a)
{
	if (a->r->total < a->n)
		return DELIVERY_SHORT;
	return a->r->near < a->n ? DELIVERY_FILLED : DELIVERY_FULL;
}

static void tell_prometheus(struct predicted *p, const struct watch_answer *a)
{
	size_t fill = a->r->total - a->r->near;

	counters_more(&p->outcome[delivery(a)], 1);
	if (fill > 0)
		counters_more(&p->fill_ids, fill);
	counters_more(&p->own_results[result_bin(a->r->near)], 1);
	if (a->r->near == 0)
		return;
	counters_more(&p->own_ids, a->r->near);
	counters_more(&p->score, (uint64_t)(a->top * 1e9 + 0.5));
	counters_more(&p->top_score[score_bin(a->top)], 1);
}

static void soon(const void *at) { __builtin_prefetch(at, 1); }

void watch_asked_soon(const struct watch *w, const struct counters *c, const struct model *m, enum axis_kind kind, uint32_t asked)
{
	const uint8_t *p = (const uint8_t *)&c->predictions[kind];

	for (size_t i = 0; i < sizeof c->predictions[kind]; i += 64)
		soon(p + i);
	soon(&w->asked[kind][asked / watch_stride(m->axis[kind].n)]);
}

void watch_results_soon(const struct watch *w, const struct model *m, enum axis_kind kind, const struct recommendation *r,
			const struct neighbour *out)
{
	uint32_t stride = watch_stride(m->axis[AXIS_ITEM].n);

	soon(&w->own_results[kind][r->near < WATCH_RESULTS ? r->near : WATCH_RESULTS - 1]);
	for (size_t i = 0; i < r->total && i < SOON; i++)
		soon(&w->returned[kind][out[i].id / stride]);
}

void watch_answered(struct watch *w, struct counters *c, const struct model *m, const struct watch_answer *a)
{
	const struct recommendation *r = a->r;

	tell_prometheus(&c->predictions[a->kind], a);
	add_entity(w->asked[a->kind], m->axis[a->kind].n, a->asked);
	watch_more(&w->own_results[a->kind][r->near < WATCH_RESULTS ? r->near : WATCH_RESULTS - 1]);
	if (r->near > 0)
		add_score(w->top_score[a->kind], a->top);
	if (r->total > 0)
		add_score(w->mean_score[a->kind], a->sum / (double)r->total);
	for (size_t i = 0; i < r->total; i++)
		add_entity(w->returned[a->kind], m->axis[AXIS_ITEM].n, a->out[i].id);
}

void watch_stranger(struct watch *w, struct counters *c, enum axis_kind kind, struct text id)
{
	counters_more(&c->predictions[kind].outcome[DELIVERY_UNKNOWN], 1);
	watch_more(&w->strangers[kind][XXH3_64bits(id.at, id.len) % WATCH_STRANGERS]);
}
