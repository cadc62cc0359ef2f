/* counters.h - what one worker counts, laid out once from the list of families (families.h). The block lives in
 * the worker's board slot; its threads add to it, the scrape sums all slots.
 *
 * The functions of the request path, counters_begin() to counters_sent(), are relaxed additions to cells whose place is
 * known: nothing is looked up, locked, divided or allocated. */
#ifndef AKIN_COUNTERS_H
#define AKIN_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "families.h"
#include "../shm/key_table.h"
#include "../shm/model.h"

enum handler {
#define X(symbol, label) HANDLER_##symbol,
	HANDLERS(X)
#undef X
	HANDLER_COUNT
};
_Static_assert(HANDLER_COUNT <= 32, "a set of them is 32 bits");

enum method {
#define X(symbol) METHOD_##symbol,
	METHODS(X)
#undef X
	METHOD_OTHER,
	METHOD_COUNT
};

enum status {
#define X(code) STATUS_##code,
	STATUSES(X)
#undef X
	STATUS_COUNT
};

enum refusal {
#define X(symbol, label) REFUSAL_##symbol,
	REFUSALS(X)
#undef X
	REFUSAL_COUNT
};

enum ending {
#define X(symbol, label) ENDING_##symbol,
	ENDINGS(X)
#undef X
	ENDING_COUNT
};

enum denial {
#define X(symbol, label) DENIAL_##symbol,
	DENIALS(X)
#undef X
	DENIAL_COUNT
};

enum delivery {
#define X(symbol, label) DELIVERY_##symbol,
	DELIVERIES(X)
#undef X
	DELIVERY_COUNT
};

enum {
#define X(bound, le) +1
	SCORE_BOUND_COUNT = 0 SCORE_BOUNDS(X),
	RESULT_BOUND_COUNT = 0 RESULT_BOUNDS(X),
#undef X
};

enum event {
#define X(symbol, label) EVENT_##symbol,
	EVENTS(X)
#undef X
	EVENT_COUNT
};

enum outcome {
#define X(symbol, label, taken) OUTCOME_##symbol,
	OUTCOMES(X)
#undef X
	OUTCOME_COUNT
};

enum {
#define X(last, label) +1
	RANK_COUNT = 0 RANKS(X),
#undef X
	SOURCE_COUNT = 3,		/* enum source: shm/recommend.h */
	TRIAL_CELLS = 4
};

/* Times and bytes are kept for two methods, GET and any other, for those get little but refusals; and for the classes
 * 2xx to 5xx. */
enum { TIMED_GET, TIMED_OTHER, TIMED_COUNT };
enum { CLASS_2XX, CLASS_3XX, CLASS_4XX, CLASS_5XX, CLASS_COUNT };

enum {
#define X(ns, le, fine, coarse) +1
	BOUND_COUNT = 0 BOUNDS(X),
#undef X
	BIN_COUNT			/* one more, for what is above the last bound */
};

/* A request adds to three words of these. They are as close to each other as can be, since what makes counting take
 * time is that the next thread is on another core, and wants the same line of its cache. */
struct served {
	_Alignas(64) _Atomic uint64_t time; /* nanoseconds: whole numbers add up exactly */
	_Atomic uint64_t bytes;		/* of answers' bodies */
	_Atomic uint64_t bin[BIN_COUNT]; /* not cumulated; the scrape does that */
};

/* What predictions of one kind were. All that each of them adds to stands in one line of the cache, but for the bins. */
struct predicted {
	_Alignas(64) _Atomic uint64_t outcome[DELIVERY_COUNT];
	_Atomic uint64_t own_ids, fill_ids; /* of answers: ids of their own, and others */
	_Atomic uint64_t score;		/* of first own results, in units of 1e-9 */
	_Atomic uint64_t top_score[SCORE_BOUND_COUNT + 1]; /* answers by the score of their first own result */
	_Atomic uint64_t own_results[RESULT_BOUND_COUNT + 1]; /* answers by how many ids are their own */
};

/* One worker's counters. Only 64-bit words, all of them sums: slots are added word by word. Written by the threads
 * of the slot's worker, all fields relaxed; by the master only after that worker's death. Lies at a multiple of 64. */
