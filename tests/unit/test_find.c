/* test_find.c - a board that is just being made is not there yet, and is no server of another version. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../shm/find.h"

/* A master in another process: first its board has a lock and no word in it, then, told so, it is whole. */
struct other {
	pid_t pid;
	int go, done;			/* write to have it do its next step; read until it has */
};

static void step(int go, int done)
{
	char c;

	if (write(done, "d", 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
}

static _Noreturn void be_master(int go, int done)
{
	char token[SEGMENT_TOKEN + 1];
	struct segment bare;
	struct fault why;
	struct board b;

	alarm(60);
	if (!segment_own(&bare, token, 1 << 16, &why))
		_exit(1);
	step(go, done);
	segment_unlink(bare.name);
	segment_close(&bare);
	if (!board_create(&b, 2, 64, 0, &why))
		_exit(1);
	step(go, done);
	board_remove(&b);
	_exit(0);
}

static void await(struct other *o)
{
	char c;

	assert_int_equal(read(o->done, &c, 1), 1);
}

static void find_waits_for_a_board(void **state)
{
	struct other o;
	struct fault why = {""};
	struct board b;
	int go[2], done[2], status;
	pid_t found = 0;

	(void)state;
	assert_int_equal(pipe(go) | pipe(done), 0);
	o = (struct other){.pid = fork(), .go = go[1], .done = done[0]};
	if (o.pid == 0)
		be_master(go[0], done[1]);
	await(&o);
	assert_int_equal(find_board(&b, o.pid, &found, &why), FIND_NONE);
	assert_int_equal(write(o.go, "g", 1), 1);
	await(&o);
	assert_int_equal(find_board(&b, o.pid, &found, &why), FIND_ONE);
	assert_int_equal(found, o.pid);
	assert_int_equal(board_slots(&b), 2);
	board_close(&b);
	assert_int_equal(write(o.go, "g", 1), 1);
	assert_int_equal(waitpid(o.pid, &status, 0), o.pid);
	assert_int_equal(status, 0);
	assert_int_equal(find_board(&b, o.pid, &found, &why), FIND_NONE);
}

static void another_layout_is_told(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *words;
	} odd[] = {
		{offsetof(struct board_head, version), BOARD_VERSION + 1, "another version"},
		{offsetof(struct board_head, slots), BOARD_MAX_SLOTS + 1, "do not fit"},
		{offsetof(struct board_head, slot_size), 1u << 30, "do not fit"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		int done[2], go[2], status;
		struct fault why = {""};
		struct board b;
		pid_t found;

		assert_int_equal(pipe(done) | pipe(go), 0);
		pid_t pid = fork();

		if (pid == 0) {
			alarm(60);
			if (!board_create(&b, 2, 64, 0, &why))
				_exit(1);
			memcpy(b.segment.at + odd[i].at, &odd[i].value, sizeof odd[i].value);
			step(go[0], done[1]);
			board_remove(&b);
			_exit(0);
		}
		struct other o = {pid, go[1], done[0]};

		await(&o);
		assert_int_equal(find_board(&b, pid, &found, &why), FIND_UNCLEAR);
		assert_non_null(strstr(why.text, odd[i].words));
		assert_int_equal(write(o.go, "g", 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		for (int k = 0; k < 2; k++) {
			close(done[k]);
			close(go[k]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_waits_for_a_board),
		cmocka_unit_test(another_layout_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
