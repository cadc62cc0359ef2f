/* workers.c - fork, reap, and how long to wait before forking again.
 *
 * Called by the files of the master, in the master's only thread. A worker that dies is replaced at once, so that a crash
 * costs no more than the requests it had in hand. But one that dies early, before it serves or in its first second
 * without an answer, dies of something that its successor will meet as well: the wait grows from 100 ms, doubling,
 * so that a broken machine is not also a busy one. It never ends in giving up.
 *
 * A death is told in one sentence that is complete: who, how, how old, with how many requests in hand, and what
 * happens next. */
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../metrics/counters.h"
#include "../metrics/process.h"
#include "clock.h"
#include "heartbeat.h"
#include "log.h"
#include "worker.h"

#define FIRST_DELAY_MS 100
#define EARLY_MS       1000	/* a life without an answer that ends sooner was too short */

bool workers_open(struct workers *w, const struct settings *s, struct board *b, int listener, int ops_listener,
		  struct fault *why)
{
	memset(w, 0, sizeof *w);
	w->settings = s;
	w->board = b;
	w->listener = listener;
	w->ops_listener = ops_listener;
	w->count = board_slots(b);
	if (pipe2(w->lifeline, O_CLOEXEC) != 0) {
		w->lifeline[0] = w->lifeline[1] = -1;
		return fault_errno(why, "no pipe between master and workers");
	}
	return true;
}

void workers_close(struct workers *w)
{
	if (!w->board)
		return;
	for (int i = 0; i < 2; i++) {
		if (w->lifeline[i] >= 0)
			close(w->lifeline[i]);
	}
	memset(w, 0, sizeof *w);
}

void workers_part(struct workers *w)
{
	close(w->lifeline[1]);
	close(w->listener);
	if (w->ops_listener >= 0)
		close(w->ops_listener);
	w->lifeline[1] = w->listener = w->ops_listener = -1;
}

/* When the next one in this post may start. early: the last one's life was too short. */
static void set_due(const struct workers *w, struct post *p, bool early)
{
	if (!early)
		p->delay = 0;
	else if (p->delay == 0)
		p->delay = FIRST_DELAY_MS;
	else if (p->delay > w->settings->respawn_max_ms / 2)
		p->delay = w->settings->respawn_max_ms;
	else
		p->delay *= 2;
	p->due = clock_ms() + p->delay;
}

static _Noreturn void be_worker(const struct workers *w, uint32_t i)
{
	struct worker_start start = {
		.settings = w->settings,
		.board = w->board,
		.slot = i,
		.listener = w->listener,
		.ops_listener = w->ops_listener,
		.lifeline = w->lifeline[0],
	};

	close(w->lifeline[1]);
	worker_run(&start);
}

static void fork_worker(struct workers *w, uint32_t i)
{
	struct post *p = &w->post[i];
	struct board_slot *slot = board_slot(w->board, i);

	atomic_store(&slot->answered, 0);
	atomic_store(&slot->state, WORKER_STARTING);	/* the slot is nobody's yet */
	pid_t pid = fork();

	if (pid == 0)
		be_worker(w, i);
	if (pid < 0) {
		atomic_store(&slot->state, WORKER_NONE);
		set_due(w, p, true);
		log_line(LOG_ERROR, "worker %u can't be forked: %s; tried again in %u ms", i, strerror(errno), p->delay);
		return;
	}
	p->pid = pid;
	p->born = clock_ms();
	p->silent_ms = 0;
	p->hung = false;
	atomic_store(&slot->pid, pid);
	atomic_fetch_add(&slot->starts, 1);
}

void workers_tend(struct workers *w)
{
	int64_t now = clock_ms();

	for (uint32_t i = 0; i < w->count && !w->stopping; i++) {
		if (!w->post[i].pid && w->post[i].due <= now)
			fork_worker(w, i);
	}
	heartbeat_look(w);
}

int64_t workers_wait(const struct workers *w)
{
	int64_t now = clock_ms(), least = heartbeat_wait(w);

	for (uint32_t i = 0; i < w->count && !w->stopping; i++) {
		const struct post *p = &w->post[i];
		int64_t left = p->due > now ? p->due - now : 0;

		if (!p->pid && (least < 0 || left < least))
			least = left;
	}
	return least;
}

