/* master.c - small and dull: open, wait for signals, close.
 *
 * One thread; it reads nothing that a client sent. Signals are blocked and taken one by one with sigtimedwait(), so
 * there are no handlers, and nothing is interrupted. Of signals that come while one is being handled, each kind is
 * kept once, which is enough for all of them: a reload loads what is there by then, and reaping goes on until no dead
 * child is left.
 *
 * What can fail at the start ends it with one line. What fails later (a reload, a fork, a worker) is a line in the
 * log, and the service goes on with what it has. */
#include "master.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../metrics/counters.h"
#include "../metrics/process.h"
#include "capacity.h"
#include "clock.h"
#include "keys.h"
#include "log.h"
#include "privilege.h"

_Static_assert(BOARD_WHERE == BIND_WHERE, "one is copied to the other");

#define LOOK_MS	     5		/* how often to look whether starting workers serve yet, and draining ones have drained */

/* Faults stay unblocked: a blocked one would kill just as well, but past a debugger's or a sanitizer's handler. */
static void all_signals(sigset_t *set)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

	sigfillset(set);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(set, faults[i]);
}

/* Opening */

static void check_files(const struct settings *s)
{
	unsigned long limit = bind_raise_files(s);

	if (limit < capacity_files(s))
		log_line(LOG_WARN, "%lu open files a process are too few for %u threads, which need %lu", limit, s->threads,
			 capacity_files(s));
}

static bool open_memory(struct master *m, struct fault *why)
{
	unsigned removed = segment_sweep();

	if (removed)
		log_line(LOG_INFO, "removed the shared memory of dead masters: %u segments", removed);
	if (!board_create(&m->board, m->settings->workers, counters_size(), why) ||
	    !keys_open(m->settings, &m->board, why))
		return false;
	snprintf(m->board.head->release, sizeof m->board.head->release, "%s", AKIN_VERSION);
	m->board.head->counting = m->settings->metrics == METRICS_ON;
	return reload_open(&m->reload, m->settings, &m->board, &m->workers, why);
}

/* What comes behind this, the model, the keys and every request, is none of root's business. */
static bool give_up_root(struct fault *why)
{
	if (privilege_kept())
		log_line(LOG_WARN, "this runs as root; the setting 'user' names somebody who can do less harm");
	return privilege_drop(why);
}

/* The service's, and the one for operations, if there is to be one. */
static bool open_doors(struct master *m, struct fault *why)
{
	m->listener = bind_listener(m->settings, m->where, why);
	if (m->listener < 0 || !*m->settings->ops_listen)
		return m->listener >= 0;
	m->ops_listener = bind_operations(m->settings, m->ops_where, why);
	return m->ops_listener >= 0;
}

bool master_open(struct master *m, const struct settings *s, struct fault *why)
{
	sigset_t signals;

	memset(m, 0, sizeof *m);
	m->settings = s;
	m->listener = m->ops_listener = -1;
	prctl(PR_SET_NAME, "akin-master");
	all_signals(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	bool ok = privilege_prepare(s->user, why) && log_open(s->log, s->log_level, why) &&
		  pidfile_take(&m->pidfile, s->pid_file, why);

	if (ok)
		check_files(s);
	ok = ok && open_doors(m, why) && give_up_root(why) && open_memory(m, why);
	if (ok) {
		memcpy(m->board.head->where, m->where, sizeof m->where);
		memcpy(m->board.head->ops_where, m->ops_where, sizeof m->ops_where);
	}
	if (!ok || !workers_open(&m->workers, s, &m->board, m->listener, m->ops_listener, why)) {
		master_close(m);
		return false;
	}
	return true;
}

void master_close(struct master *m)
{
	workers_close(&m->workers);
	if (m->listener >= 0)
		close(m->listener);
	if (m->ops_listener >= 0)
		close(m->ops_listener);
	m->listener = m->ops_listener = -1;
	reload_close(&m->reload);
	board_remove(&m->board);
	pidfile_drop(&m->pidfile);
}

/* Running */

static void announce(struct master *m)
{
	const struct generation *g = &m->reload.generation;

	if (m->announced || workers_in(&m->workers, WORKER_SERVING) == 0)
		return;
	m->announced = true;
	log_line(LOG_INFO, "listening on http://%s with %u workers of %u threads, generation %llu: %u items, %u customers",
		 m->where, m->workers.count, m->settings->threads, (unsigned long long)g->number, g->items, g->customers);
	if (m->ops_listener >= 0)
		log_line(LOG_INFO, "operations are on http://%s, with %u threads a worker", m->ops_where,
			 m->settings->ops_threads);
}

/* The dead, whoever they were. */
static void reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = workers_reap(&m->workers, &status)) > 0) {
		if (!reload_ended(&m->reload, pid, status))
			log_line(LOG_DEBUG, "process %d was reaped, which is nobody's", (int)pid);
	}
}

