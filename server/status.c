/* status.c - reading a board and saying what it says.
 *
 * Called by main() instead of serving. Nobody is asked: the figures are those the server's processes keep in shared
 * memory, so they come even when every thread is taken, and come from one moment or nearly so. What the board does not
 * hold is asked of the kernel: the queue of the listening socket and the memory of each process. What can't be known
 * is -1 where a number is expected, and otherwise left out.
 *
 * The server may be of another version than this program, as while it is upgraded. Then its counters are laid out in
 * another way, and all that is counted is left out. */
#include "status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../metrics/monitored.h"
#include "../metrics/slot.h"
#include "../shm/packed.h"
#include "queue.h"
#include "listing.h"
#include "running.h"

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

static bool counts(const struct board *b)
{
	return b->head->counting && b->head->counters_size == slot_size(b->head->shown_ring) &&
	       strncmp(b->head->release, AKIN_VERSION, sizeof b->head->release) == 0;
}

/* The server */

static const char *state_of(const struct board *b)
{
	uint32_t serving = 0;

	for (uint32_t i = 0; i < board_slots(b); i++)
		serving += LOAD(board_slot(b, i)->state) == WORKER_SERVING;
	return LOAD(b->head->draining) ? "draining" : serving > 0 ? "serving" : "starting";
}

static void tell_text(struct listing *r, const char *key, const char *text, size_t cap)
{
	char copy[BOARD_REASON];

	snprintf(copy, sizeof copy, "%.*s", (int)strnlen(text, cap), text);
	listing_text(r, key, copy);
}

static void tell_server(struct listing *r, const struct running *server)
{
	const struct board_head *h = server->board.head;
	int64_t up = (int64_t)time(NULL) - h->started;

	listing_text(r, "state", state_of(&server->board));
	listing_number(r, "pid", server->pid > 0 ? server->pid : h->master_pid);
	tell_text(r, "version", h->release, sizeof h->release);
	listing_number(r, "started", h->started);
	listing_number(r, "uptime", up > 0 ? up : 0);
	if (h->where[0])
		tell_text(r, "listen", h->where, sizeof h->where);
	if (h->ops_where[0])
		tell_text(r, "ops_listen", h->ops_where, sizeof h->ops_where);
}

/* The model */

/* The heads of what is served. False: it is being replaced just now, or its name is gone. */
static bool read_model(const struct board *b, uint64_t generation, struct packed_head *packed, struct model_head *model)
{
	char name[SEGMENT_NAME_MAX];

	segment_model_name(name, board_token(b), generation);
	int fd = segment_reader(name, NULL);

	if (fd < 0)
		return false;
	bool ok = pread(fd, packed, sizeof *packed, 0) == (ssize_t)sizeof *packed &&
		  memcmp(packed->magic, PACKED_MAGIC, sizeof packed->magic) == 0 && packed->version == PACKED_VERSION &&
		  pread(fd, model, sizeof *model, (off_t)packed->model_offset) == (ssize_t)sizeof *model;

	close(fd);
	return ok;
}

static void tell_model(struct listing *r, const struct board *b)
{
	struct packed_head packed = {.generation = 0};
	struct model_head model;
	char checksum[24];
	uint64_t generation = atomic_load(&b->head->generation);
	bool known = false;

	/* a reload takes the name of the one before away; then there is a newer one */
	while (generation > 0 && !(known = read_model(b, generation, &packed, &model))) {
		uint64_t newer = atomic_load(&b->head->generation);

		if (newer == generation)
			break;
		generation = newer;
	}
	listing_count(r, "generation", generation);
	listing_count(r, "previous", LOAD(b->head->previous));
	listing_number(r, "published", LOAD(b->head->generation_published));
	listing_count(r, "segment_bytes", LOAD(b->head->segment_bytes));
	if (!known)
		return;
	snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)model.checksum);
	listing_count(r, "model_items", model.items);
	listing_count(r, "model_customers", model.customers);
	listing_count(r, "model_interactions", model.interactions);
	listing_number(r, "model_created", model.created);
	listing_text(r, "model_checksum", checksum);
}

