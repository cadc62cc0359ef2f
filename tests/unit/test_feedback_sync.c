/* test_feedback_sync.c - what is acknowledged is on the disk: every row by an fdatasync() that began after it was written, of
 * the file that it is in, and the file's own name before its first row. What a disk would forget, these functions tell: those
 * that sync are this file's own and note how long a file was when they began. Others come between where a test says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../metrics/slot.h"
#include "../../server/feedback_file.h"
#include "../../server/feedback_log.h"

#define ROW   "click,i,,0,1970-01-01 00:00:01,,u,\n"
#define HEAD  FEEDBACK_HEADER
#define FILES 4096

static char folder[] = "/tmp/akin-feedback-XXXXXX", path[PATH_MAX];
static struct settings settings;
static struct board board;
static struct fault why;

/* What was synced, of each file; the numbers of files are not given twice while all of them are there. */
static struct {
	ino_t file;
	off_t size;
} synced[FILES];
static unsigned files_synced;
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned syncs, closed_meanwhile, files_made, folders_made, nameless;
static _Atomic int file_error, folder_error;
static void (*_Atomic meanwhile)(void);	/* once, while a file is synced */
static _Atomic bool slowly, rival;

static off_t synced_of(ino_t file, off_t more)
{
	off_t size = 0;
	unsigned i = 0;

	pthread_mutex_lock(&noting);
	while (i < files_synced && synced[i].file != file)
		i++;
	if (i < files_synced)
		size = synced[i].size;
	if (more > size && i < FILES) {
		synced[i].file = file;
		synced[i].size = size = more;
		files_synced += i == files_synced;
	}
	pthread_mutex_unlock(&noting);
	return size;
}

int fdatasync(int fd)
{
	struct stat before, after;
	bool open = fstat(fd, &before) == 0;
	void (*first)(void) = atomic_exchange(&meanwhile, NULL);

	if (first)
		first();
	if (slowly)
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	if (!open || fstat(fd, &after) != 0 || after.st_ino != before.st_ino)
		closed_meanwhile++;
	else
		synced_of(before.st_ino, before.st_size);
	syncs++;
	return 0;
}

int fsync(int fd)
{
	struct stat st = {.st_mode = 0};

	(void)fstat(fd, &st);
	if (S_ISDIR(st.st_mode)) {
		nameless += access(path, F_OK) != 0;	/* the name that is made safe would be none */
		folders_made++;
		errno = folder_error;
		return folder_error ? -1 : 0;
	}
	files_made += st.st_size == (off_t)strlen(HEAD);
	errno = file_error;
	return file_error ? -1 : 0;
}

static void put(const char *at, const char *text)
{
	int fd = open(at, O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Another worker was faster, if there is a rival. */
int link(const char *from, const char *to)
{
	if (atomic_exchange(&rival, false))
		put(to, HEAD ROW);
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
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

static bool append(void)
{
	char row[] = ROW;

	return feedback_log_append(&(struct feedback_rows){.at = row, .len = strlen(row), .count = 1});
}

static void open_log(enum feedback_sync how)
{
	snprintf(settings.feedback_log, sizeof settings.feedback_log, "%s", folder);
	settings.feedback_sync = how;
	assert_true(feedback_log_open(&settings, &board, &why));
}

/* Each file of the folder is on the disk as long as it is. Returns its rows, and all that were there before. */
static unsigned all_is_synced(void)
{
	DIR *d = opendir(folder);
	const struct dirent *e;
	struct stat st;
	unsigned rows = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fstatat(dirfd(d), e->d_name, &st, 0), 0);
		if (st.st_size > (off_t)strlen(HEAD))	/* of none but a header the name alone matters */
			assert_int_equal(synced_of(st.st_ino, 0), st.st_size);
		rows += (unsigned)(((size_t)st.st_size - strlen(HEAD)) / strlen(ROW));
	}
	closedir(d);
	return rows;
}

static int begin(void **state)
{
	(void)state;
	today();
	files_synced = syncs = closed_meanwhile = files_made = folders_made = nameless = 0;
	file_error = folder_error = 0;
	slowly = rival = false;
	return 0;
}

static int end(void **state)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	(void)state;
	feedback_log_close();
	for (unsigned gone = 1; d && gone > 0; rewinddir(d)) {	/* what is removed may hide what is not yet read */
		gone = 0;
		while ((e = readdir(d)))
			gone += unlinkat(dirfd(d), e->d_name, 0) == 0;
	}
	if (d)
		closedir(d);
	return 0;
}

