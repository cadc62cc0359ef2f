/* feedback_file.c - YYYY-MM-DD.csv, in UTC.
 *
 * A new file is made aside, with its header, and linked into its place, so that nobody finds one without; of several workers
 * that do so at midnight one wins, and the others find its file. flock() keeps writers apart: it belongs to the open file, and
 * goes with its process. O_APPEND would keep single writes apart, too, but not a writer from cutting off another's rest.
 *
 * What fails is the disk's or the operator's: no room, no right, a folder that is gone. It is told, and tried again with the
 * next rows. */
#include "feedback_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "feedback_rows.h"

#define HEADER_LEN (sizeof FEEDBACK_HEADER - 1)
#define ASIDE	   ".new-"		/* and the process that makes it */
#define BACKWARDS  4096			/* bytes looked at a time for the last line end */

static bool name_today(const struct feedback_file *f, char path[sizeof f->path])
{
	struct timespec now;
	struct tm t;

	clock_gettime(CLOCK_REALTIME, &now);
	return gmtime_r(&now.tv_sec, &t) &&
	       snprintf(path, sizeof f->path, "%s/%04d-%02d-%02d.csv", f->folder, t.tm_year + 1900, t.tm_mon + 1, t.tm_mday) > 0;
}

bool feedback_file_is_todays(const struct feedback_file *f)
{
	char path[sizeof f->path];
	struct stat st;

	return f->fd >= 0 && name_today(f, path) && strcmp(path, f->path) == 0 && fstat(f->fd, &st) == 0 && st.st_nlink > 0;
}

/* A name is safe when its folder is on the disk. Whoever begins with a file sees to that himself: who has made it may not have
 * come so far, or have failed. */
static bool sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return ok;
}

static bool write_header(int fd)
{
	ssize_t n = write(fd, FEEDBACK_HEADER, HEADER_LEN);

	if (n >= 0 && n < (ssize_t)HEADER_LEN)
		errno = ENOSPC;
	return n == (ssize_t)HEADER_LEN;
}

/* True also when somebody else was faster. The name aside is this process's own. */
static bool make(const struct feedback_file *f, struct fault *why)
{
	char aside[sizeof f->path + 16];

	snprintf(aside, sizeof aside, "%s/" ASIDE "%d", f->folder, (int)getpid());
	unlink(aside);			/* another process of this number may have died */
	int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	bool ok = fd >= 0 && write_header(fd) && (!f->durable || fsync(fd) == 0) &&
		  (link(aside, f->path) == 0 || errno == EEXIST);

	if (!ok)
		fault_errno(why, "%s: can't make the log of events", f->path);
	if (fd >= 0)
		close(fd);
	unlink(aside);
	return ok;
}

void feedback_file_sweep(const char *folder)
{
	DIR *d = opendir(folder);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		const char *number = e->d_name + strlen(ASIDE);
		bool ours = strncmp(e->d_name, ASIDE, strlen(ASIDE)) == 0 && *number && !number[strspn(number, "0123456789")];

		if (ours && kill((pid_t)strtol(number, NULL, 10), 0) != 0 && errno == ESRCH)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static int open_it(const char *path)
{
	return open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

bool feedback_file_open(struct feedback_file *f, struct fault *why)
{
	struct stat st;

	feedback_file_close(f);
	if (!name_today(f, f->path))
		return fault_set(why, "%s: the clock is beyond what a date can say", f->folder);
	f->fd = open_it(f->path);
	if (f->fd < 0 && errno == ENOENT) {
		if (!make(f, why))
			return false;
		f->fd = open_it(f->path);
	}
	if (f->fd < 0)
		return fault_errno(why, "%s: can't open the log of events", f->path);
	bool regular = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode);

	if (regular && (!f->durable || sync_folder(f->folder)))
		return true;
	if (regular)
		fault_errno(why, "%s: can't sync the folder of the log of events", f->folder);
	else
		fault_set(why, "%s: the log of events must be a regular file", f->path);
	feedback_file_close(f);
	return false;
}

void feedback_file_close(struct feedback_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* Where the last whole line ends, looking backwards from size; 0: nowhere. -1: it can't be read. */
static off_t last_end(int fd, off_t size)
{
	char part[BACKWARDS];

	while (size > 0) {
		size_t want = size < BACKWARDS ? (size_t)size : BACKWARDS;
		ssize_t n = pread(fd, part, want, size - (off_t)want);

		if (n != (ssize_t)want)
			return -1;
		const char *end = memrchr(part, '\n', want);

		if (end)
			return size - (off_t)want + (end - part) + 1;
		size -= (off_t)want;
	}
	return 0;
}

/* Take off what a dead writer has left behind the last line end. *size is the length after that. */
static bool cut_rest(int fd, off_t *size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	*size = last_end(fd, st.st_size);
	return *size >= 0 && (*size == st.st_size || ftruncate(fd, *size) == 0);
}

/* All in one write. A short one is taken back; should that fail, the next writer does it, by whole lines at least. */
static bool append(int fd, const char *bytes, size_t len)
{
	off_t size;

	if (!cut_rest(fd, &size))
		return false;
	struct iovec part[] = {
		{(void *)(uintptr_t)FEEDBACK_HEADER, size == 0 ? HEADER_LEN : 0},	/* somebody has emptied it */
		{(void *)(uintptr_t)bytes, len},
	};
	ssize_t n = writev(fd, part, 2);

	if (n == (ssize_t)(part[0].iov_len + len))
		return true;
	int error = n < 0 ? errno : ENOSPC;

	if (n > 0 && ftruncate(fd, size) != 0)
		error = errno;
	errno = error;
	return false;
}

bool feedback_file_append(const struct feedback_file *f, const char *bytes, size_t len, struct fault *why)
{
	int locked;

	do
		locked = flock(f->fd, LOCK_EX);
	while (locked != 0 && errno == EINTR);
	bool ok = locked == 0 && append(f->fd, bytes, len);

	if (!ok)
		fault_errno(why, "%s: can't write the log of events", f->path);
	if (locked == 0)
		flock(f->fd, LOCK_UN);
	return ok;
}
