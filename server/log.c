/* log.c - lines to stderr or a file.
 *
 * A line is put together on the stack and given to one write(2) on an O_APPEND descriptor, so lines of several
 * processes and threads do not mix. A full disk or a pipe nobody reads costs lines, which are counted and told once
 * lines can be written again; it never costs the service.
 *
 * So no write may block. A file of ours is opened with O_NONBLOCK. stderr is somebody else's too, and the flag would
 * be theirs as well: a pipe is therefore opened once more, by its name in /proc; a socket is sent to with a flag of
 * the call; and of what is left, a terminal or a pipe that may not be opened, poll() tells whether it takes a line. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "privilege.h"

#define LINE 1024

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static int fd = STDERR_FILENO;	/* never changes its number once opened; reopening puts a new file behind it */
static char path[PATH_MAX];	/* "": stderr */
static enum { PLAIN, SOCKET, ASK } kind = ASK;	/* how a write on fd is kept from blocking: not at all, by a flag, by asking */
static enum log_level least = LOG_INFO;
static const char *who = "master";
static _Atomic uint64_t lost;

static int open_path(struct fault *why)
{
	int file = privilege_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);

	if (file < 0)
		fault_errno(why, "%s: can't open the log", path);
	return file;
}

static void open_stderr(void)
{
	struct stat st;
	int again;

	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	if (S_ISREG(st.st_mode)) {
		kind = PLAIN;
	} else if (S_ISSOCK(st.st_mode)) {
		kind = SOCKET;
	} else if (S_ISFIFO(st.st_mode)) {
		again = open("/proc/self/fd/2", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
		if (again >= 0) {
			fd = again;
			kind = PLAIN;
		}
	}
}

bool log_open(const char *where, enum log_level level, struct fault *why)
{
	least = level;
	if (strcmp(where, "stderr") == 0) {
		open_stderr();
		return true;
	}
	snprintf(path, sizeof path, "%s", where);
	int file = open_path(why);

	if (file < 0) {
		path[0] = '\0';
		return false;
	}
	fd = file;
	kind = PLAIN;
	return true;
}

bool log_reopen(struct fault *why)
{
	if (!path[0])
		return true;
	int file = open_path(why);

	if (file < 0)
		return false;
	bool ok = dup3(file, fd, O_CLOEXEC) >= 0 || fault_errno(why, "%s: can't switch to the new log", path);

	close(file);
	return ok;
}

bool log_is_file(void) { return path[0] != '\0'; }

void log_as(const char *name) { who = name; }

/* "time level who[pid]: " */
static size_t begin(char *line, enum log_level level)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t n = strftime(line, LINE, "%Y-%m-%dT%H:%M:%S", &utc);

	n += (size_t)snprintf(line + n, LINE - n, ".%03ldZ %s %s[%d]: ", now.tv_nsec / 1000000, level_names[level], who,
			      (int)getpid());
	return n;
}

static ssize_t write_now(const char *line, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (kind == SOCKET)
		return send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* ppoll(), since poll() is waiting.c's and knows of connections only */
	if (kind == ASK && (ppoll(&p, 1, &(struct timespec){.tv_sec = 0}, NULL) != 1 || !(p.revents & POLLOUT))) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, line, len);
}

/* One sentence, one line, one write. line has room for the line break. */
static bool put(char *line, size_t from, size_t len)
{
	ssize_t n;

	for (size_t i = from; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	}
	line[len++] = '\n';
	do
		n = write_now(line, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static void tell_lost(void)
{
	char line[LINE];
	uint64_t n = atomic_load(&lost);

	if (n == 0)
		return;
	size_t from = begin(line, LOG_WARN), len = from;

	len += (size_t)snprintf(line + len, sizeof line - len, "%llu log lines before this one could not be written",
				(unsigned long long)n);
	if (put(line, from, len))
		atomic_fetch_sub(&lost, n);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE];
	int error = errno;
	va_list args;

	if (level > least)
		return;
	tell_lost();
	size_t from = begin(line, level);

	va_start(args, fmt);
	int n = vsnprintf(line + from, sizeof line - 1 - from, fmt, args);
	va_end(args);
	size_t room = sizeof line - 2 - from;
	size_t len = from + (n < 0 ? 0 : (size_t)n < room ? (size_t)n : room);

	if (!put(line, from, len))
		atomic_fetch_add(&lost, 1);
	errno = error;
}
