/* window.c - from the difference of two sums to histograms and statistics.
 *
 * Called by watching.c when a window is closed. Takes about as long as sorting its distinct entities. Nothing can fail. */
#include "window.h"

#include <math.h>
#include <string.h>

/* Unknown ids are told apart by a hash, and some share a cell. How many there were is estimated from how many cells are
 * taken ("linear counting", Whang 1990); when all are, it can't be told any more, and as many as are likely to do that are
 * assumed. */
static uint64_t distinct(uint64_t taken, uint64_t cells)
{
	double n = (double)cells;

	if (taken < cells)
		return (uint64_t)llround(-n * log1p(-(double)taken / n));
	return (uint64_t)llround(n * (log(n) + 0.5772));
}

static void take_strangers(struct window *w, const struct profile *p, const uint32_t *from, const uint32_t *to)
{
	uint64_t taken = 0, cells = 0;

	for (unsigned i = 0; i < WATCH_STRANGERS; i++) {
		uint32_t times = to[i] - from[i];

		w->unknown += times;
		if (!profile_stranger(p, w->axis, i))
			continue;
		cells++;
		taken += times > 0;
		if (w->axis == AXIS_ITEM && times > 0) {
			w->by_request[FEATURE_ITEM_MIX][i % FEATURE_BUCKETS] += times;
			w->by_entity[FEATURE_ITEM_MIX][i % FEATURE_BUCKETS]++;
		}
	}
	w->strangers = distinct(taken, cells);
}

void window_take(struct window *w, enum axis_kind axis, const struct profile *p, const struct sums *from,
		 const struct sums *to)
{
	memset(w, 0, sizeof *w);
	w->axis = axis;
	for (unsigned i = 0; i < WATCH_RESULTS; i++)
		w->requests += to->own_results[axis][i] - from->own_results[axis][i];
	for (uint32_t cell = 0; cell < p->counted[axis]; cell++) {
		uint32_t times = to->asked[axis][cell] - from->asked[axis][cell];

		if (times == 0)
			continue;
		w->entities++;
		for (unsigned f = 0; f < FEATURE_BINNED; f++) {
			if (feature_axis((enum feature)f) != axis)
				continue;
			w->by_request[f][p->bin[f][cell]] += times;
			w->by_entity[f][p->bin[f][cell]]++;
		}
	}
	take_strangers(w, p, from->strangers[axis], to->strangers[axis]);
}

/* Scores, counted in thousandths. */
static void tell_scores(struct monitored_statistics *s, const uint32_t *from, const uint32_t *to)
{
	uint64_t counts[WATCH_SCORES];

	for (unsigned i = 0; i < WATCH_SCORES; i++)
		counts[i] = to[i] - from[i];
	summary_of_histogram(s, counts, WATCH_SCORES, 1000, 0);
}

static void tell_results(struct monitored_statistics *s, const uint32_t *from, const uint32_t *to)
{
	uint64_t counts[WATCH_RESULTS];

	for (unsigned i = 0; i < WATCH_RESULTS; i++)
		counts[i] = to[i] - from[i];
	summary_of_histogram(s, counts, WATCH_RESULTS, 1, 0);
}

/* Numbers of entities, each as often as its cell says. Returns how many entities that are. */
static size_t tell_entities(struct monitored_statistics *s, const struct profile *p, enum axis_kind axis,
			    const uint32_t *from, const uint32_t *to, struct weighted *room)
{
	size_t n = 0;

	for (uint32_t cell = 0; cell < p->counted[axis]; cell++) {
		uint32_t times = to[cell] - from[cell];

		if (times > 0)
			room[n++] = (struct weighted){.value = p->value[axis][cell], .weight = times};
	}
	summary_of_weighted(s, room, n);
	return n;
}

void window_tell(struct monitored_window *m, const struct window *w, const struct profile *p, const struct sums *from,
		 const struct sums *to, struct weighted *room)
{
	enum axis_kind axis = w->axis;
	enum window_value asked = axis == AXIS_ITEM ? VALUE_ASKED_RANK : VALUE_HISTORY;

	memset(m->value, 0, sizeof m->value);
	m->requests = w->requests + w->unknown;
	m->unknown = w->unknown;
	m->entities = w->entities;
	m->strangers = w->strangers;
	tell_scores(&m->value[VALUE_TOP_SCORE], from->top_score[axis], to->top_score[axis]);
	tell_scores(&m->value[VALUE_MEAN_SCORE], from->mean_score[axis], to->mean_score[axis]);
	tell_results(&m->value[VALUE_OWN_RESULTS], from->own_results[axis], to->own_results[axis]);
	tell_entities(&m->value[asked], p, axis, from->asked[axis], to->asked[axis], room);
	m->catalogue = p->counted[AXIS_ITEM];
	m->catalogue_shown = tell_entities(&m->value[VALUE_RETURNED_RANK], p, AXIS_ITEM, from->returned[axis],
					   to->returned[axis], room);
}
