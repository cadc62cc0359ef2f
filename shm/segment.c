/* segment.c - shared memory by name, and who owns it.
 *
 * The master creates, grows, seals and removes; workers open. Every failure is a fault with the name and the number
 * of bytes; nothing is left behind by a call that failed.
 *
 * Whose a segment is rests on one fact: a POSIX record lock belongs to a process, is not inherited over fork(), and
 * is gone the moment that process is, however it went. So a lock on a board's first byte that can be taken proves
 * that its master is dead. Two traps come with it. Closing any descriptor of the board in the master would drop the
 * lock: nobody here opens a board of its own process (`own`). And between another master's creating its board and
 * locking it, a sweep can take that board for a dead one's: so an owner looks, once it has the lock, whether the name
 * still leads to its board, and draws again when it does not. */
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER "/dev/shm"	/* where glibc's shm_open() puts names; needed to list them */
#define PREFIX "akin."

/* The board this process owns, so that it never opens it a second time. */
static struct {
	char token[SEGMENT_TOKEN + 1];
	pid_t pid;
} own;

void segment_board_name(char name[SEGMENT_NAME_MAX], const char *token)
{
	snprintf(name, SEGMENT_NAME_MAX, "/" PREFIX "%.8s.board", token);
}

void segment_model_name(char name[SEGMENT_NAME_MAX], const char *token, uint64_t generation)
{
	snprintf(name, SEGMENT_NAME_MAX, "/" PREFIX "%.8s.model.%llu", token, (unsigned long long)generation);
}

static size_t whole_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/* Space up to size, really: ftruncate() alone promises pages that a full tmpfs does not have. Only what is new is
 * asked for, since the kernel walks all it is asked for. */
static bool take_space(const struct segment *s, size_t size, struct fault *why)
{
	struct statvfs room;
	int error;

	do
		error = posix_fallocate(s->fd, (off_t)s->size, (off_t)(size - s->size));
	while (error == EINTR);
	if (error == 0)
		return true;
	if (error == ENOSPC && fstatvfs(s->fd, &room) == 0)
		return fault_set(why, "shared memory %s can't grow from %zu to %zu bytes, since %s has %llu free of %llu "
				 "(a container's shm_size): %s", s->name, s->size, size, FOLDER,
				 (unsigned long long)room.f_bavail * room.f_frsize,
				 (unsigned long long)room.f_blocks * room.f_frsize, strerror(error));
	errno = error;
	return fault_errno(why, "shared memory %s can't have %zu bytes", s->name, size);
}

static bool map(struct segment *s, size_t length, int protection, int more, struct fault *why)
{
	void *at = mmap(NULL, length, protection, MAP_SHARED | more, s->fd, 0);

	if (at == MAP_FAILED)
		return fault_errno(why, "shared memory %s: can't map %zu bytes", s->name, length);
	s->at = at;
	s->mapped = length;
	return true;
}

bool segment_create(struct segment *s, const char *name, size_t size, size_t reserve, struct fault *why)
{
	*s = (struct segment){.fd = -1};
	snprintf(s->name, sizeof s->name, "%s", name);
	s->fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (s->fd < 0)
		return fault_errno(why, "shared memory %s: can't create it", name);
	if (take_space(s, size, why) &&
	    map(s, whole_pages(reserve > size ? reserve : size), PROT_READ | PROT_WRITE, 0, why)) {
		s->size = size;
		return true;
	}
	int error = errno;

	segment_unlink(name);
	segment_close(s);
	errno = error;
	return false;
}

bool segment_reserve(struct segment *s, size_t reserve, struct fault *why)
{
	size_t length = whole_pages(reserve);

	if (length <= s->mapped)
		return true;
	void *at = mremap(s->at, s->mapped, length, MREMAP_MAYMOVE);

	if (at == MAP_FAILED)
		return fault_errno(why, "shared memory %s: can't map %zu bytes", s->name, length);
	s->at = at;
	s->mapped = length;
	return true;
}

