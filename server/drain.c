/* drain.c - the master's second and last loop.
 *
 * Called by master.c, in the master's only thread. Workers drain by themselves; here is only who shuts the door before
 * them, how long they are waited for, and that impatience counts: a second SIGTERM ends the wait. Signals that ask for
 * anything but that, or for the log, come too late. */
#include "drain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "chores.h"
#include "clock.h"
#include "handover.h"
#include "log.h"
#include "notify.h"
#include "signals.h"
#include "upgrade.h"

#define LOOK_MS 5			/* how often what was killed is looked for */

/* Its queue grows no more (clients' SYNs are dropped, and come again in a second), so that workers can empty it, and no
 * connection is reset that had been let in. Should it fail, a few may be. A door in which another master stands stays as
 * it is. */
static void shut_door(const struct master *m, enum board_listener which, int fd)
{
	bool shared = atomic_load(&m->board.head->shared) >> which & 1;

	if (fd >= 0 && !shared && listen(fd, 0) != 0)
		log_line(LOG_DEBUG, "a queue of new connections stays open: %s", strerror(errno));
}

static void shut(struct master *m)
{
	handover_stop(m);
	atomic_store(&m->board.head->draining, 1);
	shut_door(m, BOARD_SERVICE, m->listener);
	shut_door(m, BOARD_OPERATIONS, m->ops_listener);
	workers_stop(&m->workers);
	monitor_stop(&m->monitor);
}

/* How long to wait for the next signal; those whose time is over are killed. */
static int64_t patience(struct master *m, int64_t deadline)
{
	int64_t left = deadline - clock_ms(), alive = notify_alive();

	if (left <= 0) {
		workers_kill(&m->workers);
		upgrade_kill();
		left = LOOK_MS;
	}
	return alive >= 0 && alive < left ? alive : left;
}

int drain_service(struct master *m, int number)
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
		switch (signals_next(patience(m, deadline))) {
		case SIGCHLD:
			chores_reap(m);
			break;
		case SIGTERM:
		case SIGINT:
			deadline = hurried ? clock_ms() : clock_ms() + m->settings->stop_timeout_ms;
			hurried = true;
			break;
		case SIGUSR1:
			chores_reopen_log(m);
			break;
		default:
			break;
		}
	}
	log_line(LOG_INFO, "stopped after %lld ms%s", (long long)(clock_ms() - began),
		 m->workers.killed ? "; workers had to be killed" : "");
	return m->workers.killed ? 1 : 0;
}
