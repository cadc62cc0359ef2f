/* replay_score.c - one walk over the rows in order of time. Called once by replay.c, when all is judged. Only memory can be
 * short. */
#include "replay_score.h"

#include <stdlib.h>
#include <time.h>

#define DAY INT64_C(86400)

/* Whole days since 1970, also before it. */
static int64_t days(int64_t time) { return time / DAY - (time % DAY < 0); }

int64_t replay_score_period_begin(enum period by, int64_t time)
{
	int64_t day = days(time);
	time_t t = (time_t)time;
	struct tm tm;

	if (by == PERIOD_WEEK)
		day -= ((day + 3) % 7 + 7) % 7;		/* 1970 began on a Thursday */
	if (by == PERIOD_MONTH && gmtime_r(&t, &tm))
		day -= tm.tm_mday - 1;
	return day * DAY;
}

/* The period that a row belongs to: the last one, or a new one. NULL: no memory. */
static struct replay_score_period *period_of(struct replay_score *s, enum period by, int64_t time)
{
	int64_t begin = time == TRANSACTIONS_NO_TIME ? time : replay_score_period_begin(by, time);

	if (s->periods > 0 && s->period[s->periods - 1].begin == begin)
		return &s->period[s->periods - 1];
	if (s->periods == s->period_cap) {
		uint32_t cap = s->period_cap ? s->period_cap * 2 : 64;
		struct replay_score_period *more = realloc(s->period, cap * sizeof *more);

		if (!more)
			return NULL;
		s->period = more;
		s->period_cap = cap;
	}
	s->period[s->periods] = (struct replay_score_period){.begin = begin};
	return &s->period[s->periods++];
}

static void count(struct share *s, bool unknown)
{
	s->all++;
	s->unknown += unknown;
}

static bool is_trial(const struct judged *v) { return v->standing == HIT || v->standing == MISS; }

static void count_purchase(struct replay_score *s, struct replay_score_period *in, const struct judged *v)
{
	s->standing[v->standing]++;
	s->trials += is_trial(v);
	in->purchases++;
	in->trials += is_trial(v);
	in->hits += v->standing == HIT;
	if (v->standing == HIT)
		s->hits[v->own][v->place]++;
}

/* Rows, visits and purchases, in order of time. */
static bool count_rows(struct replay_score *s, const struct replay_judge *j, int64_t data_until)
{
	const struct purchases *p = j->purchases;
	const struct transactions *t = j->new;
	uint32_t k = 0;

	for (uint32_t i = 0; i < p->rows; i++) {
		uint32_t row = p->order[i];
		int64_t time = t->time ? t->time[row] : TRANSACTIONS_NO_TIME;
		bool nobody = j->customer[t->customer[row]] == SEEN_UNKNOWN, nothing = j->item[t->item[row]] == SEEN_UNKNOWN;
		struct replay_score_period none = {0}, *in = &none;

		if (j->options->by != PERIOD_NONE && !(in = period_of(s, j->options->by, time)))
			return false;
		if (time != TRANSACTIONS_NO_TIME) {
			s->from = s->from == TRANSACTIONS_NO_TIME ? time : s->from;
			s->until = time;
			s->not_newer += time <= data_until;
		}
		count(&s->lines, nothing);
		count(&in->lines, nothing);
		if (p->visit[i]) {
			count(&s->visits, nobody);
			count(&in->visits, nobody);
		}
		if (k < p->n && p->at[k] == i)
			count_purchase(s, in, &j->judged[k++]);
	}
	return true;
}

static void count_distinct(struct replay_score *s, const struct replay_judge *j)
{
	const struct purchases *p = j->purchases;

	for (uint32_t i = 0; i < j->new->items.n; i++)
		count(&s->items, j->item[i] == SEEN_UNKNOWN);
	for (uint32_t c = 0; c < j->new->customers.n; c++) {
		bool tried = false;

		count(&s->customers, j->customer[c] == SEEN_UNKNOWN);
		for (uint64_t k = p->of_start[c]; k < p->of_start[c + 1]; k++)
			tried = tried || is_trial(&j->judged[p->of[k]]);
		s->trial_customers += tried;
	}
}

bool replay_score_make(struct replay_score *s, const struct replay_judge *j, int64_t data_until, struct fault *why)
{
	*s = (struct replay_score){.from = TRANSACTIONS_NO_TIME, .until = TRANSACTIONS_NO_TIME};
	for (int own = 0; own < 2; own++)
		s->hits[own] = calloc(j->options->n, sizeof *s->hits[own]);
	if (s->hits[0] && s->hits[1] && count_rows(s, j, data_until)) {
		count_distinct(s, j);
		return true;
	}
	replay_score_free(s);
	return fault_set(why, "no memory to count %u purchases", j->purchases->n);
}

void replay_score_free(struct replay_score *s)
{
	free(s->hits[0]);
	free(s->hits[1]);
	free(s->period);
	*s = (struct replay_score){0};
}

uint64_t replay_score_hits(const struct replay_score *s, unsigned source, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += s->hits[source][i];
	return sum;
}
