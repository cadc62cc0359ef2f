/* master.c - small and dull: wait for a signal, do what it asks, look after what there is.
 *
 * One thread; it reads nothing that a client sent. This is the loop; master_open.c is what comes before and after it,
 * drain.c how it ends. What fails here (a reload, a fork, a worker) is a line in the log, and the service goes on with
 * what it has. */
#include "master.h"

#include <signal.h>

#include "../metrics/process.h"
#include "chores.h"
#include "drain.h"
#include "handover.h"
#include "keys.h"
#include "news.h"
#include "notify.h"
#include "signals.h"
#include "upgrade.h"

#define LOOK_MS 5			/* how often to look whether those who start serve yet */

static void reload(struct master *m, enum reload_kind kind)
{
	news_reloading(m);
	keys_renew(m->settings, &m->board);
	reload_ask(&m->reload, kind);
}

static void roll_back(struct master *m)
{
	news_reloading(m);
	reload_roll_back(&m->reload);
}

/* False: to stop, which is the caller's. */
static bool obey(struct master *m, int number)
{
	if (number == SIGRTMIN)			/* no constants, so no cases */
		reload(m, RELOAD_FORCED);
	else if (number == SIGRTMIN + 1)
		roll_back(m);
	switch (number) {
	case SIGCHLD:
		chores_reap(m);
		break;
	case SIGHUP:
		reload(m, RELOAD_CHECKED);
		break;
	case SIGUSR1:
		chores_reopen_log(m);
		break;
	case SIGUSR2:
		handover_start(m);
		break;
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		return false;
	default:
		break;
	}
	return true;
}

static int64_t sooner(int64_t a, int64_t b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* Does anybody start whom somebody waits for? */
static bool looks(const struct master *m)
{
	bool waited_for = !m->ready || notify_due() >= 0;

	return upgrade_successor() || (waited_for && workers_in(&m->workers, WORKER_STARTING) > 0);
}

/* How long the loop may sleep; -1: until a signal. */
static int64_t patience(const struct master *m)
{
	int64_t ms = sooner(workers_wait(&m->workers), monitor_wait(&m->monitor));

	if (m->settings->metrics == METRICS_ON)
		ms = sooner(ms, PROCESS_PROPORTIONAL_MS);
	if (workers_in(&m->workers, WORKER_SERVING) > 0)
		ms = sooner(ms, notify_due());
	return looks(m) ? sooner(ms, LOOK_MS) : ms;
}

int master_run(struct master *m)
{
	int number;

	do {
		workers_tend(&m->workers);
		monitor_tend(&m->monitor);
		chores_tell_memory(m);
		news_tell(m);
		if (handover_look(m))
			return drain_service(m, SIGUSR2);
		number = signals_next(patience(m));
	} while (obey(m, number));
	return drain_service(m, number);
}
