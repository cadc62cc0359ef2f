/* test_rates.c - purchases by window: each in one, and in none of another generation's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "../../metrics/rates.h"

static const struct window_rules rules = {.requests = 100, .hit_drop_percent = 50, .hit_lambda = 20, .default_n = 2};
static struct profile profile;
static struct monitored found;
static struct rates rates;
static struct sums_quick sums;

static void begin(uint64_t generation)
{
	profile.generation = generation;
	rates_begin(&rates, &found, &profile, &rules);
}

static void come(uint64_t generation, uint64_t trials, uint64_t hits)
{
	sums.trials[generation % SUMS_TRIALS] += trials;
	sums.hits[generation % SUMS_TRIALS] += hits;
	rates_look(&rates, &found, &sums);
}

static int first(void **state)
{
	(void)state;
	memset(&found, 0, sizeof found);
	memset(&rates, 0, sizeof rates);
	memset(&sums, 0, sizeof sums);
	begin(1);
	return 0;
}

static void assert_window(uint64_t trials, uint64_t hits)
{
	rates_close(&rates, &found);
	assert_int_equal(found.rate[0].trials, trials);
	assert_int_equal(found.window[WINDOW_FEEDBACK].requests, trials);
	assert_int_equal(found.rate[0].hits, hits);
}

static void one_after_the_other(void **state)
{
	(void)state;
	come(1, 60, 12);
	come(1, 45, 3);
	assert_window(105, 15);
	come(1, 0, 0);
	assert_int_equal(rates.trials, 0);
	come(1, 70, 1);
	come(1, 31, 1);
	assert_window(101, 2);
	assert_window(0, 0);
	assert_int_equal(found.rate[0].all_trials, 206);
	assert_int_equal(found.rate[0].all_hits, 17);
}

/* The window that a reload ends is no part of the next generation's first; purchases that come late are in none. */
static void a_reload_in_between(void **state)
{
	(void)state;
	come(1, 90, 40);
	begin(2);
	come(1, 10, 9);
	come(2, 7, 1);
	assert_window(7, 1);
	assert_int_equal(found.rate[0].generation, 2);
	assert_int_equal(rates.concept.trials, 7);
	assert_int_equal(found.rate[1].generation, 1);
	assert_int_equal(found.rate[1].all_trials, 100);
	assert_int_equal(found.rate[1].all_hits, 49);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_after_the_other, first),
		cmocka_unit_test_setup(a_reload_in_between, first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
