/* running.h - the server that runs with these settings, as a command finds it: by its lock and its board, without
 * asking it anything. */
#ifndef AKIN_RUNNING_H
#define AKIN_RUNNING_H

#include <sys/types.h>

#include "settings.h"
#include "../shm/board.h"

#define EXIT_NOT_RUNNING 3		/* of a command that needs a server: the status LSB has for it */

struct running {
	struct board board;		/* mapped read-only */
	pid_t pid;			/* of its master as seen from here; 0: it can't be told */
};

enum running_is { RUNNING_YES, RUNNING_NO, RUNNING_UNCLEAR };

/* With a pid_file, who holds that, or during an upgrade, while nobody does, who holds PIDFILE.old; without, the only
 * server whose board this user may read. RUNNING_YES: running_close() it. RUNNING_UNCLEAR says why. */
enum running_is running_open(struct running *r, const struct settings *s, struct fault *why);
void running_close(struct running *r);

#endif
