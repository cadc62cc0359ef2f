/* test_statistics.c - metrics/special, drift, summary and concept against what SciPy and NumPy say, and against what must
 * hold whatever the numbers are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../metrics/concept.h"
#include "../../metrics/drift.h"
#include "../../metrics/special.h"
#include "../../metrics/summary.h"
#include "by_scipy.inc"

#define LENGTH(a) (sizeof(a) / sizeof *(a))

/* Alike to so much of the number expected, or both beyond what a double holds. */
static void check(const char *what, double got, double want, double part)
{
	if (isnan(want) ? isnan(got) : got == want || fabs(got - want) <= part * fabs(want) + 1e-300)
		return;
	fail_msg("%s: %.17g, not %.17g", what, got, want);
}

static void near(const char *what, double got, double want)
{
	if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want))))
		fail_msg("%s: %.17g, not %.17g", what, got, want);
}

static double tail_of(const char *of, double x, double df)
{
	return !strcmp(of, "chi2") ? chi2_tail(x, df) : !strcmp(of, "normal") ? normal_tail(x) : kolmogorov_tail(x);
}

static void tails(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(tail_cases); i++)
		check(tail_cases[i].of, tail_of(tail_cases[i].of, tail_cases[i].x, tail_cases[i].df), tail_cases[i].p, 1e-9);
	for (size_t i = 0; i < LENGTH(where_cases); i++) {
		const struct where_case *c = &where_cases[i];
		double x = strcmp(c->of, "chi2") == 0 ? chi2_critical(c->alpha, c->df) : kolmogorov_critical(c->alpha);

		check(c->of, x, c->x, 1e-9);
		check(c->of, tail_of(c->of, x, c->df), c->alpha, 1e-9);
	}
	assert_true(isnan(kolmogorov_tail(NAN)) && isnan(chi2_tail(NAN, 3)) && isnan(chi2_tail(1, 0)) && isnan(normal_tail(NAN)));
	assert_true(isnan(kolmogorov_critical(0)) && isnan(kolmogorov_critical(NAN)) && isnan(chi2_critical(0, 3)));
	assert_true(isnan(chi2_critical(1.1, 3)) && isnan(chi2_critical(0.5, 0)));
	assert_true(kolmogorov_tail(-1) == 1 && chi2_tail(-1, 2) == 1);
}

static void exact_tails(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(exact_cases); i++) {
		const struct exact_case *c = &exact_cases[i];

		check("exact", ks_exact_tail(c->d, c->n, c->m), c->p, 1e-10);
		check("exact, turned", ks_exact_tail(c->d, c->m, c->n), c->p, 1e-10);
	}
	assert_true(ks_exact_tail(0, 5, 5) == 1 && ks_exact_tail(1.5, 5, 5) == 0);
	assert_true(isnan(ks_exact_tail(NAN, 5, 5)) && isnan(ks_exact_tail(0.5, 0, 5)) && isnan(ks_exact_tail(0.5, 5, 0)));
	assert_true(isnan(ks_exact_tail(0.5, 101, 100)));
	/* where one formula takes over from the other they say nearly the same */
	for (double d = 0.15; d < 0.3; d += 0.01)
		assert_true(fabs(ks_p_value(d, 100, 100) / kolmogorov_tail(d * sqrt(50)) - 1) < 0.3);
}

static void distances(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(ks_cases); i++) {
		const struct ks_case *c = &ks_cases[i];
		uint64_t n = 0, m = 0;
		double weights[LENGTH(c->b)];

		for (unsigned k = 0; k < c->bins; k++) {
			n += c->a[k];
			m += c->b[k];
			weights[k] = (double)c->b[k] / 7;
		}
		double d = ks_distance(c->a, c->b, c->bins);

		near(c->name, d, c->d);
		near(c->name, ks_distance_weights(c->a, weights, c->bins), c->d);
		assert_true(d == ks_distance(c->b, c->a, c->bins));
		assert_true(d >= 0 && d <= 1);
		assert_true(ks_distance(c->a, c->a, c->bins) == 0);
		check(c->name, ks_p_value(d, n, m), c->p, 1e-7);
		check(c->name, ks_p_value(d, m, n), c->p, 1e-7);
	}
}

