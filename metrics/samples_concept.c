/* samples_concept.c - whether customers buy what is recommended, and how retraining goes, as the monitor has published it. */
#include <math.h>

#include "page.h"
#include "retrain.h"

static struct labels generation_of(const struct monitored_rate *r)
{
	struct labels l = {.len = 0};

	labels_add_number(&l, "generation", r->generation);
	return l;
}

void samples_hit_rate(struct page *p)
{
	for (unsigned i = 0; p->watched && i < 2; i++) {
		const struct monitored_rate *r = &p->monitored.rate[i];
		struct labels l = generation_of(r);

		if (r->trials > 0)
			write_real(&p->w, &l, (double)r->hits / (double)r->trials);
	}
}

void samples_hit_rate_trials(struct page *p)
{
	for (unsigned i = 0; p->watched && i < 2; i++) {
		const struct monitored_rate *r = &p->monitored.rate[i];
		struct labels l = generation_of(r);

		if (r->generation > 0)
			write_value(&p->w, &l, r->trials);
	}
}

void samples_hit_rate_baseline(struct page *p)
{
	if (p->watched)
		write_real(&p->w, NULL, p->monitored.hit_baseline);
}

void samples_concept_drift_state(struct page *p)
{
	static const char *const name[] = {
#define X(symbol, label) [CONCEPT_##symbol] = label,
		CONCEPT_STATES(X)
#undef X
	};

	for (unsigned i = 0; p->watched && i < CONCEPT_STATE_COUNT; i++)
		page_value_by(p, "state", name[i], p->monitored.concept_state == i);
}

void samples_concept_drift_statistic(struct page *p)
{
	if (p->watched)
		write_real(&p->w, NULL, p->monitored.concept_statistic);
}

void samples_concept_drift_threshold(struct page *p)
{
	if (p->watched)
		write_real(&p->w, NULL, p->monitored.concept_threshold);
}

void samples_retrain(struct page *p)
{
	for (unsigned i = 0; p->watched && i < RETRAIN_RESULTS; i++)
		page_value_by(p, "result", retrain_name((enum retrain_result)i), p->monitored.retrain.results[i]);
}

static bool retrained(const struct page *p) { return p->watched && p->monitored.retrain.last > 0; }

void samples_retrain_last(struct page *p)
{
	if (retrained(p))
		page_value(p, (uint64_t)p->monitored.retrain.last);
}

void samples_retrain_last_successful(struct page *p)
{
	if (retrained(p))
		page_value(p, p->monitored.retrain.last_result == RETRAIN_OK);
}

void samples_retrain_age(struct page *p)
{
	if (retrained(p))
		page_value(p, p->now > p->monitored.retrain.last ? (uint64_t)(p->now - p->monitored.retrain.last) : 0);
}