static void tell_reloads(struct listing *r, const struct board *b)
{
	char reason[BOARD_REASON];
	uint64_t failed = 0;

	board_reason(b, reason);
	for (unsigned i = 0; i < RELOAD_RESULTS; i++)
		failed += i == RELOAD_OK ? 0 : LOAD(b->head->reloads[i]);
	listing_count(r, "reloads.ok", LOAD(b->head->reloads[RELOAD_OK]));
	listing_count(r, "reloads.failed", failed);
	listing_text(r, "last_reload", LOAD(b->head->last_reload_ok) ? "ok" : "failed");
	listing_text(r, "last_reload_reason", reason);
	listing_count(r, "rollbacks", LOAD(b->head->rollbacks[ROLLBACK_OK]));
	listing_count(r, "upgrade_failures", LOAD(b->head->upgrade_failures));
}

/* What was counted */

static void tell_requests(struct listing *r, const struct counters *sum, uint64_t all)
{
	static const char *const key[] = {"requests.2xx", "requests.3xx", "requests.4xx", "requests.5xx"};
	uint64_t by[CLASS_COUNT] = {0};

	_Static_assert(sizeof key / sizeof *key == CLASS_COUNT, "a key for each");
	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		for (unsigned m = 0; m < METHOD_COUNT; m++)
			for (unsigned s = 0; s < STATUS_COUNT; s++)
				by[counters_class((enum status)s)] += LOAD(sum->requests[h][m][s]);
	listing_count(r, "requests", all);
	for (unsigned c = 0; c < CLASS_COUNT; c++)
		listing_count(r, key[c], by[c]);
}

static void tell_latency(struct listing *r, const struct counters *sum)
{
	static const uint64_t bound[] = {
#define X(ns, le, fine, coarse) UINT64_C(ns),
		BOUNDS(X)
#undef X
	};
	struct served all = {.time = 0};
	uint64_t below = 0;
	char key[40];

	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		for (unsigned t = 0; t < TIMED_COUNT; t++)
			for (unsigned c = 0; c < CLASS_COUNT; c++)
				counters_add_served(&all, &sum->served[h][t][c]);
	for (unsigned i = 0; i < BIN_COUNT; i++)
		below += LOAD(all.bin[i]);
	listing_count(r, "latency.count", below);
	listing_count(r, "latency.sum_ns", LOAD(all.time));
	below = 0;
	for (unsigned i = 0; i < BOUND_COUNT; i++) {
		below += LOAD(all.bin[i]);
		snprintf(key, sizeof key, "latency.le.%llu", (unsigned long long)bound[i]);
		listing_count(r, key, below);
	}
	listing_count(r, "latency.le.inf", below + LOAD(all.bin[BOUND_COUNT]));
}

static void tell_counted(struct listing *r, const struct counters *sum, uint64_t all)
{
	uint64_t refused = 0;

	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		refused += LOAD(sum->connections_refused[i]);
	tell_requests(r, sum, all);
	listing_count(r, "in_progress", LOAD(sum->in_progress));
	listing_count(r, "connections", LOAD(sum->connections_active));
	listing_count(r, "refused", refused);
	tell_latency(r, sum);
}

/* What is watched */

/* "item_rank:training item_mix:baseline": what has drifted, and from what. */
static void tell_drifted(struct listing *r, const struct monitored *m)
{
	static const char *const reference[] = {
#define X(symbol, label) [REFERENCE_##symbol] = label,
		DRIFT_REFERENCES(X)
#undef X
	};
	char text[FEATURE_COUNT * DRIFT_REFERENCE_COUNT * 32] = "";
	size_t len = 0;

	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		for (unsigned k = 0; k < DRIFT_REFERENCE_COUNT; k++) {
			if (m->drift[f][k].detected)
				len += (size_t)snprintf(text + len, sizeof text - len, "%s%s:%s", len ? " " : "",
							feature_name((enum feature)f), reference[k]);
		}
	}
	listing_text(r, "drifted", text);
}

/* Features that the last windows had enough of for a verdict, against anything. */
static unsigned features_judged(const struct monitored *m)
{
	unsigned judged = 0;

	for (unsigned f = 0; m->looked && f < FEATURE_COUNT; f++) {
		bool enough = false;

		for (unsigned k = 0; k < DRIFT_REFERENCE_COUNT; k++)
			enough |= !m->drift[f][k].insufficient;
		judged += enough;
	}
	return judged;
}

