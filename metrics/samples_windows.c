/* samples_windows.c - the last closed windows, as the monitor has published them, and the monitor itself. A number that does
 * not apply, of a window that was not closed in this generation, of a series without values, is left out. */
#include <math.h>

#include "page.h"

static const char *const kind_name[] = {
#define X(symbol, label) [WINDOW_##symbol] = label,
	WINDOW_KINDS(X)
#undef X
};

/* The window of a kind, if any was closed of this generation. */
static const struct monitored_window *closed_window(const struct page *p, unsigned kind)
{
	const struct monitored_window *w = &p->monitored.window[kind];

	return p->watched && !isnan(w->seconds) ? w : NULL;
}

void samples_windows_closed(struct page *p)
{
	for (unsigned kind = 0; p->watched && kind < WINDOW_KIND_COUNT; kind++)
		page_value_by(p, "kind", kind_name[kind], p->monitored.window[kind].closed);
}

/* An older generation's, too: it is when the last one was. */
void samples_window_end(struct page *p)
{
	for (unsigned kind = 0; p->watched && kind < WINDOW_KIND_COUNT; kind++) {
		if (p->monitored.window[kind].closed > 0)
			page_value_by(p, "kind", kind_name[kind], (uint64_t)p->monitored.window[kind].end);
	}
}

void samples_window_duration(struct page *p)
{
	for (unsigned kind = 0; kind < WINDOW_KIND_COUNT; kind++) {
		struct labels l = {.len = 0};

		labels_add(&l, "kind", kind_name[kind]);
		if (closed_window(p, kind))
			write_real(&p->w, &l, closed_window(p, kind)->seconds);
	}
}

void samples_window_limit(struct page *p)
{
	if (p->watched)
		page_value(p, p->monitored.window_seconds);
}

void samples_window_requests(struct page *p)
{
	for (unsigned kind = 0; kind < WINDOW_KIND_COUNT; kind++) {
		if (closed_window(p, kind))
			page_value_by(p, "kind", kind_name[kind], closed_window(p, kind)->requests);
	}
}

void samples_window_entities(struct page *p)
{
	for (unsigned axis = 0; axis < AXES; axis++) {
		if (closed_window(p, axis))
			page_value_by(p, "kind", kind_name[axis], closed_window(p, axis)->entities);
	}
}

void samples_window_unknown_ids(struct page *p)
{
	for (unsigned axis = 0; axis < AXES; axis++) {
		if (closed_window(p, axis))
			page_value_by(p, "kind", kind_name[axis], closed_window(p, axis)->strangers);
	}
}

static void statistic(struct page *p, const char *kind, const char *value, const char *name, double number)
{
	struct labels l = {.len = 0};

	labels_add(&l, "kind", kind);
	labels_add(&l, "value", value);
	labels_add(&l, "statistic", name);
	write_real(&p->w, &l, number);
}

static void statistics(struct page *p, const char *kind, const char *value, const struct monitored_statistics *s)
{
	static const char *const name[] = {
#define X(symbol, label) [STATISTIC_##symbol] = label,
		STATISTICS(X)
#undef X
	};

	if (s->n == 0)
		return;
	statistic(p, kind, value, "number", (double)s->n);
	for (unsigned i = 0; i < STATISTIC_COUNT; i++)
		statistic(p, kind, value, name[i], s->of[i]);
}

void samples_prediction_statistic(struct page *p)
{
	static const char *const name[] = {
#define X(symbol, label) [VALUE_##symbol] = label,
		WINDOW_VALUES(X)
#undef X
	};

	for (unsigned axis = 0; axis < AXES; axis++) {
		const struct monitored_window *w = closed_window(p, axis);

		for (unsigned i = 0; w && i < WINDOW_VALUE_COUNT; i++)
			statistics(p, kind_name[axis], name[i], &w->value[i]);
	}
}

void samples_catalogue_returned(struct page *p)
{
	for (unsigned axis = 0; axis < AXES; axis++) {
		const struct monitored_window *w = closed_window(p, axis);
		struct labels l = {.len = 0};

		labels_add(&l, "kind", kind_name[axis]);
		if (w && w->catalogue > 0)
			write_real(&p->w, &l, (double)w->catalogue_shown / (double)w->catalogue);
	}
}

void samples_monitor_restarts(struct page *p)
{
	if (p->board->head->counting)
		page_value(p, LOAD(p->board->head->monitor_restarts));
}

/* The clock may have been set back since. */
void samples_monitor_age(struct page *p)
{
	if (p->watched)
		page_value(p, p->now > p->monitored.looked ? (uint64_t)(p->now - p->monitored.looked) : 0);
}
