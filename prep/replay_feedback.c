/* replay_feedback.c - POST /feedback, many events a request. Called by replay.c for each purchase in order of time.
 *
 * A server remembers only so many answers. When it says that an answer is gone, the customer is asked for once more and
 * the event posted again with the new answer's name: once, so that this ends. A request that broke may have been taken
 * all the same; its events are then duplicates, and the server says so.
 *
 * Fails when the server does not take the events, or memory is short. */
#include "replay_feedback.h"

#include <stdlib.h>
#include <string.h>

#include "provenance.h"

#define BODY_MAX     60000		/* bytes of a request */
#define EVENT_MAX    4096		/* bytes of an event: an id has 1024 at most, and twice as many with escapes */
#define OUTCOMES_MAX 100		/* different ones that are counted */

bool replay_feedback_open(struct replay_feedback *f, struct replay_judge *j, struct fault *why)
{
	*f = (struct replay_feedback){.judge = j};
	f->purchase = malloc(j->options->batch * sizeof *f->purchase);
	f->again = calloc(j->purchases->n, sizeof *f->again);
	f->outcomes = json_object();
	if (f->purchase && f->again && f->outcomes)
		return true;
	replay_feedback_close(f);
	return fault_set(why, "no memory to post %u purchases", j->purchases->n);
}

void replay_feedback_close(struct replay_feedback *f)
{
	free(f->body);
	free(f->purchase);
	free(f->again);
	json_decref(f->outcomes);
	*f = (struct replay_feedback){0};
}

static bool append(struct replay_feedback *f, const char *bytes, size_t len)
{
	if (f->length + len > f->cap) {
		size_t cap = 2 * (f->length + len) + BODY_MAX;
		char *body = realloc(f->body, cap);

		if (!body)
			return false;
		f->body = body;
		f->cap = cap;
	}
	memcpy(f->body + f->length, bytes, len);
	f->length += len;
	return true;
}

/* When a row was, by ISO 8601, without a zone as in the data; NULL: not known. */
static const char *time_text(char text[TIME_TEXT], const struct transactions *t, uint32_t row)
{
	if (!t->time || t->time[row] == TRANSACTIONS_NO_TIME)
		return NULL;
	time_of_data(text, t->time[row]);
	text[strcspn(text, " ")] = 'T';
	return text;
}

/* One event as JSON, to be freed; NULL when memory is short. */
static char *event_text(const struct replay_feedback *f, uint32_t purchase)
{
	const struct transactions *t = f->judge->new;
	uint32_t row = replay_judge_row(f->judge, purchase), item = t->item[row];
	char time[TIME_TEXT];
	json_t *event = json_pack("{s:s, s:s%, s:s, s:s*}", "recommendation_id", f->judge->id[t->customer[row]],
				  "item", t->items.bytes + t->items.start[item],
				  (size_t)(t->items.start[item + 1] - t->items.start[item]), "event", "purchase",
				  "time", time_text(time, t, row));
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;

	json_decref(event);
	return text;
}

static bool count_outcome(struct replay_feedback *f, const char *outcome, struct fault *why)
{
	json_t *count = json_object_get(f->outcomes, outcome);

	if (count)
		return json_integer_set(count, json_integer_value(count) + 1) == 0;
	if (json_object_size(f->outcomes) >= OUTCOMES_MAX)
		return fault_set(why, "%s: must have fewer outcomes than %d", f->judge->options->server, OUTCOMES_MAX);
	return json_object_set_new(f->outcomes, outcome, json_integer(1)) == 0 || fault_set(why, "no memory for outcomes");
}

/* What the server has judged, in our words; STANDINGS: it has not. */
static enum standing meaning(const char *outcome)
{
	static const struct {
		const char *outcome;
		enum standing is;
	} meanings[] = {{"hit", HIT}, {"miss", MISS}, {"repeat", REPEAT}, {"unknown_item", UNKNOWN_ITEM}};

	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strcmp(outcome, meanings[i].outcome) == 0)
			return meanings[i].is;
	return STANDINGS;
}

/* A hit must be at our place, too. */
static bool agrees(const struct judged *v, enum standing is, const json_t *result)
{
	const json_t *rank = json_object_get(result, "rank");

	return v->standing == is && (is != HIT || !json_is_integer(rank) || json_integer_value(rank) == (json_int_t)v->place + 1);
}

static bool take_result(struct replay_feedback *f, uint32_t purchase, const json_t *result, struct fault *why)
{
	struct judged *v = &f->judge->judged[purchase];
	const char *outcome = json_string_value(json_object_get(result, "outcome"));
	enum standing is = meaning(outcome);

	if (!count_outcome(f, outcome, why))
		return false;
	if (is == STANDINGS)
		return true;
	if (v->standing == NOT_JUDGED && is != HIT)
		v->standing = (uint8_t)is;
	f->contradicted += !agrees(v, is, result);
	return true;
}

static bool add(struct replay_feedback *f, uint32_t purchase, struct fault *why)
{
	char *text = event_text(f, purchase);
	bool ok = text && append(f, f->count ? "," : "[", 1) && append(f, text, strlen(text));

	free(text);
	f->purchase[f->count++] = purchase;
	return ok || fault_set(why, "no memory for an event");
}

/* The server does not know the answer any more: with a new one, in the next request. */
static bool ask_again(struct replay_feedback *f, uint32_t purchase, struct fault *why)
{
	uint32_t customer = f->judge->new->customer[replay_judge_row(f->judge, purchase)];

	f->again[purchase] = 1;
	return replay_judge_customer(f->judge, customer, true, why) && add(f, purchase, why);
}

static bool post(struct replay_feedback *f, struct fault *why)
{
	uint32_t count = f->count;
	json_t *results = NULL;
	bool ok = append(f, "]", 1) || fault_set(why, "no memory for events");

	ok = ok && replay_server_post(f->judge->server, f->body, f->length, count, &results, why);
	f->posted += count;
	f->length = 0;
	f->count = 0;
	for (uint32_t i = 0; ok && i < count; i++) {	/* those that are added again stand before i, in what was looked at */
		uint32_t purchase = f->purchase[i];
		const json_t *result = json_array_get(results, i);
		const char *outcome = json_string_value(json_object_get(result, "outcome"));
		bool gone = strcmp(outcome, "gone") == 0 && !f->again[purchase];

		ok = take_result(f, purchase, result, why) && (!gone || ask_again(f, purchase, why));
	}
	json_decref(results);
	return ok;
}

bool replay_feedback_add(struct replay_feedback *f, uint32_t purchase, struct fault *why)
{
	while (f->count == f->judge->options->batch || (f->count > 0 && f->length > BODY_MAX - EVENT_MAX))
		if (!post(f, why))
			return false;
	return add(f, purchase, why);
}

bool replay_feedback_flush(struct replay_feedback *f, struct fault *why)
{
	while (f->count > 0)
		if (!post(f, why))
			return false;
	return true;
}

json_t *replay_feedback_json(const struct replay_feedback *f)
{
	return json_pack("{s:I, s:I, s:O}", "posted", (json_int_t)f->posted, "contradicted", (json_int_t)f->contradicted,
			 "outcomes", f->outcomes);
}
