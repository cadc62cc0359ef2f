/* backtest.c - the data are split in time: of the rows before, everything is made that an answer to a customer needs, and the
 * rows from then on are counted against it. akin-prep build calls it once, before it makes anything of all rows, so that
 * what this takes is free again by then. The answers are those of shm/recommend.c, on a model that has only what that reads.
 *
 * A new row is looked at with its customer: rows are dealt by customer, as their numbers. Whether one has an item already,
 * whether one was counted as a trial, whether an item was seen at all is each a stamp on the item. The nearest customer,
 * which costs nearly all of the time, is looked for in the end and only for those with trials, a third of all in Online
 * Retail. Fails only for want of memory. Data that are too short for a split have no backtest, which is no failure. */
#include "backtest.h"

#include <stdlib.h>
#include <string.h>

#include "interactions.h"
#include "popularity.h"
#include "visits.h"
#include "../shm/basket.h"
#include "../shm/recommend.h"

#define DAY INT64_C(86400)

/* The older data as a model, and the newer ones by customer. Numbers are those of the transactions, indexes the model's. */
struct split {
	const struct transactions *t;
	int64_t at;			/* older: before it; newer: not before it */
	struct transactions older;	/* the rows, renumbered */
	uint32_t *older_customer;	/* [customers of t] number in older, or MODEL_NONE */
	uint32_t *older_item;		/* [items of t] */
	uint32_t *item_number;		/* [items of older] number in t */
	uint32_t *customer_index;	/* [customers of older] index in the model */
	struct interactions interactions;
	struct popularity popularity;
	struct similarity similarity;	/* of customers, the nearest one alone */
	struct packed packed;
	uint64_t *start;		/* [customers of t + 2] into row */
	uint32_t *row;			/* newer rows by customer */
	/* of the customer at hand */
	int64_t *time;			/* of the newer rows */
	uint32_t *has;			/* [items of t] the last customer who had it or bought it, by number */
	uint32_t *tried;		/* [items of t] and for whom it was a trial */
	uint8_t *seen;			/* [items of t] in any newer row */
	uint8_t *tries;			/* [customers of older] by index: has trials */
};

static bool no_memory(struct fault *why, uint64_t rows)
{
	return fault_set(why, "no memory to backtest with %llu rows", (unsigned long long)rows);
}

static bool is_older(const struct split *s, uint64_t row)
{
	return s->t->time[row] < s->at && s->t->time[row] != TRANSACTIONS_NO_TIME;
}

static bool is_newer(const struct split *s, uint64_t row)
{
	return s->t->time[row] >= s->at;
}

/* Where to split; NULL, or why there is nothing to split. */
static const char *find_split(const struct transactions *t, uint32_t days, int64_t *at)
{
	int64_t newest = TRANSACTIONS_NO_TIME, oldest = INT64_MAX, wanted;

	if (days == 0)
		return "none was wanted";
	if (!t->time)
		return "there are no dates";
	for (uint64_t i = 0; i < t->rows; i++) {
		if (t->time[i] == TRANSACTIONS_NO_TIME)
			continue;
		newest = t->time[i] > newest ? t->time[i] : newest;
		oldest = t->time[i] < oldest ? t->time[i] : oldest;
	}
	/* What is learnt from must be no shorter than what it is tried on. Times may be any 64 bits. */
	if (newest == TRANSACTIONS_NO_TIME || __builtin_sub_overflow(newest, days * DAY, at) ||
	    __builtin_sub_overflow(*at, days * DAY, &wanted) || oldest > wanted)
		return "the data before it would be shorter than those after it";
	return NULL;
}

/* The number of one entity in the older data, where it is put when it is new. */
static bool renumber(struct intern *to, const struct intern *from, uint32_t number, uint32_t *map)
{
	const char *text = from->bytes + from->start[number];

	return map[number] != MODEL_NONE ||
	       intern_put(to, text, (size_t)(from->start[number + 1] - from->start[number]), &map[number]);
}

