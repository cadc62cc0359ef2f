/* test_feedback_join.c - events against answers, on the model that test_predict.c works out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_packed.h"
#include "../../metrics/slot.h"
#include "../../server/clock.h"
#include "../../server/feedback_join.h"

#define RING 64

/* Items were first seen in the order 1 2 0 3; customers per item: 3 3 2 1. */
static const struct small table = {
	.items = 4, .customers = 4, .row_limit = 3, .whole = 1,
	.bought = {{1, 1, 0, 0}, {1, 1, 1, 0}, {0, 0, 0, 1}, {1, 1, 1, 0}},
	.first_seen = {2, 0, 1, 3},
};

static struct board board;
static struct packed packed;
static struct serve_thread thread;
static struct feedback_join join;
static struct fault why;
static void *memory;

static struct text text(const char *s) { return (struct text){s, s ? strlen(s) : 0}; }

static struct text show_of(enum axis_kind kind, uint32_t asked, uint32_t n, uint64_t generation)
{
	static char id[256][SHOWN_ID];
	static unsigned next;
	char *to = id[next++ % 256];

	board.own_index = 0;
	shown_add(&board, slot_shown(board_dead_counters(&board, 0)),
		  &(struct shown_what){.generation = generation, .kind = kind, .asked = asked, .n = n, .began = clock_ns()}, to);
	return (struct text){to, SHOWN_ID};
}

static struct feedback_event decided(struct text id, const char *user, const char *item, enum event kind)
{
	struct feedback_event e = {.id = id, .user = text(user), .item = text(item), .kind = kind, .outcome = FEEDBACK_UNDECIDED};
	struct text customer;

	assert_true(feedback_join(&join, &e, &customer));
	if (user) {
		assert_int_equal(customer.len, strlen(user));
		assert_memory_equal(customer.at, user, customer.len);
	}
	return e;
}

static const struct text none = {NULL, 0};

static void assert_outcome(struct feedback_event e, enum outcome outcome)
{
	assert_int_equal(e.outcome, outcome);
	assert_false(e.trial);
	assert_int_equal(e.place, 0);
}

static void assert_hit(struct feedback_event e, uint32_t place, enum source source, bool trial)
{
	assert_int_equal(e.outcome, OUTCOME_HIT);
	assert_int_equal(e.place, place);
	assert_int_equal(e.source, source);
	assert_int_equal(e.trial, trial);
}

/* Customer 0 is answered i02, from its nearest, and i03, which is popular; item 2 is answered i00 and i01. */
static void by_id(void **state)
{
	struct text user = show_of(AXIS_CUSTOMER, 0, 3, 9), one = show_of(AXIS_CUSTOMER, 0, 1, 9);
	struct text item = show_of(AXIS_ITEM, 2, 5, 9);
	struct feedback_event e;

	(void)state;
	assert_hit(decided(user, NULL, "i02", EVENT_PURCHASE), 1, SOURCE_USER, true);
	assert_hit(decided(user, NULL, "i03", EVENT_PURCHASE), 2, SOURCE_POPULAR, true);
	assert_hit(decided(user, "c00", "i03", EVENT_CLICK), 2, SOURCE_POPULAR, false);
	assert_hit(decided(one, NULL, "i02", EVENT_CART), 1, SOURCE_USER, false);
	e = decided(one, NULL, "i03", EVENT_PURCHASE);
	assert_int_equal(e.outcome, OUTCOME_MISS);
	assert_true(e.trial);
	e = decided(one, NULL, "i03", EVENT_CLICK);
	assert_outcome(e, OUTCOME_MISS);
	assert_hit(decided(item, NULL, "i01", EVENT_PURCHASE), 2, SOURCE_ITEM, false);
	assert_hit(decided(item, "c02", "i00", EVENT_CLICK), 1, SOURCE_ITEM, false);
	assert_outcome(decided(item, NULL, "i03", EVENT_PURCHASE), OUTCOME_MISS);
	assert_outcome(decided(item, NULL, "i02", EVENT_PURCHASE), OUTCOME_MISS);	/* itself */
	assert_hit(decided(user, NULL, "i02", EVENT_PURCHASE), 1, SOURCE_USER, true);	/* and back again */
}

/* Answers that are alike but for one thing, one after the other: an answer in hand is not another one's. */
static void neighbours_in_a_body(void **state)
{
	struct text first = show_of(AXIS_CUSTOMER, 0, 3, 9), other = show_of(AXIS_CUSTOMER, 1, 3, 9);
	struct text item = show_of(AXIS_ITEM, 0, 3, 9);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_hit(decided(first, NULL, "i03", EVENT_CLICK), 2, SOURCE_POPULAR, false);
		assert_hit(decided(other, NULL, "i03", EVENT_CLICK), 1, SOURCE_POPULAR, false);
		assert_hit(decided(first, NULL, "i02", EVENT_CLICK), 1, SOURCE_USER, false);
		assert_hit(decided(item, NULL, "i02", EVENT_CLICK), 2, SOURCE_ITEM, false);
	}
}

