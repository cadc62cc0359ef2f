/* test_verdict.c - windows made up by hand against references made up by hand. The numbers were computed with SciPy; the
 * nearest mixture is its linprog()'s, minimizing t under |F - F_l| <= t. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../metrics/verdict.h"

#define BINS 10				/* with something in them: 1 to 10 of 12 */
#define EACH 6

static struct profile profile;
static struct live baseline, previous;
static struct window window;
static struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT];
static const struct window_rules usual = {.least = 30, .baseline_windows = 2, .effect_percent = 10, .alpha_permille = 10,
					  .running = 2};

/* 60 entities an axis: each bin has 6 of them, and entity e has e + 1 of 1830 lines. */
static int begin(void **state)
{
	(void)state;
	memset(&profile, 0, sizeof profile);
	memset(&baseline, 0, sizeof baseline);
	memset(&previous, 0, sizeof previous);
	memset(&window, 0, sizeof window);
	verdict_begin(drift);
	for (unsigned axis = 0; axis < AXES; axis++) {
		profile.entities[axis] = profile.counted[axis] = BINS * EACH;
		profile.stride[axis] = 1;
		for (unsigned e = 0; e < BINS * EACH; e++)
			profile.share[axis][e] = (e + 1) / 1830.0;
	}
	for (unsigned f = 0; f < FEATURE_BINNED; f++) {
		struct reference *r = &profile.reference[f];
		unsigned first = f == FEATURE_ITEM_MIX ? 0 : 1;

		r->bins = BINS + 2;
		r->groups = BINS;
		for (unsigned i = 0; i < BINS; i++) {
			r->count[first + i] = EACH;
			r->group[first + i] = (uint8_t)i;
		}
		r->group[BINS + 1] = BINS - 1;
		for (unsigned e = 0; e < BINS * EACH; e++)
			profile.bin[f][e] = (uint8_t)(first + e / EACH);
	}
	return 0;
}

static void put(uint64_t *bins, enum feature f, const unsigned n[BINS])
{
	for (unsigned i = 0; i < BINS; i++)
		bins[i + (f == FEATURE_ITEM_MIX ? 0 : 1)] = n[i];
}

static void look(const struct window_rules *r) { verdict_look(drift, &window, &profile, &baseline, &previous, r); }

static void assert_near(double is, double want)
{
	if (!(fabs(is - want) <= 1e-9 + 1e-7 * fabs(want)))
		fail_msg("%.12g is not %.12g", is, want);
}

static void training_is_the_nearest_mixture(void **state)
{
	const struct monitored_drift *d = &drift[FEATURE_ITEM_RANK][REFERENCE_TRAINING];

	(void)state;
	window = (struct window){.axis = AXIS_ITEM, .requests = 120, .entities = 36};
	put(window.by_entity[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, (unsigned[]){2, 3, 3, 4, 4, 4, 5, 3, 4, 4});
	look(&usual);
	assert_near(d->ks_distance, 0.02656234975588765);
	assert_near(d->ks_p_value, 1);
	assert_true(d->ks_critical > 71 / 180.0 && d->ks_critical <= 72 / 180.0);	/* distances are multiples of 1/180 */
	assert_near(d->psi, 0.01598161155408078);
	assert_near(d->psi_critical, 1.2267827531413318);
	assert_int_equal(d->samples, 36);
	assert_int_equal(d->reference_samples, 60);
	assert_true(isnan(d->share) && isnan(d->share_p_value));
	assert_int_equal(d->insufficient, 0);
	assert_int_equal(d->detected, 0);
	/* the other axis was not looked at, and the other features have nothing in them */
	assert_true(isnan(drift[FEATURE_USER_HISTORY][REFERENCE_TRAINING].psi));
	assert_int_equal(drift[FEATURE_USER_HISTORY][REFERENCE_TRAINING].insufficient, 1);
	assert_true(isnan(drift[FEATURE_ITEM_RESULTS][REFERENCE_TRAINING].ks_distance));
	assert_int_equal(drift[FEATURE_ITEM_RESULTS][REFERENCE_TRAINING].insufficient, 1);
}

static void live_references_are_by_request(void **state)
{
	const struct monitored_drift *d = &drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE];
	const unsigned many[] = {500, 500, 500, 500, 500, 500, 500, 500, 500, 500};

	(void)state;
	window = (struct window){.axis = AXIS_ITEM, .requests = 5000};
	put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, many);
	live_add(&baseline, &window);
	live_add(&baseline, &window);
	live_add(&previous, &window);
	window.requests = 1000;
	put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, (unsigned[]){120, 110, 100, 100, 90, 100, 100, 100, 90, 90});
	look(&usual);
	assert_near(d->ks_distance, 0.03);
	assert_near(d->ks_p_value, 0.38650095844539256);
	assert_near(d->ks_critical, 0.06420707179931222);
	assert_near(d->psi, 0.007684233579120259);
	assert_near(d->psi_critical, 0.030362873140247965);
	assert_int_equal(d->samples, 1000);
	assert_int_equal(d->reference_samples, 10000);
	assert_int_equal(drift[FEATURE_ITEM_RANK][REFERENCE_PREVIOUS].reference_samples, 5000);
	assert_int_equal(drift[FEATURE_ITEM_RANK][REFERENCE_TRAINING].insufficient, 1);	/* without entities */
}