static void critical_distances(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(critical_cases); i++) {
		const struct critical_case *c = &critical_cases[i];
		double d = ks_critical(c->alpha, c->n, c->m);

		check("critical", d, c->d, 1e-9);
		if (isinf(d))
			continue;
		assert_true(ks_p_value(d * (1 + 1e-9), c->n, c->m) < c->alpha);
		assert_true(ks_p_value(d - 1 / ((double)c->n * (double)c->m), c->n, c->m) >= c->alpha);
	}
}

static void nothing_on_a_side(void **state)
{
	static const uint64_t none[3], some[3] = {1, 2, 3};
	static const double nothing[3], weights[3] = {1, 2, 3}, odd[3] = {1, NAN, 3};

	(void)state;
	assert_true(isnan(ks_distance(none, some, 3)) && isnan(ks_distance(some, none, 3)) && isnan(ks_distance(some, some, 0)));
	assert_true(isnan(ks_distance_weights(none, weights, 3)) && isnan(ks_distance_weights(some, nothing, 3)));
	assert_true(isnan(ks_distance_weights(some, odd, 3)));
	assert_true(isnan(ks_nearest_mixture(none, weights, weights, 3).distance));
	assert_true(isnan(ks_nearest_mixture(some, nothing, weights, 3).distance));
	assert_true(isnan(ks_nearest_mixture(some, weights, nothing, 3).share));
	assert_true(isnan(ks_p_value(0.5, 0, 3)) && isnan(ks_p_value(0.5, 3, 0)) && isnan(ks_p_value(NAN, 3, 3)));
	assert_true(isnan(ks_p_value(NAN, 3000, 3000)) && isnan(ks_critical(0.05, 0, 3)) && isnan(ks_critical(0.05, 3, 0)));
	assert_true(isnan(psi_counts(none, some, 3).value) && isnan(psi_counts(some, none, 3).value));
	assert_true(isnan(psi_weights(none, weights, 6, 3).value) && isnan(psi_weights(some, nothing, 6, 3).value));
	assert_true(isnan(psi_weights(some, weights, 0, 3).value));
	assert_true(isnan(psi_expected(3, 0, 1)) && isnan(psi_critical(0.01, 3, 1, 0)));
	assert_true(isnan(proportion_p_value(0, 0, 1, 2)) && isnan(proportion_p_value(1, 2, 0, 0)));
	assert_true(isnan(proportion_p_value(3, 2, 1, 2)) && isnan(proportion_p_value(1, 2, 3, 2)));
}

static void mixtures(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(mixture_cases); i++) {
		const struct mixture_case *c = &mixture_cases[i];
		struct mixture best = ks_nearest_mixture(c->counts, c->u, c->m, c->bins);
		double weights[LENGTH(c->u)];

		if (!(fabs(best.distance - c->d) < 1e-9))
			fail_msg("%s: %.17g, not %.17g", c->name, best.distance, c->d);
		assert_true(best.share >= 0 && best.share <= 1);
		assert_true(best.distance <= c->d_u + 1e-12 && best.distance <= c->d_m + 1e-12);
		mixture_weights(best.share, c->u, c->m, c->bins, weights);
		near(c->name, ks_distance_weights(c->counts, weights, c->bins), best.distance);
		double sum = 0;

		for (unsigned k = 0; k < c->bins; k++)
			sum += weights[k];
		near(c->name, sum, 1);
		memcpy(weights, c->u, sizeof weights);
		mixture_weights(best.share, weights, c->m, c->bins, weights);
		near(c->name, ks_distance_weights(c->counts, weights, c->bins), best.distance);
	}
	/* it makes no difference: the plain population */
	static const uint64_t counts[] = {1, 5};
	static const double u[] = {1, 1};

	assert_true(ks_nearest_mixture(counts, u, u, 2).share == 0);
}

