/* test_shown_threads.c - whatever threads do at one ring, an entry that is found is one that was written. What they meet too
 * rarely, test_shown.c brings about. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#include "../../metrics/slot.h"

#define SIZE	8
#define THREADS 4
#define EACH	20000

struct name {
	char at[SHOWN_ID];
};

static struct board board;
static struct fault why;
static _Atomic int wrong, found;

static struct shown *ring(void) { return slot_shown(board_dead_counters(&board, 0)); }

static struct shown_what made_of(uint32_t x)
{
	return (struct shown_what){.generation = 1 + x % 5, .kind = x % 2 ? AXIS_CUSTOMER : AXIS_ITEM, .asked = x,
				   .n = 1 + x * 2654435761u % 10000, .began = 1 + x * UINT64_C(0x9e3779b97f4a7c15)};
}

static void *write_and_read(void *of)
{
	uint32_t x = (uint32_t)(uintptr_t)of;
	struct name mine[4];

	for (uint32_t i = 0; i < EACH; i++, x += THREADS) {
		struct shown_what w = made_of(x), got;

		shown_soon(ring(), w.kind, w.asked);
		shown_add(&board, ring(), &w, mine[i % 4].at);
		for (uint32_t k = 0; k < 4 && k <= i; k++) {
			if (shown_find(&board, (struct text){mine[(i - k) % 4].at, SHOWN_ID}, &got) != SHOWN_KNOWN)
				continue;
			w = made_of(x - k * THREADS);
			found++;
			wrong += got.generation != w.generation || got.kind != w.kind || got.asked != w.asked || got.n != w.n ||
				 got.began != w.began;
		}
		if (shown_latest(&board, 1 + x % 5, x, &got))
			wrong += got.asked != x || got.began != made_of(x).began;
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_and_read, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(ring()->last, THREADS * EACH);
	assert_int_equal(wrong, 0);
	assert_true(found > EACH);
}

static int set_up(void **state)
{
	(void)state;
	if (!board_create(&board, 1, slot_size(SIZE), 0, &why))
		return -1;
	shown_make(ring(), SIZE);
	board.head->shown_key = 7;
	atomic_store(&board.head->generation, 5);
	board.own_index = 0;
	return 0;
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
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
