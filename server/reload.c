/* reload.c - from a signal to a new generation, and what log and board say of it.
 *
 * Called by master.c, master_open.c and chores.c, in the master's only thread. The first generation is made in the master
 * itself, since there is nothing else to do yet. Every later one is made by a child, the loader, while the master goes on:
 * it replaces workers within milliseconds even while a model of gigabytes is read, takes a rollback at once, and stops when
 * told to. And a reader's crash, or the kernel's search for memory, ends the loader and not the master. The alternatives
 * were a thread, which would forbid the master to fork as it does, and looking after workers between the phases of a load,
 * of which one alone takes seconds for such a model.
 *
 * The loader leaves its result in a page that both have and workers have not, and a segment that nobody knows of; the
 * master publishes it. If it dies before, or is killed (its master's death does that, too), there is no result, and the
 * segment is removed.
 *
 * A load that found too little memory while a generation is kept for a rollback is tried once more without that, if that
 * may help: to be up to date matters more. A reload that fails changes nothing else but the figures. */
#include "reload.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../metrics/process.h"
#include "child.h"
#include "clock.h"
#include "log.h"

#define LOOK_MS	   2
#define FAREWELL_MS 1000	/* the longest wait for a killed loader to be gone: longer only in a system call that hangs */

struct load {			/* the loader's to write, and then the master's to read */
	bool done;
	enum reload_result result;
	struct generation made;
	struct fault why;
	uint64_t cpu;		/* ns */
};

/* A reload builds the next generation beside this one. Better said now than when the first SIGHUP fails. */
static void check_room(const struct generation *g)
{
	uint64_t room = segment_room();

	if (room < g->bytes)
		log_line(LOG_WARN, "a reload will need about %zu bytes for a second generation, and /dev/shm has %llu "
			 "free: make it larger (a container's shm_size)", g->bytes, (unsigned long long)room);
}

static void tell_published(const struct generation *g)
{
	log_line(LOG_INFO, "generation %llu is published: %u items, %u customers, %zu bytes, made in %lld ms",
		 (unsigned long long)g->number, g->items, g->customers, g->bytes, (long long)g->took_ms);
	if (g->verdict[0])
		log_line(LOG_INFO, "generation %llu has passed the gate: %s", (unsigned long long)g->number, g->verdict);
}

/* How long it took goes to the board, however it ended. */
static int64_t took(const struct reload *r)
{
	uint64_t ns = clock_ns() - r->began;

	atomic_store(&r->board->head->last_load_ns, ns);
	return (int64_t)(ns / 1000000);
}

bool reload_open(struct reload *r, const struct settings *s, struct board *b, struct workers *w, struct fault *why)
{
	struct generation made;

	*r = (struct reload){.settings = s, .board = b, .workers = w, .began = clock_ns()};
	r->load = mmap(NULL, sizeof *r->load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->load == MAP_FAILED || madvise(r->load, sizeof *r->load, MADV_DONTFORK) != 0) {
		r->load = r->load == MAP_FAILED ? NULL : r->load;
		return fault_errno(why, "no memory to share with a loader");
	}
	if (generation_build(b, s->model, NULL, &made, why) != RELOAD_OK || !generation_publish(b, &made, why))
		return false;
	made.took_ms = took(r);
	r->generation = made;
	tell_published(&r->generation);
	check_room(&r->generation);
	return true;
}

/* The loader */

static _Noreturn void be_loader(const struct reload *r, pid_t master, bool gated)
{
	struct load *l = r->load;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(1);
	child_become("loader");
	child_yield(CHILD_NICE);
	workers_part(r->workers);
	board_watch(r->board);
	l->result = generation_build(r->board, r->settings->model, gated ? r->settings : NULL, &l->made, &l->why);
	if (!process_cpu((int32_t)getpid(), &l->cpu))
		l->cpu = 0;
	l->done = true;
	child_leave(0);
}

static void fail(struct reload *r, enum reload_result result, const char *why)
{
	struct board_head *h = r->board->head;

	took(r);
	generation_abandon(r->board);
	board_set_reason(r->board, why);
	atomic_store(&h->last_reload_ok, 0);
	atomic_fetch_add(&h->reloads[result], 1);
	log_line(LOG_ERROR, "the reload failed, generation %llu goes on: %s", (unsigned long long)r->generation.number, why);
}

static void start(struct reload *r, enum reload_kind kind)
{
	bool gated = kind == RELOAD_CHECKED && r->settings->gate == GATE_ON;
	pid_t master = getpid();
	struct fault why;

	r->began = clock_ns();
	memset(r->load, 0, sizeof *r->load);
	generation_abandon(r->board);	/* one that outlived its farewell may have left it */
	madvise(r->load, sizeof *r->load, MADV_DOFORK);	/* workers are not to have it: it is to be written */
	pid_t pid = fork();

	if (pid == 0)
		be_loader(r, master, gated);
	madvise(r->load, sizeof *r->load, MADV_DONTFORK);
	if (pid < 0) {
		fault_errno(&why, "no process to load the model");
		fail(r, RELOAD_NO_MEMORY, why.text);
		return;
	}
	r->loader = pid;
	r->running = kind;
}

