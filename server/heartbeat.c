/* heartbeat.c - a worker that is stopped, or whose main thread never comes back, is noticed and replaced.
 *
 * Such a worker holds its connections for ever, can't be told of a reload or of a stop, and looks well from outside,
 * since the others go on. So each worker's main thread adds one to a word of its slot now and then, and the master,
 * which wakes as often, looks whether the word has changed. It measures silence in its own time awake: what passes while
 * the master itself stands still (a suspended machine, a frozen container, a long load of a model) counts as no more than
 * two beats, or it would kill a healthy tree that has just been woken.
 *
 * A thread that answers requests and hangs alone is not seen here; its own waits have deadlines.
 *
 * SIGKILL is the one signal that a stopped process obeys. A worker that is still starting is given START_MS more, for it
 * gives no signs until it serves. */
#include "heartbeat.h"

#include <signal.h>

#include "clock.h"
#include "log.h"

#define START_MS 20000

uint32_t heartbeat_ms(const struct settings *s)
{
	uint32_t ms = s->worker_hung_ms / 5;

	return ms < 1000 ? ms : 1000;
}

void heartbeat_give(struct board *b) { atomic_fetch_add(&board_own(b)->beats, 1); }

static void look_at(struct workers *w, uint32_t i, uint32_t passed)
{
	struct post *p = &w->post[i];
	struct board_slot *slot = board_slot(w->board, i);
	uint64_t beats = atomic_load(&slot->beats);
	uint32_t more = atomic_load(&slot->state) == WORKER_STARTING ? START_MS : 0;

	if (beats != p->beats) {
		p->beats = beats;
		p->silent_ms = 0;
		return;
	}
	p->silent_ms += passed;
	if (p->hung || p->silent_ms < w->settings->worker_hung_ms + more)
		return;
	p->hung = true;
	log_line(LOG_WARN, "worker %u (pid %d) has given no sign of life for %u.%u s and is killed", i, (int)p->pid,
		 p->silent_ms / 1000, p->silent_ms / 100 % 10);
	kill(p->pid, SIGKILL);
}

void heartbeat_look(struct workers *w)
{
	uint32_t every = heartbeat_ms(w->settings);
	int64_t now = clock_ms(), passed = now - w->looked;

	if (every == 0 || passed < every)
		return;
	w->looked = now;
	for (uint32_t i = 0; i < w->count && !w->stopping; i++) {
		if (w->post[i].pid)
			look_at(w, i, passed < 2 * every ? (uint32_t)passed : 2 * every);
	}
}

int64_t heartbeat_wait(const struct workers *w)
{
	uint32_t every = heartbeat_ms(w->settings);
	int64_t left = w->looked + every - clock_ms();

	return every == 0 ? -1 : left > 0 ? left : 0;
}
