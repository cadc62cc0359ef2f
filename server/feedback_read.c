/* feedback_read.c - the body of a POST /feedback, by jansson and some rules of its own.
 *
 * Called by feedback.c, in civetweb's threads, whose stacks are 100 KB. jansson's reader goes one function deeper with each
 * bracket, up to 2048 of them, so a look at the brackets comes before it; the same look counts the values, since jansson
 * makes of each an allocation, however small it is. */
#include "feedback_read.h"

#include <stdlib.h>

#define MEMBERS	   16			/* values for each event that may be told; it has five */
#define YEAR_10000 INT64_C(253402300800)

/* Depth and number of the values, strings left aside. False: too much of one. */
static bool check_shape(struct text body, const struct feedback_limits *l, int *status, struct fault *why)
{
	uint64_t values = 1, most = MEMBERS * ((uint64_t)l->events + 1);
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < body.len; i++) {
		char c = body.at[i];

		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
			continue;
		}
		quoted = c == '"';
		if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
		values += c == ',' || c == '[' || c == '{';
		*status = depth > FEEDBACK_DEPTH ? 400 : 413;
		if (depth > FEEDBACK_DEPTH)
			return fault_set(why, "the body must not nest deeper than %d", FEEDBACK_DEPTH);
		if (values > most)
			return fault_set(why, "the body has too many values for %u events (feedback_max_events)", l->events);
	}
	return true;
}

static bool refuse(struct feedback_event *e, enum outcome outcome, const char *detail)
{
	e->outcome = outcome;
	e->detail = detail;
	return false;
}

/* A member that may be missing, or null. */
static bool read_id(struct text *id, const json_t *from)
{
	if (!from || json_is_null(from))
		return true;
	if (!json_is_string(from))
		return false;
	*id = (struct text){json_string_value(from), json_string_length(from)};
	return model_is_id(*id);
}

static bool read_kind(struct feedback_event *e, const json_t *from)
{
	static const char *const name[] = {
#define X(symbol, label) [EVENT_##symbol] = label,
		EVENTS(X)
#undef X
	};

	if (!json_is_string(from))
		return refuse(e, OUTCOME_MALFORMED, "event: must be a string");
	for (unsigned i = 0; i < EVENT_COUNT; i++) {
		if (strlen(name[i]) == json_string_length(from) &&
		    memcmp(name[i], json_string_value(from), json_string_length(from)) == 0) {
			e->kind = (enum event)i;
			return true;
		}
	}
	return refuse(e, OUTCOME_UNKNOWN_EVENT, "event: must be click, cart or purchase");
}

/* A text, or seconds since 1970. */
static bool read_time(struct feedback_event *e, const json_t *from, const struct feedback_limits *l)
{
	bool fine = true;

	if (!from || json_is_null(from))
		return true;
	if (json_is_string(from))
		fine = feedback_time((struct text){json_string_value(from), json_string_length(from)}, &e->ms);
	else if (json_is_number(from) && json_number_value(from) >= 0)
		e->ms = json_number_value(from) < (double)YEAR_10000 ? (int64_t)(json_number_value(from) * 1000) : INT64_MAX;
	else
		fine = false;
	if (!fine)
		return refuse(e, OUTCOME_MALFORMED, "time: must be ISO 8601 or seconds since 1970");
	if (e->ms > l->latest_ms)
		return refuse(e, OUTCOME_FUTURE, "time: must not be further in the future than feedback_future_s");
	e->timed = true;
	return true;
}

static void read_event(struct feedback_event *e, const json_t *from, const struct feedback_limits *l)
{
	*e = (struct feedback_event){.outcome = FEEDBACK_UNDECIDED};
	if (!json_is_object(from))
		(void)refuse(e, OUTCOME_MALFORMED, "an event must be an object");
	else if (!read_id(&e->id, json_object_get(from, "recommendation_id")))
		(void)refuse(e, OUTCOME_MALFORMED, "recommendation_id: must be a string");
	else if (!read_id(&e->user, json_object_get(from, "user")))
		(void)refuse(e, OUTCOME_MALFORMED, "user: must be a string of 1 to 1024 bytes without control characters");
	else if (!e->id.at && !e->user.at)
		(void)refuse(e, OUTCOME_MALFORMED, "an event must have a recommendation_id or a user");
	else if (!read_id(&e->item, json_object_get(from, "item")) || !e->item.at)
		(void)refuse(e, OUTCOME_MALFORMED, "item: must be a string of 1 to 1024 bytes without control characters");
	else if (read_kind(e, json_object_get(from, "event")))
		(void)read_time(e, json_object_get(from, "time"), l);
}

/* jansson's words up to where it repeats what the client has sent. */
static bool not_json(const json_error_t *error, int *status, struct fault *why)
{
	const char *near = strstr(error->text, " near ");
	char text[JSON_ERROR_TEXT_LENGTH + 32];

	*status = 400;
	fault_quote(text, sizeof text, error->text, near ? (size_t)(near - error->text) : strlen(error->text));
	return fault_set(why, "the body is not JSON that can be read: line %d, column %d: %s", error->line, error->column, text);
}

/* The events' values: one object, the elements of an array, or those of "events". */
static bool find_events(const json_t *all, const json_t **array, size_t *count)
{
	const json_t *inner = json_object_get(all, "events");

	*array = json_is_array(all) ? all : inner;
	*count = *array ? json_array_size(*array) : 1;
	return !*array || json_is_array(*array);
}

static bool take_events(struct feedback_body *b, const struct feedback_limits *l, int *status, struct fault *why)
{
	const json_t *array;
	size_t count;

	*status = 400;
	if (!find_events(b->json.value, &array, &count))
		return fault_set(why, "events: must be an array");
	*status = 413;
	if (count > l->events)
		return fault_set(why, "a body must have at most %u events (feedback_max_events), not %zu", l->events, count);
	*status = 500;
	b->event = calloc(count + 1, sizeof *b->event);
	if (!b->event)
		return fault_set(why, "Internal Server Error");
	b->count = (uint32_t)count;
	for (uint32_t i = 0; i < b->count; i++)
		read_event(&b->event[i], array ? json_array_get(array, i) : b->json.value, l);
	return true;
}

bool feedback_read(struct feedback_body *b, struct text body, const struct feedback_limits *l, int *status, struct fault *why)
{
	json_error_t error;

	*b = (struct feedback_body){.count = 0};
	if (!check_shape(body, l, status, why))
		return false;
	if (!feedback_json_load(&b->json, body, &error)) {
		*status = 500;
		return b->json.short_of_memory ? fault_set(why, "Internal Server Error") : not_json(&error, status, why);
	}
	if (take_events(b, l, status, why))
		return true;
	feedback_read_free(b);
	return false;
}

void feedback_read_free(struct feedback_body *b)
{
	free(b->event);
	feedback_json_free(&b->json);
	*b = (struct feedback_body){.count = 0};
}
