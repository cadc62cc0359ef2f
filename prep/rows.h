/* rows.h - from one record to one row of the transactions, or to the reason why not. */
#ifndef AKIN_ROWS_H
#define AKIN_ROWS_H

#include "columns.h"
#include "csv.h"
#include "dates.h"
#include "tally.h"

struct rows {
	struct transactions *t;		/* grows */
	struct tally tally;
	struct dates dates;
	bool no_dates;			/* --date-format none */
	uint64_t dated;			/* kept rows with a date */
	/* about the input being read */
	const char *file;		/* its name in messages */
	struct columns columns;
	/* the rest belongs to rows.c */
	uint64_t cap;			/* of the arrays in t */
	char *room;			/* for a field as UTF-8 */
	struct {			/* the kept row before, whose customer this one often has too */
		char raw[32];
		size_t len;
		uint32_t number;
		bool transcoded;
	} last;
};

/* how is borrowed. False: *why; nothing to close. */
bool rows_open(struct rows *r, struct transactions *t, const struct reading *how, struct fault *why);
void rows_close(struct rows *r);		/* *t stays */

/* The record that c holds, which got says is CSV_RECORD, CSV_LONG_FIELD or CSV_BAD_QUOTE. False: the input is
 * refused, or memory is short; *why. */
bool rows_take(struct rows *r, const struct csv *c, enum csv_got got, struct fault *why);

#endif
