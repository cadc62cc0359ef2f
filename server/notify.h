/* notify.h - telling the supervisor, systemd or who speaks its protocol, how the service is doing (sd_notify(3)).
 *
 * Everything here does nothing when nobody asked to be told, and never fails: a supervisor that can't be
 * reached is its own problem, and one that does not read is waited for half a second. The master's only. */
#ifndef AKIN_NOTIFY_H
#define AKIN_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

/* Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which stay in the environment for a successor. Logs what of them
 * can't be used. */
void notify_open(void);

/* The service can be used, or can again after notify_reloading(). The text is one line for people. */
void notify_ready(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void);
void notify_stopping(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Another process is the main one from now on, with this text. */
void notify_successor(pid_t pid, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Say that all is well, if it is time to. Returns milliseconds until it is again; -1: nobody watches. */
int64_t notify_alive(void);
/* Only how long it is until then. */
int64_t notify_due(void);

/* In the child that becomes another master: the watchdog's variables are to name this process. */
void notify_inherit(void);

#endif
