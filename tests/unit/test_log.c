/* test_log.c - whatever stderr is, a reader that does not read stops nobody, and what was lost is told.
 *
 * Each case logs, in a process of its own, far more than its stderr holds. An alarm ends a writer that blocks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../../server/log.h"

#define LINES 20000		/* of 60 bytes and more: over a megabyte */

static struct fault why;
static int told[2];		/* the parent says: there is room again */

static _Noreturn void writer(int err)
{
	char go;

	alarm(20);
	if (dup2(err, STDERR_FILENO) < 0 || !log_open("stderr", LOG_INFO, &why))
		_exit(2);
	for (int i = 0; i < LINES; i++)
		log_line(LOG_INFO, "a line that nobody reads, number %d", i);
	if (write(told[1], "", 1) != 1 || read(told[1], &go, 1) != 1)
		_exit(3);
	log_line(LOG_INFO, "the last one");
	_exit(0);
}

/* All that can be read now. */
static size_t read_all(int fd, char *into, size_t cap)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap - 1 && (n = read(fd, into + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	into[len] = '\0';
	return len;
}

/* Lines that came, and lines that are told to be lost. */
static void count(const char *text, unsigned *came, unsigned *lost)
{
	unsigned n;

	for (const char *at = text; (at = strstr(at, "]: ")); at++) {
		if (sscanf(at, "]: %u log lines before this one could not be written\n", &n) == 1)
			*lost += n;
		else
			*came += strstr(at, "]: a line that nobody reads, number ") == at;
	}
}

static void check(int writing, int reading)
{
	static char text[8 << 20];
	char done;
	int status;
	unsigned came = 0, lost = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, told), 0);
	pid_t pid = fork();

	if (pid == 0)
		writer(writing);
	close(told[1]);
	assert_int_equal(read(told[0], &done, 1), 1);	/* it has come to the end of its lines */
	assert_false(fcntl(writing, F_GETFL) & O_NONBLOCK);	/* it is not ours to change */
	assert_int_equal(fcntl(reading, F_SETFL, O_NONBLOCK), 0);
	assert_true(read_all(reading, text, sizeof text) > 0);
	count(text, &came, &lost);
	assert_true(came > 0 && came < LINES);

	assert_int_equal(write(told[0], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	read_all(reading, text, sizeof text);
	count(text, &came, &lost);
	assert_true(lost > 0);
	assert_in_range(came + lost, LINES, LINES + 1);	/* one that was cut counts for both */
	assert_non_null(strstr(text, "]: the last one\n"));
	close(told[0]);
	close(writing);
	close(reading);
}

static void test_pipe(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	check(ends[1], ends[0]);
}

static void test_socket(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check(ends[1], ends[0]);
}

static void test_terminal(void **state)
{
	struct termios raw;
	int reading = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_true(reading >= 0);
	assert_int_equal(grantpt(reading), 0);
	assert_int_equal(unlockpt(reading), 0);
	int writing = open(ptsname(reading), O_RDWR | O_NOCTTY);

	assert_true(writing >= 0);
	assert_int_equal(tcgetattr(writing, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(writing, TCSANOW, &raw), 0);
	check(writing, reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
