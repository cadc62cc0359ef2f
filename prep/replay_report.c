/* replay_report.c - what a replay has found, gathered as one JSON object. replay_text.c lays it out for people: both say
 * the same by construction. Only memory can be short. */
#include "replay_report.h"

#include <string.h>

#include "provenance.h"
#include "report.h"
#include "../shm/reference.h"

static const uint32_t cuts[] = {1, 3, 5, 10, 20, 50, 100, 200, 500};

static double ratio(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : 0; }

/* Appends, and gives what it had when something is missing. */
static bool append(json_t *list, json_t *one)
{
	return json_array_append_new(list, one) == 0;
}

static json_t *whole_or_none(json_t *list, bool whole)
{
	if (whole)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *share_json(const struct share *s)
{
	return json_pack("{s:I, s:I, s:f}", "all", (json_int_t)s->all, "unknown", (json_int_t)s->unknown,
			 "share", ratio(s->unknown, s->all));
}

/* What the model has promised; NULL: nothing, for nobody has told or it has no backtest. */
static const struct backtest *promise(const struct replay_result *r)
{
	return r->model && r->model->backtest->split != INT64_MIN ? r->model->backtest : NULL;
}

/* Of its trials, those that it hit within the first n places; null: it looked at fewer, or there is none. */
static json_t *promise_json(const struct backtest *b, uint32_t n)
{
	uint64_t hits = 0;

	if (!b || n > BACKTEST_RANKS)
		return json_null();
	for (uint32_t i = 0; i < n; i++)
		hits += b->hits_own[i] + b->hits_popular[i];
	return json_real(ratio(hits, b->trials));
}

/* Hits within the first n places. */
static json_t *cut_json(const struct replay_result *r, uint32_t n)
{
	const struct replay_score *s = r->score;
	uint64_t popular = replay_score_hits(s, 0, n), user = replay_score_hits(s, 1, n);

	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:o}", "n", (json_int_t)n, "hits", (json_int_t)(user + popular),
			 "user", (json_int_t)user, "popular", (json_int_t)popular,
			 "rate", ratio(user + popular, s->trials),
			 "promised", promise_json(promise(r), n));
}

static json_t *cuts_json(const struct replay_result *r)
{
	uint32_t n = r->options->n;
	json_t *list = json_array();
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < sizeof cuts / sizeof *cuts && cuts[i] < n; i++)
		ok = append(list, cut_json(r, cuts[i]));
	return whole_or_none(list, ok && append(list, cut_json(r, n)));
}

static json_t *places_json(const uint64_t *hits, uint32_t n)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (uint32_t i = 0; ok && i < n; i++)
		ok = append(list, json_integer((json_int_t)hits[i]));
	return whole_or_none(list, ok);
}

/* "2011-11-07", of a month "2011-11"; null: rows without a time. */
static json_t *begin_json(enum period by, int64_t begin)
{
	char text[TIME_TEXT];

	if (begin == TRANSACTIONS_NO_TIME)
		return json_null();
	time_of_data(text, begin);
	text[strcspn(text, " ")] = '\0';

	char *day = strrchr(text, '-');

	if (by == PERIOD_MONTH && day)
		*day = '\0';
	return json_string(text);
}

static json_t *periods_json(const struct replay_score *s, enum period by)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (uint32_t i = 0; ok && i < s->periods; i++) {
		const struct replay_score_period *p = &s->period[i];

		ok = append(list, json_pack("{s:o, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "begin", begin_json(by, p->begin),
					    "rows", (json_int_t)p->lines.all, "purchases", (json_int_t)p->purchases,
					    "trials", (json_int_t)p->trials, "hits", (json_int_t)p->hits,
					    "rate", ratio(p->hits, p->trials),
					    "visits", share_json(&p->visits), "lines", share_json(&p->lines)));
	}
	return whole_or_none(list, ok);
}

