/* test_previous.c - the reference `previous` follows the traffic, waits while a verdict is pending, and so sees a step, and
 * does not see one odd window twice. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../../metrics/watching.h"

#define ITEMS	 100
#define REQUESTS 1000

static const struct window_rules rules = {.requests = REQUESTS, .seconds = 3600, .least = 200, .baseline_windows = 8,
					  .effect_percent = 10, .alpha_permille = 10, .running = 2, .hit_drop_percent = 50,
					  .hit_lambda = 20, .default_n = 5};

struct shop {
	struct watching w;
	struct sums sums;
	int64_t now;
};

/* A hundred items: the first half in the first bin of item_rank, the second in the second. */
static struct shop *shop(void)
{
	struct shop *s = calloc(1, sizeof *s);

	assert_non_null(s);
	watching_open(&s->w, &rules);
	struct profile *k = &s->w.profile;

	k->entities[AXIS_ITEM] = k->counted[AXIS_ITEM] = ITEMS;
	k->stride[AXIS_ITEM] = k->stride[AXIS_CUSTOMER] = 1;
	for (unsigned f = 0; f < FEATURE_BINNED; f++) {
		struct reference *r = &k->reference[f];

		r->bins = r->groups = f == FEATURE_ITEM_RANK ? 2 : 1;
		r->group[1] = 1;
		for (uint32_t i = 0; i < ITEMS; i++) {
			k->bin[f][i] = (uint8_t)(f == FEATURE_ITEM_RANK ? i / (ITEMS / 2) : f == FEATURE_ITEM_MIX ? i % 64 : 0);
			r->count[k->bin[f][i]]++;
		}
	}
	for (uint32_t i = 0; i < ITEMS; i++)
		k->share[AXIS_ITEM][i] = 1.0 / ITEMS;
	verdict_begin(s->w.kept.found.drift);
	return s;
}

/* A window of requests for items from `first` on, all alike. Returns the verdict on item_rank by the reference. */
static unsigned window(struct shop *s, uint32_t first, enum drift_reference reference)
{
	for (uint32_t i = 0; i < REQUESTS; i++) {
		s->sums.asked[AXIS_ITEM][first + i % (ITEMS - first)]++;
		s->sums.own_results[AXIS_ITEM][5]++;
	}
	assert_true(watching_look(&s->w, &s->sums, ++s->now, 0) & 1u << WINDOW_ITEM);
	return s->w.kept.found.drift[FEATURE_ITEM_RANK][reference].detected;
}

static void a_step_is_seen(void **state)
{
	struct shop *s = shop();
	int more = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(window(s, 0, REFERENCE_PREVIOUS), 0);
	assert_int_equal(window(s, ITEMS / 2, REFERENCE_PREVIOUS), 0);
	assert_int_equal(window(s, ITEMS / 2, REFERENCE_PREVIOUS), 1);
	/* what stays that way becomes what came before */
	while (window(s, ITEMS / 2, REFERENCE_PREVIOUS))
		assert_true(++more < 40);
	assert_true(more >= 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(window(s, ITEMS / 2, REFERENCE_PREVIOUS), 0);
	free(s);
}

/* The reference must not take in the first window of a step: half of this one would not be drift any more. */
static void a_small_step_is_seen(void **state)
{
	struct shop *s = shop();

	(void)state;
	assert_int_equal(window(s, 0, REFERENCE_PREVIOUS), 0);
	assert_int_equal(window(s, ITEMS / 5, REFERENCE_PREVIOUS), 0);
	assert_int_equal(window(s, ITEMS / 5, REFERENCE_PREVIOUS), 1);
	free(s);
}

static void one_odd_window_is_not(void **state)
{
	struct shop *s = shop();

	(void)state;
	for (int i = 0; i < 30; i++)
		assert_int_equal(window(s, i % 10 == 9 ? ITEMS / 2 : 0, REFERENCE_PREVIOUS), 0);
	free(s);
}

/* A slow change never differs from what came just before; the baseline is there for that. */
static void a_creeping_change_is_the_baselines(void **state)
{
	struct shop *s = shop();
	unsigned seen = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(window(s, i / 4, REFERENCE_PREVIOUS), 0);
		seen |= s->w.kept.found.drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE].detected;
	}
	assert_int_equal(seen, 1);
	free(s);
}

static void older_windows_fade(void **state)
{
	struct window w = {.axis = AXIS_ITEM, .requests = 90, .unknown = 10};
	struct live *l = calloc(1, sizeof *l);

	(void)state;
	assert_non_null(l);
	w.by_request[FEATURE_ITEM_RANK][1] = 90;
	for (int i = 0; i < LIVE_MOST; i++)
		live_follow(l, &w);
	assert_true(l->windows[AXIS_ITEM] == 8 && l->count[FEATURE_ITEM_RANK][1] == 720);
	w.by_request[FEATURE_ITEM_RANK][1] = 0;
	w.by_request[FEATURE_ITEM_RANK][2] = 90;
	live_follow(l, &w);
	assert_true(l->windows[AXIS_ITEM] == 5 && l->count[FEATURE_ITEM_RANK][1] == 360 && l->count[FEATURE_ITEM_RANK][2] == 90);
	assert_true(l->requests[AXIS_ITEM] == 500 && l->unknown[AXIS_ITEM] == 50 && l->windows[AXIS_CUSTOMER] == 0);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_seen),
		cmocka_unit_test(a_small_step_is_seen),
		cmocka_unit_test(one_odd_window_is_not),
		cmocka_unit_test(a_creeping_change_is_the_baselines),
		cmocka_unit_test(older_windows_fade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
