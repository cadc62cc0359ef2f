/* upgrade.c - both ends of handing over: starting a successor, and being one.
 *
 * Called by main.c at its beginning, and by handover.c and its neighbours, in the master's only thread. The child between fork()
 * and exec() is a copy of a process with one thread, so it may do as it likes. All descriptors of a master are closed by
 * exec() but those that are handed over, and its signals stay blocked, so that one that comes early is not lost.
 *
 * What can go wrong with a successor: it can't be executed (the child says so through the pipe), it ends by itself
 * (SIGCHLD), it is slow (killed at a deadline), or it is another program than Akin, which never speaks (the same). In
 * each case the one who started it still has the sockets. What can go wrong with a predecessor is only that it dies;
 * then the kernel sends its successor a SIGCHLD (PR_SET_PDEATHSIG), which so learns that it is alone.
 *
 * The pipe is not trusted more than the variables are: its descriptors must be what they are said to be. A successor
 * whose parent is not the process that the variables name has no predecessor. */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shm/segment.h"
#include "clock.h"
#include "log.h"
#include "notify.h"
#include "pidfile.h"

#define LISTENERS   "AKIN_LISTENERS"
#define PREDECESSOR "AKIN_PREDECESSOR"
#define MOST	    4		/* sockets that are handed over */

struct message {		/* through the pipe; so short that it comes whole */
	char kind;		/* 'S': it serves; 'X': it can't be executed */
	uint32_t value;		/* the sockets that it uses, as bits; the error */
};

static char program[PATH_MAX];	/* absolute, links not followed; "": it can't be told */
static char **arguments;

static struct {			/* this one's predecessor */
	pid_t pid;		/* 0: none, or gone */
	int tell;		/* -1: told */
	uint32_t used;		/* a bit for each socket that has been taken */
	int listener[MOST];	/* -1: taken, or none */
	char bad[160];		/* what was handed over and is of no use; "": nothing */
} old = {.tell = -1, .listener = {-1, -1, -1, -1}};

static struct {			/* this one's successor */
	pid_t pid;		/* 0: none */
	int hear;
	bool late;
	int64_t deadline;	/* ms */
	uint32_t timeout_ms;
	int error;		/* of exec(); 0: it was executed */
} next = {.hear = -1};

/* Remembering */

static bool find_in_path(const char *name)
{
	const char *path = getenv("PATH");

	for (path = path ? path : "/usr/local/bin:/bin:/usr/bin"; *path; path += *path == ':') {
		int len = (int)strcspn(path, ":");

		if (snprintf(program, sizeof program, "%.*s/%s", len, path, name) < (int)sizeof program && path[0] == '/' &&
		    access(program, X_OK) == 0)
			return true;
		path += len;
	}
	return false;
}

/* Where argv[0] leads, from the root. Not /proc/self/exe: that follows links, and what it names may be a file that
 * has been replaced since. */
static void find_program(const char *name)
{
	char here[PATH_MAX];

	if (name && name[0] == '/') {
		if (snprintf(program, sizeof program, "%s", name) < (int)sizeof program)
			return;
	} else if (name && strchr(name, '/')) {
		if (getcwd(here, sizeof here) && snprintf(program, sizeof program, "%s/%s", here, name) < (int)sizeof program)
			return;
	} else if (name && *name && find_in_path(name)) {
		return;
	}
	program[0] = '\0';
}

