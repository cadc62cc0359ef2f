/* test_shown.c - the rings of answers and their names: what is kept, for how long, and what is no name of theirs.
 *
 * shown.c is compiled into this test once more, under other names, with a hook before each of its stores: there, another
 * writer comes between, or the one that writes dies. Threads alone meet that too rarely to tell. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Thread_local void (*moment)(void);	/* what happens before a store */
static _Thread_local int stores_before;		/* and before which */

static void pass(void)
{
	void (*now)(void) = moment;

	if (!now || stores_before-- > 0)
		return;
	moment = NULL;
	now();
}

#undef atomic_store_explicit
#define atomic_store_explicit(at, v, order) (pass(), __atomic_store_n(at, v, __ATOMIC_RELAXED))
#define shown_ring   raced_ring
#define shown_size   raced_size
#define shown_make   raced_make
#define shown_soon   raced_soon
#define shown_add    raced_add
#define shown_find   raced_find
#define shown_latest raced_latest
#include "../../metrics/shown.c"

#define SLOTS 3
#define SIZE  8
#define KEY   UINT64_C(0x0123456789abcdef)

static struct fault why;
static struct board board;

struct name {
	char at[SHOWN_ID];
};

static struct shown *ring(uint32_t slot) { return slot_shown(board_dead_counters(&board, slot)); }

static struct text text(const struct name *id) { return (struct text){id->at, SHOWN_ID}; }

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* As the worker of that slot would. */
static struct name add(uint32_t slot, const struct shown_what *w)
{
	struct board own = board;
	struct name id;

	own.own_index = slot;
	raced_soon(ring(slot), w->kind, w->asked);	/* changes nothing */
	raced_add(&own, ring(slot), w, id.at);
	return id;
}

static struct name add_for(uint32_t slot, enum axis_kind kind, uint32_t asked)
{
	return add(slot, &(struct shown_what){.generation = 5, .kind = kind, .asked = asked, .n = 7, .began = now()});
}

/* The name of slot and number, rightly made. */
static struct name named(uint64_t name)
{
	struct name id;
	char text[SHOWN_ID + 1];

	snprintf(text, sizeof text, "%016llx%08x", (unsigned long long)name, seal(KEY, name));
	memcpy(id.at, text, SHOWN_ID);
	return id;
}

static enum shown_found find(const struct name *id)
{
	struct shown_what w;

	return raced_find(&board, text(id), &w);
}

static void assert_name(const struct name *id, const char *want) { assert_memory_equal(id->at, want, SHOWN_ID); }

/* The rings are empty, as after a start. */
static int empty(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++) {
		memset(ring(i), 0, raced_size(SIZE));
		raced_make(ring(i), SIZE);
	}
	board.head->shown_key = KEY;
	atomic_store(&board.head->generation, 5);
	moment = NULL;
	return 0;
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(raced_ring(64), 64);
	assert_int_equal(raced_ring(65), 128);
	assert_int_equal(raced_ring(1000000), 1048576);
	assert_int_equal(raced_ring(1048576), 1048576);
	assert_int_equal(raced_size(64) - raced_size(0), 64 * 40);
}

/* The last digits by another hand, python3-xxhash: XXH3 of the number of eight bytes, least significant first, and the key as
 * seed; its low half. */
static void names(void **state)
{
	(void)state;
	struct name first = add_for(0, AXIS_ITEM, 1), second = add_for(0, AXIS_ITEM, 1), other = add_for(1, AXIS_ITEM, 1);

	assert_name(&first, "0000000000000001cf9e94bc");
	assert_name(&second, "00000000000000020718853b");
	assert_name(&other, "01000000000000016a6385c1");
	board.head->shown_key = UINT64_C(0xfedcba9876543210);
	memset(ring(0), 0, sizeof(struct shown));
	raced_make(ring(0), SIZE);
	first = add_for(0, AXIS_ITEM, 1);
	assert_name(&first, "000000000000000137e4f538");
}

static void what_was_shown_is_found(void **state)
{
	static const struct shown_what cases[] = {
		{.generation = 5, .kind = AXIS_ITEM, .asked = 0, .n = 1},
		{.generation = 4, .kind = AXIS_CUSTOMER, .asked = 0, .n = 10000},
		{.generation = 5, .kind = AXIS_CUSTOMER, .asked = MODEL_NONE - 1, .n = 5},
		{.generation = 1, .kind = AXIS_ITEM, .asked = 77, .n = 5},
	};

	(void)state;
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			struct shown_what w = cases[i], got;

			w.began = now() - 100 * UINT64_C(1000000000);	/* it began 100 seconds ago */
			struct name id = add(slot, &w);

			assert_int_equal(raced_find(&board, text(&id), &got), SHOWN_KNOWN);
			assert_int_equal(got.generation, w.generation);
			assert_int_equal(got.kind, w.kind);
			assert_int_equal(got.asked, w.asked);
			assert_int_equal(got.n, w.n);
			assert_int_equal(got.began, w.began);
			assert_true(got.at >= time(NULL) - 160 && got.at <= time(NULL) - 99);
		}
	}
}

