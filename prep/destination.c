/* destination.c - look at the output path first: nobody wants to wait for a build that has nowhere to go, or to lose
 * the input to it. */
#include "destination.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Make a file there and remove it: what a user, a read-only mount or a quota allows is only known by trying. */
static bool check_folder(const char *path, struct fault *why)
{
	char aside[PATH_MAX];

	if (path[strlen(path) - 1] == '/')
		return fault_set(why, "%s: must be a file, this is a folder", path);
	if (snprintf(aside, sizeof aside, "%s.new.XXXXXX", path) >= (int)sizeof aside)
		return fault_set(why, "--output: the path is longer than %d bytes", PATH_MAX - 12);
	int fd = mkostemp(aside, O_CLOEXEC);

	if (fd < 0)
		return fault_errno(why, "%s: can't write there", path);
	unlink(aside);
	close(fd);
	return true;
}

bool destination_check(const char *path, const char *const *inputs, unsigned input_count, struct fault *why)
{
	struct stat out, in;

	if (stat(path, &out) != 0)
		return errno == ENOENT ? check_folder(path, why) : fault_errno(why, "%s: can't write there", path);
	if (!S_ISREG(out.st_mode))
		return fault_set(why, "%s: must be a regular file to be replaced, this is %s", path,
				 S_ISDIR(out.st_mode) ? "a folder" : "a device, FIFO or socket");
	for (unsigned i = 0; i < input_count; i++) {
		bool standard = strcmp(inputs[i], "-") == 0;

		if ((standard ? fstat(STDIN_FILENO, &in) : stat(inputs[i], &in)) == 0 && in.st_dev == out.st_dev &&
		    in.st_ino == out.st_ino)
			return fault_set(why, "%s: is also an input, the model would replace it", path);
	}
	return check_folder(path, why);
}
