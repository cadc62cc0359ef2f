/* csv.h - records of a delimited text, one after the other, in bounded memory.
 *
 * A record ends at LF or CR LF; the last one may end with the input. A field that starts with a quote is a quoted
 * field: delimiters and line ends in it are text, "" is one quote, and the closing quote must be followed by a
 * delimiter or the end of the record. Spaces and tabs around the quotes are passed over: some exporters write a space
 * behind every delimiter. A quote anywhere else in a field is text. Empty lines are passed over.
 *
 * How reading goes on after a record that cannot be taken:
 *   CSV_BAD_QUOTE   text stands behind a closing quote, or none comes: not before the end of the input, and not
 *                   within CSV_FIELD_MAX bytes though a line ended meanwhile. The record ends where the line ends
 *                   that the quote opened on, and the next line is a record again: a forgotten quote costs one line
 *                   and never swallows the rest.
 *   CSV_LONG_FIELD  a field of more than CSV_FIELD_MAX bytes (a quoted one: all in one line), or a record of more
 *                   than CSV_RECORD_MAX. Everything up to the next line feed goes with it.
 *
 * The bytes come from a source in blocks and stand in one window of CSV_RECORD_MAX + CSV_BLOCK bytes, of which an
 * ordinary input touches little more than a block. */
#ifndef AKIN_CSV_H
#define AKIN_CSV_H

#include "scan.h"
#include "../shm/fault.h"
#include "../shm/model.h"

#define CSV_FIELD_MAX	(64 * 1024)
#define CSV_RECORD_MAX	(1024 * 1024)
#define CSV_BLOCK	(256 * 1024)
#define CSV_COLUMNS_MAX 4096		/* fields of a record that can be looked at; more are counted only */

/* Put 1 to cap bytes at to, *got how many; 0 is the end of the input. */
typedef bool csv_source(void *of, char *to, size_t cap, size_t *got, struct fault *why);

enum csv_got { CSV_RECORD, CSV_LONG_FIELD, CSV_BAD_QUOTE, CSV_END, CSV_FAILED };

struct csv_field {			/* offsets into buf */
	uint32_t from, to;
};

struct csv {
	uint64_t line;			/* where the record starts; where the quote opened for CSV_BAD_QUOTE */
	unsigned fields;		/* of the record; may be more than CSV_COLUMNS_MAX */
	struct text seen;		/* the offending text, from its start, for the two refusals */
	char *buf;
	/* the rest belongs to csv.c */
	csv_source *source;
	void *of;
	size_t pos, end;		/* the bytes not yet read as records */
	size_t block;			/* the 64 bytes that mask is about */
	uint64_t mask;			/* their special bytes at pos and behind */
	uint64_t next_line;
	bool ended;			/* the source has */
	bool skipping;			/* up to the next line feed, before anything else */
	struct scan scan;
	struct csv_field field[CSV_COLUMNS_MAX];
};

/* Get the first block, so that csv_window() has the head of the input. source and of are borrowed. False: *why, and
 * nothing to close. */
bool csv_open(struct csv *c, csv_source *source, void *of, struct fault *why);
void csv_close(struct csv *c);

/* Bytes read ahead: after csv_open() the head of the input, empty only when that is. */
static inline struct text csv_window(const struct csv *c)
{
	return (struct text){c->buf + c->pos, c->end - c->pos};
}

/* Start reading records: skip bytes (a byte-order mark) and take this delimiter. Once, before csv_next(). */
void csv_start(struct csv *c, size_t skip, char delimiter);

/* The next record. Its texts stand until the next call. CSV_FAILED: the source did, *why is the source's. */
enum csv_got csv_next(struct csv *c, struct fault *why);

/* Field i of the record, quotes taken off; i must be below fields and below CSV_COLUMNS_MAX. */
static inline struct text csv_text(const struct csv *c, unsigned i)
{
	return (struct text){c->buf + c->field[i].from, c->field[i].to - c->field[i].from};
}

#endif