/* Generations are kept by their low half. */
static void generations_beyond_half_a_word(void **state)
{
	static const uint64_t cases[][2] = {
		{UINT64_C(0x100000005), UINT64_C(0x100000005)}, {UINT64_C(0x100000005), UINT64_C(0xfffffffe)},
		{UINT64_C(0x300000000), UINT64_C(0x2ffffffff)},
	};
	struct shown_what w = {.kind = AXIS_ITEM, .n = 1}, got;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		atomic_store(&board.head->generation, cases[i][0]);
		w.generation = cases[i][1];
		struct name id = add(0, &w);

		assert_int_equal(raced_find(&board, text(&id), &got), SHOWN_KNOWN);
		assert_true(got.generation == cases[i][1]);
	}
}

static void the_ring_comes_round(void **state)
{
	struct name id[3 * SIZE + 1];
	struct shown_what w;

	(void)state;
	for (uint32_t i = 0; i < sizeof id / sizeof *id; i++) {
		id[i] = add_for(2, AXIS_ITEM, i);
		for (uint32_t k = 0; k <= i; k++) {
			if (k + SIZE <= i) {
				assert_int_equal(find(&id[k]), SHOWN_GONE);
				continue;
			}
			assert_int_equal(raced_find(&board, text(&id[k]), &w), SHOWN_KNOWN);
			assert_int_equal(w.asked, k);
		}
	}
}

static void foreign_names(void **state)
{
	static const char *const bad[] = {"", "0", "000000000000000000000000", "0000000000000001", "g", "not a name at all, no no"};
	struct name id = add_for(0, AXIS_ITEM, 3), other;
	struct shown_what w;

	(void)state;
	assert_int_equal(find(&id), SHOWN_KNOWN);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(raced_find(&board, (struct text){bad[i], strlen(bad[i])}, &w), SHOWN_FOREIGN);
	for (size_t i = 0; i < SHOWN_ID; i++) {		/* any digit changed, and one that is none */
		for (const char *c = "0123456789abcdefABCDEF xg/:@`\n"; *c; c++) {
			other = id;
			other.at[i] = *c;
			assert_int_equal(find(&other), *c == id.at[i] ? SHOWN_KNOWN : SHOWN_FOREIGN);
		}
	}
	assert_int_equal(raced_find(&board, (struct text){id.at, SHOWN_ID - 1}, &w), SHOWN_FOREIGN);
	assert_int_equal(raced_find(&board, (struct text){NULL, 0}, &w), SHOWN_FOREIGN);
	board.head->shown_key++;			/* another server's */
	assert_int_equal(find(&id), SHOWN_FOREIGN);
}

/* Rightly made, by this key, of what was never given: number 0, one to come, a slot that is not. */
static void names_of_nothing(void **state)
{
	static const uint64_t nothing[] = {0, 2, 1 | UINT64_C(1) << 56, 1 | (uint64_t)SLOTS << 56, UINT64_MAX};
	struct name id = add_for(0, AXIS_ITEM, 3);

	(void)state;
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
		id = named(nothing[i]);
		assert_int_equal(find(&id), SHOWN_FOREIGN);
	}
}

static void without_a_ring(void **state)
{
	struct name id = add_for(0, AXIS_CUSTOMER, 3);
	struct shown_what w;

	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++)
		raced_make(ring(i), 0);
	assert_int_equal(find(&id), SHOWN_FOREIGN);
	assert_false(raced_latest(&board, 5, 3, &w));
}

static void the_latest_for_a_customer(void **state)
{
	const uint64_t first = now();
	struct shown_what w = {.generation = 5, .kind = AXIS_CUSTOMER, .asked = 3, .n = 1, .began = first}, got;

	(void)state;
	assert_false(raced_latest(&board, 5, 3, &got));
	add(1, &w);
	w.kind = AXIS_ITEM;			/* nobody is recommended anything by this */
	w.began++;
	add(1, &w);
	assert_true(raced_latest(&board, 5, 3, &got));
	assert_int_equal(got.began, first);
	assert_int_equal(got.kind, AXIS_CUSTOMER);
	assert_true(got.at >= time(NULL) - 60 && got.at <= time(NULL));
	assert_false(raced_latest(&board, 4, 3, &got));
	assert_false(raced_latest(&board, 5, 3 + SIZE, &got));
	assert_false(raced_latest(&board, 5, 2, &got));
	w.kind = AXIS_CUSTOMER;
	for (uint32_t slot = SLOTS; slot-- > 0;) { /* whichever slot it is in */
		w.began++;
		w.n++;
		add(slot, &w);
		assert_true(raced_latest(&board, 5, 3, &got));
		assert_int_equal(got.n, w.n);
	}
	w.asked = 3 + SIZE;			/* in its place there: the others know better */
	add(0, &w);
	assert_true(raced_latest(&board, 5, 3, &got));
	assert_int_equal(got.n, w.n - 1);
	for (int i = 0; i < SIZE; i++)		/* the ring comes round */
		add_for(1, AXIS_ITEM, 1);
	assert_true(raced_latest(&board, 5, 3, &got));
	assert_int_equal(got.n, w.n - 2);
}

