/* test_counters.c - where requests are counted, how slots are summed, what a death clears. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../metrics/counters.h"

static void labels(void **state)
{
	(void)state;
	assert_int_equal(counters_method("GET"), METHOD_GET);
	assert_int_equal(counters_method("OPTIONS"), METHOD_OPTIONS);
	assert_int_equal(counters_method("get"), METHOD_OTHER);
	assert_int_equal(counters_method("GETX"), METHOD_OTHER);
	assert_int_equal(counters_method(""), METHOD_OTHER);
	assert_int_equal(counters_method(NULL), METHOD_OTHER);
	assert_int_equal(counters_status(200), STATUS_200);
	assert_int_equal(counters_status(422), STATUS_422);
	assert_int_equal(counters_status(505), STATUS_505);
	/* a code that is not listed keeps its class */
	assert_int_equal(counters_status(206), STATUS_200);
	assert_int_equal(counters_status(302), STATUS_307);
	assert_int_equal(counters_status(499), STATUS_400);
	assert_int_equal(counters_status(599), STATUS_500);
}

/* Every cell is its own: count each one a different number of times and find it again in a sum of two slots. */
static void every_cell(void **state)
{
	struct counters *slot = calloc(2, sizeof *slot), *sum = calloc(1, sizeof *sum);

	(void)state;
	assert_non_null(slot);
	assert_non_null(sum);
	assert_int_equal(counters_size(), sizeof *slot);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned h = 0; h < HANDLER_COUNT; h++)
			for (unsigned m = 0; m < METHOD_COUNT; m++)
				for (unsigned s = 0; s < STATUS_COUNT; s++)
					for (unsigned n = 0; n < (h * 7 + m * 3 + s) % 5 + i; n++)
						counters_answered(&slot[i], (enum handler)h, (enum method)m, (enum status)s);
	counters_begin(&slot[1]);
	counters_begin(&slot[1]);
	counters_end(&slot[1]);
	counters_add(sum, &slot[0]);
	counters_add(sum, &slot[1]);
	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		for (unsigned m = 0; m < METHOD_COUNT; m++)
			for (unsigned s = 0; s < STATUS_COUNT; s++)
				assert_int_equal(sum->requests[h][m][s], 2 * ((h * 7 + m * 3 + s) % 5) + 1);
	assert_int_equal(sum->in_progress, 1);
	free(slot);
	free(sum);
}

static void a_death_clears_what_was_in_hand_and_keeps_totals(void **state)
{
	struct counters *c = calloc(1, sizeof *c);

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < 3; i++)
		counters_begin(c);
	counters_answered(c, HANDLER_ITEM, METHOD_GET, STATUS_200);
	assert_int_equal(counters_bury(c), 3);
	assert_int_equal(counters_bury(c), 0);
	assert_int_equal(c->in_progress, 0);
	assert_int_equal(c->requests[HANDLER_ITEM][METHOD_GET][STATUS_200], 1);
	free(c);
}

#define THREADS 4
#define EACH	20000

static void *count(void *of)
{
	for (int i = 0; i < EACH; i++) {
		counters_begin(of);
		counters_answered(of, HANDLER_USER, METHOD_GET, STATUS_200);
		counters_end(of);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct counters *c = calloc(1, sizeof *c);
	pthread_t thread[THREADS];

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count, c), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(c->requests[HANDLER_USER][METHOD_GET][STATUS_200], THREADS * EACH);
	assert_int_equal(c->in_progress, 0);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(every_cell),
		cmocka_unit_test(a_death_clears_what_was_in_hand_and_keeps_totals),
		cmocka_unit_test(threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
