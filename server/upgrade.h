/* upgrade.h - one master taking another's place, without a moment in which nobody listens.
 *
 * The running master starts the program anew, from the path it was started from itself, and leaves it its listening
 * sockets. The successor loads, forks and serves, and then tells its predecessor, which drains and ends. Until then the
 * old one serves as before, and goes on when nothing comes of the new one.
 *
 *   old                                      new
 *   upgrade_start()  ── fork, exec ────────▶ upgrade_remember(): what was handed over
 *   upgrade_look()                           upgrade_listener(): the sockets
 *   upgrade_look()   ◀── a byte of a pipe ── upgrade_serves(): all workers serve
 *   drains, ends     ── SIGCHLD ───────────▶ upgrade_alone(): nobody shares the sockets any more
 *
 * Variables of the environment, from the old to the new and removed by it: AKIN_LISTENERS, the descriptors of the
 * sockets; AKIN_PREDECESSOR, the old one's process id and the pipe's descriptor. The master's only. */
#ifndef AKIN_UPGRADE_H
#define AKIN_UPGRADE_H

#include <stdint.h>
#include <sys/types.h>

#include "bind.h"

/* One of main()'s first calls: keep how this program was started, and take what a predecessor has handed over. argv is
 * borrowed for good. Nothing is said yet, for there is no log. */
void upgrade_remember(char **argv);

/* In a child of the master: let go of the pipes between the masters. */
void upgrade_part(void);

/* As a successor */

/* The master that has started this one and is still its parent; 0: none, or none any more. */
pid_t upgrade_predecessor(void);
/* The listening socket that was handed over for this place, or -1. It is the caller's then. */
int upgrade_listener(const struct endpoint *e, const struct settings *s, char where[BIND_WHERE]);
/* Close what was handed over and is not used; say in the log what could not be. */
void upgrade_unused(void);
/* All workers serve: tell the predecessor. Once. */
void upgrade_serves(void);
/* Has the predecessor just gone? True once; its shared memory and its pid file, if it left any, are removed. */
bool upgrade_alone(const char *pid_file);

/* As a predecessor */

enum upgrade_is {
	UPGRADE_NONE,
	UPGRADE_WAITS,
	UPGRADE_SERVES,
	UPGRADE_LATE,
};

/* May this master be replaced now? False: *why not. */
bool upgrade_allowed(struct fault *why);

/* Start the successor, when that is allowed. False: *why, and nothing has changed. */
bool upgrade_start(const int *listeners, unsigned count, uint32_t timeout_ms, struct fault *why);
/* How far is it? SERVES and LATE are told once; after LATE it has been killed, and its end is to be waited for. With SERVES
 * *kept becomes which of the sockets it uses: a bit for each, by its place among those of upgrade_start(). */
enum upgrade_is upgrade_look(uint32_t *kept);
/* The successor's process id; 0: there is none under way, or it serves. */
pid_t upgrade_successor(void);
/* End it, and not gently. */
void upgrade_kill(void);
/* The successor has ended with this status before it served; why, in one line. */
void upgrade_ended(int status, struct fault *why);

#endif
