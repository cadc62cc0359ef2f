/* rates.c - trials and hits: from workers' sums to a rate, a window, and the detector of concept drift.
 *
 * Called by watching.c with every look. Trials of the generation before still come, since customers buy later than they are
 * recommended to; they count for that one. Nothing can fail. */
#include "rates.h"

#include <math.h>
#include <string.h>

static void tell_concept(const struct rates *a, struct monitored *f)
{
	f->concept_state = (uint32_t)concept_state(&a->concept);
	f->concept_statistic = a->concept.statistic;
	f->concept_threshold = a->concept.lambda;
}

/* A rate out of a handful is none: one purchase told after the last export, and hit, would promise 1 for ever. With 30 hits
 * its standard error is below a fifth of it. */
static double promised(const struct backtest *b, uint64_t hits)
{
	return hits >= RATES_LEAST_HITS ? (double)hits / (double)b->trials : NAN;
}

void rates_begin(struct rates *a, struct monitored *f, const struct profile *p, const struct window_rules *r)
{
	f->hit_baseline = promised(&p->backtest, profile_backtest_hits(p, r->default_n));
	f->rate[1] = f->rate[0];
	f->rate[0] = (struct monitored_rate){.generation = p->generation};
	a->trials = a->hits = 0;
	concept_begin(&a->concept, f->hit_baseline, r->hit_drop_percent / 100.0, r->hit_lambda);
	tell_concept(a, f);
}

/* One generation's cell. */
static uint64_t take(struct rates *a, struct monitored_rate *of, const struct sums_quick *q, uint64_t *hits)
{
	unsigned cell = of->generation % SUMS_TRIALS;
	uint64_t trials = q->trials[cell] - a->used_trials[cell];

	*hits = q->hits[cell] - a->used_hits[cell];
	of->all_trials += trials;
	of->all_hits += *hits;
	return trials;
}

void rates_look(struct rates *a, struct monitored *f, const struct sums_quick *q)
{
	uint64_t hits, late_hits, trials = take(a, &f->rate[0], q, &hits);

	if (f->rate[1].generation > 0)
		take(a, &f->rate[1], q, &late_hits);
	a->trials += trials;
	a->hits += hits;
	if (trials > 0)
		concept_feed(&a->concept, trials, hits);
	memcpy(a->used_trials, q->trials, sizeof a->used_trials);
	memcpy(a->used_hits, q->hits, sizeof a->used_hits);
	tell_concept(a, f);
}

void rates_close(struct rates *a, struct monitored *f)
{
	f->rate[0].trials = f->window[WINDOW_FEEDBACK].requests = a->trials;
	f->rate[0].hits = a->hits;
	a->trials = a->hits = 0;
}
