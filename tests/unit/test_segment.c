/* test_segment.c - shared memory by name: growing in place, running out, and whose is whose.
 *
 * Ownership is about processes, so other masters are children here, which say over a pipe how far they are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shm/segment.h"

static struct fault why;

/* Without opening it: to close a descriptor of a board of one's own would drop the lock. */
static bool exists(const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/dev/shm%s", name);
	return access(path, F_OK) == 0;
}

static void test_names(void **state)
{
	char name[SEGMENT_NAME_MAX];

	(void)state;
	segment_board_name(name, "0123abcd");
	assert_string_equal(name, "/akin.0123abcd.board");
	segment_model_name(name, "0123abcd", UINT64_MAX);
	assert_string_equal(name, "/akin.0123abcd.model.18446744073709551615");
}

static void test_growing(void **state)
{
	struct segment s, r;
	char name[SEGMENT_NAME_MAX];
	const size_t small = 10000, reserve = 8 << 20;

	(void)state;
	snprintf(name, sizeof name, "/akin-test-%d", (int)getpid());
	assert_true(segment_create(&s, name, small, reserve, &why));
	assert_int_equal(s.size, small);
	assert_true(s.mapped >= reserve);
	uint8_t *at = s.at;

	memset(s.at, 7, small);
	assert_true(segment_grow(&s, reserve, &why));
	assert_ptr_equal(s.at, at);			/* in place */
	memset(s.at + small, 8, reserve - small);	/* every byte is there */
	assert_false(segment_grow(&s, s.mapped + 1, &why));
	assert_int_equal(s.size, reserve);

	assert_true(segment_reserve(&s, 2 * reserve, &why));
	assert_true(s.mapped >= 2 * reserve);
	assert_int_equal(s.at[0], 7);
	assert_int_equal(s.at[reserve - 1], 8);
	assert_true(segment_grow(&s, reserve + 1, &why));
	s.at[reserve] = 9;

	assert_true(segment_seal(&s, reserve + 1, &why));
	assert_true(segment_open(&r, name, &why));
	assert_int_equal(r.size, reserve + 1);
	assert_int_equal(r.at[small - 1], 7);
	assert_int_equal(r.at[reserve], 9);

	assert_false(segment_create(&r, name, 1, 0, &why));
	assert_int_equal(errno, EEXIST);
	segment_unlink(name);
	segment_unlink(name);
	segment_close(&s);
	segment_close(&s);
	assert_false(segment_open(&r, name, &why));
	assert_int_equal(errno, ENOENT);
}

/* A sealed segment and an opened one kill who writes to them. */
static void test_read_only(void **state)
{
	char name[SEGMENT_NAME_MAX];

	(void)state;
	snprintf(name, sizeof name, "/akin-test-%d", (int)getpid());
	for (int opened = 0; opened < 2; opened++) {
		struct segment s, r;
		int status;

		assert_true(segment_create(&s, name, 4096, 0, &why));
		assert_true(segment_seal(&s, 4096, &why));
		assert_true(segment_open(&r, name, &why));
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGSEGV, SIG_DFL);
			*(volatile uint8_t *)(opened ? r.at : s.at) = 1;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		segment_unlink(name);
		segment_close(&s);
		segment_close(&r);
	}
}

/* More than any machine has: an error with the numbers, nothing left, and no SIGBUS later. */
static void test_no_room(void **state)
{
	struct segment s;
	char name[SEGMENT_NAME_MAX];
	const size_t small = 4096, huge = (size_t)1 << 45;

	(void)state;
	snprintf(name, sizeof name, "/akin-test-%d", (int)getpid());
	assert_false(segment_create(&s, name, huge, 0, &why));
	assert_non_null(strstr(why.text, "35184372088832"));
	assert_non_null(strstr(why.text, "No space left on device"));
	assert_false(exists(name));

	assert_true(segment_create(&s, name, small, huge, &why));
	assert_false(segment_grow(&s, huge, &why));
	assert_int_equal(s.size, small);
	memset(s.at, 1, small);
	segment_unlink(name);
	segment_close(&s);
}

/* A child that does not outlive a test that failed. */
static pid_t fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Another master, in a process of its own. */
struct other {
	pid_t pid;
	char token[SEGMENT_TOKEN + 1];
	char board[SEGMENT_NAME_MAX], model[SEGMENT_NAME_MAX];
};

