/* test_process.c - the sums over a process tree, against what the processes say of themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../metrics/process.h"

static struct board board;

static uint64_t own_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t status_field(const char *format)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long v = 0;
	char line[128];

	assert_non_null(f);
	while (fgets(line, sizeof line, f) && sscanf(line, format, &v) != 1)
		;
	fclose(f);
	return v;
}

/* A child that uses some CPU, tells so and then waits for its end. */
static pid_t child(void)
{
	int told[2];
	char c;

	assert_int_equal(pipe(told), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (own_cpu() < 20000000)
			;
		close(told[0]);
		if (write(told[1], "x", 1) != 1)
			_exit(1);
		close(told[1]);
		for (;;)
			pause();
	}
	close(told[1]);
	assert_int_equal(read(told[0], &c, 1), 1);
	assert_int_equal(read(told[0], &c, 1), 0);	/* it has closed its ends */
	close(told[0]);
	return pid;
}

static void alone(void **state)
{
	struct process_tree t;
	uint64_t before = own_cpu();

	(void)state;
	process_look(&board, &t);
	uint64_t after = own_cpu();

	assert_true(t.cpu_known && t.memory_known && t.fds_known);
	assert_in_range(t.cpu, before, after);
	assert_int_equal(t.threads, status_field("Threads: %llu"));
	assert_int_equal(t.virtual, 1024 * status_field("VmSize: %llu"));
	assert_in_range(t.resident, 512 * status_field("VmRSS: %llu"), 2048 * status_field("VmRSS: %llu"));
	int more = dup(0);
	uint64_t fds = t.fds;

	process_look(&board, &t);
	assert_int_equal(t.fds, fds + 1);
	close(more);
}

static void a_worker_is_added(void **state)
{
	struct process_tree one, two;
	pid_t pid = child();

	(void)state;
	process_look(&board, &one);
	atomic_store(&board_slot(&board, 1)->pid, pid);
	process_look(&board, &two);
	assert_true(two.cpu_known && two.memory_known && two.fds_known);
	assert_true(two.cpu >= one.cpu + 20000000);
	assert_int_equal(two.threads, one.threads + 1);
	assert_int_equal(two.fds, 2 * one.fds);
	assert_true(two.virtual > one.virtual);
	atomic_store(&board_slot(&board, 1)->pid, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Its CPU time counts while it lives, while it is dead, and once it is in the account: always the same. */
static void a_death_changes_no_cpu_time(void **state)
{
	struct board_slot *slot = board_slot(&board, 0);
	pid_t pid = child();
	uint64_t used, again;
	struct process_tree t;
	siginfo_t info;

	(void)state;
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(process_cpu(pid, &used));
	assert_true(used >= 20000000);
	assert_true(process_cpu(pid, &again));
	assert_int_equal(again, used);
	atomic_store(&slot->pid, pid);
	uint64_t low = own_cpu() + used;

	process_look(&board, &t);
	assert_true(t.cpu_known && t.memory_known && t.fds_known);
	assert_in_range(t.cpu, low, own_cpu() + used);
	atomic_store(&slot->pid, BOARD_ACCOUNTING);
	process_look(&board, &t);		/* a master that stopped in the middle leaves it unknown, not wrong */
	assert_false(t.cpu_known);
	atomic_store(&slot->ended_cpu, used);
	atomic_store(&slot->pid, 0);
	waitpid(pid, NULL, 0);
	assert_false(process_cpu(pid, &again));
	low = own_cpu() + used;
	process_look(&board, &t);
	assert_true(t.cpu_known);
	assert_in_range(t.cpu, low, own_cpu() + used);
	atomic_store(&slot->ended_cpu, 0);
}

/* What is not there is not known, instead of 0: here a worker that the board still names. */
static void what_cannot_be_read_is_not_known(void **state)
{
	pid_t pid = child();
	struct process_tree t;

	(void)state;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	atomic_store(&board_slot(&board, 0)->pid, pid);
	process_look(&board, &t);
	assert_false(t.cpu_known || t.memory_known || t.fds_known);
	atomic_store(&board_slot(&board, 0)->pid, 0);
}

static void proportional(void **state)
{
	(void)state;
	assert_in_range(process_proportional(), 4096, 1024 * status_field("VmHWM: %llu"));
}

static int setup(void **state)
{
	struct fault why = {""};

	(void)state;
	if (!board_create(&board, 2, 64, 0, &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	board_remove(&board);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),
		cmocka_unit_test(a_worker_is_added),
		cmocka_unit_test(a_death_changes_no_cpu_time),
		cmocka_unit_test(what_cannot_be_read_is_not_known),
		cmocka_unit_test(proportional),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