static json_t *rows_json(const struct replay_result *r)
{
	const struct transactions *t = r->new;
	const struct replay_score *s = r->score;
	char from[TIME_TEXT], until[TIME_TEXT];
	bool dated = s->from != TRANSACTIONS_NO_TIME;

	if (dated) {
		time_of_data(from, s->from);
		time_of_data(until, s->until);
	}
	return json_pack("{s:I, s:I, s:s?, s:s?, s:s?, s:s?, s:I, s:o}", "read", (json_int_t)t->rows_read,
			 "kept", (json_int_t)t->rows, "from", dated ? from : NULL, "until", dated ? until : NULL,
			 "date_format", t->date_format, "no_dates", t->recency_off, "undated", (json_int_t)t->undated,
			 "not_newer", r->model && dated ? json_integer((json_int_t)s->not_newer) : json_null());
}

/* Who was asked. */
static json_t *asked_json(const struct replay_result *r)
{
	static const char *const fills[] = {[FILL_POPULAR] = "popular", [FILL_RECENT] = "recent", [FILL_NONE] = "none"};
	const struct replay_options *o = r->options;
	char checksum[17], path[1024];

	if (r->model)
		snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)r->model->head->checksum);
	return json_pack("{s:O?, s:s?, s:s?, s:I, s:s?}", "server", r->server,
			 "model", o->model ? fault_quote(path, sizeof path, o->model, strlen(o->model)) : NULL,
			 "checksum", r->model ? checksum : NULL, "n", (json_int_t)o->n,
			 "fill", o->server ? NULL : fills[o->fill]);
}

/* The purchases that are no trials. Whether a purchase is a repeat is not known of a server alone that is not told. */
static json_t *aside_json(const struct replay_result *r)
{
	const uint64_t *n = r->score->standing;
	bool known = r->options->model || r->options->feedback;

	return json_pack("{s:I, s:I, s:o, s:I}", "unknown_customer", (json_int_t)n[UNKNOWN_CUSTOMER],
			 "unknown_item", (json_int_t)n[UNKNOWN_ITEM],
			 "repeat", known ? json_integer((json_int_t)n[REPEAT]) : json_null(),
			 "not_judged", (json_int_t)n[NOT_JUDGED]);
}

static bool add(json_t *all, const char *key, json_t *value) { return json_object_set_new(all, key, value) == 0; }

json_t *replay_report_json(const struct replay_result *r)
{
	static const char *const periods[] = {[PERIOD_DAY] = "day", [PERIOD_WEEK] = "week", [PERIOD_MONTH] = "month"};
	const struct replay_options *o = r->options;
	const struct replay_score *s = r->score;
	json_t *all = asked_json(r);
	bool ok = all && add(all, "rows", rows_json(r)) &&
		  add(all, "purchases", json_integer(r->purchases->n)) && add(all, "aside", aside_json(r)) &&
		  add(all, "trials", json_integer((json_int_t)s->trials)) &&
		  add(all, "trial_customers", json_integer((json_int_t)s->trial_customers)) &&
		  add(all, "hits", json_integer((json_int_t)s->standing[HIT])) &&
		  add(all, "hit_rate", json_real(ratio(s->standing[HIT], s->trials))) &&
		  add(all, "first", cuts_json(r)) &&
		  add(all, "hits_by_place", json_pack("{s:o, s:o}", "user", places_json(s->hits[1], o->n), "popular",
						      places_json(s->hits[0], o->n))) &&
		  add(all, "unknown", json_pack("{s:o, s:o, s:o, s:o}", "visits", share_json(&s->visits), "lines",
						share_json(&s->lines), "customers", share_json(&s->customers), "items",
						share_json(&s->items)));

	if (ok)
		ok = add(all, "backtest", promise(r) ? report_backtest_json(promise(r)) : json_null());
	if (ok && o->by != PERIOD_NONE)
		ok = add(all, "by", json_string(periods[o->by])) && add(all, "periods", periods_json(s, o->by));
	if (ok && r->feedback)
		ok = add(all, "feedback", json_incref(r->feedback));
	return whole_or_none(all, ok);
}