bool segment_grow(struct segment *s, size_t size, struct fault *why)
{
	if (size <= s->size)
		return true;
	if (size > s->mapped)
		return fault_set(why, "shared memory %s: %zu bytes are mapped, %zu wanted", s->name, s->mapped, size);
	if (!take_space(s, size, why))
		return false;
	s->size = size;
	return true;
}

bool segment_seal(struct segment *s, size_t size, struct fault *why)
{
	if (ftruncate(s->fd, (off_t)size) != 0)
		return fault_errno(why, "shared memory %s: can't cut it to %zu bytes", s->name, size);
	s->size = size;
	if (mprotect(s->at, s->mapped, PROT_READ) != 0)
		return fault_errno(why, "shared memory %s: can't make it read-only", s->name);
	return true;
}

int segment_reader(const char *name, struct fault *why)
{
	int fd = shm_open(name, O_RDONLY, 0);

	if (fd < 0)
		fault_errno(why, "shared memory %s: can't open it", name);
	return fd;
}

bool segment_map(struct segment *s, int fd, const char *name, struct fault *why)
{
	struct stat st;

	*s = (struct segment){.fd = fd};
	snprintf(s->name, sizeof s->name, "%s", name);
	bool ok = fstat(fd, &st) == 0 || fault_errno(why, "shared memory %s: can't look at it", name);

	if (ok && st.st_size == 0)
		ok = fault_set(why, "shared memory %s is empty", name);
	if (ok) {
		s->size = (size_t)st.st_size;
		/* every page now, so that no request waits for one */
		ok = map(s, whole_pages(s->size), PROT_READ, MAP_POPULATE, why);
	}
	s->fd = -1;
	if (!ok)
		segment_close(s);
	return ok;
}

bool segment_open(struct segment *s, const char *name, struct fault *why)
{
	int fd = segment_reader(name, why);

	*s = (struct segment){.fd = -1};
	if (fd < 0)
		return false;
	bool ok = segment_map(s, fd, name, why);
	int error = errno == ENOENT ? EIO : errno;	/* ENOENT is only for a name that is gone */

	if (ok)
		s->fd = fd;
	else
		close(fd);
	errno = error;
	return ok;
}

void segment_close(struct segment *s)
{
	if (s->at)
		munmap(s->at, s->mapped);
	if (s->name[0] && s->fd >= 0)	/* a zeroed one has no name, and descriptor 0 is not its own */
		close(s->fd);
	*s = (struct segment){.fd = -1};
}

uint64_t segment_room(void)
{
	struct statvfs room;

	/* a tmpfs without a limit has no blocks at all */
	if (statvfs(FOLDER, &room) != 0 || room.f_blocks == 0)
		return UINT64_MAX;
	return (uint64_t)room.f_bavail * room.f_frsize;
}

void segment_unlink(const char *name)
{
	int error = errno;

	shm_unlink(name);
	errno = error;
}

bool segment_rename(const char *from, const char *to, struct fault *why)
{
	char source[sizeof FOLDER + SEGMENT_NAME_MAX], target[sizeof FOLDER + SEGMENT_NAME_MAX];

	snprintf(source, sizeof source, FOLDER "%s", from);
	snprintf(target, sizeof target, FOLDER "%s", to);
	return rename(source, target) == 0 || fault_errno(why, "shared memory %s: can't be renamed to %s", from, to);
}

/* Owners */

static bool lock_first_byte(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

	return fcntl(fd, F_SETLK, &lock) == 0;
}

