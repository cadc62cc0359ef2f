/* dates.h - times of the rows, and which of two numbers is the month.
 *
 * 3/4/2011 is a date under m/d/Y and under d/m/Y. Which one holds is decided once, for the whole input: a date with
 * a number above 12 in one place proves the order. Until all rows are read such a date is kept as the numbers it is
 * written in, packed into the 64 bits where its time will stand.
 *
 * Understood are
 *   a/b/Y and a-b-Y     in the order that is proven or set; Y may have two digits, 70 to 99 being 1970 to 1999
 *   d.m.Y               the day first, unless an order is set
 *   Y-m-d, Y/m/d, Y.m.d ISO 8601 and its like: always the year first; YYYYMMDD too
 *   seconds or milliseconds since 1970, of 9, 10 or 13 digits
 * each of the first three alone or followed by a space, a comma and a space, or T, and h:mm[:ss[.fraction]], then AM
 * or PM, then Z, UTC, GMT or an offset such as +01:00. Times are taken as written: zone and fraction are read over. */
#ifndef AKIN_DATES_H
#define AKIN_DATES_H

#include "../shm/fault.h"
#include "../shm/model.h"

enum dates_order { DATES_UNKNOWN, DATES_MDY, DATES_DMY, DATES_ISO };

struct dates {
	enum dates_order set;		/* by the user; DATES_ISO: year first only */
	/* the rest belongs to dates.c */
	uint64_t by_order;		/* times that need an order */
	uint64_t by_year;		/* dates with the year first */
	uint64_t by_day;		/* dates with points */
	char proof[DATES_ISO][320];	/* [DATES_MDY], [DATES_DMY]: "file:line 'text'" of the first; "": none */
	size_t last_len;		/* the text before, as neighbouring rows often have the same */
	char last[40];
	int64_t last_value;
};

/* "mdy", "dmy" or "iso" to d->set, NULL to DATES_UNKNOWN; the rest is zeroed. */
bool dates_init(struct dates *d, const char *format, struct fault *why);

/* Read a trimmed, not empty text. *value is a time, or a packed date for dates_settle(). False: it is no date under
 * any order that may hold. file and line are for the proof. */
bool dates_read(struct dates *d, struct text v, const char *file, uint64_t line, int64_t *value);

/* Is there a date that needs an order, and none proven or set yet? */
bool dates_open_question(const struct dates *d);

/* After the last row: the order that is set or proven; DATES_UNKNOWN when dates need one and nothing proves it,
 * DATES_ISO when none needs one. False: both orders are proven, *why names a date for each. */
bool dates_decide(const struct dates *d, enum dates_order *order, struct fault *why);

/* Turn packed dates into times. Values that are times already stay. */
void dates_settle(int64_t *value, uint64_t n, enum dates_order order);

/* "m/d/Y", "d/m/Y", "d.m.Y", "ISO 8601" or "seconds since 1970", whichever describes the input; NULL: no dates. */
const char *dates_format(const struct dates *d, enum dates_order order);

#endif
