/* model_file.c - images on disk.
 *
 * Writing: akin-prep alone. The image goes to a file aside, is fsynced and renamed over the old one, and the folder
 * is fsynced, so that a reader sees the old model or the new one and a power cut leaves one of the two. A signal that
 * ends the program waits until what lies aside is gone, and hurries that.
 *
 * Reading: by read(2), never by mmap: a file that somebody truncates under a mapping kills its reader by SIGBUS,
 * and a master must not die of a careless cp. O_NONBLOCK keeps a FIFO in the model's place from stopping it. The head
 * is looked at first: what is no model may be of any size. */
#include "model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define STEP ((size_t)8 << 20)	/* written at a time, between looks for a signal */

/* The signals that end this program. One that is ignored may be pending too, and is no wish to end. */
static void find_endings(sigset_t *set)
{
	static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	struct sigaction now;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (sigaction(endings[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(set, endings[i]);
}

static bool end_is_asked_for(void)
{
	sigset_t endings, pending, both;

	find_endings(&endings);
	return sigpending(&pending) == 0 && sigandset(&both, &endings, &pending) == 0 && !sigisemptyset(&both);
}

static uint64_t round_up(uint64_t n) { return (n + MODEL_ALIGN - 1) / MODEL_ALIGN * MODEL_ALIGN; }

static bool write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		if (end_is_asked_for()) {
			errno = EINTR;
			return false;
		}
		ssize_t n = write(fd, at, len < STEP ? len : STEP);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Lay the sections out behind the head and sum them up. */
static bool complete_head(struct model_head *head, const struct model_part *part)
{
	static const char zero[MODEL_ALIGN];
	const size_t from = offsetof(struct model_head, items);
	uint64_t end = sizeof *head;
	XXH3_state_t *sum = XXH3_createState();

	if (!sum)
		return false;
	memcpy(head->magic, MODEL_MAGIC, sizeof head->magic);
	head->byte_order = MODEL_BYTE_ORDER;
	head->version = MODEL_VERSION;
	head->section_count = SECTIONS;
	head->reserved = 0;
	for (int s = 0; s < SECTIONS; s++) {
		head->section[s] = (struct model_extent){end, part[s].length};
		end = round_up(end + part[s].length);
	}
	head->size = end;
	XXH3_64bits_reset(sum);
	XXH3_64bits_update(sum, (const char *)head + from, sizeof *head - from);
	for (int s = 0; s < SECTIONS; s++) {
		XXH3_64bits_update(sum, part[s].at, part[s].length);
		XXH3_64bits_update(sum, zero, round_up(part[s].length) - part[s].length);
	}
	head->checksum = XXH3_64bits_digest(sum);
	XXH3_freeState(sum);
	return true;
}

static bool write_image(int fd, const struct model_head *head, const struct model_part *part)
{
	static const char zero[MODEL_ALIGN];

	if (!write_all(fd, head, sizeof *head))
		return false;
	for (int s = 0; s < SECTIONS; s++) {
		if (!write_all(fd, part[s].at, part[s].length) ||
		    !write_all(fd, zero, round_up(part[s].length) - part[s].length))
			return false;
	}
	return fsync(fd) == 0;
}

/* A rename is durable only when the folder is. */
static bool sync_folder(const char *path)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return false;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool ok = fsync(fd) == 0;

	close(fd);
	return ok;
}

static bool write_and_rename(const char *path, struct model_head *head, const struct model_part *part, struct fault *why)
{
	char aside[PATH_MAX];

	_Static_assert(sizeof *head % MODEL_ALIGN == 0, "the first section starts behind the head");
	if (snprintf(aside, sizeof aside, "%s.new.XXXXXX", path) >= (int)sizeof aside)
		return fault_set(why, "%s: the path is longer than %d bytes", path, PATH_MAX);
	if (!complete_head(head, part))
		return fault_set(why, "%s: no memory for a checksum", path);
	int fd = mkostemp(aside, O_CLOEXEC);

	if (fd < 0)
		return fault_errno(why, "%s: can't create it", aside);
	mode_t mask = umask(0);

	umask(mask);
	bool ok = fchmod(fd, 0666 & ~mask) == 0 && write_image(fd, head, part);

	if (close(fd) != 0)
		ok = false;
	if (!ok || rename(aside, path) != 0) {
		fault_errno(why, "%s: can't write it", path);
		unlink(aside);
		return false;
	}
	if (!sync_folder(path))
		return fault_errno(why, "%s: it is in place, but its folder can't be synced", path);
	return true;
}

bool model_file_write(const char *path, struct model_head *head, const struct model_part part[SECTIONS],
		      struct fault *why)
{
	sigset_t endings, before;

	find_endings(&endings);
	pthread_sigmask(SIG_BLOCK, &endings, &before);
	bool ok = write_and_rename(path, head, part, why);

	pthread_sigmask(SIG_SETMASK, &before, NULL);	/* what was held strikes here */
	return ok;
}

int model_file_open(const char *path, size_t limit, size_t *size, struct fault *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		fault_errno(why, "%s: can't open it", path);
		return -1;
	}
	if (fstat(fd, &st) != 0)
		fault_errno(why, "%s: can't look at it", path);
	else if (!S_ISREG(st.st_mode))
		fault_set(why, "%s: must be a regular file, this is %s", path,
			  S_ISDIR(st.st_mode)    ? "a directory"
			  : S_ISFIFO(st.st_mode) ? "a FIFO"
						 : "a device or socket");
	else if (st.st_size == 0)
		fault_set(why, "%s: the file is empty", path);
	else if ((uintmax_t)st.st_size < sizeof(struct model_head))
		fault_set(why, "%s: %jd bytes are too few for a model, whose head alone has %zu", path,
			  (intmax_t)st.st_size, sizeof(struct model_head));
	else if ((uintmax_t)st.st_size > SIZE_MAX / 2 || (limit > 0 && (uintmax_t)st.st_size > limit))
		fault_set(why, "%s: %jd bytes, the limit is %zu", path, (intmax_t)st.st_size, limit);
	else {
		*size = (size_t)st.st_size;
		return fd;
	}
	close(fd);
	return -1;
}

bool model_file_check(int fd, size_t size, struct fault *why)
{
	struct model_head head;
	ssize_t n;

	do
		n = pread(fd, &head, sizeof head, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fault_errno(why, "can't read it");
	if (n != (ssize_t)sizeof head)
		return fault_set(why, "it ended after %zd of %zu bytes while it was read", n, size);
	return model_view_head(&head, size, why);
}

bool model_file_read(int fd, void *image, size_t size, struct fault *why)
{
	char *at = image;
	size_t left = size;

	while (left > 0) {
		ssize_t n = read(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_errno(why, "can't read it");
		if (n == 0)
			return fault_set(why, "it ended after %zu of %zu bytes while it was read", size - left, size);
		at += n;
		left -= (size_t)n;
	}
	return true;
}

bool model_file_load(const char *path, void **image, size_t *size, struct fault *why)
{
	int fd = model_file_open(path, 0, size, why);

	if (fd < 0)
		return false;
	if (!model_file_check(fd, *size, why)) {
		close(fd);
		return fault_at(why, "%s", path);
	}
	*image = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*image == MAP_FAILED) {
		fault_errno(why, "%s: no memory for %zu bytes", path, *size);
		close(fd);
		return false;
	}
	bool ok = model_file_read(fd, *image, *size, why) || fault_at(why, "%s", path);

	close(fd);
	if (!ok)
		model_file_free(*image, *size);
	return ok;
}

void model_file_free(void *image, size_t size)
{
	if (image)
		munmap(image, size);
}
