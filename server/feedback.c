/* feedback.c - one POST /feedback from its body to its answer.
 *
 * Called by serve.c. The order is what the promises rest on: an event is decided, logged, counted, remembered, and then
 * acknowledged. Whoever dies on the way has acknowledged nothing, and who sends the events again loses none; those that were
 * counted already count twice, unless they were remembered, too.
 *
 * Memory for body and events is taken for the request and given back; what a thread keeps is its answer's, and of that not
 * more than KEEP (serve.c). What fails: memory, a 500 before anything is logged; the log, a 503. */
#include "feedback.h"

#include <stdlib.h>
#include <time.h>

#include "feedback_join.h"
#include "feedback_log.h"
#include "feedback_once.h"
#include "pin.h"

#define LITERAL(s) (s), sizeof(s) - 1
#define LONGEST    160			/* bytes of one event in an answer, and of what stands around them */

static const char *const outcome_name[] = {
#define X(symbol, label, taken) [OUTCOME_##symbol] = label,
	OUTCOMES(X)
#undef X
};
static const char *const source_name[] = {
	[SOURCE_USER] = "user", [SOURCE_ITEM] = "item", [SOURCE_POPULAR] = "popular",
};

/* The body, as it comes; its memory grows with it. False: the answer says why. */
static bool read_body(struct answer *a, const struct request *q, char **body, size_t *len)
{
	size_t cap = 0;
	struct body_fault fault;

	*body = NULL;
	for (*len = 0;;) {
		if (*len == cap) {
			char *more = realloc(*body, cap = cap ? 2 * cap : 4096);

			if (!more) {
				a->failed = true;
				return false;
			}
			*body = more;
		}
		int n = q->read(q, *body + *len, cap - *len, &fault);

		if (n < 0)
			answer_detail(a, fault.status, fault.reason);
		if (n <= 0)
			return n == 0;
		*len += (size_t)n;
	}
}

/* Decide what is undecided, and write the rows of those that are taken. False: memory was short. */
static bool decide(struct feedback_join *j, struct feedback_body *f, struct feedback_rows *rows)
{
	int64_t now = (int64_t)time(NULL);

	for (uint32_t i = 0; i < f->count; i++) {
		struct feedback_event *e = &f->event[i];
		struct text customer;

		if (e->outcome != FEEDBACK_UNDECIDED || e->first != i)
			continue;
		if (!feedback_join(j, e, &customer))
			return false;
		if (feedback_log_is_on() && feedback_taken(e->outcome) && !feedback_rows_add(rows, e, customer, now))
			return false;
	}
	return true;
}

/* What was to be logged and was not, and what repeats another event of this body. */
static void settle(struct feedback_body *f, bool logged)
{
	for (uint32_t i = 0; i < f->count; i++) {
		struct feedback_event *e = &f->event[i];

		if (e->first == i && feedback_taken(e->outcome) && !logged) {
			e->outcome = OUTCOME_NOT_LOGGED;
			e->trial = false;
		}
		if (e->first != i) {	/* it stands before this one, and is settled */
			const struct feedback_event *first = &f->event[e->first];

			e->outcome = feedback_taken(first->outcome) ? OUTCOME_DUPLICATE : first->outcome;
			e->detail = e->outcome == OUTCOME_DUPLICATE ? NULL : first->detail;
		}
	}
}

static unsigned rank_of(uint64_t it) { return 0 RANKS(BIN_OF_IT); }

static void count(struct counters *c, const struct feedback_event *e, uint64_t generation)
{
	counters_more(&c->feedback_outcomes[e->outcome], 1);
	if (!feedback_taken(e->outcome))
		return;
	counters_more(&c->feedback_events[e->kind], 1);
	if (e->outcome == OUTCOME_HIT)
		counters_more(&c->feedback_hits[e->source][rank_of(e->place)], 1);
	if (!e->trial)
		return;
	counters_more(&c->feedback_trials, 1);
	counters_more(&c->trials_of[generation % TRIAL_CELLS], 1);
	if (e->outcome != OUTCOME_HIT)
		return;
	counters_more(&c->feedback_trial_hits, 1);
	/* Released: whoever sees the hit sees its trial (metrics/sums.c). */
	atomic_fetch_add_explicit(&c->trial_hits_of[generation % TRIAL_CELLS], 1, memory_order_release);
}

