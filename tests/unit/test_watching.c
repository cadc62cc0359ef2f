/* test_watching.c - windows over sums that are made up: when they are closed, what is in them, and what stays.
 *
 * The shop is small_random(40, 40, 30, 7). What is expected follows from the requests that are put in. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

#include "small_packed.h"
#include "../../metrics/watching.h"

#define ENTITIES 40
#define SECOND	 1000

static const struct window_rules rules = {.requests = 100, .seconds = 60, .least = 30, .baseline_windows = 2, .effect_percent = 10,
					  .alpha_permille = 10, .running = 2, .hit_drop_percent = 50, .hit_lambda = 20,
					  .default_n = 2};

static struct watching w;
static struct sums sums;
static struct small table;
static struct packed shop;
static void *memory;
static struct fault why;

static int begin(void **state)
{
	(void)state;
	memset(&sums, 0, sizeof sums);
	watching_open(&w, &rules);
	assert_true(watching_begin(&w, &shop.model, 1, &sums, 0, &why));
	return 0;
}

/* An answer: for entity e, so many results of its own, the first with this score and all with that mean, in thousandths. */
static void ask(enum axis_kind axis, unsigned e, unsigned own, unsigned top, unsigned mean)
{
	sums.asked[axis][e]++;
	sums.own_results[axis][own]++;
	sums.top_score[axis][top]++;
	sums.mean_score[axis][mean]++;
}

static void ask_many(enum axis_kind axis, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ask(axis, i % ENTITIES, 5, 500, 400);
}

static const struct monitored_window *window(enum window_kind kind) { return &w.kept.found.window[kind]; }

static void closed_by_count(void **state)
{
	(void)state;
	assert_true(isnan(window(WINDOW_ITEM)->seconds));
	ask_many(AXIS_ITEM, 99);
	ask_many(AXIS_CUSTOMER, 98);
	assert_int_equal(watching_look(&w, &sums, 5 * SECOND, 777), 0);
	assert_int_equal(window(WINDOW_ITEM)->closed, 0);
	ask_many(AXIS_ITEM, 1);
	sums.strangers[AXIS_CUSTOMER][9]++;
	assert_int_equal(watching_look(&w, &sums, 6 * SECOND, 778), 1 << WINDOW_ITEM);
	assert_int_equal(window(WINDOW_ITEM)->closed, 1);
	assert_int_equal(window(WINDOW_ITEM)->end, 778);
	assert_true(window(WINDOW_ITEM)->seconds == 6);
	assert_int_equal(window(WINDOW_ITEM)->requests, 100);
	assert_int_equal(window(WINDOW_ITEM)->entities, 40);
	assert_int_equal(window(WINDOW_USER)->closed, 0);	/* 99, an unknown id among them */
	sums.strangers[AXIS_CUSTOMER][9]++;
	assert_int_equal(watching_look(&w, &sums, 7 * SECOND, 779), 1 << WINDOW_USER);
	assert_int_equal(window(WINDOW_USER)->requests, 100);
	assert_int_equal(window(WINDOW_USER)->unknown, 2);
	assert_int_equal(window(WINDOW_USER)->strangers, 1);
	/* the next begins where this one ended, and has what came by the look */
	ask_many(AXIS_ITEM, 250);
	assert_int_equal(watching_look(&w, &sums, 10 * SECOND, 780), 1 << WINDOW_ITEM);
	assert_int_equal(window(WINDOW_ITEM)->requests, 250);
	assert_true(window(WINDOW_ITEM)->seconds == 4);
	assert_int_equal(watching_look(&w, &sums, 10 * SECOND, 780), 0);
	ask_many(AXIS_CUSTOMER, 100);
	assert_int_equal(watching_look(&w, &sums, 11 * SECOND, 781), 1 << WINDOW_USER);
	assert_int_equal(window(WINDOW_USER)->unknown, 0);	/* those of the window before are that one's */
}

static void closed_by_age(void **state)
{
	const unsigned all = 1 << WINDOW_ITEM | 1 << WINDOW_USER | 1 << WINDOW_FEEDBACK;

	(void)state;
	ask_many(AXIS_ITEM, 29);
	assert_int_equal(watching_look(&w, &sums, 60 * SECOND - 1, 1), 0);
	assert_int_equal(watching_look(&w, &sums, 60 * SECOND, 2), all);
	assert_int_equal(window(WINDOW_ITEM)->requests, 29);
	assert_int_equal(window(WINDOW_USER)->requests, 0);
	assert_int_equal(window(WINDOW_USER)->value[VALUE_TOP_SCORE].n, 0);
	assert_int_equal(w.kept.found.drift[FEATURE_ITEM_RANK][REFERENCE_TRAINING].insufficient, 1);
	assert_int_equal(w.kept.previous.windows[AXIS_ITEM], 0);	/* too few to be a reference */
	assert_int_equal(w.kept.baseline.windows[AXIS_ITEM], 0);
	ask_many(AXIS_ITEM, 30);
	assert_int_equal(watching_look(&w, &sums, 120 * SECOND, 3), all);
	assert_int_equal(w.kept.previous.windows[AXIS_ITEM], 1);
	assert_int_equal(w.kept.baseline.windows[AXIS_ITEM], 1);
	assert_int_equal(window(WINDOW_ITEM)->closed, 2);
}

