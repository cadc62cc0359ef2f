/* monitoring.c - the monitor: a loop that looks at the workers' cells some times a second.
 *
 * Forked by the master (monitor.c) once the first generation is published. What is to be made of the cells is watching.h's;
 * here is where they come from, and where the findings go. The board is read-only here but for the monitor's own pages.
 *
 * A reload makes the same cells mean other entities, so windows begin anew: as soon as no worker answers from an older
 * generation any more. Until then nothing is closed. The model is mapped for as long as it takes to look it through.
 *
 * It ends when it is told to, or with its master (the kernel sees to that). A fault at its start is logged and ends it, and
 * the master tries again. A model that can't be mapped is tried again with each look, and told once. */
#include "monitoring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "../metrics/process.h"
#include "../metrics/retrain.h"
#include "../metrics/watching.h"
#include "../shm/packed.h"
#include "child.h"
#include "clock.h"
#include "log.h"
#include "signals.h"
#include "verdicts.h"

#define LOOK_MS	   250
#define RENEW_MS   1000		/* how often what changes by itself is told again */

struct monitoring {
	const struct settings *settings;
	struct board *board;
	struct watching watching;
	struct sums sums;
	struct verdicts verdicts;
	char retrain_path[PATH_MAX + 32];
	int64_t retrain_seen;
	int64_t renew_due, memory_due;	/* ms */
	uint64_t told;			/* the generation whose trouble is in the log */
	bool first;			/* nobody has watched this board before */
};

struct window_rules monitoring_rules(const struct settings *s)
{
	return (struct window_rules){
		.requests = s->window_requests,
		.seconds = s->window_seconds,
		.least = s->window_min,
		.baseline_windows = s->baseline_windows,
		.effect_percent = s->drift_effect_percent,
		.alpha_permille = s->drift_alpha_permille,
		.running = s->drift_windows,
		.hit_drop_percent = s->hit_drop_percent,
		.hit_lambda = s->hit_lambda,
		.default_n = s->default_n,
	};
}

/* Does nobody answer from an older generation? Who is starting will take the newest. */
static bool adopted(const struct board *b, uint64_t generation)
{
	for (uint32_t i = 0; i < board_slots(b); i++) {
		struct board_slot *slot = board_slot(b, i);
		uint32_t state = atomic_load(&slot->state);

		if ((state == WORKER_SERVING || state == WORKER_DRAINING) &&
		    (atomic_load(&slot->generation) != generation || atomic_load(&slot->oldest) != generation))
			return false;
	}
	return true;
}

/* By name, or, when somebody has removed that, by the descriptor that the master had at the fork. */
static bool map(const struct board *b, uint64_t generation, struct segment *segment, struct packed *p, struct fault *why)
{
	char name[SEGMENT_NAME_MAX];

	segment_model_name(name, board_token(b), generation);
	if (!segment_open(segment, name, why) && (generation != b->model_generation || !segment_map(segment, b->model, name, why)))
		return false;
	if (packed_view(p, segment->at, segment->size, why))
		return true;
	segment_close(segment);
	return false;
}

/* From the cells as they are now; of the first generation from none, since all that there is in them is its own. */
static void begin(struct monitoring *m, uint64_t generation)
{
	struct segment segment = {.fd = -1};
	struct fault why = {""};
	struct packed p;

	if (!map(m->board, generation, &segment, &p, &why)) {
		if (m->told != generation && atomic_load(&m->board->head->generation) == generation)
			log_line(LOG_ERROR, "generation %llu is not watched: %s; tried again", (unsigned long long)generation,
				 why.text);
		m->told = generation;
		return;
	}
	uint32_t counted[AXES];

	for (unsigned axis = 0; axis < AXES; axis++)
		counted[axis] = sums_counted(p.model.axis[axis].n);
	if (m->first && generation == 1)
		memset(&m->sums, 0, sizeof m->sums);
	else
		sums_of_board(&m->sums, m->board, counted);
	if (watching_begin(&m->watching, &p.model, generation, &m->sums, clock_ms(), &why)) {
		m->first = false;
	} else if (m->told != generation) {
		log_line(LOG_ERROR, "generation %llu is not watched: %s; tried again", (unsigned long long)generation, why.text);
		m->told = generation;
	}
	segment_close(&segment);
	board_drop_models(m->board);	/* or what was served at the fork would take memory for ever */
}

