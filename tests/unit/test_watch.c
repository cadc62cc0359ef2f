/* test_watch.c - which cells a prediction adds to. What predictions are is test_predict.c's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../metrics/watch.h"

#define MANY 16384			/* entities that are counted one by one: the header says so */

static struct watch *w;
static struct counters *c;

static void *zeroed(size_t size)
{
	void *at = aligned_alloc(64, (size + 63) / 64 * 64);

	assert_non_null(at);
	return memset(at, 0, size);
}

static int empty(void **state)
{
	(void)state;
	free(w);
	free(c);
	w = zeroed(sizeof *w);
	c = zeroed(sizeof *c);
	return 0;
}

/* An answer with so many results, the first `near` of its own, as items 0, 1, ... */
static void answer_of(uint32_t n_items, enum axis_kind kind, uint32_t asked, uint32_t n, size_t near, size_t total, double top,
		      double sum)
{
	static struct neighbour out[20000];
	struct model m = {.axis = {[AXIS_ITEM] = {.n = n_items}, [AXIS_CUSTOMER] = {.n = 100}}};
	struct recommendation r = {.near = near, .total = total};

	for (size_t i = 0; i < total; i++)
		out[i].id = (uint32_t)i;
	watch_answered(w, c, &m, &(struct watch_answer){.kind = kind, .asked = asked, .n = n, .r = &r, .out = out, .top = top,
						   .sum = sum});
}

/* All of an array. */
static uint64_t all(const _Atomic uint32_t *cells, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += cells[i];
	return sum;
}

