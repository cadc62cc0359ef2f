/* board.h - the blackboard a master and its workers share: what is served now, who serves it, and their counters.
 *
 *   page 0...      struct board_head        the master writes; workers map it read-only
 *   then           what the monitor publishes; the monitor alone writes, padded to whole pages
 *   then, a slot:  struct board_slot | counters, padded to whole pages
 *                                           that slot's worker writes; others map it read-only
 *
 * One writer a field: `master` after a field means the master, `worker` the worker that holds the slot. Slots
 * outlive workers: a worker that dies leaves its totals to the next one in the same slot, so totals never go back.
 * What the counters are is not the board's business: metrics/ lays them out. */
#ifndef AKIN_BOARD_H
#define AKIN_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "key_table.h"
#include "segment.h"

#define BOARD_MAGIC	"AKINBORD"
#define BOARD_VERSION	9
#define BOARD_MAX_SLOTS 64
#define BOARD_REASON	256
#define BOARD_WHERE	80		/* "[::1]:8000": an address as a URL has it, with its port */
#define BOARD_ACCOUNTING (-1)		/* a pid: this worker has died, and its CPU time is being added up */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a locked atomic keeps its lock in one process");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a locked atomic keeps its lock in one process");

/* Listeners, by number: as a bit, 1 << BOARD_SERVICE. */
enum board_listener { BOARD_SERVICE, BOARD_OPERATIONS, BOARD_LISTENERS };
enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_SERVING, WORKER_DRAINING };
/* exit() | died of a signal | of SIGKILL | of its master's, who had no sign of life of it */
enum worker_end { END_EXIT, END_SIGNAL, END_KILLED, END_HUNG, ENDS };
enum reload_result { RELOAD_OK, RELOAD_UNREADABLE, RELOAD_INVALID, RELOAD_NO_MEMORY, RELOAD_GATED, RELOAD_CRASHED,
		     RELOAD_CANCELLED, RELOAD_RESULTS };
enum rollback_result { ROLLBACK_OK, ROLLBACK_FAILED, ROLLBACK_RESULTS };

struct board_head {
	char magic[8];				/* master */
	uint32_t version;			/* master */
	uint32_t slots;				/* master */
	uint64_t slot_size;			/* master; bytes, whole pages */
	uint64_t slots_offset;			/* master */
	uint64_t monitored_offset;		/* master */
	uint64_t monitored_size;		/* master; bytes, whole pages */
	char token[SEGMENT_TOKEN + 8];		/* master */
	int64_t started;			/* master; seconds since 1970 */
	int32_t master_pid;			/* master */
	_Atomic uint32_t draining;		/* master; 1 once it has been told to stop */
	_Atomic uint64_t generation;		/* master; what is served; 0 before the first. Published with release */
	_Atomic uint64_t segment_bytes;		/* master; size of that generation's segment */
	_Atomic int64_t generation_published;	/* master; seconds since 1970 */
	_Atomic uint64_t previous;		/* master; the generation kept for a rollback; 0: none */
	_Atomic uint64_t previous_bytes;	/* master; size of its segment */
	_Atomic uint64_t reloads[RELOAD_RESULTS]; /* master; loads asked for by a signal, by result */
	_Atomic uint64_t rollbacks[ROLLBACK_RESULTS]; /* master; asked for by a signal */
	_Atomic uint32_t last_reload_ok;	/* master; 1 or 0; 1 before the first reload */
	_Atomic uint64_t last_load_ns;		/* master; how long the last one took, or the load at the start */
	_Atomic uint64_t restarts[ENDS];	/* master; workers that ended without being asked to, by end */
	_Atomic uint64_t unanswered;		/* master; requests that were in the hands of a worker that died */
	_Atomic uint64_t loader_cpu;		/* master; nanoseconds that its loaders have used */
	_Atomic int32_t monitor;		/* master; the monitor's pid; 0: nobody; BOARD_ACCOUNTING */
	_Atomic uint64_t monitor_cpu;		/* master; nanoseconds that the dead monitors have used */
	_Atomic uint64_t monitor_restarts;	/* master; monitors that ended without being asked to */
	_Atomic uint64_t proportional;		/* master; bytes, its own share of memory; 0: not known */
	_Atomic uint32_t shared;		/* master; a bit for each listener that another master has, too */
	_Atomic uint64_t upgrade_failures;	/* master; successors that were started and did not get to serve */
	_Atomic uint32_t reason_turn;		/* master; odd while it writes the text below: see board_reason() */
	char last_reload_reason[BOARD_REASON];	/* master; why the last reload failed; "": it did not */
	struct key_table keys;			/* master; empty without API keys */
	char release[24];			/* master; the program's version: another one's commands may read this */
	uint32_t counters_size;			/* master; of each slot's, as that version lays them out */
	_Atomic int32_t predecessor;		/* master; the one that has started it, to take its place; 0: none */
	uint32_t counting;			/* master; 1 when requests are counted (the setting metrics) */
	char where[BOARD_WHERE];		/* master, before its first load; what is listened on; "": not told yet */
	char ops_where[BOARD_WHERE];		/* master, the same; the operations listener; "": there is none */
	uint64_t shown_key;			/* master; drawn once: what names of answers are made with (metrics/shown.h) */
	uint32_t shown_ring;			/* master; answers that each slot remembers; 0: none are */
};