static void write_event(struct answer *a, const struct feedback_event *e)
{
	answer_bytes(a, LITERAL("{\"outcome\":\""));
	answer_text(a, outcome_name[e->outcome]);
	answer_bytes(a, LITERAL("\""));
	if (e->outcome == OUTCOME_HIT) {
		answer_bytes(a, LITERAL(",\"rank\":"));
		answer_number(a, e->place);
		answer_bytes(a, LITERAL(",\"source\":\""));
		answer_text(a, source_name[e->source]);
		answer_bytes(a, LITERAL("\""));
	} else if (e->detail) {
		answer_bytes(a, LITERAL(",\"detail\":\""));
		answer_text(a, e->detail);
		answer_bytes(a, LITERAL("\""));
	}
	answer_bytes(a, LITERAL("}"));
}

static void write_answer(struct answer *a, const struct feedback_body *f)
{
	uint32_t accepted = 0;

	for (uint32_t i = 0; i < f->count; i++)
		accepted += feedback_taken(f->event[i].outcome);
	answer_bytes(a, LITERAL("{\"accepted\":"));
	answer_number(a, accepted);
	answer_bytes(a, LITERAL(",\"rejected\":"));
	answer_number(a, f->count - accepted);
	answer_bytes(a, LITERAL(",\"results\":["));
	for (uint32_t i = 0; i < f->count; i++) {
		if (i)
			answer_bytes(a, LITERAL(","));
		write_event(a, &f->event[i]);
	}
	answer_bytes(a, LITERAL("]}"));
}

/* Events in hand, decided: log, count and answer. The answer's memory is taken first: an event must not be counted that can't be
 * acknowledged for want of memory. */
static void finish(struct answer *a, struct feedback_body *f, const struct feedback_rows *rows, struct counters *c)
{
	bool logged = rows->count == 0 || feedback_log_append(rows);

	settle(f, logged);
	if (c && logged)
		counters_more(&c->feedback_logged, rows->count);
	for (uint32_t i = 0; c && i < f->count; i++)
		count(c, &f->event[i], a->generation);
	if (!logged) {
		a->status = 503;
		a->generation = 0;
		a->extra = "Retry-After: 1\r\n";
	}
	write_answer(a, f);
}

static void answer_events(struct serve_thread *t, const struct settings *s, const struct board *b, struct counters *c,
			  struct feedback_body *f)
{
	struct feedback_rows rows = {.count = 0};
	struct answer *a = &t->answer;

	feedback_once_take(b, f);
	struct pin *pin = pin_take();
	struct feedback_join j = {.board = b, .packed = pin ? &pin->packed : NULL, .fill = s->fill, .thread = t};
	bool decided = pin && answer_reserve(a, LONGEST * ((size_t)f->count + 1)) && decide(&j, f, &rows);

	if (pin) {
		a->generation = pin->packed.generation;
		pin_drop(pin);
	}
	if (decided)
		finish(a, f, &rows, c);
	else if (pin)
		a->failed = true;
	else
		answer_detail(a, 503, "No model is served yet");
	feedback_once_give(b, f, decided);
	free(rows.at);
}

uint64_t feedback(struct serve_thread *t, const struct settings *s, const struct board *b, struct counters *c,
		  const struct request *q)
{
	struct feedback_limits l = {
		.events = s->feedback_max_events,
		.latest_ms = ((int64_t)time(NULL) + 1 + s->feedback_future_s) * 1000,
	};
	struct feedback_body f;
	struct fault why;
	char *body;
	size_t len;
	int status;

	if (read_body(&t->answer, q, &body, &len)) {
		if (feedback_read(&f, (struct text){body, len}, &l, &status, &why)) {
			answer_events(t, s, b, c, &f);
			feedback_read_free(&f);
		} else if (status == 500) {
			t->answer.failed = true;
		} else {
			answer_detail(&t->answer, status, why.text);
		}
	}
	free(body);
	return len;
}
