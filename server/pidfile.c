/* pidfile.c - proof that a master lives is its lock, not the number in the file: numbers are used again.
 *
 * The lock is a POSIX record lock: workers do not inherit it, and it ends with the master, however that ends. Used
 * by master_open.c and handover.c, and by commands to find who runs (running.c). */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "privilege.h"

static bool refuse_held(int fd, const char *path, struct fault *why)
{
	struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK)
		return fault_set(why, "%s: a running master, process %d, holds this pid file", path, (int)held.l_pid);
	return fault_set(why, "%s: a running master holds this pid file", path);
}

/* The file may have been removed by its last master between our opening and our locking it. */
static bool still_named(int fd, const char *path)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino &&
	       here.st_dev == there.st_dev;
}

static bool lock(int fd, const char *path, struct fault *why)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &all) == 0)
		return true;
	if (errno == EACCES || errno == EAGAIN)
		return refuse_held(fd, path, why);
	return fault_errno(why, "%s: can't lock the pid file", path);
}

static bool write_pid(int fd, const char *path, struct fault *why)
{
	char text[16];
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return fault_errno(why, "%s: can't write the pid file", path);
	return true;
}

bool pidfile_take(struct pidfile *p, const char *path, struct fault *why)
{
	struct stat st;

	*p = (struct pidfile){.fd = -1};
	while (*path) {
		int fd = privilege_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);

		if (fd < 0)
			return fault_errno(why, "%s: can't open the pid file", path);
		bool ok = (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) ||
			  fault_set(why, "%s: the pid file must be a regular file", path);

		ok = ok && lock(fd, path, why);
		if (ok && !still_named(fd, path)) {
			close(fd);
			continue;
		}
		if (!ok || !write_pid(fd, path, why)) {
			close(fd);
			return false;
		}
		p->fd = fd;
		snprintf(p->path, sizeof p->path, "%s", path);
		return true;
	}
	return true;
}

bool pidfile_aside(struct pidfile *p, struct fault *why)
{
	char aside[sizeof p->path];

	if (!p->path[0])
		return true;
	snprintf(aside, sizeof aside, "%.*s" PIDFILE_ASIDE, PATH_MAX - 1, p->path);
	if (rename(p->path, aside) != 0)
		return fault_errno(why, "%s: can't rename the pid file to %s", p->path, aside);
	memcpy(p->path, aside, sizeof aside);
	p->aside = true;
	return true;
}

bool pidfile_back(struct pidfile *p, struct fault *why)
{
	char path[sizeof p->path];

	if (!p->aside)
		return true;
	snprintf(path, sizeof path, "%.*s", (int)(strlen(p->path) - strlen(PIDFILE_ASIDE)), p->path);
	pid_t other = pidfile_holder(path, why);

	if (other > 0)
		fault_set(why, "%s: process %d holds this pid file now", path, (int)other);
	if (other != 0)
		return false;
	if (rename(p->path, path) != 0)
		return fault_errno(why, "%s: can't rename the pid file back to %s", p->path, path);
	memcpy(p->path, path, sizeof path);
	p->aside = false;
	return true;
}

pid_t pidfile_holder(const char *path, struct fault *why)
{
	struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fcntl(fd, F_GETLK, &held) != 0) {
		fault_errno(why, "%s: can't tell who holds the pid file", path);
		held.l_pid = -1;
	} else if (held.l_type == F_UNLCK) {
		held.l_pid = 0;
	} else if (held.l_pid <= 0) {
		fault_set(why, "%s: a process of another namespace holds this pid file", path);
		held.l_pid = -1;
	}
	if (fd >= 0)
		close(fd);
	return held.l_pid;
}

void pidfile_drop(struct pidfile *p)
{
	if (!p->path[0])
		return;
	/* in a folder that is only root's, the file stays, but names nobody */
	if (unlink(p->path) != 0 && errno != ENOENT && ftruncate(p->fd, 0) != 0)
		log_line(LOG_WARN, "%s: the pid file can't be removed: %s", p->path, strerror(errno));
	close(p->fd);
	*p = (struct pidfile){.fd = -1};
}
