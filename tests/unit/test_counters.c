/* test_counters.c - where requests and their durations are counted, how slots are summed, what a death clears. */
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

static struct counters *zeroed(size_t n)
{
	void *c = aligned_alloc(64, n * sizeof(struct counters));

	assert_non_null(c);
	return memset(c, 0, n * sizeof(struct counters));
}

static void request(struct counters *c, enum handler h, enum method m, enum status s, uint64_t ns)
{
	const struct counted r = {h, m, s};

	counters_begin(c);
	counters_answered(c, r, 0, 0);
	counters_sent(c, r, ns);
}

/* All durations of a slot. */
static uint64_t times(const struct counters *c)
{
	uint64_t n = 0;

	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		for (unsigned t = 0; t < TIMED_COUNT; t++)
			for (unsigned k = 0; k < CLASS_COUNT; k++)
				for (unsigned i = 0; i < BIN_COUNT; i++)
					n += c->served[h][t][k].bin[i];
	return n;
}

/* Every cell is its own: count each one a different number of times and find it again in a sum of two slots. */
static void every_cell(void **state)
{
	struct counters *slot = zeroed(2), *sum = zeroed(1);

	(void)state;
	assert_int_equal(counters_size(), sizeof *slot);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned h = 0; h < HANDLER_COUNT; h++)
			for (unsigned m = 0; m < METHOD_COUNT; m++)
				for (unsigned s = 0; s < STATUS_COUNT; s++)
					for (unsigned n = 0; n < (h * 7 + m * 3 + s) % 5 + i; n++)
						request(&slot[i], (enum handler)h, (enum method)m, (enum status)s, 30000);
	counters_begin(&slot[1]);
	uint64_t first = counters_add(sum, &slot[0]), second = counters_add(sum, &slot[1]);

	assert_int_equal(second - first, HANDLER_COUNT * METHOD_COUNT * STATUS_COUNT);
	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		for (unsigned m = 0; m < METHOD_COUNT; m++)
			for (unsigned s = 0; s < STATUS_COUNT; s++)
				assert_int_equal(sum->requests[h][m][s], 2 * ((h * 7 + m * 3 + s) % 5) + 1);
	assert_int_equal(sum->in_progress, 1);
	assert_int_equal(times(sum), first + second);
	free(slot);
	free(sum);
}

static void a_death_clears_what_was_in_hand_and_keeps_totals(void **state)
{
	struct counters *c = zeroed(1);

	(void)state;
	for (int i = 0; i < 3; i++)
		counters_begin(c);
	request(c, HANDLER_ITEM, METHOD_GET, STATUS_200, 5);
	c->threads = 8;
	c->unheard = 3;
	c->connections_active = 4;
	c->connections_accepted = 11;
	c->proportional = 1 << 20;
	c->predictions[AXIS_ITEM].outcome[DELIVERY_FULL] = 9;
	assert_int_equal(counters_bury(c), 3);
	assert_int_equal(counters_bury(c), 0);
	assert_int_equal(c->in_progress, 0);
	assert_int_equal(c->threads, 0);
	assert_int_equal(c->unheard, 0);
	assert_int_equal(c->connections_active, 0);
	assert_int_equal(c->proportional, 0);
	assert_int_equal(c->connections_accepted, 11);
	assert_int_equal(c->predictions[AXIS_ITEM].outcome[DELIVERY_FULL], 9);
	assert_int_equal(c->requests[HANDLER_ITEM][METHOD_GET][STATUS_200], 1);
	assert_int_equal(times(c), 1);
	free(c);
}

#define THREADS 4
#define EACH	20000

static void *count(void *of)
{
	for (int i = 0; i < EACH; i++)
		request(of, HANDLER_USER, METHOD_GET, STATUS_200, 7);
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	struct counters *c = zeroed(1);
	pthread_t thread[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count, c), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(c->requests[HANDLER_USER][METHOD_GET][STATUS_200], THREADS * EACH);
	assert_int_equal(c->in_progress, 0);
	assert_int_equal(c->served[HANDLER_USER][TIMED_GET][CLASS_2XX].time, 7 * THREADS * EACH);
	assert_int_equal(times(c), THREADS * EACH);
	free(c);
}

