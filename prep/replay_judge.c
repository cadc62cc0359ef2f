/* replay_judge.c - hit, miss, or none of the two. Called by replay.c for each purchase in order, and by
 * replay_feedback.c when a server has forgotten an answer. Fails when nobody answers, or memory is short.
 *
 * A model file knows who has what. A server does not say, so with a server alone a purchase that is no hit is taken for a
 * miss, unless the server is told of it and will judge itself. */
#include "replay_judge.h"

#include <stdlib.h>
#include <string.h>

bool replay_judge_open(struct replay_judge *j, struct fault *why)
{
	uint32_t customers = j->new->customers.n, items = j->new->items.n;

	j->judged = calloc(j->purchases->n, sizeof *j->judged);
	j->customer = calloc(customers, sizeof *j->customer);
	j->item = calloc(items, sizeof *j->item);
	j->place_of = malloc(items * sizeof *j->place_of);
	j->reply.place = calloc(j->options->n, sizeof *j->reply.place);
	if (j->options->feedback)
		j->id = calloc(customers, sizeof *j->id);
	if (!j->judged || !j->customer || !j->item || !j->place_of || !j->reply.place || (j->options->feedback && !j->id)) {
		replay_judge_close(j);
		return fault_set(why, "no memory to judge what was bought");
	}
	memset(j->place_of, 0xff, items * sizeof *j->place_of);
	return true;
}

void replay_judge_close(struct replay_judge *j)
{
	free(j->judged);
	free(j->customer);
	free(j->item);
	free(j->id);
	free(j->place_of);
	free(j->reply.place);
	*j = (struct replay_judge){0};
}

bool replay_judge_items(struct replay_judge *j, void (*step)(void *of, uint64_t done, uint64_t total), void *of,
			struct fault *why)
{
	bool known;

	for (uint32_t i = 0; i < j->new->items.n; i++) {
		if (j->model)
			known = replay_model_knows_item(j->model, i);
		else if (!replay_server_knows_item(j->server, i, &known, why))
			return false;
		j->item[i] = known ? SEEN_KNOWN : SEEN_UNKNOWN;
		step(of, i, j->new->items.n);
	}
	return true;
}

static enum standing standing_of(const struct replay_judge *j, uint32_t customer, uint32_t item)
{
	if (!j->reply.known)
		return UNKNOWN_CUSTOMER;
	if (j->item[item] == SEEN_UNKNOWN)
		return UNKNOWN_ITEM;
	if (j->model && replay_model_has(j->model, customer, item))
		return REPEAT;
	if (j->place_of[item] != UINT32_MAX)
		return HIT;
	return !j->model && j->options->feedback ? NOT_JUDGED : MISS;
}

/* Hold all of the customer's purchases against the reply. */
static void hold_against(struct replay_judge *j, uint32_t customer)
{
	const struct purchases *p = j->purchases;
	const struct reply *r = &j->reply;

	for (uint32_t i = 0; i < r->total; i++)
		if (r->place[i].item != REPLY_NO_ITEM)
			j->place_of[r->place[i].item] = i;
	for (uint64_t k = p->of_start[customer]; k < p->of_start[customer + 1]; k++) {
		struct judged *judged = &j->judged[p->of[k]];
		uint32_t item = j->new->item[replay_judge_row(j, p->of[k])];

		judged->standing = (uint8_t)standing_of(j, customer, item);
		if (judged->standing != HIT)
			continue;
		judged->place = j->place_of[item];
		judged->own = r->place[judged->place].own;
	}
	for (uint32_t i = 0; i < r->total; i++)
		if (r->place[i].item != REPLY_NO_ITEM)
			j->place_of[r->place[i].item] = UINT32_MAX;
}

bool replay_judge_customer(struct replay_judge *j, uint32_t customer, bool again, struct fault *why)
{
	bool first = j->customer[customer] == NOT_ASKED;

	if (!first && !again)
		return true;
	if (!(j->server ? replay_server_ask(j->server, customer, &j->reply, why)
			: replay_model_ask(j->model, customer, j->options->fill, &j->reply, why)))
		return false;
	if (j->id)
		memcpy(j->id[customer], j->reply.id, sizeof j->reply.id);
	if (!first)
		return true;
	j->customer[customer] = j->reply.known ? SEEN_KNOWN : SEEN_UNKNOWN;
	if (j->model)
		replay_model_look_at(j->model, customer);
	hold_against(j, customer);
	return true;
}