/* A writer that is held up until the ring has come round. */

static struct name overtaking;

static void overtake(void)
{
	for (uint32_t i = 0; i < SIZE; i++)
		overtaking = add(0, &(struct shown_what){.generation = 4, .kind = AXIS_CUSTOMER, .asked = 1000 + i, .n = 20,
							 .began = 99});
}

static jmp_buf death;

static void die(void) { longjmp(death, 1); }

static void assert_not_mixed(const struct name *id, uint64_t generation, uint32_t asked, uint32_t n, uint64_t began)
{
	struct shown_what w;
	enum shown_found f = raced_find(&board, text(id), &w);

	assert_int_not_equal(f, SHOWN_FOREIGN);
	if (f == SHOWN_KNOWN && (w.generation != generation || w.asked != asked || w.n != n || w.began != began))
		fail_msg("number %.16s says %u, %u, %llu", id->at, w.asked, w.n, (unsigned long long)w.began);
}

static void two_write_one_entry(void **state)
{
	int moments;

	(void)state;
	for (moments = 0;; moments++) {
		empty(state);
		stores_before = moments;
		moment = overtake;
		struct name id = add(0, &(struct shown_what){.generation = 5, .kind = AXIS_ITEM, .asked = 7, .n = 3, .began = 50});

		if (moment)
			break;			/* it has no more stores */
		assert_not_mixed(&id, 5, 7, 3, 50);
		assert_not_mixed(&overtaking, 4, 1000 + SIZE - 1, 20, 99);
		struct name next = add_for(0, AXIS_ITEM, 8);	/* and the ring goes on */

		assert_int_equal(find(&next), SHOWN_KNOWN);
	}
	assert_in_range(moments, 6, 20);
}

static void a_writer_dies(void **state)
{
	static volatile int moments;
	struct board own = board;
	struct name old, id;

	(void)state;
	own.own_index = 0;
	for (moments = 0; moments < 6; moments++) {
		empty(state);
		old = add_for(0, AXIS_CUSTOMER, 1);
		for (int i = 1; i < SIZE; i++)
			add_for(0, AXIS_CUSTOMER, 1);
		stores_before = moments;
		moment = die;
		if (setjmp(death) == 0) {
			raced_add(&own, ring(0), &(struct shown_what){.generation = 3, .asked = 7, .n = 3, .began = 50}, id.at);
			fail_msg("it has %d stores", moments);
		}
		id = named(SIZE + 1);
		assert_int_equal(find(&id), SHOWN_GONE);
		if (moments > 0)
			assert_int_equal(find(&old), SHOWN_GONE);
	}
}

/* Overtaken at one store, and dead some stores later: each field that a reader is told is of the one whose checksum it has. */

static volatile int stores_left;

static void overtake_and_die(void)
{
	overtake();
	stores_before = stores_left;
	moment = die;
}

static void a_writer_is_overtaken_and_dies(void **state)
{
	static const struct shown_what slow = {.generation = 5, .asked = 7, .n = 3, .began = 50};
	static volatile int moments;
	struct board own = board;
	struct name id;

	(void)state;
	own.own_index = 0;
	for (moments = 0; moments < 6; moments++) {
		for (stores_left = 0; stores_left < 6; stores_left++) {
			empty(state);
			stores_before = moments;
			moment = overtake_and_die;
			if (setjmp(death) == 0)
				raced_add(&own, ring(0), &slow, id.at);
			moment = NULL;
			assert_not_mixed(&overtaking, 4, 1000 + SIZE - 1, 20, 99);
		}
	}
}

static int set_up(void **state)
{
	(void)state;
	return board_create(&board, SLOTS, slot_size(SIZE), 0, &why) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	board_remove(&board);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes, empty),
		cmocka_unit_test_setup(names, empty),
		cmocka_unit_test_setup(what_was_shown_is_found, empty),
		cmocka_unit_test_setup(generations_beyond_half_a_word, empty),
		cmocka_unit_test_setup(the_ring_comes_round, empty),
		cmocka_unit_test_setup(foreign_names, empty),
		cmocka_unit_test_setup(names_of_nothing, empty),
		cmocka_unit_test_setup(without_a_ring, empty),
		cmocka_unit_test_setup(the_latest_for_a_customer, empty),
		cmocka_unit_test_setup(two_write_one_entry, empty),
		cmocka_unit_test_setup(a_writer_dies, empty),
		cmocka_unit_test_setup(a_writer_is_overtaken_and_dies, empty),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
