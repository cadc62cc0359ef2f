/* test_feedback_once.c - the same event twice: in a body, later, at another worker, at the same time; and how long that is
 * remembered. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "../../metrics/slot.h"
#include "../../server/feedback_once.h"

#define SLOTS 2
#define RING  64			/* so 4 sets of 63 fingerprints */

static struct board board;
static struct fault why;

/* This process is the worker of that slot from now on. */
static void be(uint32_t slot)
{
	board.own = (uint8_t *)(void *)board_slot(&board, slot);
	board.own_index = slot;
}

static int setup(void **state)
{
	(void)state;
	if (!board_create(&board, SLOTS, slot_size(RING), 0, &why))
		return -1;
	return 0;
}

static int empty(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++) {
		memset(board_dead_counters(&board, i), 0, slot_size(RING));
		shown_make(slot_shown(board_dead_counters(&board, i)), RING);
	}
	board.head->shown_key = 42;
	be(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	board.own = NULL;
	board_remove(&board);
	return 0;
}

static struct text text(const char *s) { return (struct text){s, s ? strlen(s) : 0}; }

static struct feedback_event event(const char *id, const char *user, const char *item, enum event kind, int64_t ms)
{
	return (struct feedback_event){.id = text(id), .user = text(user), .item = text(item), .kind = kind, .timed = ms >= 0,
				       .ms = ms, .outcome = FEEDBACK_UNDECIDED};
}

/* Take one in hand and out again, with this outcome where it is new. Its own. */
static enum outcome once(struct feedback_event e, enum outcome outcome, bool counted)
{
	struct feedback_body f = {.event = &e, .count = 1};

	feedback_once_take(&board, &f);
	enum outcome found = e.outcome;

	if (e.outcome == FEEDBACK_UNDECIDED)
		e.outcome = outcome;
	feedback_once_give(&board, &f, counted);
	return found;
}

static void what_makes_events_the_same(void **state)
{
	const struct feedback_event different[] = {
		event(NULL, "u", "i", EVENT_CLICK, -1),
		event(NULL, "u", "i", EVENT_CART, -1),
		event(NULL, "u", "i", EVENT_CLICK, 0),
		event(NULL, "u", "i", EVENT_CLICK, 1),
		event(NULL, "u", "j", EVENT_CLICK, -1),
		event(NULL, "v", "i", EVENT_CLICK, -1),
		event(NULL, "ui", "i", EVENT_CLICK, -1),
		event(NULL, "u", "ii", EVENT_CLICK, -1),
		event("u", NULL, "i", EVENT_CLICK, -1),
		event("u", "u", "i", EVENT_CLICK, -1),
		event("u", "v", "i", EVENT_CLICK, -1),
		event("uu", NULL, "i", EVENT_CLICK, -1),
	};

	(void)state;
	for (size_t i = 0; i < sizeof different / sizeof *different; i++)
		assert_int_equal(once(different[i], OUTCOME_MISS, true), FEEDBACK_UNDECIDED);
	for (size_t i = 0; i < sizeof different / sizeof *different; i++)
		assert_int_equal(once(different[i], OUTCOME_MISS, true), OUTCOME_DUPLICATE);
	be(1);						/* and another worker knows them, too */
	for (size_t i = 0; i < sizeof different / sizeof *different; i++)
		assert_int_equal(once(different[i], OUTCOME_MISS, true), OUTCOME_DUPLICATE);
	board.head->shown_key = 43;			/* of another master nobody does */
	assert_int_equal(once(different[0], OUTCOME_MISS, true), FEEDBACK_UNDECIDED);
	be(0);						/* what the last slot has, the first one's worker knows */
	assert_int_equal(once(different[0], OUTCOME_MISS, true), OUTCOME_DUPLICATE);
}