struct counters {
#define FIELD_COMPUTED(symbol)
#define FIELD_ONE(symbol)	 _Atomic uint64_t symbol;
#define FIELD_BY_HANDLER(symbol) _Atomic uint64_t symbol[HANDLER_COUNT];
#define FIELD_BY_REFUSAL(symbol) _Atomic uint64_t symbol[REFUSAL_COUNT];
#define FIELD_BY_ENDING(symbol)	 _Atomic uint64_t symbol[ENDING_COUNT];
#define FIELD_BY_DENIAL(symbol)	 _Atomic uint64_t symbol[DENIAL_COUNT];
#define FIELD_BY_KEY(symbol)	 _Atomic uint64_t symbol[KEY_NAMES];
#define FIELD_BY_EVENT(symbol)	 _Atomic uint64_t symbol[EVENT_COUNT];
#define FIELD_BY_OUTCOME(symbol) _Atomic uint64_t symbol[OUTCOME_COUNT];
#define FIELD_BY_PLACE(symbol)	 _Atomic uint64_t symbol[SOURCE_COUNT][RANK_COUNT];
#define FIELD_BY_ANSWER(symbol)	 _Atomic uint64_t symbol[HANDLER_COUNT][METHOD_COUNT][STATUS_COUNT];
#define FIELD_SERVED(symbol)	 struct served symbol[HANDLER_COUNT][TIMED_COUNT][CLASS_COUNT];
#define FIELD_PREDICTED(symbol)	 struct predicted symbol[AXES];
#define X(symbol, type, shape, unit, name, labels, help) FIELD_##shape(symbol)
	FAMILIES(X)
#undef X
#undef FIELD_COMPUTED
#undef FIELD_ONE
#undef FIELD_BY_HANDLER
#undef FIELD_BY_REFUSAL
#undef FIELD_BY_ENDING
#undef FIELD_BY_DENIAL
#undef FIELD_BY_KEY
#undef FIELD_BY_EVENT
#undef FIELD_BY_OUTCOME
#undef FIELD_BY_PLACE
#undef FIELD_BY_ANSWER
#undef FIELD_SERVED
#undef FIELD_PREDICTED
	_Atomic uint64_t unheard;	/* connections whose first request has not come; a gauge, part of a family */
	_Atomic uint64_t ops_in_progress; /* requests in hand that came in by ops_listen; a gauge, part of a family */
	/* Trials and their hits by generation, that of generation g in cell g % TRIAL_CELLS: for the monitor, which takes
	 * differences. Part of two families, which are their sums over all time. */
	_Atomic uint64_t trials_of[TRIAL_CELLS];
	_Atomic uint64_t trial_hits_of[TRIAL_CELLS];
	_Atomic uint64_t others;	/* answers to methods but GET: without any, their cells need no look */
};

/* Bytes of a slot's counters: what board_create() wants. */
size_t counters_size(void);

/* The label of a method; NULL is METHOD_OTHER. */
enum method counters_method(const char *method);
/* The cell of a status code; never fails. */
enum status counters_status(int code);
/* A list of handlers, "/metrics, /healthz", as a set of bits 1 << enum handler. False: *bad_at, of length *bad_len, is no
 * handler. */
bool counters_handlers(const char *list, uint32_t *set, const char **bad_at, size_t *bad_len);

/* What one request is counted under. */
struct counted {
	enum handler handler;
	enum method method;
	enum status status;
};

static inline void counters_more(_Atomic uint64_t *word, uint64_t n)
{
	atomic_fetch_add_explicit(word, n, memory_order_relaxed);
}

static inline void counters_less(_Atomic uint64_t *word)
{
	atomic_fetch_sub_explicit(word, 1, memory_order_relaxed);
}

/* The bin of a duration: the first whose bound is not below it. Most are in the first three. */
static inline unsigned counters_bin(uint64_t ns)
{
	static const uint64_t bound[] = {
#define X(ns, le, fine, coarse) UINT64_C(ns),
		BOUNDS(X)
#undef X
	};
	unsigned i = 0;

	while (i < BOUND_COUNT && ns > bound[i])
		i++;
	return i;
}

static inline unsigned counters_class(enum status s)
{
	static const uint8_t class[] = {
#define X(code) [STATUS_##code] = code / 100 - 2,
		STATUSES(X)
#undef X
	};

	return class[s];
}

/* A request is in hand. */
static inline void counters_begin(struct counters *c)
{
	counters_more(&c->in_progress, 1);
}

static inline struct served *counters_served(struct counters *c, struct counted r)
{
	return &c->served[r.handler][r.method == METHOD_GET ? TIMED_GET : TIMED_OTHER][counters_class(r.status)];
}

/* It has its answer; the lengths are those of the bodies. Counted before the answer is sent, so that a client who has
 * it finds it in the next scrape. */
static inline void counters_answered(struct counters *c, struct counted r, uint64_t request_size, uint64_t response_size)
{
	if (r.method != METHOD_GET)
		counters_more(&c->others, 1);
	counters_more(&c->requests[r.handler][r.method][r.status], 1);
	if (request_size)
		counters_more(&c->request_size[r.handler], request_size);
	counters_more(&counters_served(c, r)->bytes, response_size);
}

/* It is out of hand: the answer is sent, or cannot be. */
static inline void counters_sent(struct counters *c, struct counted r, uint64_t ns)
{
	struct served *s = counters_served(c, r);

	counters_more(&s->bin[counters_bin(ns)], 1);
	counters_more(&s->time, ns);
	counters_less(&c->in_progress);
}

/* Add a slot's counters to a sum, which starts zeroed and is nobody else's. Returns how many requests the slot has
 * answered. */
uint64_t counters_add(struct counters *sum, const void *counters);

void counters_add_served(struct served *sum, const struct served *s);

/* Master, after a worker died: clear its gauges, for what was in its hands is over. Returns how many requests that
 * was. Totals stay. */
uint64_t counters_bury(void *counters);

#endif
