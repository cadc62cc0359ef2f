/* replay_server.c - akin-server's interface (docs/api.md), from the side of who asks. Called by replay.c and
 * replay_feedback.c, one request at a time.
 *
 * Nothing an answer says is believed before it has been looked at: whatever listens at the address may be no akin-server
 * at all. Each fault is one line that begins with the address that was asked. */
#include "replay_server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "web.h"

struct replay_server {
	const struct replay_options *options;
	const struct transactions *new;
	struct web *web;
	uint64_t generation;		/* of the first answer; 0: none told */
	char query[48];
};

struct replay_server *replay_server_open(const struct replay_options *o, const struct transactions *t,
					 struct fault *why)
{
	const struct web_options how = {o->server, o->key_file, o->timeout, o->retries};
	struct replay_server *s = calloc(1, sizeof *s);

	if (!s) {
		fault_set(why, "no memory to ask a server");
		return NULL;
	}
	s->options = o;
	s->new = t;
	snprintf(s->query, sizeof s->query, "?n=%" PRIu32 "&details=true", o->n);
	s->web = web_open(&how, why);
	if (s->web)
		return s;
	free(s);
	return NULL;
}

void replay_server_close(struct replay_server *s)
{
	if (!s)
		return;
	web_close(s->web);
	free(s);
}

static json_t *parse(const struct web_answer *a) { return json_loadb(a->body, a->length, JSON_REJECT_DUPLICATES, NULL); }

/* All that is asked must come from one model: two would be neither. */
static bool same_generation(struct replay_server *s, const struct web_answer *a, struct fault *why)
{
	char became[64];

	if (a->generation == 0 || a->generation == s->generation)
		return true;
	if (s->generation == 0) {
		s->generation = a->generation;
		return true;
	}
	snprintf(became, sizeof became, "generation %" PRIu64 " became %" PRIu64, s->generation, a->generation);
	return fault_set(why, "%s: must serve one model until all is asked, but %s", s->options->server, became);
}

bool replay_server_serves(struct replay_server *s, uint64_t checksum, struct fault *why)
{
	struct web_answer a;
	char wanted[17];

	if (!web_get(s->web, "/model", &a, why))
		return false;
	if (a.status != 200)
		return web_refuse(s->web, "must tell what it serves", why);
	snprintf(wanted, sizeof wanted, "%016" PRIx64, checksum);

	json_t *told = parse(&a);
	const char *served = json_string_value(json_object_get(told, "checksum"));
	char seen[40];
	bool ok;

	if (!served)
		ok = web_refuse(s->web, "must tell the checksum of its model", why);
	else if (strcmp(served, wanted) != 0)
		ok = fault_set(why, "%s: must serve %s, whose checksum is %s, not %s", s->options->server, s->options->model,
			       wanted, fault_quote(seen, sizeof seen, served, strlen(served)));
	else
		ok = same_generation(s, &a, why);
	json_decref(told);
	return ok;
}

/* GET one entry's answer. *known: it is not the 404 of an unknown one. */
static bool get(struct replay_server *s, const char *path, const char *kind, const struct intern *ids, uint32_t i,
		const char *query, struct web_answer *a, bool *known, struct fault *why)
{
	if (!web_get_id(s->web, path, ids->bytes + ids->start[i], (size_t)(ids->start[i + 1] - ids->start[i]), query, a, why))
		return false;
	*known = a->status == 200;
	if (a->status == 404) {		/* of an entry, or of a route that is not there? */
		json_t *told = parse(a);
		const char *detail = json_string_value(json_object_get(told, "detail"));
		bool unknown = detail && strncmp(detail, kind, strlen(kind)) == 0;

		json_decref(told);
		return unknown ? same_generation(s, a, why) : web_refuse(s->web, "must be an akin-server's", why);
	}
	return *known ? same_generation(s, a, why) : web_refuse(s->web, "must answer 200 or 404", why);
}

bool replay_server_knows_item(struct replay_server *s, uint32_t item, bool *known, struct fault *why)
{
	struct web_answer a;

	return get(s, "/predict/item/", "Item '", &s->new->items, item, "?n=1", &a, known, why);
}

/* One object of a list of details. */
static bool read_place(const struct replay_server *s, const json_t *one, struct reply_place *place)
{
	const json_t *id = json_object_get(one, "id");
	const char *source = json_string_value(json_object_get(one, "source"));

	if (!json_is_string(id) || !source || (strcmp(source, "user") != 0 && strcmp(source, "popular") != 0))
		return false;
	place->own = *source == 'u';
	if (!intern_find(&s->new->items, json_string_value(id), json_string_length(id), &place->item))
		place->item = REPLY_NO_ITEM;
	return true;
}

static bool read_reply(const struct replay_server *s, const json_t *told, struct reply *r)
{
	const json_t *data = json_object_get(told, "data"), *one;
	const json_t *list = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)data));
	const char *id = json_string_value(json_object_get(told, "recommendation_id"));
	size_t i;

	if (json_object_size(data) != 1 || !json_is_array(list) || json_array_size(list) > s->options->n)
		return false;
	r->total = (uint32_t)json_array_size(list);
	json_array_foreach(list, i, one) {
		if (!read_place(s, one, &r->place[i]))
			return false;
	}
	if (id && strlen(id) <= REPLY_ID)
		strcpy(r->id, id);
	return true;
}

bool replay_server_ask(struct replay_server *s, uint32_t customer, struct reply *r, struct fault *why)
{
	struct web_answer a;

	r->total = 0;
	r->id[0] = '\0';
	if (!get(s, "/predict/user/", "User '", &s->new->customers, customer, s->query, &a, &r->known, why))
		return false;
	if (!r->known)
		return true;

	json_t *told = parse(&a);
	bool ok = read_reply(s, told, r);

	json_decref(told);
	if (!ok)
		return web_refuse(s->web, "must answer as an akin-server does", why);
	if (s->options->feedback && !r->id[0])
		return web_refuse(s->web, "must have a recommendation_id in its answers (setting feedback)", why);
	return true;
}

bool replay_server_post(struct replay_server *s, const char *events, size_t len, size_t count, json_t **results,
			struct fault *why)
{
	struct web_answer a;

	if (!web_post(s->web, "/feedback", events, len, &a, why))
		return false;
	if (a.status != 200)
		return web_refuse(s->web, "must take what was bought", why);

	json_t *told = parse(&a), *list = json_object_get(told, "results");
	bool ok = json_is_array(list) && json_array_size(list) == count;

	for (size_t i = 0; ok && i < count; i++)
		ok = json_is_string(json_object_get(json_array_get(list, i), "outcome"));
	*results = ok ? json_incref(list) : NULL;
	json_decref(told);
	return ok || web_refuse(s->web, "must say what became of each event", why);
}

json_t *replay_server_json(const struct replay_server *s)
{
	return json_pack("{s:s, s:I, s:I, s:I}", "url", s->options->server, "generation", (json_int_t)s->generation,
			 "requests", (json_int_t)web_requests(s->web), "retried", (json_int_t)web_retried(s->web));
}
