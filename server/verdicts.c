/* verdicts.c - the monitor's verdicts, in the log, for whoever has no Prometheus, or looks at a night afterwards.
 *
 * Called by the monitor's loop after each look that has found something. A verdict changes after drift_windows windows at the
 * earliest, so lines are few. The reference `previous` is left out: it tells a jump and takes it in, which alarms nobody. */
#include "verdicts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

static const char *const reference_name[] = {
#define X(symbol, label) [REFERENCE_##symbol] = label,
	DRIFT_REFERENCES(X)
#undef X
};

void verdicts_begin(struct verdicts *v, const struct monitored *m)
{
	v->generation = m->generation;
	v->concept_state = m->concept_state;
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		for (unsigned ref = 0; ref < DRIFT_REFERENCE_COUNT; ref++)
			v->drifted[f][ref] = m->drift[f][ref].detected;
	}
}

/* What the verdict rests on. */
static const char *figures(char *text, size_t cap, const struct monitored_drift *d)
{
	if (!isnan(d->share))
		snprintf(text, cap, "%.1f %% unknown, %.1f %% expected,", 100 * d->share, 100 * d->reference_share);
	else if (!isnan(d->ks_distance))
		snprintf(text, cap, "KS distance %.3f, critical %.3f; PSI %.3f, critical %.3f,", d->ks_distance, d->ks_critical,
			 d->psi, d->psi_critical);
	else
		snprintf(text, cap, "PSI %.3f, critical %.3f,", d->psi, d->psi_critical);
	return text;
}

static void tell_drift(bool *told, enum feature f, unsigned reference, const struct monitored_drift *d)
{
	char text[160];

	if (*told == (bool)d->detected)
		return;
	*told = d->detected;
	if (*told)
		log_line(LOG_WARN, "%s has drifted from %s: %s in the last window", feature_name(f), reference_name[reference],
			 figures(text, sizeof text, d));
	else
		log_line(LOG_INFO, "%s has drifted from %s no longer", feature_name(f), reference_name[reference]);
}

static void tell_concept(struct verdicts *v, const struct monitored *m)
{
	unsigned long long generation = (unsigned long long)m->generation;

	if (v->concept_state == m->concept_state)
		return;
	if (m->concept_state == CONCEPT_DRIFTED)
		log_line(LOG_WARN, "concept drift: %.1f hits are missing among the purchases of generation %llu, more than %.0f "
			 "(hit_lambda)", m->concept_statistic, generation, m->concept_threshold);
	else if (m->concept_state == CONCEPT_WARNING)
		log_line(LOG_INFO, "%.1f hits are missing among the purchases of generation %llu; above %.0f it is concept drift",
			 m->concept_statistic, generation, m->concept_threshold);
	else if (v->concept_state == CONCEPT_DRIFTED)
		log_line(LOG_INFO, "concept drift is over: %.1f hits are missing", m->concept_statistic);
	v->concept_state = m->concept_state;
}

void verdicts_tell(struct verdicts *v, const struct monitored *m)
{
	if (v->generation != m->generation)
		*v = (struct verdicts){.generation = m->generation, .concept_state = CONCEPT_UNKNOWN};
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		for (unsigned ref = 0; ref < DRIFT_REFERENCE_COUNT; ref++) {
			if (ref != REFERENCE_PREVIOUS)
				tell_drift(&v->drifted[f][ref], (enum feature)f, ref, &m->drift[f][ref]);
		}
	}
	tell_concept(v, m);
}
