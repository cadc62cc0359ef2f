/* test_feedback_log.c - the log of events as a file: what is whole, what is synced, and what is said when
 * it fails. fdatasync() is this file's own, the file size limit stands for a full disk. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../metrics/slot.h"
#include "../../server/feedback_file.h"
#include "../../server/feedback_log.h"

#define ROW  "click,i,,0,1970-01-01 00:00:01,,u,\n"
#define HEAD FEEDBACK_HEADER

static char folder[] = "/tmp/akin-feedback-XXXXXX", path[PATH_MAX];
static struct settings settings;
static struct board board;
static struct fault why;
static char content[1 << 20];

static _Atomic unsigned syncs;
static _Atomic int sync_error;
static _Atomic bool sync_slowly;

int fdatasync(int fd)
{
	(void)fd;
	syncs++;
	if (sync_slowly)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	errno = sync_error;
	return sync_error ? -1 : 0;
}

static const char *today(void)
{
	time_t now = time(NULL);
	struct tm t;
	char day[16];

	gmtime_r(&now, &t);
	strftime(day, sizeof day, "%Y-%m-%d", &t);
	snprintf(path, sizeof path, "%s/%s.csv", folder, day);
	return path;
}

/* The whole of today's file. */
static const char *read_it(void)
{
	int fd = open(today(), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, content, sizeof content - 1);

	if (fd >= 0)
		close(fd);
	content[n] = '\0';
	return content;
}

static void put_it(const char *text)
{
	int fd = open(today(), O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static bool append(const char *rows)
{
	char copy[4096];

	snprintf(copy, sizeof copy, "%s", rows);
	return feedback_log_append(&(struct feedback_rows){.at = copy, .len = strlen(copy), .count = 1});
}

static unsigned files(void)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static uint64_t errors(void) { return ((struct counters *)board_own_counters(&board))->feedback_log_errors; }

static void open_log(enum feedback_sync how)
{
	snprintf(settings.feedback_log, sizeof settings.feedback_log, "%s", folder);
	settings.feedback_sync = how;
	assert_true(feedback_log_open(&settings, &board, &why));
}

static int begin(void **state)
{
	(void)state;
	unlink(today());
	syncs = 0;
	sync_error = 0;
	sync_slowly = false;
	memset(board_own_counters(&board), 0, counters_size());
	open_log(SYNC_ALWAYS);
	return 0;
}

static int end(void **state)
{
	(void)state;
	feedback_log_close();
	unlink(today());
	return 0;
}

/* The file */

static void rows_are_appended_and_synced(void **state)
{
	(void)state;
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW);
	assert_int_equal(syncs, 1);
	assert_true(append(ROW ROW));
	assert_string_equal(read_it(), HEAD ROW ROW ROW);
	assert_int_equal(syncs, 2);
	assert_int_equal(files(), 1);			/* nothing is left aside */
	struct stat st;

	assert_int_equal(stat(today(), &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640, 0);
}

static void what_is_torn_is_cut_off(void **state)
{
	static char tail[10000];
	static const struct {
		const char *before, *after;
	} cases[] = {
		{HEAD ROW "click,half a", HEAD ROW},
		{HEAD "x", HEAD},
		{HEAD, HEAD},
		{"Invoice", HEAD},
		{"", HEAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char want[1024];

		put_it(cases[i].before);
		snprintf(want, sizeof want, "%s" ROW, cases[i].after);
		assert_true(append(ROW));
		assert_string_equal(read_it(), want);
		feedback_log_reopen();
	}
	snprintf(tail, sizeof tail, "%s%s%09000d", HEAD, ROW, 0);	/* longer than is looked at a time */
	put_it(tail);
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW ROW);
}

/* What the dead had begun is removed, by whoever starts; what the living are at, and what is not ours, stays. */
static void what_was_begun_is_swept(void **state)
{
	static const char *const name[] = {".new-999999999", ".new-", ".new-1x", ".other"};
	char at[4][PATH_MAX], mine[PATH_MAX];

	(void)state;
	snprintf(mine, sizeof mine, "%s/.new-%d", folder, (int)getpid());
	assert_int_equal(close(creat(mine, 0600)), 0);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(at[i], sizeof at[i], "%s/%s", folder, name[i]);
		assert_int_equal(close(creat(at[i], 0600)), 0);
	}
	feedback_log_close();
	open_log(SYNC_ALWAYS);
	assert_int_equal(access(at[0], F_OK), -1);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(unlink(at[i]), 0);
	assert_int_equal(unlink(mine), 0);
}

static void a_file_that_has_gone_is_made_again(void **state)
{
	char aside[PATH_MAX + 8];

	(void)state;
	assert_true(append(ROW));
	unlink(today());
	assert_true(append(ROW));			/* at once */
	assert_string_equal(read_it(), HEAD ROW);
	snprintf(aside, sizeof aside, "%s.1", today());
	assert_int_equal(rename(path, aside), 0);
	assert_true(append(ROW));			/* still where it was */
	assert_string_equal(read_it(), "");
	feedback_log_reopen();
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW);
	unlink(aside);
}

/* A limit of the size is a full disk: a write that is short, and one that fails. */
static void a_full_disk(void **state)
{
	struct rlimit before, limit;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);			/* as in a worker */
	assert_true(append(ROW));
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = strlen(HEAD ROW) + 10;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(append(ROW));
	assert_string_equal(read_it(), HEAD ROW);
	limit.rlim_cur = strlen(HEAD ROW);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(append(ROW));
	assert_string_equal(read_it(), HEAD ROW);
	assert_int_equal(errors(), 2);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW ROW);
	unlink(path);					/* no room for the header, and then for half of it */
	limit.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_false(append(ROW));
	assert_int_equal(files(), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW);
}