static bool take_older(struct split *s)
{
	const struct transactions *t = s->t;
	struct transactions *o = &s->older;
	uint64_t n = 0;
	bool ok = true;

	for (uint64_t i = 0; i < t->rows; i++)
		n += is_older(s, i);
	o->customer = malloc(n * sizeof *o->customer);
	o->item = malloc(n * sizeof *o->item);
	s->older_customer = malloc(t->customers.n * sizeof *s->older_customer);
	s->older_item = malloc(t->items.n * sizeof *s->older_item);
	if (!o->customer || !o->item || !s->older_customer || !s->older_item)
		return false;
	memset(s->older_customer, 0xff, t->customers.n * sizeof *s->older_customer);
	memset(s->older_item, 0xff, t->items.n * sizeof *s->older_item);
	for (uint64_t i = 0; ok && i < t->rows; i++) {
		uint32_t c = t->customer[i], item = t->item[i];

		if (!is_older(s, i))
			continue;
		ok = renumber(&o->customers, &t->customers, c, s->older_customer) &&
		     renumber(&o->items, &t->items, item, s->older_item);
		o->customer[o->rows] = s->older_customer[c];
		o->item[o->rows++] = s->older_item[item];
	}
	o->description_of = malloc(o->items.n * sizeof *o->description_of);
	if (ok && o->description_of)
		memset(o->description_of, 0xff, o->items.n * sizeof *o->description_of);
	return ok && o->description_of;
}

/* The way back, from the model to the transactions. */
static bool map_back(struct split *s)
{
	const struct interactions *x = &s->interactions;
	uint32_t customers = x->side[AXIS_CUSTOMER].n;

	s->customer_index = malloc(customers * sizeof *s->customer_index);
	s->item_number = malloc(x->side[AXIS_ITEM].n * sizeof *s->item_number);
	if (!s->customer_index || !s->item_number)
		return false;
	for (uint32_t i = 0; i < customers; i++)
		s->customer_index[x->customer_number[i]] = i;
	for (uint32_t i = 0; i < s->t->items.n; i++)
		if (s->older_item[i] != MODEL_NONE)
			s->item_number[s->older_item[i]] = i;
	return true;
}

/* As much of a model as recommend_to_customer() reads, but for the nearest customers: lists, first appearance, popular items. */
static bool learn(struct split *s, struct fault *why)
{
	struct model *m = &s->packed.model;
	struct interactions *x = &s->interactions;

	if (!take_older(s))
		return no_memory(why, s->t->rows);
	if (!interactions_build(x, &s->older, why) || !popularity_build(&s->popularity, &s->older, x, why))
		return false;
	transactions_free(&s->older);
	for (int k = 0; k < AXES; k++)
		m->axis[k] = interactions_axis(x, k);
	m->first_seen = x->first_seen;
	m->popular = s->popularity.all;
	return map_back(s) || no_memory(why, s->t->rows);
}

/* And the nearest customer of each who has trials. */
static bool find_nearest(struct split *s, const struct backtest_how *how, struct fault *why)
{
	struct axis *customers = &s->packed.model.axis[AXIS_CUSTOMER];

	if (!similarity_build(&s->similarity, customers, &s->packed.model.axis[AXIS_ITEM], 1, s->tries, how->threads,
			      how->progress, why))
		return false;
	customers->row_start = s->similarity.row_start;
	customers->rows = s->similarity.rows;
	customers->row_limit = 1;
	return true;
}

/* Newer rows by customer. */
static bool deal_newer(struct split *s)
{
	const struct transactions *t = s->t;
	uint32_t customers = t->customers.n;
	uint64_t most = 0;

	s->start = calloc((size_t)customers + 2, sizeof *s->start);	/* start[c + 2] counts, start[c + 1] deals */
	if (!s->start)
		return false;
	for (uint64_t i = 0; i < t->rows; i++)
		s->start[t->customer[i] + 2] += is_newer(s, i);
	for (uint32_t c = 2; c < customers + 2; c++) {
		most = s->start[c] > most ? s->start[c] : most;
		s->start[c] += s->start[c - 1];
	}
	s->row = malloc(s->start[customers + 1] * sizeof *s->row);
	s->time = malloc(most * sizeof *s->time);
	s->has = malloc(t->items.n * sizeof *s->has);
	s->tried = malloc(t->items.n * sizeof *s->tried);
	s->seen = calloc(t->items.n, 1);
	s->tries = calloc(s->packed.model.axis[AXIS_CUSTOMER].n, 1);
	if (!s->row || !s->time || !s->has || !s->tried || !s->seen || !s->tries)
		return false;
	memset(s->has, 0xff, t->items.n * sizeof *s->has);
	memset(s->tried, 0xff, t->items.n * sizeof *s->tried);
	for (uint64_t i = 0; i < t->rows; i++)
		if (is_newer(s, i))
			s->row[s->start[t->customer[i] + 1]++] = (uint32_t)i;
	return true;
}

