/* worker.c - a worker's main thread: it starts civetweb's threads, and then only waits.
 *
 * It waits for signals, for the master's death, and for the last request of an old generation. Signals are blocked
 * before the first thread exists, so that they all come here, as bytes of a descriptor, and no handler ever runs.
 *
 * A worker ends in one of three ways: told to (SIGTERM or SIGQUIT: it drains, for as long as its master allows),
 * orphaned (it drains, for LAST_MS), or by a fault at its start, which is logged. */
#include "worker.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../metrics/counters.h"
#include "../metrics/process.h"
#include "child.h"
#include "clock.h"
#include "feedback_log.h"
#include "heartbeat.h"
#include "listener.h"
#include "log.h"
#include "pin.h"
#include "serve.h"

#define LAST_MS	   1500	/* an orphan's longest drain: gone within 2 s */
#define BACKLOG_MS 100	/* how long connections that were waiting when the drain began are still taken in */
#define QUIET_MS   250	/* open connections that say nothing for so long are idle: a request sent before its client
			 * could know of the drain has come by then */
#define LOOK_MS	   5	/* how often a drain looks what is left */

static _Noreturn void give_up(const struct fault *why)
{
	log_line(LOG_ERROR, "can't serve: %s", why->text);
	_exit(1);
}

static void set_state(struct board *b, enum worker_state state)
{
	atomic_store(&board_own(b)->state, state);
}

static void become(const struct worker_start *w)
{
	static char name[16];
	struct fault why = {""};

	snprintf(name, sizeof name, "worker-%u", w->slot);
	child_become(name);
	/* A terminal's Ctrl-C and hang-up go to all its processes; the master speaks for all. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* a log of events that gets too long is a write() that fails */
	if (!board_enter(w->board, w->slot, &why))
		give_up(&why);
	set_state(w->board, WORKER_STARTING);
}

static int open_signals(void)
{
	struct fault why;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0) {
		fault_errno(&why, "no descriptor for signals");
		give_up(&why);
	}
	return fd;
}

/* What fails here is tried again with every tick, and told once. */
static void adopt(struct board *b)
{
	static uint64_t told;
	struct fault why;
	uint64_t before = atomic_load(&board_own(b)->generation), wanted = atomic_load(&b->head->generation);

	pin_retire(b);
	if (!pin_adopt(b, &why)) {
		if (told != wanted)
			log_line(LOG_ERROR, "generation %llu goes on here: %s; tried again each second",
				 (unsigned long long)before, why.text);
		told = wanted;
	} else if (atomic_load(&board_own(b)->generation) != before)
		log_line(LOG_DEBUG, "serving generation %llu",
			 (unsigned long long)atomic_load(&board_own(b)->generation));
}

static void reopen_log(void)
{
	struct fault why;

	if (!log_reopen(&why))
		log_line(LOG_ERROR, "%s", why.text);
}

/* Everything that has come. False: it is time to leave. */
static bool handle_signals(int fd, struct board *b)
{
	struct signalfd_siginfo got;
	bool stay = true;

	while (read(fd, &got, sizeof got) == (ssize_t)sizeof got) {
		switch (got.ssi_signo) {
		case SIGUSR1:
			reopen_log();
			feedback_log_reopen();
			break;
		case SIGUSR2:
			adopt(b);
			break;
		default:
			stay = false;
		}
	}
	return stay;
}

/* This worker's share of memory, which it alone is asked for: see process.h. */
static void tell_memory(const struct worker_start *w)
{
	struct counters *c = board_own_counters(w->board);

	if (w->settings->metrics == METRICS_ON)
		atomic_store_explicit(&c->proportional, process_proportional(), memory_order_relaxed);
}

/* What is due now and then: the sign of life; and a generation that could not be mapped when it was new. */
static void tick(struct board *b)
{
	heartbeat_give(b);
	if (atomic_load(&board_own(b)->generation) != atomic_load(&b->head->generation))
		adopt(b);
}