/* Has a newer one been published? If not, what was read before this is of no newer one: a worker knows it from here, too. */
static bool changed(const struct board *b, uint64_t generation)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&b->head->generation) != generation;
}

/* Returns whether something is worth telling. */
static bool look_at_cells(struct monitoring *m)
{
	uint64_t generation = atomic_load_explicit(&m->board->head->generation, memory_order_acquire);
	struct watching *w = &m->watching;
	int64_t now = clock_ms(), wall = (int64_t)time(NULL);
	struct sums_quick q;

	if (w->profile.generation != generation) {
		if (adopted(m->board, generation))
			begin(m, generation);
		return w->profile.generation == generation;
	}
	sums_quick_of_board(&q, m->board);
	if (changed(m->board, generation))
		return false;
	if (!watching_quick(w, &q, now, wall))
		return w->kept.found.window[WINDOW_FEEDBACK].end == wall;
	sums_of_board(&m->sums, m->board, w->profile.counted);
	if (changed(m->board, generation))
		return false;
	watching_look(w, &m->sums, now, wall);
	return true;
}

static void look(struct monitoring *m)
{
	struct monitored *f = &m->watching.kept.found;
	struct monitored_page *page = monitored_page(m->board);
	int64_t now = clock_ms();
	bool news = look_at_cells(m);

	atomic_fetch_add(&page->beats, 1);
	if (!news && now < m->renew_due)
		return;
	m->renew_due = now + RENEW_MS;
	f->looked = (int64_t)time(NULL);
	if (*m->retrain_path)
		retrain_look(&f->retrain, m->retrain_path, &m->retrain_seen);
	monitored_write(m->board, f);
	verdicts_tell(&m->verdicts, f);
	monitored_keep(m->board, &m->watching.kept, sizeof m->watching.kept);
	if (now < m->memory_due)
		return;
	m->memory_due = now + PROCESS_PROPORTIONAL_MS;
	atomic_store(&page->proportional, process_proportional());
}

static void reopen_log(void)
{
	struct fault why;

	if (!log_reopen(&why))
		log_line(LOG_ERROR, "%s", why.text);
}

/* Signals are blocked, as in the master, so that waiting for them is also the pause between two looks. Those that a terminal
 * sends to all its processes are the master's business. */
static void loop(struct monitoring *m)
{
	int64_t next = clock_ms();

	for (;;) {
		int64_t now = clock_ms();

		if (now >= next) {
			look(m);
			next = now + LOOK_MS;
		}
		switch (signals_next(next > now ? next - now : 0)) {
		case SIGTERM:
		case SIGQUIT:
			return;
		case SIGUSR1:
			reopen_log();
			break;
		default:
			break;
		}
	}
}

static struct monitoring *prepare(const struct settings *s, struct board *b)
{
	struct monitoring *m = calloc(1, sizeof *m);
	struct window_rules rules = monitoring_rules(s);

	if (!m)
		return NULL;
	m->settings = s;
	m->board = b;
	watching_open(&m->watching, &rules);
	m->first = !monitored_kept(b, &m->watching.kept, sizeof m->watching.kept);
	verdicts_begin(&m->verdicts, &m->watching.kept.found);
	if (!retrain_path(m->retrain_path, sizeof m->retrain_path, s->model))
		*m->retrain_path = '\0';
	return m;
}

_Noreturn void monitoring_run(const struct settings *s, struct board *b, struct workers *w, pid_t master)
{
	struct fault why = {""};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(1);
	child_become("monitor");
	child_yield(CHILD_NICE);
	workers_part(w);
	board_drop_previous(b);
	struct monitoring *m = board_enter_monitored(b, &why) ? prepare(s, b) : NULL;

	if (!m) {
		log_line(LOG_ERROR, "can't watch: %s", *why.text ? why.text : "there is not enough memory");
		_exit(1);
	}
	loop(m);
	free(m);
	child_leave(0);
}
