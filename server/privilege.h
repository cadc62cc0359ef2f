/* privilege.h - from root to the setting `user`: what is opened on the way, and the step that can't be taken back.
 *
 * The master calls these in this order, once, in its only thread. Without the setting they change nothing. */
#ifndef AKIN_PRIVILEGE_H
#define AKIN_PRIVILEGE_H

#include <sys/types.h>

#include "../shm/fault.h"

/* Find "NAME", "NAME:GROUP" (numbers will do) and take the group. "": nobody. Who is not root must be that user already. */
bool privilege_prepare(const char *user, struct fault *why);

/* open(2) of a file that will be the user's: with the user's rights, or else, in a folder that only root can write to,
 * with root's, and then the file is given to the user. Never through a symbolic link as root. errno tells what failed. */
int privilege_open(const char *path, int flags, mode_t mode);

/* A folder that the user can make files in: it is there, or with `make` is made, by the user or, below a folder that only root can
 * write to, by root, who then gives it to the user. Without `make`: could that be done? what names it in *why. */
bool privilege_folder(const char *path, bool make, const char *what, struct fault *why);

/* Be the user for good. False: this process is not to go on. */
bool privilege_drop(struct fault *why);

/* Does this process run as root, although nobody asked for that? */
bool privilege_kept(void);

#endif
