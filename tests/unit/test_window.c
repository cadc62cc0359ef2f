/* test_window.c - a generation's features, and what a window makes of cells that are made up: a sample of a large catalogue.
 *
 * The shop is small_random(40, 40, 30, 7). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>

#include "small_packed.h"
#include "../../metrics/window.h"

#define ENTITIES 40

static struct packed shop;

/* 120 items of which each third is counted: as many unknown ids are, by their cells' upper bits. */
static void strides(void **state)
{
	static struct profile k;
	static struct sums from, to;
	static struct window x;

	(void)state;
	memset(&k, 0, sizeof k);
	k.entities[AXIS_ITEM] = 120;
	k.stride[AXIS_ITEM] = 3;
	k.counted[AXIS_ITEM] = 40;
	for (unsigned i = 0; i < 40; i++)
		k.bin[FEATURE_ITEM_MIX][i] = (uint8_t)(i % FEATURE_BUCKETS);
	memset(&to, 0, sizeof to);
	to.own_results[AXIS_ITEM][4] = 300;		/* of all that were answered, */
	to.asked[AXIS_ITEM][0] = 60;			/* these are in the sample */
	to.asked[AXIS_ITEM][39] = 40;
	to.strangers[AXIS_ITEM][5] = 2;			/* cell 5: 5 / 64 is 0, so it is in; */
	to.strangers[AXIS_ITEM][64 + 5] = 7;		/* 1 and 2 are not, */
	to.strangers[AXIS_ITEM][128 + 5] = 1;
	to.strangers[AXIS_ITEM][192 + 5] = 4;		/* and 3 is */
	window_take(&x, AXIS_ITEM, &k, &from, &to);
	assert_int_equal(x.requests, 300);
	assert_int_equal(x.unknown, 14);
	assert_int_equal(x.entities, 2);
	assert_int_equal(x.strangers, 2);
	assert_int_equal(x.by_request[FEATURE_ITEM_MIX][5], 6);
	assert_int_equal(x.by_entity[FEATURE_ITEM_MIX][5], 2);
	assert_int_equal(x.by_request[FEATURE_ITEM_MIX][0], 60);
	assert_int_equal(x.by_entity[FEATURE_ITEM_MIX][39], 1);
	/* cells are shared: 2,000 taken of 4,096 stand for 4096 * ln(4096 / 2096) ids */
	k.stride[AXIS_ITEM] = 1;
	memset(to.strangers, 0, sizeof to.strangers);
	for (unsigned i = 0; i < 2000; i++)
		to.strangers[AXIS_ITEM][2 * i] = 1;
	window_take(&x, AXIS_ITEM, &k, &from, &to);
	assert_int_equal(x.strangers, 2744);
	for (unsigned i = 0; i < WATCH_STRANGERS; i++)
		to.strangers[AXIS_ITEM][i] = 1;
	window_take(&x, AXIS_ITEM, &k, &from, &to);
	assert_in_range(x.strangers, 30000, 50000);	/* 4096 * (ln 4096 + 0.577) = 36433 */
}

/* The profile's bins are those of the entities, and its mix what visits make of it. */
static void profiles(void **state)
{
	double mix[REFERENCE_BINS], sum = 0, expected = 0;
	uint32_t counts[REFERENCE_BINS] = {0}, lines = 0;
	static struct profile profile;
	struct fault why;

	(void)state;
	assert_true(profile_make(&profile, &shop.model, 1, &why));
	for (unsigned f = 0; f < FEATURE_BINNED; f++) {
		memset(counts, 0, sizeof counts);
		for (uint32_t i = 0; i < ENTITIES; i++)
			counts[profile.bin[f][i]]++;
		assert_memory_equal(counts, shop.model.references[f].count, sizeof counts);
	}
	for (uint32_t i = 0; i < ENTITIES; i++)
		lines += shop.model.lines[i];
	for (uint32_t i = 0; i < ENTITIES; i++)
		expected += 1 - exp(-70.0 * shop.model.lines[i] / lines);
	profile_mix(&profile, FEATURE_ITEM_RANK, 70, mix);
	for (unsigned i = 0; i < shop.model.references[FEATURE_ITEM_RANK].bins; i++)
		sum += mix[i];
	assert_true(fabs(sum - expected) < 1e-9);
	assert_int_equal(profile.value[AXIS_ITEM][shop.model.popular[5].item], 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strides),
		cmocka_unit_test(profiles),
	};
	static struct small table;

	small_random(&table, ENTITIES, ENTITIES, 30, 7);
	void *memory = small_packed(&table, 1, 1, &shop);

	if (!memory)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(memory);
	return failed;
}
