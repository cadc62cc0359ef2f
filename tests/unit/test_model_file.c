/* test_model_file.c - a write that a signal ends leaves the old model, and nothing aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../shm/model_file.h"

#define PART_BYTES 100000

static char folder[] = "/tmp/akin-test-model-file-XXXXXX", path[64];
static const char part_bytes[PART_BYTES];

static bool write_model(struct fault *why)
{
	struct model_head head = {.items = 1};
	struct model_part part[SECTIONS];

	for (int s = 0; s < SECTIONS; s++)
		part[s] = (struct model_part){part_bytes, sizeof part_bytes};
	return model_file_write(path, &head, part, why);
}

static void write_old(void)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs("old", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The old model stands there, and nothing else does, or the folder could not be removed. */
static void assert_only_old(void)
{
	char seen[8] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(seen, sizeof seen, f));
	assert_int_equal(fclose(f), 0);
	assert_string_equal(seen, "old");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* In the midst of the write: the file size limit calls this from inside write(2). */
static void end_this(int sig)
{
	(void)sig;
	raise(SIGTERM);
}

/* Write in another process that gets SIGTERM when PART_BYTES are written. Its status. */
static int write_and_end(void)
{
	pid_t child = fork();
	int status;

	assert_int_not_equal(child, -1);
	if (child == 0) {
		const struct rlimit limit = {PART_BYTES, RLIM_INFINITY};
		struct fault why;

		signal(SIGXFSZ, end_this);
		_exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 ? write_model(&why) : 99);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_signal_waits_until_nothing_is_left_aside(void **state)
{
	(void)state;
	write_old();
	int status = write_and_end();

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_only_old();
}

static void a_signal_that_waits_ends_the_write(void **state)
{
	struct fault why = {""};
	sigset_t term;

	(void)state;
	write_old();
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &term, NULL), 0);
	raise(SIGTERM);
	bool written = write_model(&why);

	signal(SIGTERM, SIG_IGN);		/* takes it away */
	signal(SIGTERM, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &term, NULL), 0);
	assert_false(written);
	assert_non_null(strstr(why.text, "can't write it: Interrupted"));
	assert_only_old();
}

static void an_ignored_signal_changes_nothing(void **state)
{
	struct fault why = {""};
	sigset_t hup;

	(void)state;
	signal(SIGHUP, SIG_IGN);		/* nohup */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	assert_int_equal(sigprocmask(SIG_BLOCK, &hup, NULL), 0);
	raise(SIGHUP);				/* stays pending all the same, being blocked */
	assert_true(write_model(&why));
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &hup, NULL), 0);
	signal(SIGHUP, SIG_DFL);
	write_old();
	assert_only_old();
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder + sizeof folder - 7, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/model", folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_signal_waits_until_nothing_is_left_aside, make_folder),
		cmocka_unit_test_setup(a_signal_that_waits_ends_the_write, make_folder),
		cmocka_unit_test_setup(an_ignored_signal_changes_nothing, make_folder),
	};

	return cmocka_run_group_tests_name("model file", tests, NULL, NULL);
}
