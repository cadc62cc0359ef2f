/* provenance.h - where a model comes from: the JSON object it carries (akin-model(5), PROVENANCE). */
#ifndef AKIN_PROVENANCE_H
#define AKIN_PROVENANCE_H

#include <jansson.h>

#include "options.h"

#define TIME_TEXT 32

/* Describe what was read and how. newest is TRANSACTIONS_NO_TIME without dates, backtest_off why there
 * is no backtest, or NULL. NULL when memory is short; free with
 * json_decref(). Only the numbers and names of t are read, not its rows. */
json_t *provenance_make(const struct transactions *t, const struct build_options *o, const char *backtest_off,
			int64_t created, int64_t newest);

/* Now, or SOURCE_DATE_EPOCH when that is set: seconds since 1970. */
bool provenance_now(int64_t *now, struct fault *why);

/* "2011-12-09 12:50:00": a time of the data, whose zone nobody knows. "2026-11-22T12:00:00Z" for ours. */
const char *time_of_data(char text[TIME_TEXT], int64_t seconds);
const char *time_utc(char text[TIME_TEXT], int64_t seconds);

#endif
