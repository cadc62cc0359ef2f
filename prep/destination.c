/* destination.c - look at the output path first: nobody wants to wait for a build that has nowhere to go, or to lose
 * the input to it. */
#include "destination.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool check_folder(const char *path, struct fault *why)
{
	char copy[PATH_MAX];
	struct stat st;

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return fault_set(why, "--output: the path is longer than %d bytes", PATH_MAX - 1);
	if (path[strlen(path) - 1] == '/')
		return fault_set(why, "%s: must be a file, this is a folder", path);
	const char *folder = dirname(copy);

	if (stat(folder, &st) != 0)
		return fault_errno(why, "%s: can't write there, folder %s", path, folder);
	if (!S_ISDIR(st.st_mode))
		return fault_set(why, "%s: can't write there, %s is no folder", path, folder);
	if (access(folder, W_OK | X_OK) != 0)
		return fault_errno(why, "%s: can't write there, folder %s", path, folder);
	return true;
}

bool destination_check(const char *path, const char *const *inputs, unsigned input_count, struct fault *why)
{
	struct stat out, in;

	if (!check_folder(path, why))
		return false;
	if (stat(path, &out) != 0)
		return errno == ENOENT || fault_errno(why, "%s: can't look at it", path);
	if (!S_ISREG(out.st_mode))
		return fault_set(why, "%s: must be a regular file to be replaced, this is %s", path,
				 S_ISDIR(out.st_mode) ? "a folder" : "a device, FIFO or socket");
	for (unsigned i = 0; i < input_count; i++) {
		bool standard = strcmp(inputs[i], "-") == 0;

		if ((standard ? fstat(STDIN_FILENO, &in) : stat(inputs[i], &in)) == 0 && in.st_dev == out.st_dev &&
		    in.st_ino == out.st_ino)
			return fault_set(why, "%s: is also an input, the model would replace it", path);
	}
	return true;
}
