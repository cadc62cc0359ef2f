/* csv.c - splitting the input into records. Two ways through a record: the plain one runs over the special bytes
 * that scan.h found, and is the one nearly all records take; the quoted one goes field by field and starts again at
 * the record's first byte as soon as the plain way meets a quote. Both answer STARVED when the record goes on
 * behind what was read; the record is then read again from its start with more bytes behind it.
 *
 * Fails only when its source does or memory is short at the start. */
#include "csv.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)CSV_RECORD_MAX + CSV_BLOCK)

enum { PLAIN_QUOTE = CSV_FAILED + 1, STARVED, BLANK };	/* between csv_next() and the two ways */

static uint64_t window_mask(const struct csv *c, size_t block)
{
	uint64_t mask = scan_block(&c->scan, c->buf + block);
	size_t left = c->end - block;

	return left >= SCAN_BYTES ? mask : mask & ((UINT64_C(1) << left) - 1);
}

/* Go on at pos, which no mask knows of. */
static void seek(struct csv *c, size_t pos)
{
	c->pos = pos;
	c->block = pos - pos % SCAN_BYTES;
	c->mask = c->block < c->end ? window_mask(c, c->block) & (~UINT64_C(0) << (pos - c->block)) : 0;
}

/* Move what is left to the front and get a block more. A pipe gives little at a time: ask till the block is full. */
static bool refill(struct csv *c, struct fault *why)
{
	size_t left = c->end - c->pos;

	if (c->pos) {
		memmove(c->buf, c->buf + c->pos, left);
		c->pos = 0;
		c->end = left;
	}
	size_t want = WINDOW - c->end < CSV_BLOCK ? WINDOW - c->end : CSV_BLOCK;
	while (want) {
		size_t got;

		if (!c->source(c->of, c->buf + c->end, want, &got, why))
			return false;
		if (got == 0) {
			c->ended = true;
			break;
		}
		c->end += got;
		want -= got;
	}
	seek(c, 0);
	return true;
}

bool csv_open(struct csv *c, csv_source *source, void *of, struct fault *why)
{
	c->buf = aligned_alloc(SCAN_BYTES, WINDOW + SCAN_BYTES);	/* the last block may be looked at whole */
	if (!c->buf)
		return fault_set(why, "out of memory for %zu bytes to read with", WINDOW);
	memset(c->buf + WINDOW, 0, SCAN_BYTES);
	c->source = source;
	c->of = of;
	c->pos = c->end = 0;
	c->next_line = 1;
	c->ended = c->skipping = false;
	scan_init(&c->scan, ',');
	if (!refill(c, why)) {
		csv_close(c);
		return false;
	}
	return true;
}

void csv_close(struct csv *c)
{
	free(c->buf);
	c->buf = NULL;
}

void csv_start(struct csv *c, size_t skip, char delimiter)
{
	scan_init(&c->scan, delimiter);
	seek(c, c->pos + skip);
}

static void put_field(struct csv *c, unsigned n, size_t from, size_t to)
{
	if (n < CSV_COLUMNS_MAX)
		c->field[n] = (struct csv_field){(uint32_t)from, (uint32_t)to};
}

/* The end of a record's last field, whose line feed (or end of input) is at `at`. */
static size_t before_cr(const struct csv *c, size_t from, size_t at)
{
	return at > from && c->buf[at - 1] == '\r' ? at - 1 : at;
}

static int refuse(struct csv *c, int how, size_t from)
{
	c->seen = (struct text){c->buf + from, c->end - from};
	return how;
}

/* A record longer than CSV_FIELD_MAX, split already: is a field too? */
static int check_fields(struct csv *c)
{
	for (unsigned i = 0; i < c->fields && i < CSV_COLUMNS_MAX; i++)
		if (c->field[i].to - c->field[i].from > CSV_FIELD_MAX)
			return refuse(c, CSV_LONG_FIELD, c->field[i].from);
	return CSV_RECORD;
}

/* The record from start is split; its line feed, or the input's end, is at `at`. block and mask are past it. */
static int plain_end(struct csv *c, size_t start, size_t from, size_t at)
{
	size_t to = before_cr(c, from, at);

	c->line = c->next_line++;
	c->pos = at < c->end ? at + 1 : at;
	if (c->fields == 0 && from == to)
		return BLANK;
	put_field(c, c->fields++, from, to);
	return at - start > CSV_FIELD_MAX ? check_fields(c) : CSV_RECORD;
}

static int plain_record(struct csv *c)
{
	const char delimiter = c->scan.delimiter, *const buf = c->buf;
	const size_t start = c->pos;
	size_t block = c->block, from = start;
	uint64_t mask = c->mask;
	unsigned n = 0;

	for (;;) {
		while (mask) {
			size_t at = block + (unsigned)__builtin_ctzll(mask);

			mask &= mask - 1;
			if (buf[at] == delimiter) {
				put_field(c, n++, from, at);
				from = at + 1;
			} else if (buf[at] == '\n') {
				c->block = block;
				c->mask = mask;
				c->fields = n;
				return plain_end(c, start, from, at);
			} else {
				return PLAIN_QUOTE;
			}
		}
		block += SCAN_BYTES;
		if (block >= c->end)
			break;
		mask = window_mask(c, block);
	}
	if (!c->ended)
		return STARVED;
	if (start == c->end)
		return CSV_END;
	c->block = block;
	c->mask = 0;
	c->fields = n;
	return plain_end(c, start, from, c->end);
}