/* Quick looks need only the numbers of requests. */
static void a_quick_look(void **state)
{
	struct sums_quick q;

	(void)state;
	ask_many(AXIS_CUSTOMER, 99);
	sums_quick_of(&q, &sums);
	assert_false(watching_quick(&w, &q, SECOND, 1));
	assert_true(watching_quick(&w, &q, 60 * SECOND, 1));
	sums.strangers[AXIS_CUSTOMER][0]++;
	sums_quick_of(&q, &sums);
	assert_int_equal(q.requests[AXIS_CUSTOMER], 100);
	assert_true(watching_quick(&w, &q, SECOND, 1));
}

static void assert_statistics(enum window_kind kind, enum window_value value, uint64_t n, double mean, double median,
			      double least, double most)
{
	const struct monitored_statistics *s = &window(kind)->value[value];

	assert_int_equal(s->n, n);
	assert_true(fabs(s->of[STATISTIC_MEAN] - mean) < 1e-9);
	assert_true(fabs(s->of[STATISTIC_MEDIAN] - median) < 1e-12);
	assert_true(fabs(s->of[STATISTIC_MIN] - least) < 1e-12);
	assert_true(fabs(s->of[STATISTIC_MAX] - most) < 1e-12);
}

static void what_is_in_a_window(void **state)
{
	uint32_t degree = model_degree(&shop.model.axis[AXIS_CUSTOMER], 7);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		ask(AXIS_CUSTOMER, 7, i < 60 ? 3 : 10, i < 70 ? 250 : 750, i < 20 ? 100 : 200);
	for (unsigned i = 0; i < 100; i++)
		ask(AXIS_ITEM, i < 75 ? shop.model.popular[0].item : shop.model.popular[39].item, 128, 1000, 0);
	sums.returned[AXIS_ITEM][shop.model.popular[4].item] += 30;
	sums.returned[AXIS_ITEM][shop.model.popular[9].item] += 10;
	sums.returned[AXIS_CUSTOMER][shop.model.popular[9].item] += 10;
	sums.returned[AXIS_CUSTOMER][shop.model.popular[0].item] += 40;
	sums.returned[AXIS_CUSTOMER][shop.model.popular[19].item] += 50;
	watching_look(&w, &sums, SECOND, 1);
	assert_statistics(WINDOW_USER, VALUE_OWN_RESULTS, 100, 5.8, 3, 3, 10);
	assert_statistics(WINDOW_USER, VALUE_TOP_SCORE, 100, 0.4, 0.25, 0.25, 0.75);
	assert_statistics(WINDOW_USER, VALUE_MEAN_SCORE, 100, 0.18, 0.2, 0.1, 0.2);
	assert_statistics(WINDOW_USER, VALUE_HISTORY, 100, degree, degree, degree, degree);
	assert_int_equal(window(WINDOW_USER)->value[VALUE_ASKED_RANK].n, 0);
	assert_statistics(WINDOW_USER, VALUE_RETURNED_RANK, 100, 0.1 * 10 + 0.4 + 0.5 * 20, 10, 1, 20);
	assert_int_equal(window(WINDOW_USER)->catalogue, 40);
	assert_int_equal(window(WINDOW_USER)->catalogue_shown, 3);
	assert_statistics(WINDOW_ITEM, VALUE_OWN_RESULTS, 100, 128, 128, 128, 128);
	assert_statistics(WINDOW_ITEM, VALUE_TOP_SCORE, 100, 1, 1, 1, 1);
	assert_statistics(WINDOW_ITEM, VALUE_ASKED_RANK, 100, 0.75 + 10, 1, 1, 40);
	assert_statistics(WINDOW_ITEM, VALUE_RETURNED_RANK, 40, (30 * 5 + 10 * 10) / 40.0, 5, 5, 10);
	assert_int_equal(window(WINDOW_ITEM)->value[VALUE_HISTORY].n, 0);
	assert_int_equal(window(WINDOW_ITEM)->catalogue, 40);
	assert_int_equal(window(WINDOW_ITEM)->catalogue_shown, 2);
	assert_int_equal(window(WINDOW_ITEM)->entities, 2);
}