/* A bound belongs to its own bin: le means less or equal. */
static void bins(void **state)
{
	static const struct {
		uint64_t ns;
		unsigned bin;
	} cases[] = {
		{0, 0}, {1, 0}, {49999, 0}, {50000, 0}, {50001, 1}, {100000, 1}, {100001, 2}, {999999, 4}, {1000000, 4},
		{1000001, 5}, {10000000, 7}, {75000000, 10}, {75000001, 11}, {100000000, 11}, {999999999, 15},
		{1000000000, 15}, {1000000001, 16}, {60000000000, 27}, {60000000001, 28}, {UINT64_MAX, 28},
	};

	(void)state;
	assert_int_equal(BIN_COUNT, 29);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (counters_bin(cases[i].ns) != cases[i].bin)
			fail_msg("%llu ns are in bin %u", (unsigned long long)cases[i].ns, counters_bin(cases[i].ns));
}

/* The texts that are shown are the numbers that are compared, and they rise. */
static void bounds_are_what_they_say(void **state)
{
	static const struct {
		uint64_t ns;
		const char *le;
	} bounds[] = {
#define X(nanoseconds, le_text, fine, coarse) {nanoseconds, le_text},
		BOUNDS(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
		assert_true(strtod(bounds[i].le, NULL) * 1e9 > (double)bounds[i].ns - 0.5);
		assert_true(strtod(bounds[i].le, NULL) * 1e9 < (double)bounds[i].ns + 0.5);
		assert_true(i == 0 || bounds[i].ns > bounds[i - 1].ns);
	}
}

/* Where a duration goes: by handler, GET or not, and class; beside it what else a request leaves behind. */
static void a_request_is_counted_once_everywhere(void **state)
{
	struct counters *c = zeroed(1);
	const struct counted r = {HANDLER_ITEM, METHOD_POST, STATUS_405};

	(void)state;
	counters_begin(c);
	assert_int_equal(c->in_progress, 1);
	counters_answered(c, r, 100, 31);
	assert_int_equal(c->in_progress, 1);
	assert_int_equal(times(c), 0);
	counters_sent(c, r, 200000);
	assert_int_equal(c->in_progress, 0);
	assert_int_equal(c->requests[HANDLER_ITEM][METHOD_POST][STATUS_405], 1);
	assert_int_equal(c->request_size[HANDLER_ITEM], 100);
	assert_int_equal(c->served[HANDLER_ITEM][TIMED_OTHER][CLASS_4XX].bytes, 31);
	assert_int_equal(c->served[HANDLER_ITEM][TIMED_OTHER][CLASS_4XX].bin[2], 1);
	assert_int_equal(c->served[HANDLER_ITEM][TIMED_OTHER][CLASS_4XX].time, 200000);
	assert_int_equal(times(c), 1);
	free(c);
}

static void classes(void **state)
{
	(void)state;
	assert_int_equal(counters_class(STATUS_200), CLASS_2XX);
	assert_int_equal(counters_class(STATUS_304), CLASS_3XX);
	assert_int_equal(counters_class(STATUS_431), CLASS_4XX);
	assert_int_equal(counters_class(STATUS_505), CLASS_5XX);
}

static void lists_of_handlers(void **state)
{
	static const char *const bad[] = {"/nope", "/metrics /nope", "metrics", "/metrics;/healthz", "/METRICS", "/metric"};
	const uint32_t both = 1u << HANDLER_METRICS | 1u << HANDLER_USER;
	const char *at;
	size_t len;
	uint32_t set = 1;

	(void)state;
	assert_true(counters_handlers("", &set, &at, &len));
	assert_int_equal(set, 0);
	assert_true(counters_handlers("/metrics,/predict/user/{user_id}", &set, &at, &len));
	assert_int_equal(set, both);
	assert_true(counters_handlers(" , /predict/user/{user_id}\t /metrics,, /metrics ", &set, &at, &len));
	assert_int_equal(set, both);
	assert_true(counters_handlers("none /", &set, &at, &len));
	assert_int_equal(set, 1u << HANDLER_NONE | 1u << HANDLER_ROOT);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (counters_handlers(bad[i], &set, &at, &len))
			fail_msg("'%s' is a list of handlers", bad[i]);
	assert_false(counters_handlers("/metrics, /x /y", &set, &at, &len));
	assert_int_equal(len, 2);
	assert_memory_equal(at, "/x", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels),
		cmocka_unit_test(every_cell),
		cmocka_unit_test(a_death_clears_what_was_in_hand_and_keeps_totals),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(bins),
		cmocka_unit_test(bounds_are_what_they_say),
		cmocka_unit_test(a_request_is_counted_once_everywhere),
		cmocka_unit_test(classes),
		cmocka_unit_test(lists_of_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