void reload_ask(struct reload *r, enum reload_kind kind)
{
	if (r->loader == 0)
		start(r, kind);
	else if (kind > r->next)
		r->next = kind;
}

static void succeed(struct reload *r)
{
	struct board_head *h = r->board->head;
	struct generation made = r->load->made;
	struct fault why;

	if (!generation_publish(r->board, &made, &why)) {
		fail(r, RELOAD_NO_MEMORY, why.text);
		return;
	}
	workers_signal(r->workers, SIGUSR2);
	made.took_ms = took(r);
	r->previous = r->generation;
	r->generation = made;
	board_set_reason(r->board, "");
	atomic_store(&h->last_reload_ok, 1);
	atomic_fetch_add(&h->reloads[RELOAD_OK], 1);
	tell_published(&made);
}

/* Would the file have room in /dev/shm, if what is kept for a rollback were gone? Packed it is larger; this is only not to
 * give the way back up for nothing. */
static bool room_without_previous(const struct reload *r)
{
	uint64_t room = segment_room(), kept = atomic_load(&r->board->head->previous_bytes);
	struct stat st;

	return stat(r->settings->model, &st) == 0 && (room > UINT64_MAX - kept || (uint64_t)st.st_size <= room + kept);
}

/* Room for the next generation is worth more than the way back. */
static bool again_with_more_room(struct reload *r)
{
	if (r->load->result != RELOAD_NO_MEMORY || atomic_load(&r->board->head->previous) == 0 || !room_without_previous(r))
		return false;
	log_line(LOG_WARN, "generation %llu, kept for a rollback, gives way to the next one: %s",
		 (unsigned long long)r->previous.number, r->load->why.text);
	generation_forget_previous(r->board);
	start(r, r->running);
	return true;
}

static void conclude(struct reload *r, int status)
{
	const struct load *l = r->load;
	struct fault why;

	if (WIFSIGNALED(status))
		fault_set(&why, "the loader was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fault_set(&why, "the loader exited with status %d", WEXITSTATUS(status));
	atomic_fetch_add(&r->board->head->loader_cpu, l->cpu);
	if (!l->done || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(r, RELOAD_CRASHED, why.text);
	else if (l->result == RELOAD_OK)
		succeed(r);
	else if (!again_with_more_room(r))
		fail(r, l->result, l->why.text);
}

bool reload_ended(struct reload *r, pid_t pid, int status)
{
	enum reload_kind next = r->next;

	if (pid != r->loader || pid == 0)
		return false;
	r->loader = 0;
	conclude(r, status);
	if (r->loader == 0 && next != RELOAD_NONE) {
		r->next = RELOAD_NONE;
		start(r, next);
	}
	return true;
}

/* Whatever it has done is in vain. It is waited for, since it may be about to make the name that is removed then.
 * Returns whether there was one. */
static bool end_loader(struct reload *r)
{
	int64_t until = clock_ms() + FAREWELL_MS;
	pid_t pid = r->loader;

	r->loader = 0;
	r->next = RELOAD_NONE;
	if (pid == 0)
		return false;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0 && clock_ms() < until)
		nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
	generation_abandon(r->board);
	return true;
}

/* The way back */

static void tell_rolled_back(const struct reload *r, uint64_t was, uint64_t ns)
{
	const struct generation *g = &r->generation;

	log_line(LOG_INFO, "rolled back in %llu us: generation %llu is generation %llu once more, %u items, %u customers",
		 (unsigned long long)ns / 1000, (unsigned long long)g->number, (unsigned long long)was, g->items,
		 g->customers);
}

void reload_roll_back(struct reload *r)
{
	struct board_head *h = r->board->head;
	uint64_t began = clock_ns(), was = r->previous.number;
	struct generation back = r->previous;
	struct fault why;
	bool ok = generation_roll_back(r->board, &back, &why);

	atomic_fetch_add(&h->rollbacks[ok ? ROLLBACK_OK : ROLLBACK_FAILED], 1);
	if (ok) {
		workers_signal(r->workers, SIGUSR2);
		r->previous = r->generation;
		r->generation = back;
		tell_rolled_back(r, was, clock_ns() - began);
	} else {
		log_line(LOG_ERROR, "the rollback failed, generation %llu goes on: %s",
			 (unsigned long long)r->generation.number, why.text);
	}
	if (end_loader(r))
		fail(r, RELOAD_CANCELLED, "a rollback was asked for before the model was loaded");
}

/* The end */

void reload_stop(struct reload *r)
{
	if (end_loader(r))
		log_line(LOG_INFO, "a reload that was under way was ended");
}

void reload_close(struct reload *r)
{
	if (!r->board)
		return;
	reload_stop(r);
	generation_remove(r->board);
	if (r->load)
		munmap(r->load, sizeof *r->load);
	*r = (struct reload){.settings = NULL};
}
