/* monitor.c - a child that nobody needs: it may die, hang or be killed, and no client will know.
 *
 * Called by the files of the master, in the master's only thread. The monitor reads what workers count and writes what it
 * finds to pages of its own (monitored.h), so its death costs the open windows and nothing else. It is replaced at once, or,
 * when its life was short, after a pause that doubles up to respawn_max_ms: what it died of is likely to be there still. One
 * that gives no sign of life for as long as a worker may, worker_hung_ms, is killed; as with workers, silence is measured in
 * the master's own time awake. When the service ends it is told so once, and killed when all else is done.
 *
 * With metrics=off there is none. */
#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "../metrics/monitored.h"
#include "clock.h"
#include "heartbeat.h"
#include "log.h"
#include "monitoring.h"

#define FIRST_DELAY_MS 100
#define EARLY_MS       10000	/* a life that ends sooner was too short */
#define START_MS       20000	/* more silence at the beginning, while a large model is looked through */
#define LOOK_MS	       1
#define FAREWELL_MS    1000	/* the longest wait for a killed one to be gone: longer only in a system call that hangs */

void monitor_open(struct monitor *m, const struct settings *s, struct board *b, struct workers *w)
{
	*m = (struct monitor){.settings = s, .board = b, .workers = w};
	m->stopping = s->metrics != METRICS_ON;
}

static void set_due(struct monitor *m, bool early)
{
	if (!early || m->delay == 0)
		m->delay = FIRST_DELAY_MS;
	else if (m->delay > m->settings->respawn_max_ms / 2)
		m->delay = m->settings->respawn_max_ms;
	else
		m->delay *= 2;
	m->due = clock_ms() + m->delay;
}

static void fork_monitor(struct monitor *m)
{
	pid_t master = getpid(), pid = fork();

	if (pid == 0)
		monitoring_run(m->settings, m->board, m->workers, master);
	if (pid < 0) {
		set_due(m, true);
		log_line(LOG_ERROR, "the monitor can't be forked: %s; tried again in %u ms", strerror(errno), m->delay);
		return;
	}
	m->pid = pid;
	m->born = clock_ms();
	m->silent_ms = 0;
	m->fresh = true;
	atomic_store(&m->board->head->monitor, pid);
}

static void look_at(struct monitor *m, uint32_t passed)
{
	uint64_t beats = atomic_load(&monitored_page(m->board)->beats);

	if (beats != m->beats) {
		m->beats = beats;
		m->silent_ms = 0;
		m->fresh = false;
		return;
	}
	m->silent_ms += passed;
	if (m->silent_ms < m->settings->worker_hung_ms + (m->fresh ? START_MS : 0))
		return;
	log_line(LOG_WARN, "the monitor (pid %d) has given no sign of life for %u.%u s and is killed", (int)m->pid,
		 m->silent_ms / 1000, m->silent_ms / 100 % 10);
	m->silent_ms = 0;
	kill(m->pid, SIGKILL);
}

void monitor_tend(struct monitor *m)
{
	uint32_t every = heartbeat_ms(m->settings);
	int64_t now = clock_ms(), passed = now - m->looked;

	if (m->stopping || atomic_load(&m->board->head->generation) == 0)
		return;
	if (m->pid == 0 && m->due <= now)
		fork_monitor(m);
	if (m->pid == 0 || every == 0 || passed < every)
		return;
	m->looked = now;
	look_at(m, passed < 2 * every ? (uint32_t)passed : 2 * every);
}

/* Looking whether it hangs needs no waking: workers are looked at as often. */
int64_t monitor_wait(const struct monitor *m)
{
	int64_t left = m->due - clock_ms();

	return m->stopping || m->pid ? -1 : left > 0 ? left : 0;
}

bool monitor_ended(struct monitor *m, pid_t pid, int status)
{
	int64_t age = clock_ms() - m->born;
	char end[96];

	if (pid != m->pid || pid == 0)
		return false;
	m->pid = 0;
	if (m->stopping)
		return true;
	if (WIFSIGNALED(status))
		snprintf(end, sizeof end, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(end, sizeof end, "exited with status %d", WEXITSTATUS(status));
	atomic_fetch_add(&m->board->head->monitor_restarts, 1);
	set_due(m, age < EARLY_MS);
	log_line(LOG_WARN, "the monitor (pid %d) %s after %lld.%03lld s; replaced in %u ms, and clients are served as before",
		 (int)pid, end, (long long)(age / 1000), (long long)(age % 1000), m->delay);
	return true;
}

void monitor_reopen_log(const struct monitor *m)
{
	if (m->pid)
		kill(m->pid, SIGUSR1);
}

void monitor_stop(struct monitor *m)
{
	m->stopping = true;
	if (m->pid)
		kill(m->pid, SIGTERM);
}

void monitor_close(struct monitor *m)
{
	int64_t until = clock_ms() + FAREWELL_MS;

	m->stopping = true;
	if (m->pid == 0)
		return;
	kill(m->pid, SIGKILL);
	while (waitpid(m->pid, NULL, WNOHANG) == 0 && clock_ms() < until)
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
	m->pid = 0;
}