/* Until told to stop. Returns whether the master is still there. */
static bool wait_for_events(const struct worker_start *w, int signals)
{
	enum { SIGNALS, LIFELINE, PINS, SOURCES };
	bool counting = w->settings->metrics == METRICS_ON;
	struct pollfd on[SOURCES] = {
		[SIGNALS] = {.fd = signals, .events = POLLIN},
		[LIFELINE] = {.fd = w->lifeline, .events = POLLIN},
		[PINS] = {.fd = pin_wakeup(), .events = POLLIN},
	};
	/* Workers that have started together ask one after the other. */
	int64_t due = clock_ms() + PROCESS_PROPORTIONAL_MS * (w->slot + 1) / board_slots(w->board);
	uint32_t every = heartbeat_ms(w->settings);
	int64_t tick_due = 0;

	if (every == 0)
		every = 1000;
	for (;;) {
		int64_t now = clock_ms();

		if (counting && now >= due) {
			tell_memory(w);
			due = now + PROCESS_PROPORTIONAL_MS;
		}
		if (now >= tick_due) {
			tick(w->board);
			tick_due = now + every;
		}
		if (poll(on, SOURCES, (int)(tick_due - now)) <= 0)
			continue;
		if (on[LIFELINE].revents)
			return false;
		if (on[PINS].revents)
			adopt(w->board);
		if (on[SIGNALS].revents && !handle_signals(signals, w->board))
			return true;
	}
}

/* Take in what waits, close the door, answer what is in hand. The master limits it, by SIGKILL; an orphan limits
 * itself, from the moment it is one. alone: the master goes on, and other workers with it. */
static void drain(const struct worker_start *w, bool alone)
{
	/* Where another master's workers listen, too, what waits is theirs; and there is time for clients that are quiet. */
	uint32_t shared = atomic_load(&w->board->head->shared);
	int64_t quiet = shared && w->settings->keep_alive_ms > QUIET_MS ? w->settings->keep_alive_ms : QUIET_MS;
	struct pollfd lifeline = {.fd = w->lifeline, .events = POLLIN};
	int64_t began = clock_ms(), now = began, quiet_since = began, orphan_since = INT64_MAX - LAST_MS;
	uint64_t answers = 0;

	set_state(w->board, WORKER_DRAINING);
	listener_drain();
	for (; listener_backlog(~shared) && now - began < BACKLOG_MS; now = clock_ms())
		poll(NULL, 0, 1);
	listener_shut(alone ? 0 : ~shared);
	for (;; now = clock_ms()) {
		struct listener_state l = listener_look();

		heartbeat_give(w->board);
		if (l.busy || l.answers != answers)
			quiet_since = now;
		answers = l.answers;
		if (l.connections == 0 || now - quiet_since >= quiet || now >= orphan_since + LAST_MS)
			return;
		if (poll(&lifeline, 1, LOOK_MS) > 0) {	/* readable for good: no more use to wait for it */
			orphan_since = now;
			lifeline.fd = -1;
		}
	}
}

_Noreturn void worker_run(const struct worker_start *w)
{
	struct fault why = {""};

	become(w);
	int signals = open_signals();

	if (!pin_adopt(w->board, &why))
		give_up(&why);
	board_drop_models(w->board);
	serve_open(w->settings, w->board);
	if (!feedback_log_open(w->settings, w->board, &why) ||
	    !listener_start(w->settings, w->listener, w->ops_listener, w->board, &why))
		give_up(&why);
	set_state(w->board, WORKER_SERVING);
	tell_memory(w);
	child_yield(0);		/* for mapping a generation takes milliseconds; its threads, made before, have turns as usual */
	bool orphan = !wait_for_events(w, signals);

	if (orphan)
		log_line(LOG_WARN, "the master is gone, so this worker leaves");
	drain(w, !orphan && !atomic_load(&w->board->head->draining));
	feedback_log_close();
	child_leave(0);
}