static void stability(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(psi_cases); i++) {
		const struct psi_case *c = &psi_cases[i];
		struct psi psi = psi_counts(c->a, c->b, c->bins), turned = psi_counts(c->b, c->a, c->bins);
		double weights[LENGTH(c->b)];
		uint64_t n = 0, m = 0;

		for (unsigned k = 0; k < c->bins; k++) {
			n += c->a[k];
			m += c->b[k];
			weights[k] = (double)c->b[k] * 3;
		}
		near(c->name, psi.value, c->psi);
		near(c->name, turned.value, c->psi);
		near(c->name, psi_weights(c->a, weights, (double)m, c->bins).value, c->psi);
		assert_int_equal(psi.groups, c->groups);
		assert_int_equal(psi_weights(c->a, weights, (double)m, c->bins).groups, c->groups);
		check(c->name, psi_critical(0.01, psi.groups, n, m), c->critical, 1e-9);
		assert_true(psi.value >= 0);
	}
	near("mean", psi_expected(10, 500, 4000), 9 * (1.0 / 500 + 1.0 / 4000));
	assert_true(psi_expected(1, 5, 5) == 0 && psi_expected(0, 5, 5) == 0 && psi_critical(0.01, 1, 5, 5) == 0);
}

static void shares(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(share_cases); i++) {
		const struct share_case *c = &share_cases[i];

		check("share", proportion_p_value(c->hits, c->n, c->other, c->m), c->p, 1e-6);
	}
}

static void summed(const char *name, const struct monitored_statistics *s, const struct summary_case *c)
{
	const double want[STATISTIC_COUNT] = {
		[STATISTIC_MEAN] = c->mean, [STATISTIC_STDDEV] = c->stddev, [STATISTIC_MIN] = c->min, [STATISTIC_MAX] = c->max,
		[STATISTIC_P10] = c->p10,   [STATISTIC_P25] = c->p25,	    [STATISTIC_MEDIAN] = c->p50, [STATISTIC_P75] = c->p75,
		[STATISTIC_P90] = c->p90,   [STATISTIC_P99] = c->p99,
	};

	assert_int_equal(s->n, c->n);
	for (unsigned i = 0; i < STATISTIC_COUNT; i++)
		near(name, s->of[i], want[i]);
}

static void summaries(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(summary_cases); i++) {
		const struct summary_case *c = &summary_cases[i];
		struct weighted values[2 * LENGTH(c->counts)];
		struct monitored_statistics s;
		size_t n = 0;

		summary_of_histogram(&s, c->counts, c->bins, 4, -1);
		summed(c->name, &s, c);
		for (unsigned k = c->bins; k-- > 0;) { /* from above, in two parts, with some that are not there */
			values[n++] = (struct weighted){0.25 * k - 1, c->counts[k] / 3};
			values[n++] = (struct weighted){0.25 * k - 1, c->counts[k] - c->counts[k] / 3};
		}
		summary_of_weighted(&s, values, n);
		summed(c->name, &s, c);
	}
	struct monitored_statistics s = {.n = 7};
	static const uint64_t none[2];

	summary_of_histogram(&s, none, 2, 1, 0);
	assert_true(s.n == 0 && isnan(s.of[STATISTIC_MEAN]) && isnan(s.of[STATISTIC_P99]) && isnan(s.of[STATISTIC_MAX]));
	summary_of_weighted(&s, NULL, 0);
	assert_true(s.n == 0 && isnan(s.of[STATISTIC_MIN]));
	for (unsigned i = 0; i <= 1000; i++) {	/* a thousandth is what a reader of text makes of it, to the last bit */
		uint64_t one[1001] = {[1000] = 0};
		char text[8];

		one[i] = 3;
		summary_of_histogram(&s, one, 1001, 1000, 0);
		snprintf(text, sizeof text, "%u.%03u", i / 1000, i % 1000);
		assert_true(s.of[STATISTIC_MEDIAN] == strtod(text, NULL) && s.of[STATISTIC_MAX] == s.of[STATISTIC_MIN]);
	}
}

static enum concept_state named(const char *state)
{
	return !strcmp(state, "DRIFTED") ? CONCEPT_DRIFTED : !strcmp(state, "WARNING") ? CONCEPT_WARNING : CONCEPT_STABLE;
}

static void page_hinkley(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(hinkley_cases); i++) {
		const struct hinkley_case *c = &hinkley_cases[i];
		uint32_t x = c->begin;
		uint64_t hits = 0;
		struct concept t;

		concept_begin(&t, c->p0, c->drop, c->lambda);
		for (uint64_t k = 0; k < c->trials; k++) {
			x = x * 1664525u + 1013904223u;
			hits += x < c->limit;
			concept_feed(&t, 1, x < c->limit);
		}
		if (!(fabs(t.statistic - c->statistic) < 1e-9))
			fail_msg("%s: %.17g, not %.17g", c->name, t.statistic, c->statistic);
		assert_int_equal(concept_state(&t), named(c->state));
		assert_true(t.trials == c->trials && t.hits == hits);
	}
}