static void what_cannot_be_opened(void **state)
{
	(void)state;
	assert_int_equal(mkdir(today(), 0750), 0);
	assert_false(append(ROW));
	rmdir(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_false(append(ROW));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(append(ROW));
	unlink(path);
	assert_int_equal(errors(), 3);
	assert_true(append(ROW));
	assert_int_equal(errors(), 3);
}

static void a_sync_that_fails(void **state)
{
	(void)state;
	sync_error = EIO;
	assert_false(append(ROW));
	assert_int_equal(errors(), 1);
	sync_error = 0;
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW ROW);	/* the first may be there; nobody was told so */
}

static void syncing_later_or_never(void **state)
{
	(void)state;
	feedback_log_close();
	open_log(SYNC_NEVER);
	assert_true(append(ROW));
	feedback_log_close();
	assert_int_equal(syncs, 0);
	open_log(SYNC_SECOND);
	assert_true(append(ROW));
	assert_int_equal(syncs, 0);
	for (unsigned i = 0; i < 3000 && syncs == 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	assert_int_equal(syncs, 1);
	assert_true(append(ROW));
	feedback_log_close();				/* does not wait for the second to end */
	assert_int_equal(syncs, 2);
	assert_string_equal(read_it(), HEAD ROW ROW ROW);
	open_log(SYNC_ALWAYS);
}

#define THREADS 16
#define EACH	50

static void *write_some(void *nothing)
{
	for (unsigned i = 0; i < EACH; i++) {
		if (i % 20 == 7)
			feedback_log_reopen();
		assert_true(append(ROW));
	}
	return nothing;
}

/* Threads share a sync that takes long, and each row is there once. */
static void threads_share_a_sync(void **state)
{
	pthread_t thread[THREADS];
	const char *at;
	unsigned n = 0;

	(void)state;
	sync_slowly = true;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_some, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_memory_equal(read_it(), HEAD, strlen(HEAD));
	for (at = content + strlen(HEAD); strncmp(at, ROW, strlen(ROW)) == 0; at += strlen(ROW))
		n++;
	assert_string_equal(at, "");
	assert_int_equal(n, THREADS * EACH);
	assert_in_range(syncs, EACH, THREADS * EACH / 2);
}

/* Processes: one is killed while it holds the lock, in the middle of a row. */
static void a_writer_that_is_killed(void **state)
{
	int lock;

	(void)state;
	assert_true(append(ROW));
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(today(), O_WRONLY | O_APPEND);

		_exit(flock(fd, LOCK_EX) != 0 || write(fd, "click,torn", 10) != 10 || kill(getpid(), SIGKILL) != 0);
	}
	assert_int_equal(waitpid(pid, &lock, 0), pid);
	assert_true(WIFSIGNALED(lock));
	assert_string_equal(read_it(), HEAD ROW "click,torn");
	assert_true(append(ROW));
	assert_string_equal(read_it(), HEAD ROW ROW);
}

static void without_the_setting(void **state)
{
	(void)state;
	feedback_log_close();
	settings.feedback_log[0] = '\0';
	assert_true(feedback_log_check(&settings, &why) && feedback_log_make(&settings, &why));
	assert_true(feedback_log_open(&settings, &board, &why));
	assert_false(feedback_log_is_on());
	open_log(SYNC_ALWAYS);
	assert_true(feedback_log_is_on());
}

static void the_folder(void **state)
{
	struct stat st;

	(void)state;
	snprintf(settings.feedback_log, sizeof settings.feedback_log, "%s/new", folder);
	assert_true(feedback_log_check(&settings, &why));
	assert_int_equal(stat(settings.feedback_log, &st), -1);
	assert_true(feedback_log_make(&settings, &why));
	assert_true(feedback_log_make(&settings, &why));
	assert_int_equal(stat(settings.feedback_log, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0750, 0);
	rmdir(settings.feedback_log);
	snprintf(settings.feedback_log, sizeof settings.feedback_log, "%s/none/new", folder);
	assert_false(feedback_log_check(&settings, &why));
	assert_false(feedback_log_make(&settings, &why));
	assert_non_null(strstr(why.text, "can't make the folder for the log of events: No such file"));
	snprintf(settings.feedback_log, sizeof settings.feedback_log, "%s", today());
	put_it("x");
	assert_false(feedback_log_check(&settings, &why));
	assert_non_null(strstr(why.text, "can't use the folder for the log of events: Not a directory"));
	open_log(SYNC_ALWAYS);
}

static int setup(void **state)
{
	(void)state;
	settings_default(&settings);
	if (!mkdtemp(folder) || !board_create(&board, 1, slot_size(0), 0, &why))
		return -1;
	board.own = (uint8_t *)(void *)board_slot(&board, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	board_remove(&board);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_LOG(f) cmocka_unit_test_setup_teardown(f, begin, end)
		WITH_LOG(rows_are_appended_and_synced),
		WITH_LOG(what_is_torn_is_cut_off),
		WITH_LOG(what_was_begun_is_swept),
		WITH_LOG(a_file_that_has_gone_is_made_again),
		WITH_LOG(a_full_disk),
		WITH_LOG(what_cannot_be_opened),
		WITH_LOG(a_sync_that_fails),
		WITH_LOG(syncing_later_or_never),
		WITH_LOG(threads_share_a_sync),
		WITH_LOG(a_writer_that_is_killed),
		WITH_LOG(without_the_setting),
		WITH_LOG(the_folder),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, setup, teardown);
}
