/* replay_score.h - the numbers of a replay, as a whole and by day, week or month. */
#ifndef AKIN_REPLAY_SCORE_H
#define AKIN_REPLAY_SCORE_H

#include "replay_judge.h"

/* How many, and of these unknown to the model. */
struct share {
	uint64_t all, unknown;
};

struct replay_score_period {
	int64_t begin;			/* of the day, week or month, as in the data; TRANSACTIONS_NO_TIME: rows without a time */
	struct share visits, lines;
	uint64_t purchases, trials, hits;
};

struct replay_score {
	uint64_t standing[STANDINGS];	/* purchases */
	uint64_t trials, trial_customers;
	uint64_t *hits[2];		/* [n] by place from 0; [0] from the fill, [1] of the most similar customer */
	struct share visits, lines, customers, items;
	int64_t from, until;		/* of the rows; TRANSACTIONS_NO_TIME: there are no times */
	uint64_t not_newer;		/* rows not newer than the model's data */
	struct replay_score_period *period;	/* in order of time */
	uint32_t periods;
	uint32_t period_cap;
};

/* Count all that j has judged. data_until: of the model; TRANSACTIONS_NO_TIME: not known. False: memory is short, nothing
 * is to be freed. */
bool replay_score_make(struct replay_score *s, const struct replay_judge *j, int64_t data_until, struct fault *why);
void replay_score_free(struct replay_score *s);

/* Hits within the first n places; source: 0 from the fill, 1 of the most similar customer. */
uint64_t replay_score_hits(const struct replay_score *s, unsigned source, uint32_t n);

/* The first second of the day, week (from Monday) or month of a time. */
int64_t replay_score_period_begin(enum period by, int64_t time);

#endif