static void hits_are_spread(void **state)
{
	struct concept t, again;

	(void)state;
	for (uint64_t trials = 0; trials < 40; trials++)
		for (uint64_t hits = 0; hits <= trials; hits++) {
			concept_begin(&t, 0.5, 0.5, 20);
			concept_feed(&t, trials, hits);
			assert_true(t.trials == trials && t.hits == hits);
			concept_begin(&again, 0.5, 0.5, 20);
			concept_feed(&again, trials, hits);
			assert_memory_equal(&t, &again, sizeof t);
		}
	concept_begin(&t, 0.5, 0.5, 20);
	concept_feed(&t, 3, 5);		/* cannot be */
	assert_true(t.trials == 3 && t.hits == 3);
	/* 1 of 10 in one go: nowhere more than ten misses running, so no statistic as if all misses came first */
	concept_begin(&t, 0.1, 0.5, 20);
	concept_feed(&t, 100000, 10000);
	assert_true(t.statistic < 1);
	concept_begin(&t, 0.1, 0.5, 20);
	concept_feed(&t, 10, 1);	/* in the middle: five misses follow */
	near("since the hit", t.statistic, 0.375);
	concept_begin(&t, 0.1, 0.5, 20);
	concept_feed(&t, 100000, 1);
	assert_true(concept_state(&t) == CONCEPT_DRIFTED);
}

static void concept_states(void **state)
{
	struct concept t;

	(void)state;
	concept_begin(&t, 0.2, 0.5, 10);
	assert_true(concept_state(&t) == CONCEPT_UNKNOWN);
	concept_feed(&t, 99, 20);
	assert_true(concept_state(&t) == CONCEPT_UNKNOWN);
	concept_feed(&t, 1, 0);
	assert_true(concept_state(&t) == CONCEPT_STABLE);
	concept_feed(&t, 40, 0);	/* 0.15 each */
	assert_true(concept_state(&t) == CONCEPT_WARNING);
	concept_feed(&t, 40, 0);
	assert_true(concept_state(&t) == CONCEPT_DRIFTED);
	concept_feed(&t, 10000, 0);	/* does not grow for ever */
	assert_true(t.statistic == 20);
	concept_feed(&t, 16, 16);	/* 0.85 each back: to 6.4, between half and all of lambda */
	assert_true(concept_state(&t) == CONCEPT_DRIFTED);
	concept_feed(&t, 2, 2);		/* to 4.7, below half */
	assert_true(concept_state(&t) == CONCEPT_STABLE);

	/* without a share that is expected the first 1000 trials say it */
	concept_begin(&t, NAN, 0.5, 10);
	concept_feed(&t, 999, 99);
	assert_true(concept_state(&t) == CONCEPT_UNKNOWN && isnan(t.p0) && t.statistic == 0);
	concept_feed(&t, 1, 1);
	assert_true(concept_state(&t) == CONCEPT_STABLE && t.p0 == 0.1 && t.statistic == 0);
	concept_feed(&t, 1, 0);
	near("after learning", t.statistic, 0.075);
	/* and where nothing ever hits, nothing can fall */
	concept_begin(&t, NAN, 0.5, 10);
	concept_feed(&t, 5000, 0);
	assert_true(concept_state(&t) == CONCEPT_UNKNOWN);
	concept_begin(&t, 0, 0.5, 10);
	concept_feed(&t, 5000, 0);
	assert_true(concept_state(&t) == CONCEPT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tails),
		cmocka_unit_test(exact_tails),
		cmocka_unit_test(distances),
		cmocka_unit_test(critical_distances),
		cmocka_unit_test(nothing_on_a_side),
		cmocka_unit_test(mixtures),
		cmocka_unit_test(stability),
		cmocka_unit_test(shares),
		cmocka_unit_test(summaries),
		cmocka_unit_test(page_hinkley),
		cmocka_unit_test(hits_are_spread),
		cmocka_unit_test(concept_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