/* Lines that end in [from, to). */
static uint64_t line_feeds(const struct csv *c, size_t from, size_t to)
{
	const char *p = c->buf + from, *end = c->buf + to;
	uint64_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		n++;
		p++;
	}
	return n;
}

/* Refuse the record for what starts at `from`. It goes on to the next line feed behind that, wherever that is: the
 * rest of the line is passed over by the next call, since seen still shows it. */
static int refuse_line(struct csv *c, int how, size_t start, size_t from)
{
	uint64_t line = c->next_line + line_feeds(c, start, from);

	c->line = how == CSV_BAD_QUOTE ? line : c->next_line;
	c->next_line = line;
	c->pos = from;
	c->skipping = true;
	return refuse(c, how, from);
}

/* Find the closing quote of the one at open. CSV_RECORD: it is at *close. STARVED, or what is wrong. */
static int closing_quote(struct csv *c, size_t start, size_t open, size_t *close)
{
	size_t limit = open + 1 + CSV_FIELD_MAX;	/* the closing quote's last place */
	size_t stop = limit < c->end ? limit + 1 : c->end;

	for (size_t at = open + 1; at < stop; at += 2) {
		const char *quote = memchr(c->buf + at, '"', stop - at);

		if (!quote)
			break;
		at = (size_t)(quote - c->buf);
		if (at + 1 == c->end || c->buf[at + 1] != '"') {	/* at the end, quoted_record() sees to it */
			*close = at;
			return CSV_RECORD;
		}
	}
	if (limit < c->end)
		return refuse_line(c,
				   memchr(c->buf + open, '\n', limit - open) ? CSV_BAD_QUOTE : CSV_LONG_FIELD,
				   start, open);
	return c->ended ? refuse_line(c, CSV_BAD_QUOTE, start, open) : STARVED;
}

/* Make "" one quote in the record's quoted fields. The record is taken: it is not read again. */
static void undouble(struct csv *c, size_t start)
{
	for (unsigned i = 0; i < c->fields && i < CSV_COLUMNS_MAX; i++) {
		struct csv_field *f = &c->field[i];

		if (f->from == start || c->buf[f->from - 1] != '"')
			continue;
		char *to = memchr(c->buf + f->from, '"', f->to - f->from), *end = c->buf + f->to;
		if (!to)
			continue;
		for (const char *from = to; from < end; from++) {
			from += *from == '"';	/* the first of two */
			*to++ = *from;
		}
		f->to = (uint32_t)(to - c->buf);
	}
}

static int quoted_end(struct csv *c, size_t start, size_t at)
{
	c->line = c->next_line;
	c->next_line += 1 + line_feeds(c, start, at);
	undouble(c, start);
	seek(c, at < c->end ? at + 1 : at);
	return CSV_RECORD;
}

/* A field that is not quoted, from `at` to its delimiter, line feed or the end of what was read. */
static size_t bare_end(const struct csv *c, size_t at)
{
	while (at < c->end && c->buf[at] != c->scan.delimiter && c->buf[at] != '\n')
		at++;
	return at;
}

static int quoted_record(struct csv *c)
{
	const char *const buf = c->buf;
	const size_t start = c->pos;

	c->fields = 0;
	for (size_t at = start;; at++) {
		size_t from = at, to = 0;

		if (at < c->end && buf[at] == '"') {
			int found = closing_quote(c, start, from, &to);

			if (found != CSV_RECORD)
				return found;
			at = to + 1;
			if (at + 1 >= c->end && !c->ended)
				return STARVED;
			if (at < c->end && buf[at] == '\r' && (at + 1 == c->end || buf[at + 1] == '\n'))
				at++;
			if (at < c->end && buf[at] != c->scan.delimiter && buf[at] != '\n')
				return refuse_line(c, CSV_BAD_QUOTE, start, from);
			put_field(c, c->fields++, from + 1, to);
		} else {
			at = bare_end(c, from);
			to = at < c->end && buf[at] != '\n' ? at : before_cr(c, from, at);
			if (to - from > CSV_FIELD_MAX)
				return refuse_line(c, CSV_LONG_FIELD, start, from);
			if (at == c->end && !c->ended)
				return STARVED;
			put_field(c, c->fields++, from, to);
		}
		if (at == c->end || buf[at] == '\n')
			return quoted_end(c, start, at);
	}
}

/* Pass over the rest of a line, block by block. */
static bool skip_line(struct csv *c, struct fault *why)
{
	for (;;) {
		const char *feed = memchr(c->buf + c->pos, '\n', c->end - c->pos);

		if (feed) {
			seek(c, (size_t)(feed - c->buf) + 1);
			break;
		}
		seek(c, c->end);
		if (c->ended)
			break;
		if (!refill(c, why))
			return false;
	}
	c->next_line++;
	c->skipping = false;
	return true;
}

enum csv_got csv_next(struct csv *c, struct fault *why)
{
	if (c->skipping && !skip_line(c, why))
		return CSV_FAILED;
	for (;;) {
		int got = plain_record(c);

		if (got == PLAIN_QUOTE)
			got = quoted_record(c);
		if (got == STARVED && c->pos == 0 && c->end == WINDOW)
			return (enum csv_got)refuse_line(c, CSV_LONG_FIELD, 0, 0);
		if (got == STARVED && !refill(c, why))
			return CSV_FAILED;
		if (got != STARVED && got != BLANK)
			return (enum csv_got)got;
	}
}