static void tell_watched(struct listing *r, const struct board *b)
{
	static const char *const concept[] = {
#define X(symbol, label) [CONCEPT_##symbol] = label,
		CONCEPT_STATES(X)
#undef X
	};
	struct monitored m;
	uint64_t closed = 0;

	monitored_read(b, &m);		/* zeroed, when there is nothing yet */
	for (unsigned i = 0; i < WINDOW_KIND_COUNT; i++)
		closed += m.window[i].closed;
	listing_number(r, "monitor", LOAD(b->head->monitor));
	listing_count(r, "windows_closed", closed);
	listing_count(r, "features", FEATURE_COUNT);
	listing_count(r, "features_judged", features_judged(&m));
	tell_drifted(r, &m);
	listing_text(r, "concept_drift", concept[m.concept_state < CONCEPT_STATE_COUNT ? m.concept_state : CONCEPT_UNKNOWN]);
}

/* The workers */

/* Resident bytes of a process, or -1. */
static int64_t resident(pid_t pid)
{
	char path[40], text[128];
	long long pages = -1;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	FILE *from = pid > 0 ? fopen(path, "re") : NULL;

	if (from && fgets(text, sizeof text, from) && sscanf(text, "%*u %lld", &pages) != 1)
		pages = -1;
	if (from)
		fclose(from);
	return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

static void tell_worker(struct listing *r, const struct running *server, uint32_t i, uint64_t answered)
{
	static const char *const state[] = {
		[WORKER_NONE] = "missing", [WORKER_STARTING] = "starting", [WORKER_SERVING] = "serving",
		[WORKER_DRAINING] = "draining",
	};
	const struct board_slot *s = board_slot(&server->board, i);
	uint32_t now = LOAD(s->state);
	int32_t pid = LOAD(s->pid);
	bool same_ids = server->pid == server->board.head->master_pid;	/* else they are of another namespace */

	listing_worker(r, i);
	listing_number(r, "pid", pid > 0 ? pid : 0);
	listing_text(r, "state", state[now < sizeof state / sizeof *state ? now : WORKER_NONE]);
	listing_count(r, "generation", LOAD(s->generation));
	listing_count(r, "starts", LOAD(s->starts));
	if (counts(&server->board)) {
		const struct counters *c = board_counters(&server->board, i);

		listing_count(r, "requests", answered);
		listing_count(r, "in_progress", LOAD(c->in_progress));
		listing_count(r, "connections", LOAD(c->connections_active));
		listing_count(r, "threads", LOAD(c->threads));
	}
	listing_number(r, "rss_bytes", same_ids ? resident(pid) : -1);
}

static void tell(struct listing *r, const struct running *server)
{
	const struct board *b = &server->board;
	static struct counters sum;
	uint64_t answered[BOARD_MAX_SLOTS] = {0}, all = 0;
	uint64_t restarts = 0;

	for (uint32_t i = 0; counts(b) && i < board_slots(b); i++)
		all += answered[i] = counters_add(&sum, board_counters(b, i));
	for (unsigned i = 0; i < ENDS; i++)
		restarts += LOAD(b->head->restarts[i]);
	tell_server(r, server);
	tell_model(r, b);
	tell_reloads(r, b);
	listing_count(r, "restarts", restarts);
	listing_count(r, "unanswered", LOAD(b->head->unanswered));
	listing_number(r, "waiting", queue_length(server->pid, b->head->where));
	if (counts(b)) {
		tell_counted(r, &sum, all);
		tell_watched(r, b);
	}
	listing_workers(r, board_slots(b));
	for (uint32_t i = 0; i < board_slots(b); i++)
		tell_worker(r, server, i, answered[i]);
}

int status_print(const struct settings *s, bool json, struct fault *why)
{
	struct running server;
	struct listing r;

	switch (running_open(&server, s, why)) {
	case RUNNING_YES:
		break;
	case RUNNING_NO:
		return EXIT_NOT_RUNNING;
	default:
		return 1;
	}
	listing_open(&r, stdout, json);
	tell(&r, &server);
	running_close(&server);
	return listing_close(&r, why) ? 0 : 1;
}
