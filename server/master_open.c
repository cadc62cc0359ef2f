/* master_open.c - the master's start, up to where it could fork its first worker, and its end.
 *
 * Called by main.c. What fails here ends the start with one line. The order is that of rights: what needs root, the
 * sockets and maybe the log and the pid file, comes before the step to the setting `user`; what somebody else has written,
 * model and keys, is read after it. */
#include "master.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "../metrics/monitored.h"
#include "../metrics/slot.h"
#include "capacity.h"
#include "feedback_log.h"
#include "keys.h"
#include "log.h"
#include "notify.h"
#include "privilege.h"
#include "signals.h"
#include "upgrade.h"

_Static_assert(BOARD_WHERE == BIND_WHERE, "one is copied to the other");

static void check_files(const struct settings *s)
{
	unsigned long limit = bind_raise_files(s);

	if (limit < capacity_files(s))
		log_line(LOG_WARN, "%lu open files a process are too few for %u threads, which need %lu", limit, s->threads,
			 capacity_files(s));
}

/* A board with slots for what workers count, watch and remember. */
static bool open_board(struct board *b, const struct settings *s, struct fault *why)
{
	uint32_t ring = s->feedback == FEEDBACK_ON ? shown_ring(s->feedback_ring) : 0;

	if (!board_create(b, s->workers, slot_size(ring), monitored_size(), why))
		return false;
	if (getrandom(&b->head->shown_key, sizeof b->head->shown_key, 0) != (ssize_t)sizeof b->head->shown_key)
		return fault_errno(why, "can't draw a random number");
	b->head->shown_ring = ring;
	for (uint32_t i = 0; i < board_slots(b); i++)
		shown_make(slot_shown(board_dead_counters(b, i)), ring);
	return true;
}

static bool open_memory(struct master *m, struct fault *why)
{
	unsigned removed = segment_sweep();

	if (removed)
		log_line(LOG_INFO, "removed the shared memory of dead masters: %u segments", removed);
	if (!open_board(&m->board, m->settings, why) || !keys_open(m->settings, &m->board, why))
		return false;
	memcpy(m->board.head->where, m->where, sizeof m->where);
	memcpy(m->board.head->ops_where, m->ops_where, sizeof m->ops_where);
	snprintf(m->board.head->release, sizeof m->board.head->release, "%s", AKIN_VERSION);
	m->board.head->counting = m->settings->metrics == METRICS_ON;
	atomic_store(&m->board.head->predecessor, upgrade_predecessor());
	atomic_store(&m->board.head->shared, upgrade_predecessor() ? m->handed : 0);
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
static int open_door(struct master *m, enum board_listener which, const struct endpoint *e, char where[BIND_WHERE],
		     struct fault *why)
{
	int fd = upgrade_listener(e, m->settings, where);

	if (fd < 0)
		return bind_listener(e, m->settings, where, why);
	m->handed |= UINT32_C(1) << which;
	log_line(LOG_INFO, "the socket of %s was handed over by process %d", where, (int)getppid());
	return fd;
}

/* The service's, and the one for operations, if there is to be one. */
static bool open_doors(struct master *m, struct fault *why)
{
	struct endpoint e;

	endpoint_of_service(&e, m->settings);
	m->listener = open_door(m, BOARD_SERVICE, &e, m->where, why);
	bool wanted = endpoint_of_operations(&e, m->settings);

	if (wanted && m->listener >= 0)
		m->ops_listener = open_door(m, BOARD_OPERATIONS, &e, m->ops_where, why);
	upgrade_unused();
	return m->listener >= 0 && (!wanted || m->ops_listener >= 0);
}

bool master_open(struct master *m, const struct settings *s, struct fault *why)
{
	memset(m, 0, sizeof *m);
	m->settings = s;
	m->listener = m->ops_listener = -1;
	prctl(PR_SET_NAME, "akin-master");
	signals_block();
	bool ok = privilege_prepare(s->user, why) && log_open(s->log, s->log_level, why) &&
		  pidfile_take(&m->pidfile, s->pid_file, why) && feedback_log_make(s, why);

	if (ok) {
		notify_open();
		check_files(s);
	}
	ok = ok && open_doors(m, why) && give_up_root(why) && open_memory(m, why);
	if (!ok || !workers_open(&m->workers, s, &m->board, m->listener, m->ops_listener, why)) {
		master_close(m);
		return false;
	}
	monitor_open(&m->monitor, s, &m->board, &m->workers);
	return true;
}

void master_close(struct master *m)
{
	monitor_close(&m->monitor);
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
