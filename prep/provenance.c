/* provenance.c - one JSON object about a build. akin-prep build makes it while the transactions are there; the
 * summary and akin-prep show read it back (report.c). Fails only for want of memory. */
#include "provenance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *format_time(char text[TIME_TEXT], int64_t seconds, const char *format)
{
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, TIME_TEXT, format, &tm) == 0)
		snprintf(text, TIME_TEXT, "%lld s", (long long)seconds);
	return text;
}

const char *time_of_data(char text[TIME_TEXT], int64_t seconds) { return format_time(text, seconds, "%F %T"); }
const char *time_utc(char text[TIME_TEXT], int64_t seconds) { return format_time(text, seconds, "%FT%TZ"); }

bool provenance_now(int64_t *now, struct fault *why)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	char *end;

	*now = time(NULL);
	if (!fixed)
		return true;
	errno = 0;
	*now = strtoll(fixed, &end, 10);
	if (errno != 0 || end == fixed || *end != '\0' || *now < 0)
		return fault_set(why, "SOURCE_DATE_EPOCH must be seconds since 1970, not '%s'", fixed);
	return true;
}

/* What lacks a member must not pass for whole. */
static json_t *forget(json_t *incomplete)
{
	json_decref(incomplete);
	return NULL;
}

static json_t *make_sources(const struct transactions *t)
{
	json_t *all = json_array();
	bool ok = all != NULL;

	for (unsigned i = 0; ok && i < t->source_count && i < TRANSACTIONS_SOURCES; i++) {
		char digest[17], name[sizeof t->sources[0] * 4];

		snprintf(digest, sizeof digest, "%016llx", (unsigned long long)t->source_digest[i]);
		/* A file's name is bytes; JSON wants text. */
		fault_quote(name, sizeof name, t->sources[i], strlen(t->sources[i]));
		ok = json_array_append_new(all, json_pack("{s:s, s:s}", "name", name, "xxh3", digest)) == 0;
	}
	return ok ? all : forget(all);
}

static json_t *make_dropped(const struct transactions *t)
{
	json_t *all = json_object();
	bool ok = all != NULL;

	for (int r = 0; ok && r < DROPS; r++)
		ok = json_object_set_new(all, transactions_reason_key(r), json_integer((json_int_t)t->dropped[r])) == 0;
	return ok ? all : forget(all);
}

static json_t *make_settings(const struct build_options *o)
{
	const struct reading *how = &o->reading;
	char columns[1024];
	const char *asked = how->columns ? fault_quote(columns, sizeof columns, how->columns, strlen(how->columns)) : NULL;
	json_t *neighbours = o->neighbours == NEIGHBOURS_AUTO  ? json_string("auto")
			     : o->neighbours == NEIGHBOURS_ALL ? json_string("all")
							       : json_integer(o->row_limit);

	return json_pack("{s:s?, s:s?, s:o, s:f, s:b, s:o, s:o}", "columns", asked, "date_format", how->date_format,
			 "delimiter", how->delimiter ? json_stringn(&how->delimiter, 1) : json_null(), "max_bad",
			 how->max_bad, "strict", how->strict, "neighbours", neighbours, "backtest_days",
			 o->backtest_days ? json_integer(o->backtest_days) : json_null());
}

json_t *provenance_make(const struct transactions *t, const struct build_options *o, const char *backtest_off,
			int64_t created, int64_t newest)
{
	char made[TIME_TEXT], until[TIME_TEXT];
	bool dated = newest != TRANSACTIONS_NO_TIME;

	return json_pack("{s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:s?, s:s?, s:s?, s:o}",
			 "program", "akin-prep " AKIN_VERSION,
			 "created", time_utc(made, created),
			 "data_until", dated ? time_of_data(until, newest) : NULL,
			 "sources", make_sources(t),
			 "source_count", (json_int_t)t->source_count,
			 "bytes_read", (json_int_t)t->bytes_read,
			 "rows_read", (json_int_t)t->rows_read,
			 "rows_kept", (json_int_t)t->rows,
			 "rows_undated", (json_int_t)t->undated,
			 "dropped", make_dropped(t),
			 "fields_transcoded", (json_int_t)t->transcoded,
			 "date_format", t->date_format,
			 "recency_off", t->recency_off,
			 "backtest_off", backtest_off,
			 "settings", make_settings(o));
}
