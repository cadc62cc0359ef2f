/* news.c - who is told what, and when.
 *
 * Called by master.c, in the master's only thread. The log is told as soon as one worker serves, for then there are
 * answers; the supervisor and the predecessor when all do, for then the work can be left to them. Nothing here fails:
 * who can't be told is not (notify.c). */
#include "news.h"

#include "log.h"
#include "notify.h"
#include "upgrade.h"

static void tell_ready(const struct master *m)
{
	const struct generation *g = &m->reload.generation;

	notify_ready("serving generation %llu on %s with %u workers: %u items, %u customers%s", (unsigned long long)g->number,
		     m->where, m->workers.count, g->items, g->customers,
		     atomic_load(&m->board.head->last_reload_ok) ? "" : "; the last reload failed");
}

static void tell_log(const struct master *m)
{
	const struct generation *g = &m->reload.generation;

	log_line(LOG_INFO, "listening on http://%s with %u workers of %u threads, generation %llu: %u items, %u customers",
		 m->where, m->workers.count, m->settings->threads, (unsigned long long)g->number, g->items, g->customers);
	if (m->ops_listener >= 0)
		log_line(LOG_INFO, "operations are on http://%s, with %u threads a worker", m->ops_where,
			 m->settings->ops_threads);
}

static void announce(struct master *m)
{
	uint32_t serving = m->ready ? 0 : workers_in(&m->workers, WORKER_SERVING);

	if (!m->ready && serving == m->workers.count) {
		m->ready = true;
		upgrade_serves();
		tell_ready(m);
	}
	if (!m->announced && serving > 0) {
		m->announced = true;
		tell_log(m);
	}
}

void news_reloading(struct master *m)
{
	if (m->ready)
		notify_reloading();
	m->reloading = true;
}

static void tell_reloaded(struct master *m)
{
	if (!m->reloading || !m->ready || reload_busy(&m->reload))
		return;
	m->reloading = false;
	tell_ready(m);
}

/* A watchdog that bites ends the service and starts it anew. That helps when the master hangs, and when no worker serves
 * for as long as its patience is; so this is when it is not fed. */
static void feed(const struct master *m)
{
	if (notify_due() == 0 && workers_in(&m->workers, WORKER_SERVING) > 0)
		notify_alive();
}

void news_tell(struct master *m)
{
	announce(m);
	tell_reloaded(m);
	feed(m);
}
