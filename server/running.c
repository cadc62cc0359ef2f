/* running.c - from settings to the board of the server that has them.
 *
 * Called by the commands --status and others that tell of a server or compare with it. The pid file's lock says who
 * is meant; the number in the file is not believed, for numbers are used again. A master locks its pid file some
 * milliseconds before it makes its board, and makes a new file after it has put the old one aside: what is not there
 * yet is looked for again, for a short time. */
#include "running.h"

#include <string.h>

#include "../shm/find.h"
#include "clock.h"
#include "pidfile.h"

#define LOOK_MS	    20
#define PATIENCE_MS 1000		/* for a board that belongs to a held pid file */

/* Who holds the pid file, or the one put aside. 0: nobody; -1: it can't be told. */
static pid_t holder(const char *path, struct fault *why)
{
	pid_t pid = pidfile_holder(path, why);
	char aside[PATH_MAX + 8];

	if (pid != 0)
		return pid;
	snprintf(aside, sizeof aside, "%s" PIDFILE_ASIDE, path);
	return pidfile_holder(aside, why);
}

static void rest(void) { nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL); }

static enum running_is by_pid_file(struct running *r, const char *path, struct fault *why)
{
	int64_t until = clock_ms() + PATIENCE_MS;

	for (;; rest()) {
		pid_t pid = holder(path, why);

		if (pid <= 0)
			return pid == 0 ? RUNNING_NO : RUNNING_UNCLEAR;
		switch (find_board(&r->board, pid, &r->pid, why)) {
		case FIND_ONE:
			return RUNNING_YES;
		case FIND_UNCLEAR:
			return RUNNING_UNCLEAR;
		default:
			break;
		}
		if (clock_ms() >= until)
			return fault_set(why, "%s: process %d holds this pid file, and there is no board of its that may be read",
					 path, (int)pid), RUNNING_UNCLEAR;
	}
}

enum running_is running_open(struct running *r, const struct settings *s, struct fault *why)
{
	memset(r, 0, sizeof *r);
	if (s->pid_file[0])
		return by_pid_file(r, s->pid_file, why);
	switch (find_board(&r->board, 0, &r->pid, why)) {
	case FIND_ONE:
		return RUNNING_YES;
	case FIND_NONE:
		return RUNNING_NO;
	default:
		return RUNNING_UNCLEAR;
	}
}

void running_close(struct running *r) { board_close(&r->board); }
