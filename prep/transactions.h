/* transactions.h - the rows of the input that count, as numbers.
 *
 * The reader's product and the builder's input. Ids are interned in order of their first kept row, so an item's
 * number here is its first-appearance rank. Nothing is lost silently: every row read is either kept or counted
 * under one reason. */
#ifndef AKIN_TRANSACTIONS_H
#define AKIN_TRANSACTIONS_H

#include <stdint.h>

#include "dates.h"
#include "intern.h"

/* Why a row is not kept. Rows of the first group are sound but do not count (the reference's filter); rows of the
 * second are malformed, and more than --max-bad of them refuses the input.
 *        field           malformed  in the summary and, in [a-z_], in the provenance JSON */
#define DROP_REASONS(X)                                                    \
	X(no_customer,    false, "without a customer")                     \
	X(no_item,        false, "without an item")                        \
	X(not_bought,     false, "quantity not above 0 (returns, corrections)") \
	X(too_few_fields, true,  "fewer fields than the header")           \
	X(too_many_fields, true, "more fields than the header")            \
	X(bad_quantity,   true,  "quantity is no number")                  \
	X(bad_date,       true,  "date not understood")                    \
	X(bad_id,         true,  "an id with a control character or too long") \
	X(long_field,     true,  "a field over the size limit")            \
	X(bad_quote,      true,  "a quote that never ends, or text after a closing quote")

enum drop_reason {
#define X(field, malformed, text) DROP_##field,
	DROP_REASONS(X)
#undef X
	DROPS
};

#define TRANSACTIONS_NO_TIME INT64_MIN
#define TRANSACTIONS_SOURCES 8		/* inputs that are remembered by name */

struct transactions {
	struct intern customers;	/* ids as UTF-8 text, numbered by first kept row */
	struct intern items;
	uint64_t rows;			/* kept */
	uint32_t *customer;		/* [rows] number in customers */
	uint32_t *item;			/* [rows] number in items */
	int64_t *time;			/* [rows] seconds since 1970 as written (no zone), TRANSACTIONS_NO_TIME for a
					 * row without a date; NULL: no dates at all, recency off */
	struct intern descriptions;	/* distinct texts */
	uint32_t *description_of;	/* [items] number in descriptions: the item's first non-empty one, or UINT32_MAX */

	/* what happened, for the summary and the provenance */
	uint64_t rows_read;		/* data rows, header not counted */
	uint64_t bytes_read;		/* after decompression */
	uint64_t dropped[DROPS];
	uint64_t undated;		/* kept rows without a time though others have one */
	uint64_t transcoded;		/* ids of kept rows, and descriptions stored, taken as Windows-1252 */
	const char *recency_off;	/* why time is NULL: "no date column", "no row has a date", "ambiguous dates…",
					 * "dates are not to be read"; else NULL. A literal */
	const char *date_format;	/* what was found or set: "m/d/Y", "d/m/Y", "d.m.Y", "ISO 8601",
					 * "seconds since 1970"; NULL without dates */
	char sources[TRANSACTIONS_SOURCES][256]; /* names as given, "-" for stdin */
	uint64_t source_digest[TRANSACTIONS_SOURCES]; /* XXH3-64 of the bytes as read, before decompression */
	unsigned source_count;		/* all of them */
};

/* How to read. Zero-initialise, then set what is not default. Strings are borrowed. */
struct reading {
	const char *const *paths;	/* "-" is stdin */
	unsigned path_count;		/* at least 1 */
	const char *columns;		/* "customer=a,item=b,…" or NULL */
	const char *date_format;	/* "mdy", "dmy", "iso", "none" or NULL: find out */
	enum dates_order date_order;	/* what holds when nothing in the input proves an order; DATES_UNKNOWN: none does */
	char delimiter;			/* 0: find out */
	double max_bad;			/* share of malformed rows that refuses the input; 0.10 is the default */
	bool strict;			/* the first malformed row refuses it */
	bool quiet;
	unsigned examples;		/* rows to show as file:line, for each reason; 3 is the default */
	void (*note)(void *of, const char *line); /* one line about the input (an example, a warning); may be NULL */
	void (*progress)(void *of, uint64_t done, uint64_t total); /* bytes; total 0 when not known; may be NULL */
	void *of;
};

/* Read it all. False: *why is "file:line: rule, value"; *t is freed.
 *
 * Every input has a header of its own, so that column order and dialect may differ between them. What is decided
 * about rows (prep/csv.h, values.h and dates.h have the details):
 *   - The first reason in the order of DROP_REASONS' malformed structure (fields, quotes, length), then customer,
 *     item, quantity, ids, date is the one that counts. rows_read is rows plus all of dropped[]; an empty line is no
 *     row.
 *   - A quantity that is missing where there is such a column is malformed: nobody can say whether it was bought.
 *   - A date that is missing is not: the purchase stands, it only never counts as recent (undated counts them).
 *   - Whether m/d or d/m holds is decided once, from all rows of all inputs. Both proven is an error; none proven
 *     leaves recency off, says so through note(), and is an error when strict.
 *   - More than max_bad malformed rows of all read, or no row kept, is an error at the end. */
bool transactions_read(struct transactions *t, const struct reading *how, struct fault *why);
void transactions_free(struct transactions *t);

/* The English text of a reason. */
const char *transactions_reason(enum drop_reason r);
/* Its name in the provenance JSON. */
const char *transactions_reason_key(enum drop_reason r);
bool transactions_reason_malformed(enum drop_reason r);

#endif