/* Does the name still lead to this very segment? */
static bool still_named(const struct segment *s)
{
	struct stat here, there;
	char path[SEGMENT_NAME_MAX + sizeof FOLDER];

	snprintf(path, sizeof path, "%s%s", FOLDER, s->name);
	return fstat(s->fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
	       here.st_dev == there.st_dev;
}

static bool draw_token(char token[SEGMENT_TOKEN + 1], struct fault *why)
{
	uint32_t random;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return fault_errno(why, "can't draw a random number");
	snprintf(token, SEGMENT_TOKEN + 1, "%08x", random);
	return true;
}

bool segment_own(struct segment *board, char token[SEGMENT_TOKEN + 1], size_t size, struct fault *why)
{
	char name[SEGMENT_NAME_MAX];

	for (int tries = 0; tries < 16; tries++) {
		if (!draw_token(token, why))
			return false;
		segment_board_name(name, token);
		if (!segment_create(board, name, size, 0, why)) {
			if (errno == EEXIST)
				continue;
			return false;
		}
		if (lock_first_byte(board->fd) && still_named(board)) {
			memcpy(own.token, token, sizeof own.token);
			own.pid = getpid();
			return true;
		}
		segment_close(board);	/* a sweep was faster: it has removed the name, or is about to */
	}
	return fault_set(why, "shared memory: no name is free after 16 tries; the last was %s", name);
}

/* "akin.0123abcd.board" or "akin.0123abcd.model.7": its token, else false. */
static bool read_name(const char *entry, char token[SEGMENT_TOKEN + 1])
{
	if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0)
		return false;
	entry += strlen(PREFIX);
	if (strspn(entry, "0123456789abcdef") != SEGMENT_TOKEN || entry[SEGMENT_TOKEN] != '.')
		return false;
	memcpy(token, entry, SEGMENT_TOKEN);
	token[SEGMENT_TOKEN] = '\0';
	entry += SEGMENT_TOKEN;
	if (strcmp(entry, ".board") == 0)
		return true;
	if (strncmp(entry, ".model.", 7) != 0)
		return false;
	size_t digits = strspn(entry + 7, "0123456789");

	return digits > 0 && digits < 20 && entry[7 + digits] == '\0';
}

/* Remove every model of this token. The caller has made sure that its master is dead. */
static unsigned remove_models(const char *token)
{
	DIR *folder = opendir(FOLDER);
	char of[SEGMENT_TOKEN + 1], name[SEGMENT_NAME_MAX];
	unsigned removed = 0;

	for (struct dirent *e; folder && (e = readdir(folder));) {
		if (!read_name(e->d_name, of) || strcmp(of, token) != 0 || !strstr(e->d_name, ".model."))
			continue;
		snprintf(name, sizeof name, "/%.40s", e->d_name);
		removed += shm_unlink(name) == 0;
	}
	if (folder)
		closedir(folder);
	return removed;
}

/* Models first, then the board, and the lock is held until all is gone: whoever sees a board still sees its lock. */
static unsigned sweep_token(const char *token)
{
	char name[SEGMENT_NAME_MAX];
	unsigned removed = 0;

	if (own.pid == getpid() && strcmp(token, own.token) == 0)
		return 0;
	segment_board_name(name, token);
	int fd = shm_open(name, O_RDWR, 0);

	if (fd < 0)	/* no board: dead. A board that may not be opened: somebody else's business */
		return errno == ENOENT ? remove_models(token) : 0;
	if (lock_first_byte(fd)) {
		removed = remove_models(token);
		removed += shm_unlink(name) == 0;
	}
	close(fd);
	return removed;
}

unsigned segment_boards(char tokens[][SEGMENT_TOKEN + 1], unsigned cap)
{
	DIR *folder = opendir(FOLDER);
	unsigned found = 0;

	for (struct dirent *e; folder && found < cap && (e = readdir(folder));)
		found += read_name(e->d_name, tokens[found]) && strstr(e->d_name, ".board");
	if (folder)
		closedir(folder);
	return found;
}

unsigned segment_sweep(void)
{
	DIR *folder = opendir(FOLDER);
	char token[SEGMENT_TOKEN + 1];
	unsigned removed = 0;

	for (struct dirent *e; folder && (e = readdir(folder));) {
		if (read_name(e->d_name, token))
			removed += sweep_token(token);
	}
	if (folder)
		closedir(folder);
	return removed;
}
