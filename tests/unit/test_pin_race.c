/* test_pin_race.c - the moment between a request's look at what is current and its counting itself in.
 *
 * pin.c is compiled into this test once more, under other names, with a hook at that moment: there, the main thread
 * adopts the next generation and unmaps the one the request has seen. Threads alone meet it too rarely to tell. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "small_model.h"
#include "../../server/generation.h"

static void (*moment)(void);	/* what happens before the next count */

static void pass(void)
{
	void (*now)(void) = moment;

	moment = NULL;
	if (now)
		now();
}

#undef atomic_fetch_add
#define atomic_fetch_add(at, n) (pass(), __atomic_fetch_add(at, n, __ATOMIC_SEQ_CST))
#define pin_take   raced_take
#define pin_drop   raced_drop
#define pin_adopt  raced_adopt
#define pin_retire raced_retire
#define pin_wakeup raced_wakeup
#include "../../server/pin.c"

static struct fault why;
static struct board board;
static char path[] = "/tmp/akin-race-XXXXXX";

static void adopt_next(void)
{
	struct generation g;

	assert_int_equal(generation_build(&board, path, NULL, &g, &why), RELOAD_OK);
	assert_true(generation_publish(&board, &g, &why));
	assert_true(raced_adopt(&board, &why));
}

/* As often as there are places, so that the one that was seen is taken again by a later generation. */
static void adopt_many(void)
{
	for (int i = 0; i < PLACES; i++)
		adopt_next();
}

static void test_a_generation_that_goes_while_it_is_taken(void **state)
{
	static void (*const moments[])(void) = {adopt_next, adopt_many};

	(void)state;
	for (int i = 0; i < 2; i++) {
		moment = moments[i];
		struct pin *p = raced_take();

		assert_null(moment);			/* it did come to pass */
		assert_non_null(p->segment.at);
		assert_int_equal(p->packed.generation, board.head->generation);
		assert_int_equal(p->taken, 1);
		raced_drop(p);
		for (int k = 0; k < PLACES; k++)
			assert_int_equal(places[k].taken, 0);	/* also where it had counted itself in at first */
		adopt_next();
		raced_retire(&board);
		assert_int_equal(board_own(&board)->oldest, board.head->generation);
	}
}

static int set_up(void **state)
{
	static struct small s;
	void *image;
	size_t size;
	int fd = mkstemp(path);

	(void)state;
	small_random(&s, 20, 25, 30, 1);
	if (fd < 0 || !small_image(&s, &image, &size) || write(fd, image, size) != (ssize_t)size)
		return -1;
	model_file_free(image, size);
	close(fd);
	if (!board_create(&board, 1, 64, 0, &why))
		return -1;
	board.own = (uint8_t *)board_slot(&board, 0);
	adopt_next();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	generation_remove(&board);
	board_remove(&board);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_generation_that_goes_while_it_is_taken),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
