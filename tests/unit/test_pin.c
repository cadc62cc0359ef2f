/* test_pin.c - generations coming and going under threads that read them.
 *
 * The test is master and worker in one process: it publishes small models and adopts them, while threads take and
 * drop pins. A generation that was unmapped under a reader would be a crash; one read in part, a wrong number. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "small_model.h"
#include "../../server/generation.h"
#include "../../server/pin.h"

static struct fault why;
static struct board board;
static char paths[2][32] = {"/tmp/akin-pin-XXXXXX", "/tmp/akin-pin-XXXXXX"};
static const uint32_t sizes[2] = {20, 30};	/* items of odd and of even generations' models */

static void write_model(char *path, uint32_t items)
{
	static struct small s;
	void *image;
	size_t size;
	int fd = mkstemp(path);

	small_random(&s, items, 25, 30, items);
	assert_true(fd >= 0);
	assert_true(small_image(&s, &image, &size));
	assert_int_equal(write(fd, image, size), (ssize_t)size);
	model_file_free(image, size);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	write_model(paths[0], sizes[0]);
	write_model(paths[1], sizes[1]);
	assert_true(board_create(&board, 1, 64, 0, &why));
	board.own = (uint8_t *)board_slot(&board, 0);	/* as a worker has it, without giving up the master's rights */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(paths[0]);
	unlink(paths[1]);
	generation_remove(&board);
	board_remove(&board);
	return 0;
}

/* Generation N has the model of N's parity. */
static uint64_t publish_in_master(void)
{
	struct generation g;
	uint64_t next = board.head->generation + 1;

	assert_int_equal(generation_build(&board, paths[(next + 1) % 2], NULL, &g, &why), RELOAD_OK);
	assert_true(generation_publish(&board, &g, &why));
	assert_int_equal(g.number, next);
	return next;
}

/* As a worker sees it that runs already: by its name alone. */
static uint64_t publish(void)
{
	uint64_t number = publish_in_master();

	board_drop_models(&board);
	return number;
}

