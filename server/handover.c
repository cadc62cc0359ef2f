/* handover.c - a master that is replaced, or that replaces another, as seen from its loop.
 *
 * Called by master.c, chores.c and drain.c, in the master's only thread. While two masters hold one listening socket the
 * board says so (`shared`), so that neither they nor their workers shut it for the other. The pid file is renamed while
 * the successor starts, and back when that fails. */
#include "handover.h"

#include <signal.h>

#include "log.h"
#include "notify.h"
#include "upgrade.h"

/* A successor that ends while this master stops as well was told to. */
static void give_up(struct master *m, const struct fault *why)
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

void handover_start(struct master *m)
{
	const int listeners[BOARD_LISTENERS] = {[BOARD_SERVICE] = m->listener, [BOARD_OPERATIONS] = m->ops_listener};
	unsigned count = m->ops_listener >= 0 ? 2 : 1;
	uint32_t ms = m->settings->upgrade_timeout_ms;
	struct fault why = {""};

	if (!upgrade_allowed(&why)) {
		log_line(LOG_ERROR, "SIGUSR2: no upgrade: %s", why.text);
		return;
	}
	atomic_store(&m->board.head->shared, (UINT32_C(1) << count) - 1);
	if (!pidfile_aside(&m->pidfile, &why) || !upgrade_start(listeners, count, ms, &why)) {
		give_up(m, &why);
		return;
	}
	log_line(LOG_INFO, "SIGUSR2: process %d is started to take over, and has %u ms to serve", (int)upgrade_successor(), ms);
	notify_status("process %d is started to take over", (int)upgrade_successor());
}

bool handover_ended(struct master *m, pid_t pid, int status)
{
	struct fault why = {""};

	if (pid != upgrade_successor())
		return false;
	upgrade_ended(status, &why);
	give_up(m, &why);
	return true;
}

void handover_stop(struct master *m)
{
	if (!upgrade_successor())
		return;
	kill(upgrade_successor(), SIGTERM);
	atomic_store(&m->board.head->shared, 0);
}

/* The predecessor has gone, so that nobody else has the sockets any more. */
static void look_back(struct master *m)
{
	if (!upgrade_alone(m->settings->pid_file))
		return;
	atomic_store(&m->board.head->shared, 0);
	atomic_store(&m->board.head->predecessor, 0);
}

bool handover_look(struct master *m)
{
	pid_t successor = upgrade_successor();
	uint32_t kept = 0;
	enum upgrade_is how = upgrade_look(&kept);

	look_back(m);
	if (how == UPGRADE_LATE)
		log_line(LOG_WARN, "process %d does not serve in time and is killed", (int)successor);
	if (how != UPGRADE_SERVES)
		return false;
	atomic_store(&m->board.head->shared, kept);	/* the others are this master's alone, and end with it */
	log_line(LOG_INFO, "process %d serves now", (int)successor);
	notify_successor(successor, "serving; taken over from process %d", (int)getpid());
	return true;
}