static bool is_listener(int fd)
{
	int on = 0, type = 0;
	socklen_t len = sizeof on, type_len = sizeof type;

	return fd > STDERR_FILENO && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

/* "5" or "5,6" */
static void take_listeners(const char *text)
{
	const char *at = text;
	unsigned n = 0;
	char *end;

	for (; *at; at = *end == ',' ? end + 1 : end) {
		unsigned long fd = strtoul(at, &end, 10);

		if (end == at || (*end && *end != ',') || fd > INT_MAX || n == MOST || !is_listener((int)fd)) {
			snprintf(old.bad, sizeof old.bad, LISTENERS " must name listening sockets, as 5,6, not '%.60s'", text);
			return;
		}
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		old.listener[n++] = (int)fd;
	}
}

/* "4711,7" */
static void take_predecessor(const char *text)
{
	struct stat st;
	long pid = 0;
	int fd = -1;
	char after;

	if (sscanf(text, "%9ld,%9d%c", &pid, &fd, &after) != 2 || fd <= STDERR_FILENO || fstat(fd, &st) != 0 ||
	    !S_ISFIFO(st.st_mode)) {
		snprintf(old.bad, sizeof old.bad, PREDECESSOR " must name a process and a pipe, as 4711,7, not '%.60s'", text);
		return;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	old.tell = fd;
	old.pid = (pid_t)pid;
}

void upgrade_remember(char **argv)
{
	const char *listeners = getenv(LISTENERS), *predecessor = getenv(PREDECESSOR);

	arguments = argv;
	find_program(argv[0]);
	if (listeners)
		take_listeners(listeners);
	if (predecessor)
		take_predecessor(predecessor);
	unsetenv(LISTENERS);
	unsetenv(PREDECESSOR);
}

static void hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void upgrade_part(void)
{
	hang_up(&old.tell);
	hang_up(&next.hear);
}

/* As a successor */

pid_t upgrade_predecessor(void) { return old.pid > 1 && getppid() == old.pid ? old.pid : 0; }

int upgrade_listener(const struct endpoint *e, const struct settings *s, char where[BIND_WHERE])
{
	for (unsigned i = 0; i < MOST; i++) {
		int fd = old.listener[i];

		if (fd < 0 || !bind_adopt(fd, e, s, where))
			continue;
		old.listener[i] = -1;
		old.used |= UINT32_C(1) << i;
		return fd;
	}
	return -1;
}

void upgrade_unused(void)
{
	if (old.bad[0])
		log_line(LOG_WARN, "what was handed over is not used: %s", old.bad);
	old.bad[0] = '\0';
	for (unsigned i = 0; i < MOST; i++) {
		if (old.listener[i] < 0)
			continue;
		log_line(LOG_INFO, "the settings name another address than before: a socket that was handed over is closed");
		close(old.listener[i]);
		old.listener[i] = -1;
	}
}

void upgrade_serves(void)
{
	struct message m = {.kind = 'S', .value = old.used};

	if (old.tell < 0)
		return;
	if (write(old.tell, &m, sizeof m) != (ssize_t)sizeof m)
		log_line(LOG_INFO, "there is no master any more to be told that this one serves");
	hang_up(&old.tell);
}

/* Of a master that was killed: unlike its shared memory it has its own name, which is not looked for at a start. */
static void remove_aside(const char *pid_file)
{
	char aside[PATH_MAX + 8];

	snprintf(aside, sizeof aside, "%s" PIDFILE_ASIDE, pid_file);
	if (pid_file[0] && access(aside, F_OK) == 0 && pidfile_holder(aside, NULL) == 0)
		unlink(aside);
}

bool upgrade_alone(const char *pid_file)
{
	if (old.pid == 0 || upgrade_predecessor() != 0)
		return false;
	log_line(LOG_INFO, "the master before this one, process %d, is gone", (int)old.pid);
	old.pid = 0;
	remove_aside(pid_file);
	segment_sweep();
	return true;
}

/* As a predecessor */

/* In the child. Returns only with why it can't be executed. */
static int become(pid_t parent, const int *listeners, unsigned count, int tell)
{
	char text[MOST * 12] = "";
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%d", i ? "," : "", listeners[i]);
		if (fcntl(listeners[i], F_SETFD, 0) != 0)
			return errno;
	}
	if (fcntl(tell, F_SETFD, 0) != 0 || setenv(LISTENERS, text, 1) != 0)
		return errno;
	snprintf(text, sizeof text, "%d,%d", (int)parent, tell);
	if (setenv(PREDECESSOR, text, 1) != 0)
		return errno;
	notify_inherit();
	prctl(PR_SET_PDEATHSIG, SIGCHLD);
	execv(program, arguments);
	return errno;
}

bool upgrade_allowed(struct fault *why)
{
	if (getpid() == 1)
		return fault_set(why, "process 1 can't be replaced by its child: whoever waits for it would take it for dead");
	if (upgrade_predecessor())
		return fault_set(why, "the master before this one, process %d, still drains", (int)old.pid);
	if (next.pid)
		return fault_set(why, "an upgrade is under way: process %d starts", (int)next.pid);
	if (!program[0])
		return fault_set(why, "the program's path can't be told from '%.80s'",
				 arguments && arguments[0] ? arguments[0] : "");
	return true;
}

bool upgrade_start(const int *listeners, unsigned count, uint32_t timeout_ms, struct fault *why)
{
	pid_t self = getpid();
	int pipe[2];

	if (count > MOST)
		return fault_set(why, "%u sockets are more than the %d that can be handed over", count, MOST);
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return fault_errno(why, "no pipe for an upgrade");
	pid_t pid = fork();

	if (pid == 0) {
		struct message m = {.kind = 'X', .value = (uint32_t)become(self, listeners, count, pipe[1])};

		if (write(pipe[1], &m, sizeof m) != (ssize_t)sizeof m)
			_exit(126);
		_exit(127);
	}
	close(pipe[1]);
	if (pid < 0) {
		close(pipe[0]);
		return fault_errno(why, "no process for an upgrade");
	}
	next.pid = pid;
	next.hear = pipe[0];
	next.late = false;
	next.error = 0;
	next.timeout_ms = timeout_ms;
	next.deadline = clock_ms() + timeout_ms;
	return true;
}

/* What the pipe says; 0: nothing yet, or nothing more. */
static struct message listen_to_it(void)
{
	struct message m;

	if (read(next.hear, &m, sizeof m) != (ssize_t)sizeof m)
		m = (struct message){.kind = 0};
	if (m.kind == 'X')
		next.error = (int)m.value;
	return m;
}

enum upgrade_is upgrade_look(uint32_t *kept)
{
	if (!next.pid)
		return UPGRADE_NONE;
	struct message m = listen_to_it();

	if (!next.late && m.kind == 'S') {
		hang_up(&next.hear);
		next.pid = 0;
		*kept = m.value;
		return UPGRADE_SERVES;
	}
	if (next.late || clock_ms() < next.deadline)
		return UPGRADE_WAITS;
	next.late = true;
	kill(next.pid, SIGKILL);
	return UPGRADE_LATE;
}

pid_t upgrade_successor(void) { return next.pid; }

void upgrade_kill(void)
{
	if (next.pid)
		kill(next.pid, SIGKILL);
}

void upgrade_ended(int status, struct fault *why)
{
	listen_to_it();
	if (next.error) {
		errno = next.error;
		fault_errno(why, "%s can't be executed", program);
	} else if (next.late) {
		fault_set(why, "process %d did not serve within %u ms and was killed", (int)next.pid, next.timeout_ms);
	} else if (WIFSIGNALED(status)) {
		fault_set(why, "process %d was killed by signal %d (%s) before it served", (int)next.pid, WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	} else {
		fault_set(why, "process %d ended with status %d before it served", (int)next.pid, WEXITSTATUS(status));
	}
	hang_up(&next.hear);
	next.pid = 0;
	segment_sweep();	/* what it may have left */
}