static bool woken(void)
{
	struct pollfd p = {.fd = pin_wakeup(), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void test_none_at_first(void **state)
{
	(void)state;
	assert_null(pin_take());
	assert_false(pin_adopt(&board, &why));		/* nothing is published */
	assert_null(pin_take());
}

static void test_a_request_keeps_what_it_began_with(void **state)
{
	(void)state;
	uint64_t first = publish();

	assert_true(pin_adopt(&board, &why));
	assert_int_equal(board_own(&board)->generation, first);
	struct pin *old = pin_take();

	assert_int_equal(old->packed.generation, first);
	assert_int_equal(old->packed.model.head->items, sizes[0]);
	publish();
	assert_true(pin_adopt(&board, &why));
	struct pin *new = pin_take();

	assert_int_equal(new->packed.generation, first + 1);
	assert_int_equal(new->packed.model.head->items, sizes[1]);
	assert_int_equal(board_own(&board)->generation, first + 1);
	assert_int_equal(board_own(&board)->oldest, first);

	pin_retire(&board);
	assert_int_equal(old->packed.model.head->items, sizes[0]);	/* mapped still */
	assert_false(woken());
	pin_drop(new);
	assert_false(woken());
	pin_drop(old);
	assert_true(woken());
	pin_retire(&board);
	assert_false(woken());
	assert_int_equal(board_own(&board)->oldest, first + 1);
	assert_null(old->segment.at);
}

/* With every place pinned, adoption waits; the next retirement makes room. */
static void test_all_places_pinned(void **state)
{
	struct pin *held[16];
	int n = 0;

	(void)state;
	uint64_t seen = 0;

	do {
		seen = board_own(&board)->generation;
		held[n++] = pin_take();
		publish();
		assert_true(pin_adopt(&board, &why));
	} while (board_own(&board)->generation != seen && n < 16);
	assert_true(n >= 2 && n < 16);
	assert_int_equal(board_own(&board)->generation, board.head->generation - 1);
	struct pin *now = pin_take();

	assert_int_equal(now->packed.generation, board.head->generation - 1);
	pin_drop(now);

	pin_drop(held[0]);
	assert_true(woken());
	pin_retire(&board);
	assert_true(pin_adopt(&board, &why));
	assert_int_equal(board_own(&board)->generation, board.head->generation);
	for (int i = 1; i < n; i++)
		pin_drop(held[i]);
	pin_retire(&board);
	assert_int_equal(board_own(&board)->oldest, board.head->generation);
}

/* The board names a generation that is gone: what is current stays. */
static void test_a_name_that_is_gone(void **state)
{
	uint64_t before = board_own(&board)->generation, real = board.head->generation;

	(void)state;
	board.head->generation = real + 100;
	assert_false(pin_adopt(&board, &why));
	assert_non_null(strstr(why.text, "No such file"));
	assert_int_equal(board_own(&board)->generation, before);
	struct pin *p = pin_take();

	assert_int_equal(p->packed.generation, before);
	pin_drop(p);
	board.head->generation = real;
}

/* As a worker has it that is forked after the name was removed. */
static void test_no_name_but_a_descriptor(void **state)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t number = publish_in_master();

	(void)state;
	segment_model_name(name, board_token(&board), number);
	segment_unlink(name);
	assert_true(pin_adopt(&board, &why));
	struct pin *p = pin_take();

	assert_int_equal(p->packed.generation, number);
	pin_drop(p);
	board_drop_models(&board);
	publish();				/* the one that is current is not needed for the next */
	assert_true(pin_adopt(&board, &why));
	assert_int_equal(board_own(&board)->generation, number + 1);
}

static void expect(const struct pin *p, uint64_t number, uint32_t items)
{
	assert_int_equal(p->packed.generation, number);
	assert_int_equal(p->packed.model.head->items, items);
}

/* There and back while requests read: each goes on reading what it began with, under the number that it had then. */
static void test_the_way_back(void **state)
{
	struct generation g = {.number = 0};
	uint64_t x = publish_in_master(), y = publish_in_master();
	uint32_t items_x = sizes[(x + 1) % 2], items_y = sizes[(y + 1) % 2];

	(void)state;
	assert_true(pin_adopt(&board, &why));
	struct pin *first = pin_take();

	expect(first, y, items_y);
	assert_true(generation_roll_back(&board, &g, &why));
	assert_int_equal(g.number, y + 1);
	assert_int_equal(board.head->generation, y + 1);
	assert_int_equal(board.head->previous, y);
	board_drop_models(&board);			/* from here on as a worker that runs: by name */
	assert_true(pin_adopt(&board, &why));
	struct pin *second = pin_take();

	expect(second, y + 1, items_x);
	expect(first, y, items_y);
	assert_int_equal(board_own(&board)->oldest, y);
	assert_true(generation_roll_back(&board, &g, &why));
	board_drop_models(&board);
	assert_true(pin_adopt(&board, &why));
	struct pin *third = pin_take();

	expect(third, y + 2, items_y);
	expect(second, y + 1, items_x);
	expect(first, y, items_y);
	pin_drop(first);
	pin_drop(second);
	pin_drop(third);
	pin_retire(&board);
	assert_int_equal(board_own(&board)->oldest, y + 2);
	generation_forget_previous(&board);
	assert_false(generation_roll_back(&board, &g, &why));
	assert_int_equal(board.head->generation, y + 2);
}

/* Removed from outside: what the master can still read is published under a new name. */
static void test_the_way_back_without_a_name(void **state)
{
	struct generation g = {.number = 0};
	char name[SEGMENT_NAME_MAX];
	uint64_t x = publish_in_master();
	uint32_t items = sizes[(x + 1) % 2];

	(void)state;
	publish_in_master();
	segment_model_name(name, board_token(&board), x);
	segment_unlink(name);
	assert_true(generation_roll_back(&board, &g, &why));
	board_drop_models(&board);
	assert_true(pin_adopt(&board, &why));
	struct pin *p = pin_take();

	expect(p, x + 2, items);
	pin_drop(p);
	publish();				/* whose parity the next test goes by */
	assert_true(pin_adopt(&board, &why));
}

static _Atomic bool stop;
static _Atomic uint64_t wrong, reads;

static void *reader(void *none)
{
	while (!stop) {
		struct pin *p = pin_take();
		uint64_t generation = p->packed.generation;
		const struct model *m = &p->packed.model;
		uint32_t want = sizes[(generation + 1) % 2], last = m->head->items - 1;

		wrong += m->head->items != want || model_id(&m->axis[AXIS_ITEM], last).len != 3 ||
			 p->packed.generation != generation;
		reads++;
		pin_drop(p);
	}
	return none;
}

static void test_readers_and_reloads(void **state)
{
	enum { THREADS = 6, RELOADS = 1500 };
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (int i = 0; i < RELOADS; i++) {
		publish();
		do {
			pin_retire(&board);
			assert_true(pin_adopt(&board, &why));
		} while (board_own(&board)->generation != board.head->generation);
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_true(reads > 0);
	pin_retire(&board);
	assert_int_equal(board_own(&board)->oldest, board.head->generation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_at_first),
		cmocka_unit_test(test_a_request_keeps_what_it_began_with),
		cmocka_unit_test(test_all_places_pinned),
		cmocka_unit_test(test_a_name_that_is_gone),
		cmocka_unit_test(test_no_name_but_a_descriptor),
		cmocka_unit_test(test_the_way_back),
		cmocka_unit_test(test_the_way_back_without_a_name),
		cmocka_unit_test(test_readers_and_reloads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
