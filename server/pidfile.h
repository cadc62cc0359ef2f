/* pidfile.h - one master a file: its process id in it, its lock on it. */
#ifndef AKIN_PIDFILE_H
#define AKIN_PIDFILE_H

#include <limits.h>
#include <sys/types.h>

#include "../shm/fault.h"

#define PIDFILE_ASIDE ".old"		/* what a master's file is called while its successor starts */

struct pidfile {
	char path[PATH_MAX + 8];	/* "": none; where it is now */
	bool aside;
	int fd;
};

/* Write this process's id to path and lock it. A file that nobody holds is taken over; one that is held is a fault
 * that names the holder. "" is no file and always fine. */
bool pidfile_take(struct pidfile *p, const char *path, struct fault *why);

/* Let a successor have the name: the file, still held, is renamed to path.old, and a file that was there is replaced. */
bool pidfile_aside(struct pidfile *p, struct fault *why);
/* Take the name back, from a successor that is dead. A file there that somebody else holds by now is a fault. */
bool pidfile_back(struct pidfile *p, struct fault *why);

/* The process that holds the file, 0 when nobody does or there is none, -1 and a fault when that can't be told. Not for a
 * process that holds one: closing a descriptor of it would let go of it. */
pid_t pidfile_holder(const char *path, struct fault *why);

/* Remove the file and let it go. Fine on one that was never taken, if zeroed. */
void pidfile_drop(struct pidfile *p);

#endif