static void what_ends_it_earlier(void **state)
{
	struct text user = show_of(AXIS_CUSTOMER, 0, 3, 9), old = show_of(AXIS_CUSTOMER, 0, 3, 8);

	(void)state;
	assert_outcome(decided(user, NULL, "i00", EVENT_PURCHASE), OUTCOME_REPEAT);
	assert_outcome(decided(user, NULL, "i01", EVENT_CLICK), OUTCOME_REPEAT);
	assert_outcome(decided(user, NULL, "i99", EVENT_PURCHASE), OUTCOME_UNKNOWN_ITEM);
	assert_outcome(decided(user, "c01", "i02", EVENT_PURCHASE), OUTCOME_FOREIGN_ID);
	assert_non_null(decided(user, "c01", "i02", EVENT_PURCHASE).detail);
	assert_outcome(decided(user, "nobody", "i02", EVENT_PURCHASE), OUTCOME_FOREIGN_ID);
	assert_outcome(decided(old, "c00", "i02", EVENT_PURCHASE), OUTCOME_OLD_GENERATION);
	assert_outcome(decided(old, NULL, "i99", EVENT_PURCHASE), OUTCOME_OLD_GENERATION);
	assert_outcome(decided(text("000000000000000000000000"), NULL, "i02", EVENT_PURCHASE), OUTCOME_FOREIGN_ID);
	assert_outcome(decided(text("x"), "c00", "i02", EVENT_PURCHASE), OUTCOME_FOREIGN_ID);
	for (unsigned i = 0; i < RING; i++)
		show_of(AXIS_ITEM, 0, 1, 9);
	assert_outcome(decided(old, NULL, "i02", EVENT_PURCHASE), OUTCOME_GONE);
}

static void by_user(void **state)
{
	(void)state;
	assert_outcome(decided(none, "nobody", "i99", EVENT_PURCHASE), OUTCOME_UNKNOWN_USER);
	assert_outcome(decided(none, "c03", "i99", EVENT_PURCHASE), OUTCOME_UNKNOWN_ITEM);
	assert_outcome(decided(none, "c03", "i03", EVENT_PURCHASE), OUTCOME_NOT_SHOWN);
	assert_outcome(decided(none, "c03", "i00", EVENT_PURCHASE), OUTCOME_REPEAT);
	show_of(AXIS_CUSTOMER, 3, 2, 8);
	show_of(AXIS_ITEM, 3, 2, 9);
	assert_outcome(decided(none, "c03", "i03", EVENT_PURCHASE), OUTCOME_NOT_SHOWN);
	show_of(AXIS_CUSTOMER, 0, 1, 9);
	assert_int_equal(decided(none, "c00", "i03", EVENT_PURCHASE).outcome, OUTCOME_MISS);
	show_of(AXIS_CUSTOMER, 0, 2, 9);
	assert_hit(decided(none, "c00", "i03", EVENT_PURCHASE), 2, SOURCE_POPULAR, true);	/* the newest counts */
}

/* What a worker gone mad may have left in its ring, with a checksum that is right. */
static void numbers_beyond_the_model(void **state)
{
	(void)state;
	assert_outcome(decided(show_of(AXIS_CUSTOMER, 4, 3, 9), NULL, "i02", EVENT_PURCHASE), OUTCOME_GONE);
	assert_outcome(decided(show_of(AXIS_ITEM, UINT32_MAX, 3, 9), NULL, "i02", EVENT_PURCHASE), OUTCOME_GONE);
	assert_outcome(decided(show_of(AXIS_ITEM, 1, 0, 9), NULL, "i02", EVENT_PURCHASE), OUTCOME_GONE);
	assert_outcome(decided(show_of(AXIS_ITEM, 1, 10001, 9), NULL, "i02", EVENT_PURCHASE), OUTCOME_GONE);
	show_of(AXIS_CUSTOMER, 0, 10001, 9);
	assert_outcome(decided(none, "c00", "i02", EVENT_PURCHASE), OUTCOME_NOT_SHOWN);
}

/* The fill is part of the answer. */
static void other_fills(void **state)
{
	struct text user = show_of(AXIS_CUSTOMER, 0, 3, 9);

	(void)state;
	join.fill = FILL_NONE;
	join.made = false;
	assert_int_equal(decided(user, NULL, "i03", EVENT_PURCHASE).outcome, OUTCOME_MISS);
	assert_hit(decided(user, NULL, "i02", EVENT_PURCHASE), 1, SOURCE_USER, true);
	join.fill = FILL_POPULAR;
	join.made = false;
}

static int setup(void **state)
{
	(void)state;
	memory = small_packed(&table, 9, 1, &packed);
	if (!memory || !board_create(&board, 1, slot_size(RING), 0, &why))
		return -1;
	shown_make(slot_shown(board_dead_counters(&board, 0)), RING);
	atomic_store(&board.head->generation, 9);
	board.head->shown_key = 7;
	join = (struct feedback_join){.board = &board, .packed = &packed, .fill = FILL_POPULAR, .thread = &thread};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	board_remove(&board);
	serve_thread_free(&thread);
	free(memory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_id),
		cmocka_unit_test(neighbours_in_a_body),
		cmocka_unit_test(what_ends_it_earlier),
		cmocka_unit_test(by_user),
		cmocka_unit_test(numbers_beyond_the_model),
		cmocka_unit_test(other_fills),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