static void a_name_is_on_the_disk_before_its_rows(void **state)
{
	static const enum feedback_sync how[] = {SYNC_ALWAYS, SYNC_SECOND, SYNC_NEVER};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		unsigned once = how[i] != SYNC_NEVER;

		files_made = folders_made = 0;
		open_log(how[i]);
		assert_true(append() && append());
		assert_int_equal(files_made, once);
		assert_int_equal(folders_made, once);
		assert_int_equal(nameless, 0);
		feedback_log_close();
		unlink(path);
	}
	open_log(SYNC_ALWAYS);
	file_error = EIO;
	assert_false(append());
	assert_int_equal(access(path, F_OK), -1);
	file_error = 0;
	folder_error = EIO;
	assert_false(append());
	assert_false(append());				/* the file is there by now, and its name no safer for that */
	folders_made = folder_error = 0;
	assert_true(append());
	assert_int_equal(folders_made, 1);
}

static void somebody_else_makes_it(void **state)
{
	(void)state;
	open_log(SYNC_ALWAYS);
	rival = true;
	assert_true(append());
	assert_false(rival);
	assert_int_equal(folders_made, 1);
	assert_int_equal(all_is_synced(), 2);
	feedback_log_close();
	open_log(SYNC_ALWAYS);
	assert_true(append());
	assert_int_equal(folders_made, 2);		/* and who only finds it does not know how far the other is */
}

static void a_link_leads_nowhere(void **state)
{
	char elsewhere[PATH_MAX];

	(void)state;
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
	put(elsewhere, HEAD);
	assert_int_equal(symlink("elsewhere", path), 0);
	open_log(SYNC_ALWAYS);
	assert_false(append());
	assert_int_equal(syncs, 0);
}

static void another_row(void) { assert_true(append()); }

/* Of a file that is left, and of what came while it was being synced. */
static void rows_of_the_last_second(void **state)
{
	char aside[PATH_MAX + 8];

	(void)state;
	snprintf(aside, sizeof aside, "%s.1", path);
	open_log(SYNC_SECOND);
	assert_true(append());
	assert_int_equal(rename(path, aside), 0);
	feedback_log_reopen();
	meanwhile = NULL;
	assert_true(append());				/* the one before is synced now, this one later */
	assert_int_equal(syncs, 1);
	meanwhile = another_row;
	for (unsigned i = 0; i < 3000 && syncs == 1; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	assert_true(syncs > 1);
	feedback_log_close();
	assert_int_equal(all_is_synced(), 3);
}

static pthread_t second;
static off_t second_saw;

/* Its row is on the disk when it is told so. */
static void *tell_another(void *nothing)
{
	struct stat st;

	assert_true(append());
	assert_int_equal(stat(path, &st), 0);
	second_saw = synced_of(st.st_ino, 0);
	return nothing;
}

static void another_thread(void)
{
	const struct timespec soon = {.tv_nsec = 1000000};
	struct stat st;

	assert_int_equal(pthread_create(&second, NULL, tell_another, NULL), 0);
	do
		nanosleep(&soon, NULL);
	while (stat(path, &st) != 0 || st.st_size < (off_t)strlen(HEAD ROW ROW));
}

static void who_comes_while_others_sync(void **state)
{
	(void)state;
	open_log(SYNC_ALWAYS);
	meanwhile = another_thread;
	assert_true(append());
	pthread_join(second, NULL);
	assert_int_equal(second_saw, strlen(HEAD ROW ROW));
	assert_int_equal(syncs, 2);
}

#define THREADS 12
#define EACH	60

static void *write_some(void *nth)
{
	char aside[PATH_MAX + 16];

	for (unsigned i = 0; i < EACH; i++) {
		while (!append())	/* somebody has moved what was just made, and was not opened yet */
			;
		if (i % 3)
			continue;
		snprintf(aside, sizeof aside, "%s.%u.%u", path, (unsigned)(uintptr_t)nth, i);
		if (rename(path, aside) == 0)
			feedback_log_reopen();
	}
	return NULL;
}

/* Files that are left while others wait for their rows in them. */
static void many_files(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	open_log(SYNC_ALWAYS);
	slowly = true;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_some, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(all_is_synced(), THREADS * EACH);
	assert_int_equal(closed_meanwhile, 0);
	assert_true(files_synced > 3);
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
		WITH_LOG(a_name_is_on_the_disk_before_its_rows),
		WITH_LOG(somebody_else_makes_it),
		WITH_LOG(a_link_leads_nowhere),
		WITH_LOG(rows_of_the_last_second),
		WITH_LOG(who_comes_while_others_sync),
		WITH_LOG(many_files),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, setup, teardown);
}
