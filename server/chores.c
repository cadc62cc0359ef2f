/* chores.c - the dead, the log and the books.
 *
 * Called by master.c and drain.c, in the master's only thread. What fails is a line in the log. */
#include "chores.h"

#include <signal.h>

#include "../metrics/process.h"
#include "clock.h"
#include "handover.h"
#include "log.h"

void chores_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = workers_reap(&m->workers, &status)) > 0) {
		if (!monitor_ended(&m->monitor, pid, status) && !handover_ended(m, pid, status) &&
		    !reload_ended(&m->reload, pid, status))
			log_line(LOG_DEBUG, "process %d was reaped, which is nobody's", (int)pid);
	}
}

void chores_reopen_log(struct master *m)
{
	struct fault why;

	if (log_reopen(&why))
		log_line(LOG_INFO, "the log was opened again");
	else
		log_line(LOG_ERROR, "%s", why.text);
	workers_signal(&m->workers, SIGUSR1);
	monitor_reopen_log(&m->monitor);
}

void chores_tell_memory(struct master *m)
{
	int64_t now = clock_ms();

	if (m->settings->metrics != METRICS_ON || now < m->memory_due)
		return;
	atomic_store(&m->board.head->proportional, process_proportional());
	m->memory_due = now + PROCESS_PROPORTIONAL_MS;
}