/* Nothing of the window before is in the next one. */
static void what_is_in_the_next_window(void **state)
{
	uint32_t degree = model_degree(&shop.model.axis[AXIS_CUSTOMER], 3);

	what_is_in_a_window(state);
	for (unsigned i = 0; i < 100; i++) {
		ask(AXIS_CUSTOMER, 3, 4, 500, 300);
		ask(AXIS_ITEM, shop.model.popular[1].item, 2, 125, 375);
	}
	sums.returned[AXIS_ITEM][shop.model.popular[2].item] += 7;
	sums.returned[AXIS_CUSTOMER][shop.model.popular[6].item] += 9;
	watching_look(&w, &sums, 2 * SECOND, 2);
	assert_statistics(WINDOW_USER, VALUE_OWN_RESULTS, 100, 4, 4, 4, 4);
	assert_statistics(WINDOW_USER, VALUE_TOP_SCORE, 100, 0.5, 0.5, 0.5, 0.5);
	assert_statistics(WINDOW_USER, VALUE_MEAN_SCORE, 100, 0.3, 0.3, 0.3, 0.3);
	assert_statistics(WINDOW_USER, VALUE_HISTORY, 100, degree, degree, degree, degree);
	assert_statistics(WINDOW_USER, VALUE_RETURNED_RANK, 9, 7, 7, 7, 7);
	assert_statistics(WINDOW_ITEM, VALUE_OWN_RESULTS, 100, 2, 2, 2, 2);
	assert_statistics(WINDOW_ITEM, VALUE_TOP_SCORE, 100, 0.125, 0.125, 0.125, 0.125);
	assert_statistics(WINDOW_ITEM, VALUE_MEAN_SCORE, 100, 0.375, 0.375, 0.375, 0.375);
	assert_statistics(WINDOW_ITEM, VALUE_ASKED_RANK, 100, 2, 2, 2, 2);
	assert_statistics(WINDOW_ITEM, VALUE_RETURNED_RANK, 7, 3, 3, 3, 3);
	assert_int_equal(window(WINDOW_ITEM)->catalogue_shown, 1);
}

/* Cells of 32 bits, at their end when a window begins. */
static void cells_wrap(void **state)
{
	uint32_t *all = (uint32_t *)(void *)&sums;

	(void)state;
	for (size_t i = 0; i < offsetof(struct sums, trials) / sizeof *all; i++)
		all[i] = UINT32_MAX - 1;
	watching_open(&w, &rules);
	assert_true(watching_begin(&w, &shop.model, 1, &sums, 0, &why));
	for (unsigned i = 0; i < 100; i++)
		ask(AXIS_CUSTOMER, 7, 3, 250, 250);
	sums.strangers[AXIS_CUSTOMER][1] += 50;
	assert_int_equal(watching_look(&w, &sums, SECOND, 1), 1 << WINDOW_USER);
	assert_int_equal(window(WINDOW_USER)->requests, 150);
	assert_int_equal(window(WINDOW_USER)->unknown, 50);
	assert_int_equal(window(WINDOW_USER)->entities, 1);
	assert_statistics(WINDOW_USER, VALUE_OWN_RESULTS, 100, 3, 3, 3, 3);
	assert_int_equal(window(WINDOW_ITEM)->closed, 0);
}

