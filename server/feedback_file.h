/* feedback_file.h - the file of the day: finding or making it, and appending to it without ever leaving half a line. One
 * thread of a process at a time; feedback_log.c sees to that. */
#ifndef AKIN_FEEDBACK_FILE_H
#define AKIN_FEEDBACK_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "../shm/fault.h"

struct feedback_file {
	const char *folder;		/* borrowed */
	int fd;				/* -1: none is open */
	char path[PATH_MAX + 16];	/* of it */
	bool durable;			/* a new file's name has to outlast the machine's death */
};

/* Is this still the file that rows belong to now: today's, and not removed? */
bool feedback_file_is_todays(const struct feedback_file *f);

/* Open today's, and make it with its header if it is not there; what was open is closed. */
bool feedback_file_open(struct feedback_file *f, struct fault *why);

/* Append len bytes, whole lines, behind the last whole line of the file. All or nothing: false leaves the file as it was, or
 * with a rest that the next one cuts off. */
bool feedback_file_append(const struct feedback_file *f, const char *bytes, size_t len, struct fault *why);

/* Remove what processes that are dead had begun to make. */
void feedback_file_sweep(const char *folder);

void feedback_file_close(struct feedback_file *f);

#endif
