/* counters.c - the words of a slot: where a request is counted, how slots are summed, what dies with a worker.
 *
 * Nothing here can fail. The layout is the same in every process of a tree, since a worker is a fork of its master;
 * nobody else reads it.
 *
 * Summing is what a scrape spends on each slot. Most cells are never used. Times and bytes, two thirds of a slot,
 * are read only where requests were counted, for a request is counted before its time is; and most of the rest is for
 * methods that hardly anybody uses. */
#include "counters.h"

#include <string.h>

#define LOAD(word) atomic_load_explicit(&(word), memory_order_relaxed)

size_t counters_size(void) { return sizeof(struct counters); }

enum method counters_method(const char *method)
{
	if (!method)
		return METHOD_OTHER;
#define X(symbol)                        \
	if (strcmp(method, #symbol) == 0) \
		return METHOD_##symbol;
	METHODS(X)
#undef X
	return METHOD_OTHER;
}

enum status counters_status(int code)
{
	switch (code) {
#define X(listed) case listed: return STATUS_##listed;
	STATUSES(X)
#undef X
	}
	return code < 300 ? STATUS_200 : code < 400 ? STATUS_307 : code < 500 ? STATUS_400 : STATUS_500;
}

bool counters_handlers(const char *list, uint32_t *set, const char **bad_at, size_t *bad_len)
{
	static const char *const label[] = {
#define X(symbol, text) [HANDLER_##symbol] = text,
		HANDLERS(X)
#undef X
	};
	static const char between[] = ", \t";

	*set = 0;
	for (list += strspn(list, between); *list; list += strspn(list, between)) {
		size_t n = strcspn(list, between);
		unsigned h = 0;

		while (h < HANDLER_COUNT && (strlen(label[h]) != n || memcmp(label[h], list, n) != 0))
			h++;
		if (h == HANDLER_COUNT) {
			*bad_at = list;
			*bad_len = n;
			return false;
		}
		*set |= UINT32_C(1) << h;
		list += n;
	}
	return true;
}

/* Add n words. Returns their sum in `from`. */
static uint64_t add(_Atomic uint64_t *to, const _Atomic uint64_t *from, size_t n)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t more = LOAD(from[i]);

		if (more)
			atomic_store_explicit(&to[i], LOAD(to[i]) + more, memory_order_relaxed);
		all += more;
	}
	return all;
}

void counters_add_served(struct served *sum, const struct served *s)
{
	add(&sum->time, &s->time, 1);
	add(&sum->bytes, &s->bytes, 1);
	add(sum->bin, s->bin, BIN_COUNT);
}

static void add_predicted(struct predicted *sum, const struct predicted *p)
{
	for (unsigned kind = 0; kind < AXES; kind++, sum++, p++) {
		add(sum->outcome, p->outcome, DELIVERY_COUNT);
		add(&sum->own_ids, &p->own_ids, 1);
		add(&sum->fill_ids, &p->fill_ids, 1);
		add(&sum->score, &p->score, 1);
		add(sum->top_score, p->top_score, SCORE_BOUND_COUNT + 1);
		add(sum->own_results, p->own_results, RESULT_BOUND_COUNT + 1);
	}
}

static uint64_t add_answers(struct counters *sum, const struct counters *c)
{
	unsigned methods = LOAD(c->others) ? METHOD_COUNT : 1;
	uint64_t all = 0;

	_Static_assert(METHOD_GET == 0, "the first one");

	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		uint64_t n[TIMED_COUNT] = {0};

		for (unsigned m = 0; m < methods; m++)
			n[m == METHOD_GET ? TIMED_GET : TIMED_OTHER] +=
				add(sum->requests[h][m], c->requests[h][m], STATUS_COUNT);
		for (unsigned t = 0; t < TIMED_COUNT; t++) {
			for (unsigned class = 0; n[t] && class < CLASS_COUNT; class++)
				counters_add_served(&sum->served[h][t][class], &c->served[h][t][class]);
			all += n[t];
		}
	}
	return all;
}

uint64_t counters_add(struct counters *sum, const void *counters)
{
	const struct counters *c = counters;

#define ADD_COMPUTED(symbol)
#define ADD_ONE(symbol)	       add(&sum->symbol, &c->symbol, 1);
#define ADD_BY_HANDLER(symbol) add(sum->symbol, c->symbol, HANDLER_COUNT);
#define ADD_BY_REFUSAL(symbol) add(sum->symbol, c->symbol, REFUSAL_COUNT);
#define ADD_BY_ENDING(symbol)  add(sum->symbol, c->symbol, ENDING_COUNT);
#define ADD_BY_DENIAL(symbol)  add(sum->symbol, c->symbol, DENIAL_COUNT);
#define ADD_BY_KEY(symbol)     add(sum->symbol, c->symbol, KEY_NAMES);
#define ADD_BY_EVENT(symbol)   add(sum->symbol, c->symbol, EVENT_COUNT);
#define ADD_BY_OUTCOME(symbol) add(sum->symbol, c->symbol, OUTCOME_COUNT);
#define ADD_BY_PLACE(symbol)   add(sum->symbol[0], c->symbol[0], SOURCE_COUNT * RANK_COUNT);
#define ADD_BY_ANSWER(symbol)	/* these two together, below */
#define ADD_SERVED(symbol)
#define ADD_PREDICTED(symbol)  add_predicted(sum->symbol, c->symbol);
#define X(symbol, type, shape, unit, name, labels, help) ADD_##shape(symbol)
	FAMILIES(X)
#undef X
#undef ADD_COMPUTED
#undef ADD_ONE
#undef ADD_BY_HANDLER
#undef ADD_BY_REFUSAL
#undef ADD_BY_ENDING
#undef ADD_BY_DENIAL
#undef ADD_BY_KEY
#undef ADD_BY_EVENT
#undef ADD_BY_OUTCOME
#undef ADD_BY_PLACE
#undef ADD_BY_ANSWER
#undef ADD_SERVED
#undef ADD_PREDICTED
	return add_answers(sum, c);
}

uint64_t counters_bury(void *counters)
{
	struct counters *c = counters;
	uint64_t in_hand = LOAD(c->in_progress);

#define BURY_COUNTER_BY_ANSWER(symbol)
#define BURY_COUNTER_BY_REFUSAL(symbol)
#define BURY_COUNTER_BY_ENDING(symbol)
#define BURY_COUNTER_BY_DENIAL(symbol)
#define BURY_COUNTER_BY_KEY(symbol)
#define BURY_COUNTER_BY_EVENT(symbol)
#define BURY_COUNTER_BY_OUTCOME(symbol)
#define BURY_COUNTER_BY_PLACE(symbol)
#define BURY_COUNTER_ONE(symbol)
#define BURY_COUNTER_COMPUTED(symbol)
#define BURY_COUNTER_PREDICTED(symbol)
#define BURY_SUMMARY_BY_HANDLER(symbol)
#define BURY_SUMMARY_COMPUTED(symbol)
#define BURY_HISTOGRAM_SERVED(symbol)
#define BURY_HISTOGRAM_COMPUTED(symbol)
#define BURY_GAUGE_COMPUTED(symbol)
#define BURY_GAUGE_ONE(symbol) atomic_store_explicit(&c->symbol, 0, memory_order_relaxed);
#define X(symbol, type, shape, unit, name, labels, help) BURY_##type##_##shape(symbol)
	FAMILIES(X)
#undef X
	atomic_store_explicit(&c->unheard, 0, memory_order_relaxed);
	atomic_store_explicit(&c->ops_in_progress, 0, memory_order_relaxed);
	return in_hand;
}