/* A worker that dies leaves its cells; one that is replaced goes on in them. Only the number of windows outlives a reload. */
static void a_new_generation(void **state)
{
	struct monitored *f = &w.kept.found;

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		ask_many(AXIS_ITEM, 100);
		ask_many(AXIS_CUSTOMER, 100);
		watching_look(&w, &sums, i * SECOND, i);
	}
	assert_int_equal(w.kept.baseline.windows[AXIS_CUSTOMER], 2);
	assert_int_equal(w.kept.baseline.windows[AXIS_ITEM], 2);	/* the third is no part of it any more */
	assert_int_equal(w.kept.baseline.requests[AXIS_ITEM], 200);
	assert_int_equal(w.kept.previous.requests[AXIS_ITEM], 300);	/* all: fewer than LIVE_MOST */
	assert_int_equal(f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].insufficient, 0);
	assert_int_equal(f->drift[FEATURE_ITEM_RANK][REFERENCE_PREVIOUS].insufficient, 0);
	f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].detected = 1;
	f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].streak = 1;
	ask_many(AXIS_ITEM, 99);		/* these are lost */
	assert_true(watching_begin(&w, &shop.model, 2, &sums, 100 * SECOND, &why));
	assert_int_equal(f->generation, 2);
	assert_int_equal(f->window[WINDOW_ITEM].closed, 3);
	assert_int_equal(f->window[WINDOW_ITEM].end, 3);
	assert_true(isnan(f->window[WINDOW_ITEM].seconds));
	assert_int_equal(f->window[WINDOW_ITEM].requests, 0);
	assert_int_equal(f->window[WINDOW_ITEM].value[VALUE_TOP_SCORE].n, 0);
	assert_int_equal(f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].detected, 0);
	assert_int_equal(f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].streak, 0);
	assert_int_equal(f->drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].insufficient, 1);
	for (unsigned axis = 0; axis < AXES; axis++) {
		assert_int_equal(w.kept.baseline.windows[axis], 0);
		assert_int_equal(w.kept.previous.windows[axis], 0);
	}
	ask_many(AXIS_ITEM, 1);
	assert_int_equal(watching_look(&w, &sums, 101 * SECOND, 4), 0);
	ask_many(AXIS_ITEM, 99);
	assert_int_equal(watching_look(&w, &sums, 102 * SECOND, 5), 1 << WINDOW_ITEM);
	assert_int_equal(f->window[WINDOW_ITEM].requests, 100);
	assert_int_equal(f->window[WINDOW_ITEM].closed, 4);
	assert_true(f->window[WINDOW_ITEM].seconds == 2);
}

/* What stands on the board is enough to go on with; the open window is not on it. */
static void a_successor(void **state)
{
	static struct watching_kept kept;

	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		ask_many(AXIS_ITEM, 100);
		watching_look(&w, &sums, i * SECOND, i);
	}
	sums.trials[1] = 50;
	sums.hits[1] = 20;
	ask_many(AXIS_ITEM, 60);
	watching_look(&w, &sums, 3 * SECOND, 3);
	kept = w.kept;
	watching_open(&w, &rules);
	w.kept = kept;
	sums.trials[1] = 60;
	assert_true(watching_begin(&w, &shop.model, 1, &sums, 4 * SECOND, &why));
	assert_int_equal(w.kept.baseline.windows[AXIS_ITEM], 2);
	assert_int_equal(w.kept.found.window[WINDOW_ITEM].requests, 100);
	ask_many(AXIS_ITEM, 100);
	watching_look(&w, &sums, 6 * SECOND, 6);
	assert_int_equal(window(WINDOW_ITEM)->closed, 3);
	assert_int_equal(window(WINDOW_ITEM)->requests, 100);
	assert_int_equal(w.kept.found.drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].insufficient, 0);
	assert_int_equal(w.kept.found.rate[0].all_trials, 60);
	assert_int_equal(w.kept.rates.concept.trials, 60);
	assert_int_equal(w.kept.rates.trials, 60);
}

/* -- feedback ----------------------------------------------------------------------------------------------------- */

static void trials(unsigned generation, unsigned n, unsigned hits)
{
	sums.trials[generation % SUMS_TRIALS] += n;
	sums.hits[generation % SUMS_TRIALS] += hits;
}

/* 30 hits are the least that promise anything: of one purchase that was hit, no baseline is made. */
static void what_a_backtest_promises(void **state)
{
	static struct profile p;
	static struct monitored f;
	struct rates a = {.trials = 0};

	(void)state;
	p.backtest = (struct backtest){.trials = 1, .hits_own = {1}};
	rates_begin(&a, &f, &p, &rules);
	assert_true(isnan(f.hit_baseline));
	p.backtest = (struct backtest){.trials = 1000, .hits_own = {20}, .hits_popular = {9}};
	rates_begin(&a, &f, &p, &rules);
	assert_true(isnan(f.hit_baseline));
	p.backtest.hits_popular[1] = 1;
	rates_begin(&a, &f, &p, &rules);
	assert_true(fabs(f.hit_baseline - 0.03) < 1e-12);
}

