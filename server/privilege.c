/* privilege.c - root is needed to bind a port below 1024, and for nothing else.
 *
 * Called by master_open.c, by what opens the log and the pid file, and by -t. A failure ends the start.
 *
 * A folder of logs often belongs to the user that the service runs as. Who has taken over that user can leave a
 * symbolic link there, and a root that opened it at the next start would write to, and give away, any file of the
 * system. So such files are opened with the user's rights. Only where a folder is root's alone, where nobody else can
 * have left anything, root opens in the user's stead.
 *
 * The kernel makes a process that has changed its user undumpable, and its /proc entries root's. That is taken back, or
 * the workers could not offer themselves to the out-of-memory killer, nor, on kernels before 6.2, count the tree's
 * descriptors. What it would protect, secrets read as root, is not there: model and keys are read as the user. */
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	bool set;			/* the setting names somebody */
	bool pending;			/* and this process is still root */
	uid_t uid;
	gid_t gid;
	char text[72];			/* the setting, for faults */
} to;

/* All digits, and neither too many nor the number that means none. */
static bool read_id(const char *text, uint32_t *id)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long n = digits >= 1 && digits <= 10 ? strtoull(text, NULL, 10) : UINT32_MAX;

	*id = (uint32_t)n;
	return !text[digits] && n < UINT32_MAX;
}

static bool find_user(const char *name, bool with_group, char found[64], struct fault *why)
{
	const struct passwd *p = getpwnam(name);
	uint32_t id = 0;
	bool number = !p && read_id(name, &id);

	if (number)
		p = getpwuid(id);
	if (!p && !number)
		return fault_set(why, "user: there is no user '%s'", name);
	if (!p && !with_group)
		return fault_set(why, "user: no user has the number %s, so a group must be named: %s:GROUP", name, name);
	to.uid = p ? p->pw_uid : id;
	to.gid = p ? p->pw_gid : 0;
	snprintf(found, 64, "%s", p ? p->pw_name : "");
	return true;
}

static bool find_group(const char *name, struct fault *why)
{
	const struct group *g = getgrnam(name);
	uint32_t id = 0;

	if (!g && !read_id(name, &id))
		return fault_set(why, "user: there is no group '%s'", name);
	to.gid = g ? g->gr_gid : id;
	return true;
}

/* Root gives up its groups at once: it needs none of them to do what it still has to do. */
static bool take_group(const char *name, struct fault *why)
{
	int error = *name ? initgroups(name, to.gid) : setgroups(1, &to.gid);

	if (error != 0 || setresgid(to.gid, to.gid, to.gid) != 0)
		return fault_errno(why, "user '%s': can't take the group", to.text);
	to.pending = to.uid != 0;
	return true;
}

bool privilege_prepare(const char *user, struct fault *why)
{
	char name[sizeof to.text], found[64] = "";

	memset(&to, 0, sizeof to);
	if (!*user)
		return true;
	snprintf(to.text, sizeof to.text, "%s", user);
	snprintf(name, sizeof name, "%s", user);
	char *group = strchr(name, ':');

	if (group)
		*group++ = '\0';
	if (!find_user(name, group, found, why) || (group && !find_group(group, why)))
		return false;
	to.set = true;
	if (geteuid() == 0)
		return take_group(found, why);
	if (geteuid() != to.uid || (group && getegid() != to.gid))
		return fault_set(why, "user: only root can become '%s', this is user %u of group %u", user, (unsigned)geteuid(),
				 (unsigned)getegid());
	return true;
}

/* Files */

/* The folder of path when root alone can change what is in it, else -1. */
static int open_roots_folder(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;

	snprintf(copy, sizeof copy, "%s", path);
	int folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (folder >= 0 && fstat(folder, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return folder;
	if (folder >= 0)
		close(folder);
	errno = EACCES;
	return -1;
}

static int open_as_root(const char *path, int flags, mode_t mode)
{
	char copy[PATH_MAX];
	struct stat st;
	int folder = open_roots_folder(path);

	if (folder < 0)
		return -1;
	snprintf(copy, sizeof copy, "%s", path);
	int fd = openat(folder, basename(copy), flags | O_NOFOLLOW, mode), error = errno;

	close(folder);
	if (fd >= 0 && (fstat(fd, &st) != 0 || (S_ISREG(st.st_mode) && fchown(fd, to.uid, to.gid) != 0))) {
		error = errno;
		close(fd);
		fd = -1;
	}
	errno = error;
	return fd;
}

int privilege_open(const char *path, int flags, mode_t mode)
{
	if (!to.pending)
		return open(path, flags, mode);
	if (seteuid(to.uid) != 0)
		return -1;
	int fd = open(path, flags, mode), error = errno;

	if (seteuid(0) != 0)
		_exit(1);		/* can't be: root is still in the saved id */
	errno = error;
	return fd < 0 && (error == EACCES || error == EPERM) ? open_as_root(path, flags, mode) : fd;
}

/* Folders */

static bool is_usable(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Where it would be. */
static bool is_parent_usable(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	return is_usable(dirname(copy));
}

static bool make_as_root(const char *path, bool make)
{
	char copy[PATH_MAX];
	int folder = open_roots_folder(path);

	if (folder < 0)
		return false;
	snprintf(copy, sizeof copy, "%s", path);
	bool ok = !make || (mkdirat(folder, basename(copy), 0750) == 0 &&
			    fchownat(folder, basename(copy), to.uid, to.gid, AT_SYMLINK_NOFOLLOW) == 0);
	int error = errno;

	close(folder);
	errno = error;
	return ok;
}

bool privilege_folder(const char *path, bool make, const char *what, struct fault *why)
{
	bool pending = to.pending;

	if (pending && seteuid(to.uid) != 0)
		return fault_errno(why, "user '%s': can't take the rights", to.text);
	bool ok = is_usable(path);
	bool missing = !ok && errno == ENOENT;

	if (missing)
		ok = make ? mkdir(path, 0750) == 0 : is_parent_usable(path);
	int error = errno;

	if (pending && seteuid(0) != 0)
		_exit(1);		/* can't be: root is still in the saved id */
	errno = error;
	if (!ok && missing && pending && (error == EACCES || error == EPERM))
		ok = make_as_root(path, make);
	return ok || fault_errno(why, "%s: can't %s the folder for the %s", path, missing ? "make" : "use", what);
}

/* The step */

static bool has_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = 0}};

	return syscall(SYS_capget, &head, data) != 0 || (data[0].effective | data[1].effective | data[0].permitted |
							 data[1].permitted) != 0;
}

/* Trying is the only proof. */
static bool can_come_back(void)
{
	uid_t real, effective, saved;

	return setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || (to.gid != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0) ||
	       getresuid(&real, &effective, &saved) != 0 || real != to.uid || effective != to.uid || saved != to.uid ||
	       has_capabilities();
}

bool privilege_drop(struct fault *why)
{
	if (!to.set)
		return true;
	if (to.pending) {
		if (setresuid(to.uid, to.uid, to.uid) != 0)
			return fault_errno(why, "user: can't become '%s'", to.text);
		to.pending = false;
		if (can_come_back())
			return fault_set(why, "user: this process is '%s' now and could be root again", to.text);
		prctl(PR_SET_DUMPABLE, 1);
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || fault_errno(why, "user: can't renounce privileges for good");
}

bool privilege_kept(void) { return !to.set && geteuid() == 0; }