/* One feature against the previous window, each of `of` thousand requests; what follows from it. */
static struct monitored_drift *against(enum feature f, const unsigned now[BINS], unsigned of)
{
	struct monitored_drift *d = &drift[f][REFERENCE_PREVIOUS];
	unsigned flat[BINS], scaled[BINS];

	for (unsigned i = 0; i < BINS; i++) {
		flat[i] = 100 * of;
		scaled[i] = now[i] * of;
	}
	live_forget(&previous, AXIS_ITEM);
	window = (struct window){.axis = AXIS_ITEM, .requests = 1000 * of};
	put(window.by_request[f], f, flat);
	live_add(&previous, &window);
	memset(window.by_request, 0, sizeof window.by_request);
	put(window.by_request[f], f, scaled);
	look(&usual);
	return d;
}

/* By how the sum of ten bins departs from 100 each: KS distance, and PSI beyond what chance gives. */
static const unsigned same[] = {100, 100, 100, 100, 100, 100, 100, 100, 100, 100};
static const unsigned moved[] = {130, 130, 130, 130, 100, 100, 70, 70, 70, 70};		/* 0.12, 0.15 */
static const unsigned little[] = {110, 110, 110, 110, 100, 100, 90, 90, 90, 90};	/* 0.04, 0.016 */
static const unsigned jagged[] = {150, 50, 150, 50, 150, 50, 150, 50, 150, 50};		/* 0.05, 0.55 */
static const unsigned notched[] = {126, 74, 126, 74, 126, 74, 126, 74, 126, 74};	/* 0.026, 0.069 */

static void both_significance_and_effect(void **state)
{
	const struct monitored_drift *d = against(FEATURE_ITEM_RANK, little, 1000);

	(void)state;
	assert_true(d->ks_p_value < 1e-100 && d->psi > d->psi_critical);	/* significant, and no matter */
	assert_int_equal(d->streak, 0);
	d = against(FEATURE_ITEM_RANK, moved, 1);		/* n and m of a thousand: p is 1e-6 */
	assert_true(d->ks_p_value < 0.01 / 9 && d->ks_distance > 0.1);
	assert_int_equal(d->streak, 1);
	assert_int_equal(d->detected, 0);
}

/* Large, and likely to be chance. */
static void effect_alone_is_none(void **state)
{
	struct monitored_drift *d = &drift[FEATURE_ITEM_RANK][REFERENCE_PREVIOUS];

	(void)state;
	window = (struct window){.axis = AXIS_ITEM, .requests = 60};
	put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, (unsigned[]){6, 6, 6, 6, 6, 6, 6, 6, 6, 6});
	live_add(&previous, &window);
	put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, (unsigned[]){9, 9, 8, 7, 6, 6, 5, 4, 3, 3});
	look(&usual);
	assert_true(d->ks_distance > 0.1 && d->ks_p_value > 0.01);
	assert_true(d->psi > 0.1 && d->psi < d->psi_critical);
	assert_int_equal(d->insufficient, 0);
	assert_int_equal(d->streak, 0);
}

static void psi_sees_what_ks_does_not(void **state)
{
	const struct monitored_drift *d = against(FEATURE_ITEM_TOP_SCORE, jagged, 10);

	(void)state;
	assert_true(d->ks_distance < 0.1);
	assert_int_equal(d->streak, 1);
	assert_int_equal(against(FEATURE_ITEM_RESULTS, notched, 10)->streak, 0);	/* 0.069 is less than 0.1 */
	d = against(FEATURE_ITEM_MIX, notched, 10);
	assert_int_equal(d->streak, 1);			/* and more than half of it */
	assert_true(isnan(d->ks_distance) && isnan(d->ks_critical) && isnan(d->ks_p_value));
	assert_int_equal(against(FEATURE_ITEM_MIX, little, 1000)->streak, 0);
}