static void without_a_ring(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		shown_make(slot_shown(board_dead_counters(&board, i)), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(once(event(NULL, "u", "i", EVENT_CLICK, -1), OUTCOME_MISS, true), FEEDBACK_UNDECIDED);
}

/* Only what is taken is remembered, and only when it was counted. */
static void what_is_remembered(void **state)
{
	static const char *const name[] = {
#define X(symbol, label, taken) [OUTCOME_##symbol] = label,
		OUTCOMES(X)
#undef X
	};
	static const char taken[] = "hit miss repeat not_shown old_generation gone unknown_user unknown_item";

	(void)state;
	for (unsigned o = 0; o < OUTCOME_COUNT; o++) {
		struct feedback_event e = event(NULL, "u", name[o], EVENT_CLICK, -1);
		bool stays = strstr(taken, name[o]);

		assert_int_equal(feedback_taken((enum outcome)o), stays);
		assert_int_equal(once(e, (enum outcome)o, false), FEEDBACK_UNDECIDED);
		assert_int_equal(once(e, (enum outcome)o, true), FEEDBACK_UNDECIDED);
		assert_int_equal(once(e, (enum outcome)o, true), stays ? OUTCOME_DUPLICATE : FEEDBACK_UNDECIDED);
	}
	assert_false(feedback_taken(FEEDBACK_UNDECIDED));
}

static void twice_in_a_body(void **state)
{
	struct feedback_event e[] = {
		event(NULL, "u", "i", EVENT_CLICK, -1), event(NULL, "u", "j", EVENT_CLICK, -1),
		event(NULL, "u", "i", EVENT_CLICK, -1), event(NULL, "u", "i", EVENT_CLICK, -1),
		event(NULL, "u", "i", EVENT_CLICK, -1),
	};
	struct feedback_body f = {.event = e, .count = 5};

	(void)state;
	e[3].outcome = OUTCOME_MALFORMED;		/* decided already, so nobody's repetition */
	feedback_once_take(&board, &f);
	assert_int_equal(e[0].first, 0);
	assert_int_equal(e[1].first, 1);
	assert_int_equal(e[2].first, 0);
	assert_int_equal(e[3].first, 3);
	assert_int_equal(e[4].first, 0);
	assert_int_equal(e[3].outcome, OUTCOME_MALFORMED);
	e[0].outcome = e[1].outcome = OUTCOME_MISS;
	e[2].outcome = e[4].outcome = OUTCOME_DUPLICATE;
	feedback_once_give(&board, &f, true);
	assert_int_equal(once(event(NULL, "u", "j", EVENT_CLICK, -1), OUTCOME_MISS, true), OUTCOME_DUPLICATE);
}

/* A fingerprint goes when 63 others have come to its set; with 4 sets, 64 of those that follow it can't be enough for all,
 * and 20 sets full of them leave none. */
static void what_is_forgotten(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 63; i++)
		repeats_add(&board, i * 4);
	for (uint64_t i = 1; i <= 63; i++)
		assert_true(repeats_seen(&board, i * 4));
	repeats_add(&board, 64 * 4);
	assert_false(repeats_seen(&board, 4));
	assert_true(repeats_seen(&board, 8));
	assert_true(repeats_seen(&board, 64 * 4));
	for (uint64_t i = 0; i < 63 * 20; i++)
		repeats_add(&board, 1 + i * 4);		/* of another set */
	assert_true(repeats_seen(&board, 8));
	assert_false(repeats_seen(&board, 1));
}

#define THREADS 8
#define EVENTS_EACH 300

static _Atomic uint32_t accepted;

/* All threads have the same events, in bodies of 3, in an order of their own. */
static void *post(void *nth)
{
	char item[8];

	for (uint32_t i = 0; i < EVENTS_EACH; i++) {
		struct feedback_event e[3];
		struct feedback_body f = {.event = e, .count = 3};
		char items[3][8];

		for (uint32_t k = 0; k < 3; k++) {
			snprintf(item, sizeof item, "%u", (i * 7 + k * 11 + (uint32_t)(uintptr_t)nth) % 50);
			memcpy(items[k], item, sizeof item);
			e[k] = event(NULL, "u", items[k], EVENT_CLICK, -1);
		}
		feedback_once_take(&board, &f);
		sched_yield();
		for (uint32_t k = 0; k < 3; k++) {
			if (e[k].outcome != FEEDBACK_UNDECIDED)
				continue;
			accepted++;
			e[k].outcome = OUTCOME_MISS;
		}
		feedback_once_give(&board, &f, true);
	}
	return NULL;
}

static void at_the_same_time(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	accepted = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, post, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(accepted, 50);
}

/* Of two that wait for different events each goes on when its own is given, whoever came first. */

static _Atomic int tid_of[2];
static _Atomic bool went_on[2];

static void *wait_for(void *nth)
{
	uintptr_t i = (uintptr_t)nth;

	tid_of[i] = gettid();
	once(event(NULL, "u", i ? "second" : "first", EVENT_CLICK, -1), OUTCOME_MISS, true);
	went_on[i] = true;
	return NULL;
}

static void until_it_sleeps(unsigned i)
{
	char path[64], text[256] = "";

	while (!strstr(text, ") S ")) {
		snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid_of[i]);
		FILE *f = fopen(path, "r");

		memset(text, 0, sizeof text);
		if (f && !fgets(text, sizeof text, f))
			text[0] = '\0';
		if (f)
			fclose(f);
		sched_yield();
	}
}

static void each_goes_on_with_its_own(void **state)
{
	struct feedback_event e[] = {event(NULL, "u", "first", EVENT_CLICK, -1), event(NULL, "u", "second", EVENT_CLICK, -1)};
	struct feedback_body f[] = {{.event = &e[0], .count = 1}, {.event = &e[1], .count = 1}};
	pthread_t thread[2];

	(void)state;
	for (uintptr_t i = 0; i < 2; i++)
		feedback_once_take(&board, &f[i]);
	for (uintptr_t i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&thread[i], NULL, wait_for, (void *)i), 0);
		until_it_sleeps((unsigned)i);
	}
	feedback_once_give(&board, &f[1], true);
	for (unsigned i = 0; i < 20000 && !went_on[1]; i++)
		usleep(1000);
	assert_true(went_on[1]);
	assert_false(went_on[0]);
	feedback_once_give(&board, &f[0], true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_makes_events_the_same, empty),
		cmocka_unit_test_setup(what_is_remembered, empty),
		cmocka_unit_test_setup(twice_in_a_body, empty),
		cmocka_unit_test_setup(what_is_forgotten, empty),
		cmocka_unit_test_setup(without_a_ring, empty),
		cmocka_unit_test_setup(at_the_same_time, empty),
		cmocka_unit_test_setup(each_goes_on_with_its_own, empty),
	};

	alarm(120);				/* nobody waits for himself */
	return cmocka_run_group_tests(tests, setup, teardown);
}