static void one_answer(void **state)
{
	struct predicted *p = &c->predictions[AXIS_CUSTOMER];

	(void)state;
	answer_of(50, AXIS_CUSTOMER, 99, 5, 3, 5, 0.7305, 2.5);
	assert_int_equal(w->asked[AXIS_CUSTOMER][99], 1);
	assert_int_equal(all(w->asked[0], AXES * WATCH_ENTITIES), 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(w->returned[AXIS_CUSTOMER][i], 1);
	assert_int_equal(all(w->returned[0], AXES * WATCH_ENTITIES), 5);
	assert_int_equal(w->own_results[AXIS_CUSTOMER][3], 1);
	assert_int_equal(all(w->own_results[0], AXES * WATCH_RESULTS), 1);
	assert_int_equal(w->top_score[AXIS_CUSTOMER][731], 1);
	assert_int_equal(all(w->top_score[0], AXES * WATCH_SCORES), 1);
	assert_int_equal(w->mean_score[AXIS_CUSTOMER][500], 1);
	assert_int_equal(all(w->mean_score[0], AXES * WATCH_SCORES), 1);
	assert_int_equal(all(w->strangers[0], AXES * WATCH_STRANGERS), 0);
	assert_int_equal(p->outcome[DELIVERY_FILLED], 1);
	assert_int_equal(p->own_ids, 3);
	assert_int_equal(p->fill_ids, 2);
	assert_int_equal(p->score, 730500000);
	assert_int_equal(p->top_score[7], 1);		/* above 0.7 */
	assert_int_equal(p->own_results[3], 1);		/* above 2 */
}

static void outcomes(void **state)
{
	static const struct {
		uint32_t n;
		size_t near, total;
		enum delivery want;
	} cases[] = {
		{5, 5, 5, DELIVERY_FULL}, {1, 1, 1, DELIVERY_FULL}, {5, 4, 5, DELIVERY_FILLED}, {5, 0, 5, DELIVERY_FILLED},
		{5, 4, 4, DELIVERY_SHORT}, {5, 1, 4, DELIVERY_SHORT}, {5, 0, 0, DELIVERY_SHORT}, {1, 0, 0, DELIVERY_SHORT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned kind = 0; kind < AXES; kind++) {
			empty(state);
			answer_of(50, (enum axis_kind)kind, 1, cases[i].n, cases[i].near, cases[i].total, 0.5, 0.5);
			for (unsigned k = 0; k < DELIVERY_COUNT; k++) {
				assert_int_equal(c->predictions[kind].outcome[k], k == (unsigned)cases[i].want);
				assert_int_equal(c->predictions[1 - kind].outcome[k], 0);
			}
		}
	}
}

/* No results of its own, no top score; no results at all, no mean. */
static void what_there_is_not(void **state)
{
	(void)state;
	answer_of(50, AXIS_CUSTOMER, 1, 5, 0, 4, 0, 1);
	assert_int_equal(all(w->top_score[0], AXES * WATCH_SCORES), 0);
	assert_int_equal(w->mean_score[AXIS_CUSTOMER][250], 1);
	assert_int_equal(w->own_results[AXIS_CUSTOMER][0], 1);
	assert_int_equal(c->predictions[AXIS_CUSTOMER].own_results[0], 1);
	answer_of(50, AXIS_ITEM, 1, 5, 0, 0, 0, 0);
	assert_int_equal(all(w->top_score[0], AXES * WATCH_SCORES), 0);
	assert_int_equal(all(w->mean_score[AXIS_ITEM], WATCH_SCORES), 0);
	assert_int_equal(w->own_results[AXIS_ITEM][0], 1);
	for (unsigned i = 0; i <= SCORE_BOUND_COUNT; i++)
		assert_int_equal(c->predictions[AXIS_ITEM].top_score[i] + c->predictions[AXIS_CUSTOMER].top_score[i], 0);
}

/* A bound belongs to its own bin; cells round to the nearest. */
static void bins_of_scores(void **state)
{
	static const struct {
		double score;
		unsigned cell, bin;
	} cases[] = {
		{0, 0, 0}, {0.0004, 0, 0}, {0.0006, 1, 0}, {0.1, 100, 0}, {0.1 + 1e-12, 100, 1}, {0.3, 300, 2}, {0.5, 500, 4},
		{0.51, 510, 5}, {0.7, 700, 6}, {0.9, 900, 8}, {0.9994, 999, 9}, {0.9996, 1000, 9}, {1, 1000, 9},
		{1 + 4e-16, 1000, 10},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		empty(state);
		answer_of(50, AXIS_ITEM, 1, 1, 1, 1, cases[i].score, cases[i].score);
		if (w->top_score[AXIS_ITEM][cases[i].cell] != 1 || w->mean_score[AXIS_ITEM][cases[i].cell] != 1 ||
		    c->predictions[AXIS_ITEM].top_score[cases[i].bin] != 1)
			fail_msg("%.17g is not in cell %u, bin %u", cases[i].score, cases[i].cell, cases[i].bin);
	}
}

static void bins_of_results(void **state)
{
	static const struct {
		uint32_t results;
		unsigned cell, bin;
	} cases[] = {
		{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {5, 5, 3}, {6, 6, 4}, {10, 10, 4}, {20, 20, 5}, {21, 21, 6},
		{50, 50, 6}, {51, 51, 7}, {100, 100, 7}, {101, 101, 8}, {127, 127, 8}, {128, 128, 8}, {129, 128, 8},
		{10000, 128, 8},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		empty(state);
		answer_of(MANY, AXIS_ITEM, 1, cases[i].results, cases[i].results, cases[i].results, 0.5, 0.5);
		if (w->own_results[AXIS_ITEM][cases[i].cell] != 1 ||
		    c->predictions[AXIS_ITEM].own_results[cases[i].bin] != 1)
			fail_msg("%u results are not in cell %u, bin %u", cases[i].results, cases[i].cell, cases[i].bin);
		assert_int_equal(c->predictions[AXIS_ITEM].own_ids, cases[i].results);
	}
}

/* Of a large catalogue every second, third, ... is counted, and the last cell is the last. */
static void large_catalogues(void **state)
{
	static const struct {
		uint32_t n, stride;
	} cases[] = {
		{1, 1}, {MANY - 1, 1}, {MANY, 1}, {MANY + 1, 2}, {2 * MANY, 2}, {2 * MANY + 1, 3}, {1000000, 62},
		{MODEL_MAX_ENTRIES, 262144},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t n = cases[i].n, stride = cases[i].stride, last = (n - 1) / stride * stride;

		empty(state);
		assert_true(last / stride < MANY);
		answer_of(n, AXIS_ITEM, last, 5, 0, n < 12 ? n : 12, 0, 0);
		assert_int_equal(w->asked[AXIS_ITEM][last / stride], 1);
		for (uint32_t k = 0; k < 12; k++)
			assert_int_equal(w->returned[AXIS_ITEM][k], (uint64_t)k * stride < (n < 12 ? n : 12));
		if (stride > 1 && last > 0) {
			answer_of(n, AXIS_ITEM, last - 1, 5, 0, 0, 0, 0);
			assert_int_equal(all(w->asked[0], AXES * WATCH_ENTITIES), 1);
		}
	}
}

/* The low 12 bits of XXH3 as `xxhsum -H3` has it. */
static void strangers(void **state)
{
	(void)state;
	watch_stranger(w, c, AXIS_ITEM, (struct text){"nobody", 6});
	watch_stranger(w, c, AXIS_ITEM, (struct text){"nobody", 6});
	watch_stranger(w, c, AXIS_CUSTOMER, (struct text){"c00", 3});
	assert_int_equal(w->strangers[AXIS_ITEM][0xd8e], 2);
	assert_int_equal(w->strangers[AXIS_CUSTOMER][0x6e1], 1);
	assert_int_equal(all(w->strangers[0], AXES * WATCH_STRANGERS), 3);
	assert_int_equal(c->predictions[AXIS_ITEM].outcome[DELIVERY_UNKNOWN], 2);
	assert_int_equal(c->predictions[AXIS_CUSTOMER].outcome[DELIVERY_UNKNOWN], 1);
	assert_int_equal(all(w->own_results[0], AXES * WATCH_RESULTS), 0);
}

#define THREADS 4
#define EACH	20000

static void *add_many(void *of)
{
	(void)of;
	for (int i = 0; i < EACH; i++) {
		const struct model m = {.axis = {{.n = 50}, {.n = 100}}};
		const struct neighbour out[2] = {{7, 1}, {8, 1}};
		const struct recommendation r = {.near = 1, .total = 2};

		watch_answered(w, c, &m, &(struct watch_answer){.kind = AXIS_ITEM, .asked = 3, .n = 2, .r = &r, .out = out,
							   .top = 0.25, .sum = 1});
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(w->asked[AXIS_ITEM][3], THREADS * EACH);
	assert_int_equal(w->returned[AXIS_ITEM][7], THREADS * EACH);
	assert_int_equal(w->returned[AXIS_ITEM][8], THREADS * EACH);
	assert_int_equal(w->top_score[AXIS_ITEM][250], THREADS * EACH);
	assert_int_equal(w->mean_score[AXIS_ITEM][500], THREADS * EACH);
	assert_int_equal(c->predictions[AXIS_ITEM].outcome[DELIVERY_FILLED], THREADS * EACH);
	assert_int_equal(c->predictions[AXIS_ITEM].score, UINT64_C(250000000) * THREADS * EACH);
}

static int tear_down(void **state)
{
	(void)state;
	free(w);
	free(c);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_answer, empty),
		cmocka_unit_test_setup(outcomes, empty),
		cmocka_unit_test_setup(what_there_is_not, empty),
		cmocka_unit_test_setup(bins_of_scores, empty),
		cmocka_unit_test_setup(bins_of_results, empty),
		cmocka_unit_test_setup(large_catalogues, empty),
		cmocka_unit_test_setup(strangers, empty),
		cmocka_unit_test_setup(threads_lose_nothing, empty),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