/* Stamp the known items that customer c, by number, has not had and buys now. Returns how many. */
static uint64_t stamp_trials(struct split *s, uint32_t c, uint32_t index)
{
	struct basket basket = basket_of(&s->packed.model, index);
	uint64_t trials = 0;

	for (uint32_t i = 0; i < basket.n; i++)
		s->has[s->item_number[s->interactions.first_seen[basket.at[i]]]] = c;
	for (uint64_t k = s->start[c]; k < s->start[c + 1]; k++) {
		uint32_t item = s->t->item[s->row[k]];

		if (s->has[item] == c || s->older_item[item] == MODEL_NONE)
			continue;
		s->has[item] = s->tried[item] = c;
		trials++;
	}
	return trials;
}

static bool count_hits(struct backtest *b, struct split *s, uint32_t c, uint32_t index, struct scratch *scratch)
{
	struct neighbour out[BACKTEST_RANKS];
	struct recommendation r;

	if (!recommend_to_customer(&r, &s->packed, index, FILL_POPULAR, out, BACKTEST_RANKS, scratch))
		return false;
	for (size_t k = 0; k < r.total; k++) {
		uint32_t item = s->item_number[s->interactions.first_seen[out[k].id]];

		if (s->tried[item] == c)
			(k < r.near ? b->hits_own : b->hits_popular)[k]++;
	}
	return true;
}

static void count_rows(struct backtest *b, struct split *s, uint32_t c, bool known)
{
	uint64_t n = s->start[c + 1] - s->start[c];

	for (uint64_t k = 0; k < n; k++) {
		uint32_t row = s->row[s->start[c] + k], item = s->t->item[row];
		bool unknown = s->older_item[item] == MODEL_NONE;

		s->time[k] = s->t->time[row];
		b->unknown_lines += unknown;
		if (!s->seen[item]) {
			s->seen[item] = 1;
			b->seen_items++;
			b->unknown_items += unknown;
		}
	}
	uint32_t visits = visits_distinct(s->time, n);

	b->lines += n;
	b->visits += visits;
	b->unknown_visits += known ? 0 : visits;
	b->seen_users++;
	b->unknown_users += !known;
}

/* First pass: everything that needs no answer. */
static void count_newer(struct backtest *b, struct split *s)
{
	for (uint32_t c = 0; c < s->t->customers.n; c++) {
		uint32_t older = s->older_customer[c];

		if (s->start[c] == s->start[c + 1])
			continue;
		count_rows(b, s, c, older != MODEL_NONE);
		uint64_t trials = older == MODEL_NONE ? 0 : stamp_trials(s, c, s->customer_index[older]);

		if (trials == 0)
			continue;
		s->tries[s->customer_index[older]] = 1;
		b->customers++;
		b->trials += trials;
	}
}

/* Second pass: the answers. What the first has stamped is as true in this. */
static bool try_all(struct backtest *b, struct split *s)
{
	struct scratch scratch = {0};
	bool ok = true;

	for (uint32_t c = 0; ok && c < s->t->customers.n; c++) {
		uint32_t older = s->older_customer[c];

		if (older == MODEL_NONE || !s->tries[s->customer_index[older]])
			continue;
		stamp_trials(s, c, s->customer_index[older]);
		ok = count_hits(b, s, c, s->customer_index[older], &scratch);
	}
	scratch_free(&scratch);
	return ok;
}

static void split_free(struct split *s)
{
	transactions_free(&s->older);
	interactions_free(&s->interactions);
	popularity_free(&s->popularity);
	similarity_free(&s->similarity);
	free(s->older_customer);
	free(s->older_item);
	free(s->item_number);
	free(s->customer_index);
	free(s->start);
	free(s->row);
	free(s->time);
	free(s->has);
	free(s->tried);
	free(s->seen);
	free(s->tries);
}

bool backtest_run(struct backtest *b, const char **off, const struct transactions *t, const struct backtest_how *how,
		  struct fault *why)
{
	struct split s = {.t = t};

	*b = (struct backtest){.split = INT64_MIN};
	*off = find_split(t, how->days, &s.at);
	if (*off)
		return true;
	b->split = s.at;
	if (t->rows > UINT32_MAX)
		return fault_set(why, "a model is made from at most %u rows, there are %llu", UINT32_MAX,
				 (unsigned long long)t->rows);

	bool ok = learn(&s, why) && (deal_newer(&s) || no_memory(why, t->rows));

	if (ok) {
		count_newer(b, &s);
		ok = find_nearest(&s, how, why) && (try_all(b, &s) || no_memory(why, t->rows));
	}

	split_free(&s);
	return ok;
}

double backtest_hit_percent(const struct backtest *b, unsigned n)
{
	uint64_t hits = 0;

	for (unsigned k = 0; k < n && k < BACKTEST_RANKS; k++)
		hits += b->hits_own[k] + b->hits_popular[k];
	return b->trials ? 100 * (double)hits / (double)b->trials : 0;
}
