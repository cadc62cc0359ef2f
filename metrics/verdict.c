/* verdict.c - comparisons of a window, feature by feature, and the verdicts.
 *
 * Called by watching.c when a window is closed. The statistics are drift.h's. Where one does not apply, or there is too little
 * for it, it is NaN, and NaN is neither above nor below anything. Nothing can fail. */
#include "verdict.h"

#include <math.h>
#include <string.h>

#include "drift.h"

void live_forget(struct live *l, enum axis_kind axis)
{
	for (unsigned f = 0; f < FEATURE_BINNED; f++) {
		if (feature_axis((enum feature)f) == axis)
			memset(l->count[f], 0, sizeof l->count[f]);
	}
	l->requests[axis] = l->unknown[axis] = 0;
	l->windows[axis] = 0;
}

void live_add(struct live *l, const struct window *w)
{
	for (unsigned f = 0; f < FEATURE_BINNED; f++) {
		for (unsigned i = 0; i < REFERENCE_BINS && feature_axis((enum feature)f) == w->axis; i++)
			l->count[f][i] += w->by_request[f][i];
	}
	l->requests[w->axis] += w->requests + w->unknown;
	l->unknown[w->axis] += w->unknown;
	l->windows[w->axis]++;
}

void live_follow(struct live *l, const struct window *w)
{
	if (l->windows[w->axis] >= LIVE_MOST) {
		for (unsigned f = 0; f < FEATURE_BINNED; f++) {
			for (unsigned i = 0; i < REFERENCE_BINS && feature_axis((enum feature)f) == w->axis; i++)
				l->count[f][i] /= 2;
		}
		l->requests[w->axis] /= 2;
		l->unknown[w->axis] /= 2;
		l->windows[w->axis] /= 2;
	}
	live_add(l, w);
}

/* What does not apply, of one feature and reference; the verdict and its streak stay. */
static void clear(struct monitored_drift *d)
{
	d->ks_distance = d->ks_critical = d->ks_p_value = NAN;
	d->psi = d->psi_critical = NAN;
	d->share = d->reference_share = d->share_p_value = NAN;
	d->samples = d->reference_samples = 0;
	d->insufficient = 1;
}

void verdict_begin(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT])
{
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
			clear(&drift[f][r]);
			drift[f][r].detected = drift[f][r].streak = 0;
		}
	}
}

bool verdict_pending(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT], enum axis_kind axis,
		     enum drift_reference reference)
{
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		if (feature_axis((enum feature)f) == axis && drift[f][reference].streak > 0)
			return true;
	}
	return false;
}

bool verdict_enough(const struct window *w, const struct window_rules *r)
{
	return w->requests + w->unknown >= r->least;
}

/* The corrected level of significance. */
static double alpha(const struct window_rules *r) { return r->alpha_permille / 1000.0 / FEATURE_COUNT; }

static double effect(const struct window_rules *r, bool half) { return r->effect_percent / 100.0 / (half ? 2 : 1); }

static uint64_t sum_of(const uint64_t *counts, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += counts[i];
	return sum;
}

/* Bins to PSI's groups. */
static unsigned group_of(const struct profile *p, enum feature f, unsigned bin)
{
	return f == FEATURE_ITEM_MIX ? bin : p->reference[f].group[bin];
}

static void group_counts(const struct profile *p, enum feature f, const uint64_t *bins, uint64_t *groups)
{
	memset(groups, 0, REFERENCE_BINS * sizeof *groups);
	for (unsigned i = 0; i < profile_bins(p, f); i++)
		groups[group_of(p, f, i)] += bins[i];
}

static void group_weights(const struct profile *p, enum feature f, const double *bins, double *groups)
{
	for (unsigned i = 0; i < REFERENCE_BINS; i++)
		groups[i] = 0;
	for (unsigned i = 0; i < profile_bins(p, f); i++)
		groups[group_of(p, f, i)] += bins[i];
}

/* Is what has been put into *d more than chance, and large enough? Only what is a number speaks. */
static bool differs(const struct monitored_drift *d, enum feature f, double psi_excess, const struct window_rules *r)
{
	bool by_ks = d->ks_p_value < alpha(r) && d->ks_distance > effect(r, false);
	bool by_psi = d->psi > d->psi_critical && psi_excess > effect(r, f == FEATURE_ITEM_MIX);

	return by_ks || by_psi;
}

static void judge(struct monitored_drift *d, bool differs_now, const struct window_rules *r)
{
	d->insufficient = 0;
	if (differs_now == (d->detected != 0)) {
		d->streak = 0;
	} else if (++d->streak >= r->running) {
		d->detected = differs_now;
		d->streak = 0;
	}
}

/* Of an order, the features with a histogram; KS for those that have one. */
static void put_ks(struct monitored_drift *d, enum feature f, double distance, const struct window_rules *r)
{
	if (f == FEATURE_ITEM_MIX)
		return;
	d->ks_distance = distance;
	d->ks_critical = ks_critical(alpha(r), d->samples, d->reference_samples);
	d->ks_p_value = ks_p_value(distance, d->samples, d->reference_samples);
}

