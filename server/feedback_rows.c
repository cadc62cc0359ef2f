/* feedback_rows.c - one row an event, quoted where CSV wants it. Called by feedback.c while the model is pinned whose text a
 * customer may be. A row is a line, since no id has a line end in it: model_is_id() is asked of what a client sends when that is
 * read, and of what a model says before it is served. */
#include "feedback_rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../metrics/shown.h"

#define FIXED 256			/* more than all of a row but its item and its customer */

static char *put(char *to, const char *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

/* At most twice its length and two more. */
static char *put_field(char *to, struct text s)
{
	bool quoted = memchr(s.at, ',', s.len) || memchr(s.at, '"', s.len) || s.at[0] == ' ' || s.at[s.len - 1] == ' ';

	if (!quoted)
		return put(to, s.at, s.len);
	*to++ = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '"')
			*to++ = '"';
		*to++ = s.at[i];
	}
	*to++ = '"';
	return to;
}

/* Could it be a name of ours? Any other is not taken; and in the middle of a field nothing can be quoted. */
static bool is_name(struct text id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!isxdigit((unsigned char)id.at[i]))
			return false;
	return id.len == SHOWN_ID;
}

static char *put_time(char *to, int64_t seconds)
{
	time_t at = (time_t)seconds;
	struct tm t;

	return gmtime_r(&at, &t) ? to + strftime(to, 32, "%Y-%m-%d %H:%M:%S", &t) : to;
}

static bool make_room(struct feedback_rows *r, size_t need)
{
	size_t cap = r->cap ? r->cap : 1024;

	if (need <= r->cap - r->len)
		return true;
	while (cap < r->len + need)
		cap *= 2;
	char *at = realloc(r->at, cap);

	if (!at)
		return false;
	r->at = at;
	r->cap = cap;
	return true;
}

bool feedback_rows_add(struct feedback_rows *r, const struct feedback_event *e, struct text customer, int64_t now)
{
	static const char *const name[] = {
#define X(symbol, label) [EVENT_##symbol] = label,
		EVENTS(X)
#undef X
	};

	if (!make_room(r, FIXED + 2 * e->id.len + 2 * e->item.len + 2 * customer.len))
		return false;
	char *to = r->at + r->len;

	to = put(to, name[e->kind], strlen(name[e->kind]));
	if (e->id.at && is_name(e->id)) {
		to = put(to, "-", 1);
		to = put(to, e->id.at, e->id.len);
	}
	to = put(to, ",", 1);
	to = put_field(to, e->item);
	to = put(to, e->kind == EVENT_PURCHASE ? ",,1," : ",,0,", 4);
	to = put_time(to, e->timed ? e->ms / 1000 : now);
	to = put(to, ",,", 2);
	if (customer.at)
		to = put_field(to, customer);
	to = put(to, ",\n", 2);
	r->len = (size_t)(to - r->at);
	r->count++;
	return true;
}