/* What is read from files, but for the settings. */
static void renew(struct master *m, enum reload_kind kind)
{
	keys_renew(m->settings, &m->board);
	reload_ask(&m->reload, kind);
}

static void reopen_log(struct master *m)
{
	struct fault why;

	if (log_reopen(&why))
		log_line(LOG_INFO, "the log was opened again");
	else
		log_line(LOG_ERROR, "%s", why.text);
	workers_signal(&m->workers, SIGUSR1);
}

/* The next signal, or 0 when ms have passed. ms < 0: no limit. */
static int next_signal(int64_t ms)
{
	struct timespec limit = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
	sigset_t signals;

	all_signals(&signals);
	int number = sigtimedwait(&signals, NULL, ms < 0 ? NULL : &limit);

	return number > 0 ? number : 0;
}

/* How long the loop may sleep. */
static int64_t patience(const struct master *m)
{
	int64_t ms = workers_wait(&m->workers);

	if (m->settings->metrics == METRICS_ON && (ms < 0 || ms > PROCESS_PROPORTIONAL_MS))
		ms = PROCESS_PROPORTIONAL_MS;
	if (!m->announced && (ms < 0 || ms > LOOK_MS) && workers_in(&m->workers, WORKER_STARTING) > 0)
		ms = LOOK_MS;
	return ms;
}

/* SIGTERM and SIGINT hurry; SIGQUIT has time. Returns when no worker is left. */
static void drain(struct master *m, int number)
{
	bool hurried = number != SIGQUIT;
	uint32_t allowed = hurried ? m->settings->stop_timeout_ms : m->settings->drain_timeout_ms;
	int64_t began = clock_ms(), deadline = began + allowed;
	uint32_t workers = workers_alive(&m->workers);

	log_line(LOG_INFO, "SIG%s: stopping, %u workers have %u ms to drain", sigabbrev_np(number), workers, allowed);
	atomic_store(&m->board.head->draining, 1);
	/* The queue grows no more (clients' SYNs are dropped, and come again in a second), so that workers can empty
	 * it, and no connection is reset that had been let in. Should it fail, a few may be. */
	if (listen(m->listener, 0) != 0 || (m->ops_listener >= 0 && listen(m->ops_listener, 0) != 0))
		log_line(LOG_DEBUG, "the queue of new connections stays open: %s", strerror(errno));
	workers_stop(&m->workers);
	reload_stop(&m->reload);
	while (workers_alive(&m->workers) > 0) {
		int64_t left = deadline - clock_ms();

		if (left <= 0)
			workers_kill(&m->workers);
		switch (next_signal(left > 0 ? left : LOOK_MS)) {
		case SIGCHLD:
			reap(m);
			break;
		case SIGTERM:
		case SIGINT:
			deadline = hurried ? clock_ms() : clock_ms() + m->settings->stop_timeout_ms;
			hurried = true;
			break;
		case SIGUSR1:
			reopen_log(m);
			break;
		default:
			break;
		}
	}
	log_line(LOG_INFO, "stopped after %lld ms%s", (long long)(clock_ms() - began),
		 m->workers.killed ? "; workers had to be killed" : "");
}

/* The master's own share of memory; its workers tell theirs. */
static void tell_memory(struct master *m)
{
	int64_t now = clock_ms();

	if (m->settings->metrics != METRICS_ON || now < m->memory_due)
		return;
	atomic_store(&m->board.head->proportional, process_proportional());
	m->memory_due = now + PROCESS_PROPORTIONAL_MS;
}

int master_run(struct master *m)
{
	for (;;) {
		workers_tend(&m->workers);
		tell_memory(m);
		announce(m);
		int number = next_signal(patience(m));

		if (number == SIGRTMIN + 1)		/* no constants, so no cases */
			reload_roll_back(&m->reload);
		else if (number == SIGRTMIN)
			renew(m, RELOAD_FORCED);
		switch (number) {
		case SIGCHLD:
			reap(m);
			break;
		case SIGHUP:
			renew(m, RELOAD_CHECKED);
			break;
		case SIGUSR1:
			reopen_log(m);
			break;
		case SIGTERM:
		case SIGINT:
		case SIGQUIT:
			drain(m, number);
			return m->workers.killed ? 1 : 0;
		default:
			break;
		}
	}
}
