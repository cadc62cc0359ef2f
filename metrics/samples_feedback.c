/* samples_feedback.c - what customers did with what they were shown. Every label is there from the start, so that rate() and
 * a ratio see the first event of a kind. */
#include "page.h"

void samples_feedback_events(struct page *p)
{
	static const char *const event[] = {
#define X(symbol, label) [EVENT_##symbol] = label,
		EVENTS(X)
#undef X
	};

	for (unsigned i = 0; i < EVENT_COUNT; i++)
		page_value_by(p, "event", event[i], LOAD(p->sum->feedback_events[i]));
}

void samples_feedback_outcomes(struct page *p)
{
	static const char *const outcome[] = {
#define X(symbol, label, taken) [OUTCOME_##symbol] = label,
		OUTCOMES(X)
#undef X
	};

	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		page_value_by(p, "outcome", outcome[i], LOAD(p->sum->feedback_outcomes[i]));
}

void samples_feedback_hits(struct page *p)
{
	static const char *const source[SOURCE_COUNT] = {"user", "item", "popular"};
	static const char *const rank[] = {
#define X(last, label) label,
		RANKS(X)
#undef X
	};

	for (unsigned s = 0; s < SOURCE_COUNT; s++) {
		for (unsigned r = 0; r < RANK_COUNT; r++) {
			struct labels l = {.len = 0};

			labels_add(&l, "source", source[s]);
			labels_add(&l, "rank", rank[r]);
			write_value(&p->w, &l, LOAD(p->sum->feedback_hits[s][r]));
			write_created(&p->w, &l);
		}
	}
}

void samples_feedback_trials(struct page *p) { page_value(p, LOAD(p->sum->feedback_trials)); }
void samples_feedback_trial_hits(struct page *p) { page_value(p, LOAD(p->sum->feedback_trial_hits)); }
void samples_feedback_logged(struct page *p) { page_value(p, LOAD(p->sum->feedback_logged)); }
void samples_feedback_log_errors(struct page *p) { page_value(p, LOAD(p->sum->feedback_log_errors)); }
