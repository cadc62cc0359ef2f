/* notify.c - datagrams to the supervisor's socket.
 *
 * The protocol is documented in sd_notify(3) and meant to be spoken without the library: one datagram of lines
 * KEY=VALUE to the AF_UNIX socket that NOTIFY_SOCKET names, a path or, after '@', a name without a file. Called by
 * master_open.c, news.c, handover.c, drain.c and upgrade.c. A socket is made for each message: there are few, and nothing
 * is left open for workers to inherit.
 *
 * Once a supervisor has been told of a successor, this process is not the service any more, and says nothing. */
#include "notify.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define TEXT	512
#define WAIT_MS 500

static struct sockaddr_un to;
static socklen_t to_len;	/* 0: nobody asked */
static int64_t every = -1;	/* ms between two signs of life; -1: none are wanted */
static int64_t due;
static bool told_of_failure;

static void read_socket(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name ? strlen(name) : 0;

	if (len == 0)
		return;
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof to.sun_path) {
		log_line(LOG_WARN, "NOTIFY_SOCKET must be a path or @ and a name of at most %zu bytes, not '%.120s': nobody "
			 "is told", sizeof to.sun_path - 1, name);
		return;
	}
	memset(&to, 0, sizeof to);
	to.sun_family = AF_UNIX;
	memcpy(to.sun_path, name, len);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* Twice in the time that a supervisor waits is what it asks for; three times forgives a slow machine. */
static void read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;

	if (!usec || !*usec || (pid && *pid && strtol(pid, NULL, 10) != getpid()))
		return;
	errno = 0;
	unsigned long long n = strtoull(usec, &end, 10);

	if (*end || errno || n == 0 || n > INT64_MAX) {
		log_line(LOG_WARN, "WATCHDOG_USEC must be a number of microseconds, not '%.40s': the watchdog is not fed", usec);
		return;
	}
	every = (int64_t)(n / 3000) > 0 ? (int64_t)(n / 3000) : 1;
	due = 0;
}

void notify_open(void)
{
	to_len = 0;
	every = -1;
	told_of_failure = false;
	read_socket();
	if (to_len)
		read_watchdog();
}

/* A supervisor that is behind with its reading is waited for, but for WAIT_MS at the most; a sign of life need not be. */
static void send_text(const char *text, int flags)
{
	static const struct timeval limit = {.tv_usec = WAIT_MS * 1000};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(text);
	bool sent = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
		    sendto(fd, text, len, MSG_NOSIGNAL | flags, (const struct sockaddr *)&to, to_len) == (ssize_t)len;

	if (!sent && !told_of_failure)
		log_line(LOG_WARN, "the supervisor at NOTIFY_SOCKET can't be told: %s", strerror(errno));
	told_of_failure = !sent;
	if (fd >= 0)
		close(fd);
}

/* first, then "STATUS=" with the text. A line break in it would begin another key. */
static void tell(const char *first, const char *fmt, va_list args)
{
	char text[TEXT];
	int len = snprintf(text, sizeof text, "%sSTATUS=", first);

	if (!to_len || len < 0)
		return;
	vsnprintf(text + len, sizeof text - (size_t)len, fmt, args);
	for (char *c = text + len; *c; c++) {
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	}
	send_text(text, 0);
}

void notify_ready(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("READY=1\n", fmt, args);
	va_end(args);
}

/* With the time, which tells a supervisor which of its requests to reload this one answers. */
void notify_reloading(void)
{
	char text[TEXT];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=loading the model",
		 (unsigned long long)(clock_ns() / 1000));
	if (to_len)
		send_text(text, 0);
}

void notify_stopping(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("STOPPING=1\n", fmt, args);
	va_end(args);
}

void notify_status(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell("", fmt, args);
	va_end(args);
}

void notify_successor(pid_t pid, const char *fmt, ...)
{
	char first[40];
	va_list args;

	snprintf(first, sizeof first, "MAINPID=%d\n", (int)pid);
	va_start(args, fmt);
	tell(first, fmt, args);
	va_end(args);
	to_len = 0;
	every = -1;
}

int64_t notify_due(void)
{
	int64_t left = due - clock_ms();

	if (every < 0)
		return -1;
	return left > 0 ? left : 0;
}

int64_t notify_alive(void)
{
	if (notify_due() == 0) {
		send_text("WATCHDOG=1", MSG_DONTWAIT);
		due = clock_ms() + every;
	}
	return notify_due();
}

void notify_inherit(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	char own[16];

	if (!pid || strtol(pid, NULL, 10) != getppid())
		return;
	snprintf(own, sizeof own, "%d", (int)getpid());
	setenv("WATCHDOG_PID", own, 1);
}