static void other_start(struct other *o)
{
	int up[2];

	assert_int_equal(pipe(up), 0);
	o->pid = fork_child();
	if (o->pid == 0) {
		struct segment board, model;
		char token[SEGMENT_TOKEN + 1], name[SEGMENT_NAME_MAX];

		if (!segment_own(&board, token, 4096, &why))
			_exit(1);
		segment_model_name(name, token, 3);
		if (!segment_create(&model, name, 4096, 0, &why))
			_exit(2);
		segment_close(&model);
		if (write(up[1], token, sizeof token) != (ssize_t)sizeof token)
			_exit(3);
		for (;;)
			pause();
	}
	close(up[1]);
	assert_int_equal(read(up[0], o->token, sizeof o->token), (ssize_t)sizeof o->token);
	close(up[0]);
	segment_board_name(o->board, o->token);
	segment_model_name(o->model, o->token, 3);
}

static void other_kill(struct other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
}

static void test_sweep(void **state)
{
	struct other dead, living;
	struct segment mine, orphan, foreign;
	char token[SEGMENT_TOKEN + 1], my_model[SEGMENT_NAME_MAX];

	(void)state;
	other_start(&dead);
	other_start(&living);
	assert_true(segment_own(&mine, token, 4096, &why));
	segment_model_name(my_model, token, 1);
	assert_true(segment_create(&orphan, my_model, 4096, 0, &why));
	segment_close(&orphan);
	other_kill(&dead);

	/* a model whose board is gone, and names that are only like ours */
	segment_unlink("/akin.00000000.model.12");
	assert_true(segment_create(&orphan, "/akin.00000000.model.12", 4096, 0, &why));
	static const char *const foreign_names[] = {"/akin.0000000g.board", "/akin.000000000.board", "/akin.00000000.x",
						    "/akin.00000000.model.", "/akin.00000000.model.1x"};

	for (size_t i = 0; i < 5; i++) {
		segment_unlink(foreign_names[i]);
		assert_true(segment_create(&foreign, foreign_names[i], 4096, 0, &why));
		segment_close(&foreign);
	}
	assert_true(segment_sweep() >= 3);

	assert_false(exists(dead.board));
	assert_false(exists(dead.model));
	assert_false(exists("/akin.00000000.model.12"));
	assert_true(exists(living.board));
	assert_true(exists(living.model));
	assert_true(exists(mine.name));
	assert_true(exists(my_model));
	for (size_t i = 0; i < 5; i++) {
		assert_true(exists(foreign_names[i]));
		segment_unlink(foreign_names[i]);
	}

	/* The sweep has not cost this process its lock: another process still can't take it. */
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		segment_sweep();
		_exit(exists(mine.name) && exists(my_model) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);

	other_kill(&living);
	assert_true(segment_sweep() >= 2);
	assert_false(exists(living.board));
	assert_false(exists(living.model));
	segment_unlink(my_model);
	segment_unlink(mine.name);
	segment_close(&mine);
	segment_close(&orphan);
}

/* Sweep until killed. */
static pid_t sweeper(void)
{
	pid_t pid = fork_child();

	while (pid == 0)
		segment_sweep();
	return pid;
}

/* Masters that start while others sweep: everyone gets a board and keeps it. */
static void test_starting_together(void **state)
{
	enum { MASTERS = 3, SWEEPERS = 3, ROUNDS = 1500 };
	pid_t sweepers[SWEEPERS], masters[MASTERS];
	int failed = 0;

	(void)state;
	for (int i = 0; i < SWEEPERS; i++)
		sweepers[i] = sweeper();
	for (int i = 0; i < MASTERS; i++) {
		masters[i] = fork_child();
		if (masters[i] == 0) {
			bool ok = true;

			for (int round = 0; round < ROUNDS && ok; round++) {
				struct segment board;
				char token[SEGMENT_TOKEN + 1];

				ok = segment_own(&board, token, 4096, &why) && exists(board.name);
				segment_unlink(board.name);
				segment_close(&board);
			}
			_exit(ok ? 0 : 1);
		}
	}
	for (int i = 0; i < MASTERS; i++) {
		int status;

		assert_int_equal(waitpid(masters[i], &status, 0), masters[i]);
		failed += status != 0;
	}
	for (int i = 0; i < SWEEPERS; i++) {
		kill(sweepers[i], SIGKILL);
		assert_int_equal(waitpid(sweepers[i], NULL, 0), sweepers[i]);
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_growing), cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_no_room),	  cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_starting_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
