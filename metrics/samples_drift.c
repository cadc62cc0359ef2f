/* samples_drift.c - every feature against every reference, as the monitor has published it. What does not apply is left
 * out; whether there is a verdict, and which, is always said. */
#include <math.h>

#include "page.h"

static const char *const reference_name[] = {
#define X(symbol, label) [REFERENCE_##symbol] = label,
	DRIFT_REFERENCES(X)
#undef X
};

static struct labels labels_of(unsigned feature, const char *reference)
{
	struct labels l = {.len = 0};

	labels_add(&l, "feature", feature_name((enum feature)feature));
	labels_add(&l, "reference", reference);
	return l;
}

/* One number of each feature and reference. */
static void each(struct page *p, double (*number)(const struct monitored_drift *d))
{
	for (unsigned f = 0; p->watched && f < FEATURE_COUNT; f++) {
		for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
			struct labels l = labels_of(f, reference_name[r]);

			write_real(&p->w, &l, number(&p->monitored.drift[f][r]));
		}
	}
}

#define SAMPLES(family, what) \
	static double number_##family(const struct monitored_drift *d) { return (double)(what); } \
	void samples_##family(struct page *p) { each(p, number_##family); }

SAMPLES(drift_ks_distance, d->ks_distance)
SAMPLES(drift_ks_critical, isinf(d->ks_critical) ? NAN : d->ks_critical)
SAMPLES(drift_ks_p_value, d->ks_p_value)
SAMPLES(drift_psi, d->psi)
SAMPLES(drift_psi_critical, d->psi_critical)
SAMPLES(drift_insufficient, d->insufficient)
SAMPLES(drift_detected, d->detected)
SAMPLES(drift_window_samples, d->samples)
SAMPLES(drift_reference_samples, d->reference_samples)
SAMPLES(drift_unknown_p_value, d->share_p_value)

/* Distinct ids in the window and in training; requests in the window and in those before. */
void samples_drift_unknown_ratio(struct page *p)
{
	for (unsigned f = FEATURE_BINNED; p->watched && f < FEATURE_COUNT; f++) {
		const struct monitored_drift *d = p->monitored.drift[f];
		struct labels l = labels_of(f, "window");

		write_real(&p->w, &l, d[REFERENCE_TRAINING].share);
		l = labels_of(f, "window_requests");
		write_real(&p->w, &l, d[REFERENCE_PREVIOUS].share);
		for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
			l = labels_of(f, reference_name[r]);
			write_real(&p->w, &l, d[r].reference_share);
		}
	}
}