static void describe_end(char *text, size_t cap, int status)
{
	if (WIFSIGNALED(status))
		snprintf(text, cap, "was killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			 WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(text, cap, "exited with status %d", WEXITSTATUS(status));
}

static enum worker_end end_of(const struct post *p, int status)
{
	if (p->hung)
		return END_HUNG;
	if (!WIFSIGNALED(status))
		return END_EXIT;
	return WTERMSIG(status) == SIGKILL ? END_KILLED : END_SIGNAL;
}

/* The dead, not reaped yet, still have a clock. Before it goes, what it says goes to the account of its slot, or of the
 * monitor, in the order that process.c reads. */
static void keep_cpu(_Atomic int32_t *pid, _Atomic uint64_t *ended)
{
	uint64_t used = 0;

	if (!process_cpu(atomic_load(pid), &used))
		log_line(LOG_DEBUG, "the CPU time of a dead child can't be told");
	atomic_store(pid, BOARD_ACCOUNTING);
	atomic_fetch_add(ended, used);
	atomic_store(pid, 0);
}

/* What the board still says of the dead: its counters stay, but for what was in its hands. */
static uint64_t clear_slot(const struct workers *w, uint32_t i)
{
	struct board_slot *slot = board_slot(w->board, i);

	atomic_store(&slot->state, WORKER_NONE);
	atomic_store(&slot->generation, 0);
	atomic_store(&slot->oldest, 0);
	return counters_bury(board_dead_counters(w->board, i));
}

static void bury(struct workers *w, uint32_t i, int status)
{
	struct post *p = &w->post[i];
	struct board_slot *slot = board_slot(w->board, i);
	int64_t age = clock_ms() - p->born;
	bool answered = atomic_load(&slot->answered);	/* threads do, a moment before the main one says so */
	bool served = answered || atomic_load(&slot->state) >= WORKER_SERVING;
	bool early = !served || (age < EARLY_MS && !answered);
	uint64_t in_hand = clear_slot(w, i);
	char end[96], hands[48] = "", next[64] = "replaced at once";
	bool asked = w->stopping;
	int pid = (int)p->pid;

	p->pid = 0;
	describe_end(end, sizeof end, status);
	if (asked && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		log_line(LOG_DEBUG, "worker %u has drained", i);
		return;
	}
	atomic_fetch_add(&w->board->head->unanswered, in_hand);
	if (asked) {
		snprintf(next, sizeof next, "not replaced");
	} else {
		atomic_fetch_add(&w->board->head->restarts[end_of(p, status)], 1);
		set_due(w, p, early);
		if (p->delay)
			snprintf(next, sizeof next, "replaced in %u ms, since it %s", p->delay,
				 served ? "had not answered yet" : "never served");
	}
	if (w->settings->metrics == METRICS_ON)
		snprintf(hands, sizeof hands, " with %llu requests in hand", (unsigned long long)in_hand);
	log_line(LOG_WARN, "worker %u (pid %d) %s after %lld.%03lld s%s; %s", i, pid, end, (long long)(age / 1000),
		 (long long)(age % 1000), hands, next);
}

static bool find_post(const struct workers *w, pid_t pid, uint32_t *i)
{
	for (*i = 0; *i < w->count; ++*i) {
		if (w->post[*i].pid == pid)
			return true;
	}
	return false;
}

pid_t workers_reap(struct workers *w, int *status)
{
	siginfo_t dead;
	uint32_t i;

	for (;;) {
		dead.si_pid = 0;
		if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) != 0 || dead.si_pid == 0)
			return 0;
		bool ours = find_post(w, dead.si_pid, &i);

		if (ours)
			keep_cpu(&board_slot(w->board, i)->pid, &board_slot(w->board, i)->ended_cpu);
		else if (dead.si_pid == atomic_load(&w->board->head->monitor))
			keep_cpu(&w->board->head->monitor, &w->board->head->monitor_cpu);
		if (waitpid(dead.si_pid, status, 0) != dead.si_pid)
			continue;
		if (!ours)
			return dead.si_pid;
		bury(w, i, *status);
	}
}

void workers_signal(const struct workers *w, int number)
{
	for (uint32_t i = 0; i < w->count; i++) {
		if (w->post[i].pid)
			kill(w->post[i].pid, number);
	}
}

void workers_stop(struct workers *w)
{
	w->stopping = true;
	workers_signal(w, SIGTERM);
}

void workers_kill(struct workers *w)
{
	w->killed = w->killed || workers_alive(w) > 0;
	workers_signal(w, SIGKILL);
}

uint32_t workers_alive(const struct workers *w)
{
	uint32_t alive = 0;

	for (uint32_t i = 0; i < w->count; i++)
		alive += w->post[i].pid != 0;
	return alive;
}

uint32_t workers_in(const struct workers *w, enum worker_state state)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < w->count; i++)
		found += w->post[i].pid && atomic_load(&board_slot(w->board, i)->state) == state;
	return found;
}
