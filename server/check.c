/* check.c - files that a start would create or write to.
 *
 * Called by main.c for -t. Opening them as a start does would leave files behind that belong to whoever checks, often
 * root, and which the service then can't write. So a file that is there is opened and closed; of one that is not, the
 * folder is asked. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* It does not exist yet. The system's word decides who may write where; a folder that is missing says so as well. */
static bool can_create(const char *path, const char *what, struct fault *why)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	if (faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) != 0)
		return fault_errno(why, "%s: can't make the %s", path, what);
	return true;
}

static bool can_write(const char *path, bool regular, const char *what, struct fault *why)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return can_create(path, what, why);
	if (fd < 0)
		return fault_errno(why, "%s: can't open the %s", path, what);
	bool ok = !regular || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) ||
		  fault_set(why, "%s: the %s must be a regular file", path, what);

	close(fd);
	return ok;
}

bool check_files(const struct settings *s, struct fault *why)
{
	return (strcmp(s->log, "stderr") == 0 || can_write(s->log, false, "log", why)) &&
	       (!s->pid_file[0] || can_write(s->pid_file, true, "pid file", why));
}