static void hit_rates(void **state)
{
	const struct monitored *f = &w.kept.found;

	(void)state;
	assert_true(fabs(f->hit_baseline - 80 / 400.0) < 1e-12);	/* of two places: 40 + 10 and 20 + 10 of 400 */
	trials(1, 60, 12);
	assert_int_equal(watching_look(&w, &sums, SECOND, 1), 0);
	trials(1, 45, 3);
	assert_int_equal(watching_look(&w, &sums, 2 * SECOND, 2), 1 << WINDOW_FEEDBACK);
	assert_int_equal(f->window[WINDOW_FEEDBACK].requests, 105);
	assert_int_equal(f->rate[0].generation, 1);
	assert_int_equal(f->rate[0].trials, 105);
	assert_int_equal(f->rate[0].hits, 15);
	assert_int_equal(f->rate[1].generation, 0);
	assert_int_equal(f->concept_state, CONCEPT_STABLE);
	assert_true(f->concept_threshold == 20);
	trials(1, 99, 10);
	assert_int_equal(watching_look(&w, &sums, 2 * SECOND, 2), 0);	/* of the next window */
	trials(1, 6, 5);
	assert_int_equal(watching_look(&w, &sums, 2 * SECOND, 2), 1 << WINDOW_FEEDBACK);
	assert_int_equal(f->rate[0].hits, 15);
	/* reloads: those of the one before still come, and those of this one that came before it was looked at count */
	trials(2, 7, 2);
	assert_true(watching_begin(&w, &shop.model, 2, &sums, 3 * SECOND, &why));
	trials(1, 5, 5);
	trials(2, 93, 1);
	assert_int_equal(watching_look(&w, &sums, 4 * SECOND, 3), 1 << WINDOW_FEEDBACK);
	assert_int_equal(f->rate[0].generation, 2);
	assert_int_equal(f->rate[0].trials, 100);
	assert_int_equal(f->rate[0].hits, 3);
	assert_int_equal(f->rate[1].generation, 1);
	assert_int_equal(f->rate[1].trials, 105);
	assert_int_equal(f->rate[1].all_trials, 215);
	assert_int_equal(f->rate[1].all_hits, 35);
	assert_int_equal(w.kept.rates.concept.trials, 100);
	/* generation 5 has the cell of generation 1, in which there is something */
	for (unsigned g = 3; g <= 5; g++)
		assert_true(watching_begin(&w, &shop.model, g, &sums, 5 * SECOND, &why));
	trials(5, 2, 1);
	watching_look(&w, &sums, 6 * SECOND, 4);
	assert_int_equal(f->rate[0].generation, 5);
	assert_int_equal(f->rate[0].all_trials, 2);
	assert_int_equal(f->rate[1].generation, 4);
	assert_int_equal(f->rate[1].all_trials, 0);
}

/* A fifth was promised; then nobody buys what is recommended: a tenth of each trial is missing (p0 * drop / 2 = 0.05 less). */
static void concept_drift(void **state)
{
	const struct monitored *f = &w.kept.found;

	(void)state;
	trials(1, 99, 20);
	watching_look(&w, &sums, 1, 1);
	assert_int_equal(f->concept_state, CONCEPT_UNKNOWN);
	for (unsigned i = 0; i < 10; i++) {
		trials(1, 10, 2);
		watching_look(&w, &sums, i, i);
		assert_int_equal(f->concept_state, CONCEPT_STABLE);
	}
	trials(1, 60, 0);			/* 60 * 0.15 = 9 hits are missing */
	watching_look(&w, &sums, 10, 10);
	assert_int_equal(f->concept_state, CONCEPT_STABLE);
	trials(1, 20, 0);			/* 12 */
	watching_look(&w, &sums, 11, 11);
	assert_int_equal(f->concept_state, CONCEPT_WARNING);
	trials(1, 60, 0);			/* 21 */
	watching_look(&w, &sums, 12, 12);
	assert_int_equal(f->concept_state, CONCEPT_DRIFTED);
	assert_true(f->concept_statistic > 20 && f->concept_statistic < 22);
	assert_true(watching_begin(&w, &shop.model, 2, &sums, 13, &why));
	assert_int_equal(f->concept_state, CONCEPT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(closed_by_count, begin),
		cmocka_unit_test_setup(closed_by_age, begin),
		cmocka_unit_test_setup(a_quick_look, begin),
		cmocka_unit_test_setup(what_is_in_a_window, begin),
		cmocka_unit_test_setup(what_is_in_the_next_window, begin),
		cmocka_unit_test_setup(cells_wrap, begin),
		cmocka_unit_test_setup(a_new_generation, begin),
		cmocka_unit_test_setup(a_successor, begin),
		cmocka_unit_test(what_a_backtest_promises),
		cmocka_unit_test_setup(hit_rates, begin),
		cmocka_unit_test_setup(concept_drift, begin),
	};

	small_random(&table, ENTITIES, ENTITIES, 30, 7);
	table.backtest = (struct backtest){.customers = 10, .trials = 400, .hits_own = {40, 20, 150}, .hits_popular = {10, 10, 20},
					   .visits = 20, .lines = 50, .seen_users = 20, .seen_items = 30};
	memory = small_packed(&table, 1, 1, &shop);
	if (!memory)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(memory);
	return failed;
}