static double put_psi(struct monitored_drift *d, struct psi psi, const struct window_rules *r)
{
	d->psi = psi.value;
	d->psi_critical = psi_critical(alpha(r), psi.groups, d->samples, d->reference_samples);
	return psi.value - psi_expected(psi.groups, d->samples, d->reference_samples);
}

static void against_training(struct monitored_drift *d, enum feature f, const struct window *w, const struct profile *p,
			     const struct window_rules *r)
{
	double all[REFERENCE_BINS], mix[REFERENCE_BINS], groups[REFERENCE_BINS];
	unsigned bins = profile_bins(p, f);
	uint64_t counts[REFERENCE_BINS];

	for (unsigned i = 0; i < bins; i++)
		all[i] = p->reference[f].count[i];
	profile_mix(p, f, (double)w->requests, mix);
	struct mixture nearest = ks_nearest_mixture(w->by_entity[f], all, mix, bins);

	mixture_weights(nearest.share, all, mix, bins, mix);
	d->samples = sum_of(w->by_entity[f], bins);
	d->reference_samples = p->entities[w->axis];
	put_ks(d, f, nearest.distance, r);
	group_counts(p, f, w->by_entity[f], counts);
	group_weights(p, f, mix, groups);
	double excess = put_psi(d, psi_weights(counts, groups, (double)d->reference_samples, REFERENCE_BINS), r);

	if (verdict_enough(w, r) && d->samples >= VERDICT_LEAST)
		judge(d, differs(d, f, excess, r), r);
}

static void against_live(struct monitored_drift *d, enum feature f, const struct window *w, const struct profile *p,
			 const struct live *l, bool complete, const struct window_rules *r)
{
	uint64_t counts[REFERENCE_BINS], others[REFERENCE_BINS];
	unsigned bins = profile_bins(p, f);

	d->samples = sum_of(w->by_request[f], bins);
	d->reference_samples = sum_of(l->count[f], bins);
	if (!complete)
		return;
	put_ks(d, f, ks_distance(w->by_request[f], l->count[f], bins), r);
	group_counts(p, f, w->by_request[f], counts);
	group_counts(p, f, l->count[f], others);
	double excess = put_psi(d, psi_counts(counts, others, REFERENCE_BINS), r);

	if (verdict_enough(w, r) && d->samples >= VERDICT_LEAST && d->reference_samples >= VERDICT_LEAST)
		judge(d, differs(d, f, excess, r), r);
}

/* Unknown ids among ids: so many of all. */
struct part {
	uint64_t hits, n;
};

static void compare_shares(struct monitored_drift *d, struct part here, struct part there, bool enough,
			   const struct window_rules *r)
{
	d->samples = here.n;
	d->reference_samples = there.n;
	d->share = here.n ? (double)here.hits / (double)here.n : NAN;
	d->reference_share = there.n ? (double)there.hits / (double)there.n : NAN;
	d->share_p_value = proportion_p_value(here.hits, here.n, there.hits, there.n);
	if (enough && here.n >= VERDICT_LEAST && there.n >= VERDICT_LEAST)
		judge(d, d->share_p_value < alpha(r) && d->share - d->reference_share > effect(r, true), r);
}

/* Without a backtest nobody knows how many strangers are usual, and a shop has some every day: no verdict. */
static void share_against_training(struct monitored_drift *d, const struct window *w, const struct profile *p,
				   const struct window_rules *r)
{
	const struct backtest *b = &p->backtest;
	bool items = w->axis == AXIS_ITEM;
	struct part there = {items ? b->unknown_items : b->unknown_users, items ? b->seen_items : b->seen_users};

	compare_shares(d, (struct part){w->strangers, w->entities + w->strangers}, there, verdict_enough(w, r), r);
}

static void share_against_live(struct monitored_drift *d, const struct window *w, const struct live *l, bool complete,
			       const struct window_rules *r)
{
	struct part there = {l->unknown[w->axis], l->requests[w->axis]};

	if (!complete)
		there = (struct part){0, 0};
	compare_shares(d, (struct part){w->unknown, w->requests + w->unknown}, there, verdict_enough(w, r), r);
}

void verdict_look(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT], const struct window *w,
		  const struct profile *p, const struct live *baseline, const struct live *previous,
		  const struct window_rules *r)
{
	bool based = baseline->windows[w->axis] >= r->baseline_windows, followed = previous->windows[w->axis] > 0;

	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		enum feature f = (enum feature)i;
		struct monitored_drift *d = drift[f];

		if (feature_axis(f) != w->axis)
			continue;
		for (unsigned ref = 0; ref < DRIFT_REFERENCE_COUNT; ref++)
			clear(&d[ref]);
		if (f < FEATURE_BINNED) {
			against_training(&d[REFERENCE_TRAINING], f, w, p, r);
			against_live(&d[REFERENCE_BASELINE], f, w, p, baseline, based, r);
			against_live(&d[REFERENCE_PREVIOUS], f, w, p, previous, followed, r);
		} else {
			share_against_training(&d[REFERENCE_TRAINING], w, p, r);
			share_against_live(&d[REFERENCE_BASELINE], w, baseline, based, r);
			share_against_live(&d[REFERENCE_PREVIOUS], w, previous, followed, r);
		}
	}
}
