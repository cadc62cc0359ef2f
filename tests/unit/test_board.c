/* test_board.c - the layout, and that a worker can write its own slot and nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shm/board.h"

#define COUNTERS 5000	/* more than a page, and no multiple of one */

static struct fault why;

static void test_layout(void **state)
{
	struct board b;

	(void)state;
	assert_false(board_create(&b, 0, 8, 0, &why));
	assert_false(board_create(&b, BOARD_MAX_SLOTS + 1, 8, 0, &why));
	assert_true(board_create(&b, BOARD_MAX_SLOTS, COUNTERS, 0, &why));
	assert_int_equal(board_slots(&b), BOARD_MAX_SLOTS);
	assert_int_equal(strlen(board_token(&b)), SEGMENT_TOKEN);
	assert_int_equal(b.head->master_pid, getpid());
	assert_int_equal(b.head->generation, 0);
	assert_int_equal(b.head->last_reload_ok, 1);
	for (uint32_t i = 0; i < BOARD_MAX_SLOTS; i++) {
		uint8_t *slot = (uint8_t *)board_slot(&b, i), *counters = board_dead_counters(&b, i);

		assert_int_equal((slot - b.segment.at) % sysconf(_SC_PAGESIZE), 0);
		assert_true(slot >= (uint8_t *)b.head + sizeof *b.head);
		assert_true(counters >= slot + sizeof(struct board_slot));
		assert_int_equal((uintptr_t)counters % 64, 0);
		for (size_t k = 0; k < COUNTERS; k++)
			assert_int_equal(counters[k], 0);
		memset(counters, 0xff, COUNTERS);	/* spoils none that come later */
	}
	assert_int_equal(board_slot(&b, 1)->pid, 0);
	assert_true((const uint8_t *)board_counters(&b, BOARD_MAX_SLOTS - 1) + COUNTERS <= b.segment.at + b.segment.size);
	board_remove(&b);
}

/* What a worker that writes there ends with: 0, or the signal. */
static int worker_that_writes(struct board *b, uint32_t i, volatile uint8_t *at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (!board_enter(b, i, &why))
			_exit(9);
		*at = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_who_may_write(void **state)
{
	struct board b;

	(void)state;
	assert_true(board_create(&b, 3, COUNTERS, 0, &why));
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(worker_that_writes(&b, i, (uint8_t *)b.head), SIGSEGV);
		for (uint32_t k = 0; k < 3; k++) {
			int want = k == i ? 0 : SIGSEGV;

			assert_int_equal(worker_that_writes(&b, i, (uint8_t *)board_slot(&b, k)), want);
			uint8_t *counters = board_dead_counters(&b, k);

			assert_int_equal(worker_that_writes(&b, i, counters), want);
			assert_int_equal(worker_that_writes(&b, i, counters + COUNTERS - 1), want);
		}
	}
	board_remove(&b);
}

/* What a worker has counted is there for the master and for the next worker in its slot. */
static void test_counters_outlive_workers(void **state)
{
	struct board b;

	(void)state;
	assert_true(board_create(&b, 2, COUNTERS, 0, &why));
	for (int life = 1; life <= 3; life++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (!board_enter(&b, 1, &why))
				_exit(1);
			++*(_Atomic uint64_t *)board_own_counters(&b);
			board_own(&b)->generation = 7;
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(*(const _Atomic uint64_t *)board_counters(&b, 1), life);
		assert_int_equal(board_slot(&b, 1)->generation, 7);
	}
	assert_int_equal(*(const _Atomic uint64_t *)board_counters(&b, 0), 0);
	board_remove(&b);
}

/* A worker's leaving does not let go of the master's lock. */
static void test_the_lock_is_the_masters(void **state)
{
	struct board b;
	char path[64] = "/dev/shm";

	(void)state;
	assert_true(board_create(&b, 1, 8, 0, &why));
	strcat(path, b.segment.name);
	for (int kind = 0; kind < 2; kind++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (kind == 0 && board_enter(&b, 0, &why))
				board_close(&b);
			else
				segment_sweep();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(access(path, F_OK), 0);
	}
	board_remove(&b);
	assert_int_not_equal(access(path, F_OK), 0);
	board_remove(&b);	/* once more does no harm */
}

static void test_a_reason_in_one_piece(void **state)
{
	struct board b;
	char text[BOARD_REASON], longer[BOARD_REASON + 50];

	(void)state;
	assert_true(board_create(&b, 1, COUNTERS, 0, &why));
	board_reason(&b, text);
	assert_string_equal(text, "");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	board_set_reason(&b, longer);
	board_reason(&b, text);
	assert_int_equal(strlen(text), BOARD_REASON - 1);
	memset(b.head->last_reload_reason, 'y', BOARD_REASON);	/* its writer died in the middle */
	b.head->reason_turn++;
	board_reason(&b, text);
	assert_int_equal(strlen(text), BOARD_REASON - 1);
	b.head->reason_turn++;

	/* another process writes all the time; what is read is always one of the two */
	pid_t pid = fork();

	if (pid == 0) {
		for (;;) {
			board_set_reason(&b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
			board_set_reason(&b, "bbbbbbb");
		}
	}
	for (int i = 0; i < 2000; i++) {
		board_reason(&b, text);
		size_t len = strlen(text);

		if (text[0] != 'y' && (len != strspn(text, text[0] == 'a' ? "a" : "b") || (len != 7 && len != 63)))
			i = 3000;
		assert_true(i < 3000);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	board_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_who_may_write),
		cmocka_unit_test(test_counters_outlive_workers),
		cmocka_unit_test(test_the_lock_is_the_masters),
		cmocka_unit_test(test_a_reason_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
