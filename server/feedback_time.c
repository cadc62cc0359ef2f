/* feedback_time.c - when an event was, as ISO 8601 has it (RFC 3339, and a little more). Called for each event that says so;
 * a text that is no time is an answer. */
#include <time.h>

#include "feedback_read.h"

struct cursor {
	const char *at, *end;
};

static bool take(struct cursor *c, const char *any)
{
	if (c->at == c->end || *c->at == '\0' || !strchr(any, *c->at))
		return false;
	c->at++;
	return true;
}

static bool take_digits(struct cursor *c, unsigned count, int *number)
{
	for (*number = 0; count > 0; count--, c->at++) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9')
			return false;
		*number = *number * 10 + (*c->at - '0');
	}
	return true;
}

/* Digits behind the point, of which three count. */
static bool take_fraction(struct cursor *c, int *ms)
{
	unsigned digits = 0;

	*ms = 0;
	if (!take(c, ".,"))
		return true;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++) {
		if (digits < 3)
			*ms = *ms * 10 + (*c->at - '0');
	}
	for (unsigned i = digits; i < 3; i++)
		*ms *= 10;
	return digits > 0;
}

static bool take_zone(struct cursor *c, int *seconds)
{
	int hours, minutes = 0;

	*seconds = 0;
	if (c->at == c->end || take(c, "Zz"))
		return true;
	bool west = *c->at == '-';

	if (!take(c, "+-") || !take_digits(c, 2, &hours))
		return false;
	if (c->at < c->end) {
		take(c, ":");
		if (!take_digits(c, 2, &minutes))
			return false;
	}
	*seconds = (hours * 60 + minutes) * (west ? -60 : 60);
	return hours < 24 && minutes < 60;
}

/* A leap second is the second after it. */
static bool take_clock(struct cursor *c, struct tm *t, int *ms)
{
	if (!take_digits(c, 2, &t->tm_hour) || !take(c, ":") || !take_digits(c, 2, &t->tm_min))
		return false;
	if (take(c, ":") && (!take_digits(c, 2, &t->tm_sec) || !take_fraction(c, ms)))
		return false;
	return t->tm_hour < 24 && t->tm_min < 60 && t->tm_sec <= 60;
}

bool feedback_time(struct text s, int64_t *ms)
{
	struct cursor c = {s.at, s.at + s.len};
	struct tm t = {.tm_mday = 1};
	int fraction = 0, zone = 0;

	if (!take_digits(&c, 4, &t.tm_year) || !take(&c, "-") || !take_digits(&c, 2, &t.tm_mon) || !take(&c, "-") ||
	    !take_digits(&c, 2, &t.tm_mday))
		return false;
	int month = t.tm_mon - 1, day = t.tm_mday;

	if (c.at < c.end && (!take(&c, "Tt ") || !take_clock(&c, &t, &fraction) || !take_zone(&c, &zone)))
		return false;
	if (c.at < c.end || t.tm_year < 1970 || month < 0 || month > 11 || day < 1)
		return false;
	int second = t.tm_sec;

	t.tm_sec = 0;
	t.tm_year -= 1900;
	t.tm_mon = month;
	time_t at = timegm(&t);		/* makes the 31st of February one of March */

	*ms = ((int64_t)at + second - zone) * 1000 + fraction;
	return t.tm_mday == day && t.tm_mon == month && *ms >= 0;
}
