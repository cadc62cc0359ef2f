/* samples_workers.c - the processes: what the kernel knows of their sum, and what each worker says of its threads and
 * connections. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "page.h"

/* Processes */

void samples_cpu(struct page *p)
{
	if (!p->tree.cpu_known)
		return;
	write_seconds(&p->w, NULL, p->tree.cpu);
	write_created(&p->w, NULL);
}

void samples_resident(struct page *p)
{
	if (p->tree.memory_known)
		page_value(p, p->tree.resident);
}

void samples_virtual(struct page *p)
{
	if (p->tree.memory_known)
		page_value(p, p->tree.virtual);
}

void samples_process_threads(struct page *p)
{
	if (p->tree.memory_known)
		page_value(p, p->tree.threads);
}

void samples_open_fds(struct page *p)
{
	if (p->tree.fds_known)
		page_value(p, p->tree.fds);
}

void samples_proportional(struct page *p)
{
	const struct monitored_page *page = monitored_page(p->board);
	uint64_t masters = LOAD(p->board->head->proportional), monitors = 0;

	if (page && LOAD(p->board->head->monitor) > 0)
		monitors = LOAD(page->proportional);
	if (masters)
		page_value(p, masters + monitors + LOAD(p->sum->proportional));
}

void samples_max_fds(struct page *p)
{
	struct rlimit limit;		/* the master's, inherited */

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		page_value(p, limit.rlim_cur);
}

void samples_start_time(struct page *p) { page_value(p, (uint64_t)p->board->head->started); }

/* Workers */

/* A state that no worker writes comes from one gone mad, which will be missing soon. */
void samples_workers(struct page *p)
{
	enum { STATES = WORKER_DRAINING + 1 };
	static const char *const state[] = {
		[WORKER_NONE] = "missing", [WORKER_STARTING] = "starting", [WORKER_SERVING] = "serving",
		[WORKER_DRAINING] = "draining",
	};
	uint64_t n[STATES] = {0};

	_Static_assert(sizeof state / sizeof *state == STATES, "a name for each");
	for (uint32_t i = 0; i < board_slots(p->board); i++) {
		uint32_t s = LOAD(board_slot(p->board, i)->state);

		n[s < STATES ? s : WORKER_NONE]++;
	}
	for (unsigned s = 0; s < STATES; s++)
		page_value_by(p, "state", state[s], n[s]);
}

void samples_restarts(struct page *p)
{
	static const char *const reason[] = {[END_EXIT] = "exit", [END_SIGNAL] = "signal", [END_KILLED] = "killed",
					     [END_HUNG] = "hung"};
	_Static_assert(sizeof reason / sizeof *reason == ENDS, "a name for each");

	for (unsigned i = 0; i < ENDS; i++)
		page_value_by(p, "reason", reason[i], LOAD(p->board->head->restarts[i]));
}

void samples_upgrade_failures(struct page *p) { page_value(p, LOAD(p->board->head->upgrade_failures)); }

void samples_unanswered(struct page *p) { page_value(p, LOAD(p->board->head->unanswered)); }

static void by_worker(struct page *p, uint32_t i, uint64_t v)
{
	struct labels l = {.len = 0};

	labels_add_number(&l, "worker", i);
	write_value(&p->w, &l, v);
	write_created(&p->w, &l);
}

void samples_worker_requests(struct page *p)
{
	for (uint32_t i = 0; i < board_slots(p->board); i++)
		by_worker(p, i, p->answered[i]);
}

/* One field of each slot. */
static void by_slot(struct page *p, size_t offset)
{
	for (uint32_t i = 0; i < board_slots(p->board); i++) {
		const uint8_t *c = board_counters(p->board, i);

		by_worker(p, i, LOAD(*(const _Atomic uint64_t *)(const void *)(c + offset)));
	}
}

void samples_threads(struct page *p) { by_slot(p, offsetof(struct counters, threads)); }
void samples_connections_active(struct page *p) { by_slot(p, offsetof(struct counters, connections_active)); }
void samples_connections_accepted(struct page *p) { by_slot(p, offsetof(struct counters, connections_accepted)); }

/* An idle connection has a thread, too, but is ended when somebody else needs that. The three change while they are
 * read. */
void samples_threads_busy(struct page *p)
{
	for (uint32_t i = 0; i < board_slots(p->board); i++) {
		const struct counters *c = board_counters(p->board, i);
		uint64_t all = LOAD(c->in_progress) + LOAD(c->unheard), ops = LOAD(c->ops_in_progress);

		by_worker(p, i, all > ops ? all - ops : 0);
	}
}

/* Of a listening socket, the kernel tells the length of its queue where it tells other sockets' unacknowledged data. */
void samples_connections_waiting(struct page *p)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (getsockopt(p->e->listener, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_LISTEN)
		page_value(p, info.tcpi_unacked);
}

void samples_connections_refused(struct page *p)
{
	static const char *const reason[] = {
#define X(symbol, label) [REFUSAL_##symbol] = label,
		REFUSALS(X)
#undef X
	};

	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		page_value_by(p, "reason", reason[i], LOAD(p->sum->connections_refused[i]));
}

void samples_connections_ended(struct page *p)
{
	static const char *const reason[] = {
#define X(symbol, label) [ENDING_##symbol] = label,
		ENDINGS(X)
#undef X
	};

	for (unsigned i = 0; i < ENDING_COUNT; i++)
		page_value_by(p, "reason", reason[i], LOAD(p->sum->connections_ended[i]));
}