struct board_slot {
	_Alignas(64) _Atomic int32_t pid;	/* master; 0: nobody; BOARD_ACCOUNTING */
	_Atomic uint32_t state;			/* worker; enum worker_state. Master: NONE after its death */
	_Atomic uint64_t generation;		/* worker; the one new requests get */
	_Atomic uint64_t oldest;		/* worker; the oldest one still pinned by a request */
	_Atomic uint64_t starts;		/* master; workers forked into this slot */
	_Atomic uint64_t ended_cpu;		/* master; nanoseconds that the dead workers of this slot have used */
	_Atomic uint32_t answered;		/* worker; 1 once it has answered a request. Master: 0 before the fork */
	_Atomic uint32_t full;			/* worker; a bit for each listener whose threads all have a connection */
	_Atomic uint64_t beats;			/* worker; one more now and then, as a sign of life */
};

struct board {
	struct segment segment;
	struct board_head *head;
	uint8_t *own;				/* a worker's writable view of its own slot; NULL in the master */
	uint32_t own_index;
	int model;				/* reads the segment of generation model_generation, whatever becomes of */
	uint64_t model_generation;		/* its name, for the workers that are forked; 0: there is none */
	int previous;				/* the same of the generation before, for a rollback */
	uint64_t previous_generation;
};

/* The master's call, before any fork: a board with slots of counters_size bytes of counters each, and monitored_size bytes
 * for what the monitor publishes, all zeroed. */
bool board_create(struct board *b, uint32_t slots, size_t counters_size, size_t monitored_size, struct fault *why);
/* A worker's call, right after the fork: the whole board becomes read-only but for slot i. */
bool board_enter(struct board *b, uint32_t i, struct fault *why);
/* A loader's, right after the fork: the whole board becomes read-only, as far as the kernel allows. */
void board_watch(struct board *b);
/* The monitor's, right after the fork: the whole board becomes read-only but for what it publishes. */
bool board_enter_monitored(struct board *b, struct fault *why);
/* Unmap; the name stays. */
void board_close(struct board *b);
/* Master only: remove the name and unmap. Call it last, when the models' names are gone. */
void board_remove(struct board *b);

/* Descriptors of the segments, of this process alone. fd is taken over for what is served now, and what was served
 * becomes the previous one, in place of the one before. */
void board_keep_model(struct board *b, int fd, uint64_t generation);
/* The previous one is served again, as this generation, and the other way round. */
void board_swap_models(struct board *b, uint64_t generation);
void board_drop_previous(struct board *b);
void board_drop_models(struct board *b);

/* The master's: why the last reload failed, in one line, cut to BOARD_REASON; "" when it did not. */
void board_set_reason(struct board *b, const char *text);
/* Anybody's: that text, as one writing of it left it. */
void board_reason(const struct board *b, char text[BOARD_REASON]);

uint32_t board_slots(const struct board *b);
const char *board_token(const struct board *b);

/* Slot i, for reading (the master may write the fields that are its own). */
struct board_slot *board_slot(const struct board *b, uint32_t i);
/* Slot i's counters, for reading. */
const void *board_counters(const struct board *b, uint32_t i);
/* What the monitor publishes: for its writing, and for everybody's reading. */
void *board_monitored(const struct board *b);
/* This worker's own slot and counters, for writing. */
struct board_slot *board_own(const struct board *b);
void *board_own_counters(const struct board *b);
/* Master only: a dead worker's counters, to clear what counted things in its hands. */
void *board_dead_counters(const struct board *b, uint32_t i);

#endif