static void two_windows_set_it_and_two_clear_it(void **state)
{
	const enum feature f = FEATURE_ITEM_RANK;
	static const struct {
		const unsigned *bins;
		unsigned detected, streak;
	} step[] = {
		{moved, 0, 1}, {same, 0, 0}, {moved, 0, 1}, {moved, 1, 0}, {moved, 1, 0}, {same, 1, 1}, {moved, 1, 0},
		{same, 1, 1}, {same, 0, 0}, {same, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
		const struct monitored_drift *d = against(f, step[i].bins, 10);

		assert_int_equal(d->detected, step[i].detected);
		assert_int_equal(d->streak, step[i].streak);
	}
}

/* Too few requests, too few entities, no reference: the verdict and its streak stay. */
static void insufficient(void **state)
{
	const enum feature f = FEATURE_ITEM_RANK;
	struct monitored_drift *d = drift[f];
	struct window_rules strict = usual;

	(void)state;
	for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
		d[r].detected = 1;
		d[r].streak = 1;
	}
	strict.least = 1001;
	window = (struct window){.axis = AXIS_ITEM, .requests = 1000, .entities = 40};
	put(window.by_request[f], f, same);
	put(window.by_entity[f], f, (unsigned[]){4, 4, 4, 4, 4, 4, 4, 4, 4, 4});
	live_add(&baseline, &window);
	live_add(&previous, &window);
	assert_false(verdict_enough(&window, &strict));
	look(&strict);			/* and the baseline lacks a window */
	for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
		assert_int_equal(d[r].insufficient, 1);
		assert_int_equal(d[r].detected, 1);
		assert_int_equal(d[r].streak, 1);
	}
	assert_near(d[REFERENCE_PREVIOUS].ks_distance, 0);	/* told all the same */
	assert_true(isnan(d[REFERENCE_BASELINE].ks_distance));
	assert_int_equal(d[REFERENCE_BASELINE].reference_samples, 1000);
	window.unknown = 1;
	assert_true(verdict_enough(&window, &strict));
	look(&strict);
	assert_int_equal(d[REFERENCE_TRAINING].insufficient, 0);
	assert_int_equal(d[REFERENCE_TRAINING].detected, 0);	/* the second without */
	assert_int_equal(d[REFERENCE_BASELINE].insufficient, 1);
	assert_int_equal(d[REFERENCE_PREVIOUS].insufficient, 0);
	live_add(&baseline, &window);
	put(window.by_entity[f], f, (unsigned[]){2, 3, 3, 3, 3, 3, 3, 3, 3, 3});
	look(&strict);			/* 29 entities */
	assert_int_equal(d[REFERENCE_TRAINING].insufficient, 1);
	assert_int_equal(d[REFERENCE_BASELINE].insufficient, 0);
	memset(&window, 0, sizeof window);
	look(&usual);
	for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
		assert_true(isnan(d[r].ks_distance) && isnan(d[r].ks_p_value) && isnan(d[r].psi) && isnan(d[r].psi_critical));
		assert_int_equal(d[r].insufficient, 1);
	}
}

static struct monitored_drift *unknown(uint64_t requests, uint64_t strange, uint64_t entities, uint64_t strangers)
{
	window = (struct window){.axis = AXIS_CUSTOMER, .requests = requests - strange, .unknown = strange, .entities = entities,
				 .strangers = strangers};
	look(&usual);
	return drift[FEATURE_USER_UNKNOWN];
}

