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
#include "notify.h"
#include "privilege.h"
#include "upgrade.h"

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
	atomic_store(&m->board.head->predecessor, upgrade_predecessor());
	atomic_store(&m->board.head->shared, upgrade_predecessor() != 0);
	return reload_open(&m->reload, m->settings, &m->board, &m->workers, why);
}

/* What comes behind this, the model, the keys and every request, is none of root's business. */
static bool give_up_root(struct fault *why)
{
	if (privilege_kept())
		log_line(LOG_WARN, "this runs as root; the setting 'user' names somebody who can do less harm");
	return privilege_drop(why);
}

/* The socket that was handed over for this place, or a new one; -1: *why not. */
static int open_door(const struct endpoint *e, const struct settings *s, char where[BIND_WHERE], struct fault *why)
{
	int fd = upgrade_listener(e, s, where);

	if (fd < 0)
		return bind_listener(e, s, where, why);
	log_line(LOG_INFO, "the socket of %s was handed over by process %d", where, (int)getppid());
	return fd;
}

/* The service's, and the one for operations, if there is to be one. */
static bool open_doors(struct master *m, struct fault *why)
{
	struct endpoint e;

	endpoint_of_service(&e, m->settings);
	m->listener = open_door(&e, m->settings, m->where, why);
	bool wanted = endpoint_of_operations(&e, m->settings);

	if (wanted && m->listener >= 0)
		m->ops_listener = open_door(&e, m->settings, m->ops_where, why);
	upgrade_unused();
	return m->listener >= 0 && (!wanted || m->ops_listener >= 0);
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

	if (ok) {
		notify_open();
		check_files(s);
	}
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

static void tell_ready(const struct master *m)
{
	const struct generation *g = &m->reload.generation;

	notify_ready("serving generation %llu on %s with %u workers: %u items, %u customers%s", (unsigned long long)g->number,
		     m->where, m->workers.count, g->items, g->customers,
		     atomic_load(&m->board.head->last_reload_ok) ? "" : "; the last reload failed");
}

/* Once some serve the log says so; once all do, those who wait for it are told. */
static void announce(struct master *m)
{
	const struct generation *g = &m->reload.generation;
	uint32_t serving = m->ready ? 0 : workers_in(&m->workers, WORKER_SERVING);

	if (!m->ready && serving == m->workers.count) {
		m->ready = true;
		upgrade_serves();
		tell_ready(m);
	}
	if (m->announced || serving == 0)
		return;
	m->announced = true;
	log_line(LOG_INFO, "listening on http://%s with %u workers of %u threads, generation %llu: %u items, %u customers",
		 m->where, m->workers.count, m->settings->threads, (unsigned long long)g->number, g->items, g->customers);
	if (m->ops_listener >= 0)
		log_line(LOG_INFO, "operations are on http://%s, with %u threads a worker", m->ops_where,
			 m->settings->ops_threads);
}

/* Handing over: see upgrade.h */

/* A successor that ends while this master stops as well was told to. */
static void upgrade_failed(struct master *m, const struct fault *why)
{
	struct fault no_name;

	if (!pidfile_back(&m->pidfile, &no_name))
		log_line(LOG_ERROR, "%s", no_name.text);
	if (m->workers.stopping)
		return;
	atomic_store(&m->board.head->shared, 0);
	atomic_fetch_add(&m->board.head->upgrade_failures, 1);
	log_line(LOG_ERROR, "the upgrade failed, this master goes on: %s", why->text);
	notify_status("the upgrade failed, this master goes on: %s", why->text);
}

static void upgrade(struct master *m)
{
	const int listeners[] = {m->listener, m->ops_listener};
	uint32_t ms = m->settings->upgrade_timeout_ms;
	struct fault why = {""};

	if (!upgrade_allowed(&why)) {
		log_line(LOG_ERROR, "SIGUSR2: no upgrade: %s", why.text);
		return;
	}
	atomic_store(&m->board.head->shared, 1);
	if (!pidfile_aside(&m->pidfile, &why) || !upgrade_start(listeners, m->ops_listener >= 0 ? 2 : 1, ms, &why)) {
		upgrade_failed(m, &why);
		return;
	}
	log_line(LOG_INFO, "SIGUSR2: process %d is started to take over, and has %u ms to serve", (int)upgrade_successor(), ms);
	notify_status("process %d is started to take over", (int)upgrade_successor());
}

/* The dead, whoever they were. */
static void reap(struct master *m)
{
	struct fault why = {""};
	int status;
	pid_t pid;

	while ((pid = workers_reap(&m->workers, &status)) > 0) {
		if (pid == upgrade_successor()) {
			upgrade_ended(status, &why);
			upgrade_failed(m, &why);
		} else if (!reload_ended(&m->reload, pid, status)) {
			log_line(LOG_DEBUG, "process %d was reaped, which is nobody's", (int)pid);
		}
	}
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
	int64_t alive = notify_due();

	if (alive >= 0 && (ms < 0 || ms > alive) && workers_in(&m->workers, WORKER_SERVING) > 0)
		ms = alive;
	bool looks = upgrade_successor() || ((!m->ready || alive >= 0) && workers_in(&m->workers, WORKER_STARTING) > 0);

	if (looks && (ms < 0 || ms > LOOK_MS))
		ms = LOOK_MS;
	return ms;
}

/* The door is shut; unless another master stands in it, for whom it stays as it is. */
static void shut(struct master *m)
{
	if (upgrade_successor()) {	/* it is to end as well */
		kill(upgrade_successor(), SIGTERM);
		atomic_store(&m->board.head->shared, 0);
	}
	atomic_store(&m->board.head->draining, 1);
	/* The queue grows no more (clients' SYNs are dropped, and come again in a second), so that workers can empty
	 * it, and no connection is reset that had been let in. Should it fail, a few may be. */
	if (!atomic_load(&m->board.head->shared) &&
	    (listen(m->listener, 0) != 0 || (m->ops_listener >= 0 && listen(m->ops_listener, 0) != 0)))
		log_line(LOG_DEBUG, "the queue of new connections stays open: %s", strerror(errno));
	workers_stop(&m->workers);
}

/* SIGTERM and SIGINT hurry; SIGQUIT has time, and so has who has handed over. Returns when no worker is left. */
static void drain(struct master *m, int number)
{
	bool hurried = number == SIGTERM || number == SIGINT;
	uint32_t allowed = hurried ? m->settings->stop_timeout_ms : m->settings->drain_timeout_ms;
	int64_t began = clock_ms(), deadline = began + allowed;
	uint32_t workers = workers_alive(&m->workers);

	log_line(LOG_INFO, "SIG%s: stopping, %u workers have %u ms to drain", sigabbrev_np(number), workers, allowed);
	notify_stopping("%u workers drain", workers);
	shut(m);
	reload_stop(&m->reload);
	while (workers_alive(&m->workers) > 0 || upgrade_successor()) {
		int64_t left = deadline - clock_ms(), alive = notify_alive();

		if (left <= 0) {
			workers_kill(&m->workers);
			upgrade_kill();
			left = LOOK_MS;
		}
		switch (next_signal(alive >= 0 && alive < left ? alive : left)) {
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

/* A watchdog that bites ends the service and starts it anew. That helps when the master hangs, and when no worker serves
 * for as long as its patience is; so this is when it is not fed. */
static void feed(const struct master *m)
{
	if (notify_due() == 0 && workers_in(&m->workers, WORKER_SERVING) > 0)
		notify_alive();
}

/* The successor serves. */
static void hand_over(struct master *m, pid_t successor, bool elsewhere)
{
	if (elsewhere)
		atomic_store(&m->board.head->shared, 0);
	log_line(LOG_INFO, "process %d serves now", (int)successor);
	notify_successor(successor, "serving; taken over from process %d", (int)getpid());
	drain(m, SIGUSR2);
}

/* True: the successor has taken over, and this master is done. */
static bool watch_upgrade(struct master *m)
{
	pid_t successor = upgrade_successor();
	enum upgrade_is how = upgrade_look();

	if (how == UPGRADE_LATE)
		log_line(LOG_WARN, "process %d does not serve in time and is killed", (int)successor);
	if (how == UPGRADE_SERVES || how == UPGRADE_SERVES_ELSEWHERE)
		hand_over(m, successor, how == UPGRADE_SERVES_ELSEWHERE);
	return how == UPGRADE_SERVES || how == UPGRADE_SERVES_ELSEWHERE;
}

/* kind RELOAD_NONE: back to the previous generation. */
static void reload(struct master *m, enum reload_kind kind)
{
	if (m->ready)
		notify_reloading();
	m->reloading = true;
	if (kind == RELOAD_NONE) {
		reload_roll_back(&m->reload);
	} else {
		keys_renew(m->settings, &m->board);
		reload_ask(&m->reload, kind);
	}
}

static void tell_reloaded(struct master *m)
{
	if (!m->reloading || !m->ready || reload_busy(&m->reload))
		return;
	m->reloading = false;
	tell_ready(m);
}

int master_run(struct master *m)
{
	for (;;) {
		workers_tend(&m->workers);
		tell_memory(m);
		announce(m);
		tell_reloaded(m);
		feed(m);
		if (watch_upgrade(m))
			return m->workers.killed ? 1 : 0;
		if (upgrade_alone(m->settings->pid_file)) {
			atomic_store(&m->board.head->shared, 0);
			atomic_store(&m->board.head->predecessor, 0);
		}
		int number = next_signal(patience(m));

		if (number == SIGRTMIN)			/* no constants, so no cases */
			reload(m, RELOAD_FORCED);
		else if (number == SIGRTMIN + 1)
			reload(m, RELOAD_NONE);
		switch (number) {
		case SIGCHLD:
			reap(m);
			break;
		case SIGHUP:
			reload(m, RELOAD_CHECKED);
			break;
		case SIGUSR2:
			upgrade(m);
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
