/* watching.c - when windows are closed, and in which order things follow from that.
 *
 * Called by the monitor (server/monitoring.c) some times a second, and by studies of it. A window is closed at the first
 * look that finds enough requests in it, so it may have a few more; or when it is old enough, with whatever it has. It is
 * compared before it becomes a reference itself. One with too few requests becomes none. Nothing can fail but watching_begin(). */
#include "watching.h"

#include <math.h>
#include <string.h>

void watching_open(struct watching *w, const struct window_rules *rules)
{
	memset(w, 0, sizeof *w);
	w->rules = *rules;
	w->kept.found.window_seconds = rules->seconds;
}

/* The last windows of the generation before are no news any more; how many there were, and when, is. */
static void forget(struct watching *w)
{
	struct monitored *f = &w->kept.found;

	for (unsigned kind = 0; kind < WINDOW_KIND_COUNT; kind++) {
		struct monitored_window *m = &f->window[kind];

		*m = (struct monitored_window){.closed = m->closed, .end = m->end, .seconds = NAN};
	}
	for (unsigned axis = 0; axis < AXES; axis++) {
		live_forget(&w->kept.baseline, (enum axis_kind)axis);
		live_forget(&w->kept.previous, (enum axis_kind)axis);
	}
	verdict_begin(f->drift);
}

bool watching_begin(struct watching *w, const struct model *m, uint64_t generation, const struct sums *start, int64_t now,
		    struct fault *why)
{
	struct monitored *f = &w->kept.found;
	struct sums_quick q;

	if (!profile_make(&w->profile, m, generation, why))
		return false;
	if (f->generation != generation) {
		forget(w);
		f->generation = generation;
		rates_begin(&w->kept.rates, f, &w->profile, &w->rules);
	}
	w->start = *start;
	sums_quick_of(&q, start);
	memcpy(w->start_requests, q.requests, sizeof w->start_requests);
	for (unsigned kind = 0; kind < WINDOW_KIND_COUNT; kind++)
		w->opened[kind] = now;
	return true;
}

static bool due(const struct watching *w, enum window_kind kind, uint64_t requests, int64_t now)
{
	return requests >= w->rules.requests || now - w->opened[kind] >= (int64_t)w->rules.seconds * 1000;
}

static void close_window(struct watching *w, enum window_kind kind, int64_t now, int64_t wall)
{
	struct monitored_window *m = &w->kept.found.window[kind];

	m->closed++;
	m->end = wall;
	m->seconds = (double)(now - w->opened[kind]) / 1000;
	w->opened[kind] = now;
}

static bool axis_due(const struct watching *w, enum axis_kind axis, const struct sums_quick *q, int64_t now)
{
	return due(w, (enum window_kind)axis, q->requests[axis] - w->start_requests[axis], now);
}

bool watching_quick(struct watching *w, const struct sums_quick *q, int64_t now, int64_t wall)
{
	rates_look(&w->kept.rates, &w->kept.found, q);
	if (due(w, WINDOW_FEEDBACK, w->kept.rates.trials, now)) {
		rates_close(&w->kept.rates, &w->kept.found);
		close_window(w, WINDOW_FEEDBACK, now, wall);
	}
	return axis_due(w, AXIS_ITEM, q, now) || axis_due(w, AXIS_CUSTOMER, q, now);
}

/* The next window of this axis begins where this one ended. */
static void restart(struct watching *w, enum axis_kind axis, const struct sums *s, uint32_t requests)
{
	memcpy(w->start.asked[axis], s->asked[axis], sizeof s->asked[axis]);
	memcpy(w->start.strangers[axis], s->strangers[axis], sizeof s->strangers[axis]);
	memcpy(w->start.top_score[axis], s->top_score[axis], sizeof s->top_score[axis]);
	memcpy(w->start.mean_score[axis], s->mean_score[axis], sizeof s->mean_score[axis]);
	memcpy(w->start.own_results[axis], s->own_results[axis], sizeof s->own_results[axis]);
	memcpy(w->start.returned[axis], s->returned[axis], sizeof s->returned[axis]);
	w->start_requests[axis] = requests;
}

static void close_axis(struct watching *w, enum axis_kind axis, const struct sums *s, int64_t now, int64_t wall)
{
	struct watching_kept *k = &w->kept;

	window_take(&w->window, axis, &w->profile, &w->start, s);
	window_tell(&k->found.window[axis], &w->window, &w->profile, &w->start, s, w->room);
	verdict_look(k->found.drift, &w->window, &w->profile, &k->baseline, &k->previous, &w->rules);
	if (verdict_enough(&w->window, &w->rules)) {
		if (k->baseline.windows[axis] < w->rules.baseline_windows)
			live_add(&k->baseline, &w->window);
		if (!verdict_pending(k->found.drift, axis, REFERENCE_PREVIOUS))
			live_follow(&k->previous, &w->window);
	}
	close_window(w, (enum window_kind)axis, now, wall);
}

unsigned watching_look(struct watching *w, const struct sums *s, int64_t now, int64_t wall)
{
	uint64_t closed = w->kept.found.window[WINDOW_FEEDBACK].closed;
	struct sums_quick q;
	unsigned which = 0;

	sums_quick_of(&q, s);
	watching_quick(w, &q, now, wall);
	if (w->kept.found.window[WINDOW_FEEDBACK].closed != closed)
		which |= 1u << WINDOW_FEEDBACK;
	for (unsigned axis = 0; axis < AXES; axis++) {
		if (!axis_due(w, (enum axis_kind)axis, &q, now))
			continue;
		close_axis(w, (enum axis_kind)axis, s, now, wall);
		restart(w, (enum axis_kind)axis, s, q.requests[axis]);
		which |= 1u << axis;
	}
	return which;
}