static void unknown_ids_rise(void **state)
{
	struct monitored_drift *d;

	(void)state;
	previous.requests[AXIS_CUSTOMER] = 1000;
	previous.unknown[AXIS_CUSTOMER] = 20;
	previous.windows[AXIS_CUSTOMER] = 1;
	profile.backtest.seen_users = 60;
	d = unknown(400, 30, 28, 12);		/* 0.075 after 0.02; of distinct ids 0.3, of 60 that were all known */
	assert_near(d[REFERENCE_PREVIOUS].share, 0.075);
	assert_near(d[REFERENCE_PREVIOUS].reference_share, 0.02);
	assert_near(d[REFERENCE_PREVIOUS].share_p_value, 2.726875320056156e-07);
	assert_int_equal(d[REFERENCE_PREVIOUS].streak, 1);
	assert_int_equal(d[REFERENCE_PREVIOUS].samples, 400);
	assert_int_equal(d[REFERENCE_PREVIOUS].reference_samples, 1000);
	assert_true(isnan(d[REFERENCE_PREVIOUS].psi));
	assert_near(d[REFERENCE_TRAINING].share, 0.3);
	assert_near(d[REFERENCE_TRAINING].reference_share, 0);
	assert_near(d[REFERENCE_TRAINING].share_p_value, 3.053217879504451e-06);
	assert_int_equal(d[REFERENCE_TRAINING].streak, 1);
	assert_int_equal(d[REFERENCE_TRAINING].reference_samples, 60);
	assert_near(d[REFERENCE_BASELINE].share, 0.075);
	assert_true(isnan(d[REFERENCE_BASELINE].reference_share));
	assert_int_equal(d[REFERENCE_BASELINE].insufficient, 1);
	/* 0.049 more: significant, and too little */
	assert_int_equal(unknown(100000, 6900, 40, 0)[REFERENCE_PREVIOUS].streak, 0);
	assert_true(d[REFERENCE_PREVIOUS].share_p_value < 1e-9);
	assert_int_equal(unknown(30, 3, 40, 0)[REFERENCE_PREVIOUS].streak, 0);	/* 0.08 more, and may be chance */
	assert_true(d[REFERENCE_PREVIOUS].share - d[REFERENCE_PREVIOUS].reference_share > 0.05);
	previous.unknown[AXIS_CUSTOMER] = 500;
	assert_int_equal(unknown(1000, 100, 40, 0)[REFERENCE_PREVIOUS].streak, 0);	/* a fall */
}

/* What the backtest found unknown is the usual. */
static void unknown_ids_of_the_backtest(void **state)
{
	(void)state;
	profile.backtest.seen_users = 1000;
	profile.backtest.unknown_users = 300;
	profile.backtest.seen_items = 50;
	profile.backtest.unknown_items = 5;
	assert_near(unknown(100, 12, 28, 12)[REFERENCE_TRAINING].reference_share, 0.3);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_TRAINING].streak, 0);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_TRAINING].insufficient, 0);
	assert_int_equal(unknown(500, 400, 100, 120)[REFERENCE_TRAINING].streak, 1);
	window.axis = AXIS_ITEM;
	look(&usual);
	assert_near(drift[FEATURE_ITEM_UNKNOWN][REFERENCE_TRAINING].reference_share, 0.1);
	assert_int_equal(drift[FEATURE_ITEM_UNKNOWN][REFERENCE_TRAINING].reference_samples, 50);
}

/* No backtest, so no telling what is usual, however many are unknown. */
static void unknown_ids_without_a_backtest(void **state)
{
	const struct monitored_drift *d = &drift[FEATURE_USER_UNKNOWN][REFERENCE_TRAINING];

	(void)state;
	for (int i = 0; i < 5; i++)
		unknown(1000, 900, 100, 800);
	assert_int_equal(d->insufficient, 1);
	assert_int_equal(d->detected, 0);
	assert_int_equal(d->reference_samples, 0);
	assert_near(d->share, 8 / 9.0);
	assert_true(isnan(d->reference_share));
}

/* What is in one axis is not forgotten with the other. */
static void axes_are_apart(void **state)
{
	(void)state;
	against(FEATURE_ITEM_RANK, same, 1);
	window = (struct window){.axis = AXIS_CUSTOMER, .requests = 1000, .unknown = 7};
	put(window.by_request[FEATURE_USER_HISTORY], FEATURE_USER_HISTORY, same);
	live_add(&previous, &window);
	live_forget(&previous, AXIS_ITEM);
	assert_int_equal(previous.windows[AXIS_ITEM], 0);
	assert_int_equal(previous.requests[AXIS_ITEM], 0);
	assert_int_equal(previous.count[FEATURE_ITEM_RANK][1], 0);
	assert_int_equal(previous.windows[AXIS_CUSTOMER], 1);
	assert_int_equal(previous.requests[AXIS_CUSTOMER], 1007);
	assert_int_equal(previous.unknown[AXIS_CUSTOMER], 7);
	assert_int_equal(previous.count[FEATURE_USER_HISTORY][1], 100);
	drift[FEATURE_USER_UNKNOWN][REFERENCE_PREVIOUS].streak = 1;
	assert_true(verdict_pending(drift, AXIS_CUSTOMER, REFERENCE_PREVIOUS));
	assert_false(verdict_pending(drift, AXIS_CUSTOMER, REFERENCE_BASELINE));
	assert_false(verdict_pending(drift, AXIS_ITEM, REFERENCE_PREVIOUS));
}

/* The level is divided by the number of features, PSI has to be significant, and what chance gives it does not count. */
static void just_short_of_it(void **state)
{
	static const struct {
		const unsigned bins[BINS];
		unsigned each;
	} cases[] = {
		{{56, 56, 56, 56, 43, 43, 30, 30, 30, 30}, 43},	/* p of KS is 0.004 */
		{{16, 4, 16, 4, 16, 4, 16, 4, 16, 4}, 10},	/* PSI 0.42, 0.24 beyond chance, and 0.55 is critical */
		{{67, 33, 67, 33, 67, 33, 67, 33, 67, 33}, 50},	/* 0.12, and 0.11 is critical; 0.08 beyond chance */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct monitored_drift *d = &drift[FEATURE_ITEM_RANK][REFERENCE_PREVIOUS];
		const unsigned n = cases[i].each;

		begin(NULL);
		window = (struct window){.axis = AXIS_ITEM, .requests = n * BINS};
		put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, (unsigned[]){n, n, n, n, n, n, n, n, n, n});
		live_add(&previous, &window);
		put(window.by_request[FEATURE_ITEM_RANK], FEATURE_ITEM_RANK, cases[i].bins);
		look(&usual);
		assert_int_equal(d->insufficient, 0);
		assert_int_equal(d->streak, 0);
		assert_true(i == 0 ? d->ks_p_value > 0.002 && d->ks_p_value < 0.009 && d->ks_distance > 0.1
				   : d->psi > 0.1 && (d->psi > d->psi_critical) == (i == 2));
	}
}

/* 29 of anything are too few, on either side. */
static void thirty_of_each(void **state)
{
	const enum feature f = FEATURE_ITEM_RANK;
	struct window_rules more = usual;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		unsigned here = (const unsigned[]){29, 1000, 30, 1000}[i], there = (const unsigned[]){1000, 29, 1000, 30}[i];

		begin(NULL);
		window = (struct window){.axis = AXIS_ITEM, .requests = 1000};
		window.by_request[f][1] = there;
		live_add(&previous, &window);
		window.by_request[f][1] = here;
		look(&usual);
		assert_int_equal(drift[f][REFERENCE_PREVIOUS].insufficient, i < 2);
	}
	profile.backtest.seen_users = 1000;
	previous.requests[AXIS_CUSTOMER] = 29;
	previous.windows[AXIS_CUSTOMER] = 1;
	assert_int_equal(unknown(400, 30, 20, 9)[REFERENCE_TRAINING].insufficient, 1);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_PREVIOUS].insufficient, 1);
	previous.requests[AXIS_CUSTOMER] = 30;
	assert_int_equal(unknown(400, 30, 20, 10)[REFERENCE_TRAINING].insufficient, 0);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_PREVIOUS].insufficient, 0);
	more.least = 401;
	look(&more);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_TRAINING].insufficient, 1);
	assert_int_equal(drift[FEATURE_USER_UNKNOWN][REFERENCE_PREVIOUS].insufficient, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(training_is_the_nearest_mixture, begin),
		cmocka_unit_test_setup(live_references_are_by_request, begin),
		cmocka_unit_test_setup(both_significance_and_effect, begin),
		cmocka_unit_test_setup(effect_alone_is_none, begin),
		cmocka_unit_test_setup(psi_sees_what_ks_does_not, begin),
		cmocka_unit_test_setup(two_windows_set_it_and_two_clear_it, begin),
		cmocka_unit_test_setup(insufficient, begin),
		cmocka_unit_test_setup(unknown_ids_rise, begin),
		cmocka_unit_test_setup(unknown_ids_of_the_backtest, begin),
		cmocka_unit_test_setup(unknown_ids_without_a_backtest, begin),
		cmocka_unit_test_setup(axes_are_apart, begin),
		cmocka_unit_test_setup(just_short_of_it, begin),
		cmocka_unit_test_setup(thirty_of_each, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
