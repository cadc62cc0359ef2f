/* transactions.c - all inputs, one after the other, to the rows that count. The only part of the reader that
 * akin-prep's main knows. For each input: open, dialect, columns, rows; after the last one: may it pass, and what do
 * the dates mean. Fails as transactions.h says, with everything freed. */
#include "transactions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "dialect.h"
#include "input.h"
#include "rows.h"

static const struct {
	bool malformed;
	const char *key, *text;
} reasons[DROPS] = {
#define X(field, malformed, text) [DROP_##field] = {malformed, #field, text},
	DROP_REASONS(X)
#undef X
};

const char *transactions_reason(enum drop_reason r)
{
	return reasons[r].text;
}

const char *transactions_reason_key(enum drop_reason r)
{
	return reasons[r].key;
}

bool transactions_reason_malformed(enum drop_reason r)
{
	return reasons[r].malformed;
}

/* One reading of all inputs. Large: it lives on the heap. */
struct pass {
	const struct reading *how;
	struct column_wishes wishes;
	struct rows rows;
	uint64_t total, done;		/* bytes of all inputs as they are read, and of those that are through */
	struct input input;		/* the one being read */
	struct csv csv;
	struct text names[CSV_COLUMNS_MAX];
};

/* One line about the input as a whole: "what: more", of which one part is a name. */
static void note(const struct pass *p, const char *what, const char *more)
{
	char line[512];

	if (!p->how->note)
		return;
	snprintf(line, sizeof line, "%s: %s", what, more);
	p->how->note(p->how->of, line);
}

/* csv.h's source. */
static bool more_bytes(void *of, char *to, size_t cap, size_t *got, struct fault *why)
{
	struct pass *p = of;

	if (!input_read(&p->input, to, cap, got, why))
		return false;
	if (p->how->progress)
		p->how->progress(p->how->of, p->done + p->input.bytes_in, p->total);
	return true;
}

/* Does it begin as a file of akin-server's log of events does? A test of the two programs holds this line against the server's. */
static bool is_log(struct text head)
{
	static const char first[] = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

	return head.len >= sizeof first - 1 && memcmp(head.at, first, sizeof first - 1) == 0;
}

/* What the user says of columns is meant for the shop's own files. The log that stands behind one of these goes by its own. */
static bool find_columns(struct pass *p, bool log, uint32_t fields, struct fault *why)
{
	static const struct column_wishes none;

	return columns_find(&p->rows.columns, p->names, fields, &p->wishes, why) ||
	       (log && p->rows.t->source_count > 0 && columns_find(&p->rows.columns, p->names, fields, &none, why));
}

/* Dialect and header. The first record's texts stand only until the next, so the columns are found at once. */
static bool read_header(struct pass *p, struct fault *why)
{
	const char *file = p->rows.file;
	struct dialect dialect;
	struct csv *c = &p->csv;
	bool log = is_log(csv_window(c));

	if (!dialect_find(&dialect, csv_window(c), log ? ',' : p->how->delimiter, why))
		return fault_at(why, "%s", file);
	csv_start(c, dialect.skip, dialect.delimiter);

	enum csv_got got = csv_next(c, why);
	if (got == CSV_FAILED)
		return false;
	if (got != CSV_RECORD)
		return fault_set(why, "%s:%llu: must have a header with the names of its columns, but %s", file,
				 (unsigned long long)(got == CSV_END ? 1 : c->line),
				 got == CSV_END ? "is empty" : got == CSV_BAD_QUOTE ? "a quote in it never ends"
									    : "a name in it has no end");
	if (c->fields > CSV_COLUMNS_MAX)
		return fault_set(why, "%s:%llu: must have at most %d columns, not %u", file,
				 (unsigned long long)c->line, CSV_COLUMNS_MAX, c->fields);
	for (unsigned i = 0; i < c->fields; i++)
		p->names[i] = csv_text(c, i);
	if (!find_columns(p, log, c->fields, why))
		return fault_at(why, "%s:%llu", file, (unsigned long long)c->line);
	return true;
}

static bool read_rows(struct pass *p, struct fault *why)
{
	struct transactions *t = p->rows.t;
	const uint32_t *at = p->rows.columns.at;
	uint64_t before = t->rows_read;
	enum csv_got got;

	while ((got = csv_next(&p->csv, why)) < CSV_END)
		if (!rows_take(&p->rows, &p->csv, got, why))
			return false;
	if (got == CSV_FAILED)
		return false;
	if (t->rows_read == before)
		note(p, p->rows.file, "has a header but no rows");
	if (at[ROLE_QUANTITY] == COLUMNS_NONE)
		note(p, p->rows.file, "no quantity column, every row counts as bought");
	return true;
}

static bool read_source(struct pass *p, const char *path, struct fault *why)
{
	struct transactions *t = p->rows.t;
	bool ok;

	p->rows.file = input_name(path);
	if (!input_open(&p->input, path, why))
		return false;
	ok = csv_open(&p->csv, more_bytes, p, why);
	if (ok) {
		ok = read_header(p, why) && read_rows(p, why);
		csv_close(&p->csv);
	}
	if (t->source_count < TRANSACTIONS_SOURCES) {
		snprintf(t->sources[t->source_count], sizeof t->sources[0], "%s", path);
		t->source_digest[t->source_count] = input_digest(&p->input);
	}
	t->source_count++;
	t->bytes_read += p->input.bytes_out;
	p->done += p->input.bytes_in;
	input_close(&p->input);
	return ok;
}

static void no_recency(struct pass *p, const char *reason)
{
	free(p->rows.t->time);
	p->rows.t->time = NULL;
	p->rows.t->recency_off = reason;
	note(p, "recency is off", reason);
}

/* What the dates mean, now that all are seen. */
static bool settle_dates(struct pass *p, bool date_column, struct fault *why)
{
	struct transactions *t = p->rows.t;
	enum dates_order order;

	if (p->rows.no_dates || !date_column) {
		no_recency(p, p->rows.no_dates ? "dates are not to be read" : "no date column");
		return true;
	}
	if (p->rows.dated == 0) {
		no_recency(p, "no row has a date");
		return true;
	}
	if (!dates_decide(&p->rows.dates, &order, why))
		return false;
	if (order == DATES_UNKNOWN && p->how->date_order != DATES_UNKNOWN) {
		order = p->how->date_order;
		note(p, "all dates fit m/d/Y and d/m/Y; they are taken as", order == DATES_MDY ? "m/d/Y" : "d/m/Y");
	}
	if (order == DATES_UNKNOWN) {
		no_recency(p, "ambiguous dates: all fit m/d/Y and d/m/Y; --date-format decides");
		return !p->how->strict || fault_set(why, "%s: %s", p->rows.file, t->recency_off);
	}
	dates_settle(t->time, t->rows, order);
	t->date_format = dates_format(&p->rows.dates, order);
	t->undated = t->rows - p->rows.dated;
	return true;
}

static bool check_rows(struct pass *p, struct fault *why)
{
	struct transactions *t = p->rows.t;
	char dropped[320];

	if (t->rows_read == 0)
		return fault_set(why, "%s: must have rows, but has no rows behind the header", p->rows.file);
	if (!tally_check(&p->rows.tally, t->rows_read, why))
		return false;
	if (t->rows == 0)
		return fault_set(why, "%s: must have a row that counts, but none of %llu does: %s", p->rows.file,
				 (unsigned long long)t->rows_read,
				 tally_text(&p->rows.tally, dropped, sizeof dropped));
	return true;
}

static bool read_all(struct pass *p, struct fault *why)
{
	bool date_column = false;

	for (unsigned i = 0; i < p->how->path_count; i++) {
		uint64_t size = input_size(p->how->paths[i]);

		if (size == 0) {	/* a pipe, or none: the end cannot be known */
			p->total = 0;
			break;
		}
		p->total += size;
	}
	for (unsigned i = 0; i < p->how->path_count; i++) {
		if (!read_source(p, p->how->paths[i], why))
			return false;
		date_column |= p->rows.columns.at[ROLE_DATE] != COLUMNS_NONE;
	}
	return check_rows(p, why) && settle_dates(p, date_column, why);
}

bool transactions_read(struct transactions *t, const struct reading *how, struct fault *why)
{
	struct pass *p = calloc(1, sizeof *p);
	bool ok;

	memset(t, 0, sizeof *t);
	if (!p)
		return fault_set(why, "out of memory to read with");
	p->how = how;
	ok = columns_wish(&p->wishes, how->columns, why) && rows_open(&p->rows, t, how, why);
	if (ok) {
		ok = read_all(p, why);
		rows_close(&p->rows);
	}
	free(p);
	if (!ok)
		transactions_free(t);
	return ok;
}

void transactions_free(struct transactions *t)
{
	intern_free(&t->customers);
	intern_free(&t->items);
	intern_free(&t->descriptions);
	free(t->customer);
	free(t->item);
	free(t->time);
	free(t->description_of);
	memset(t, 0, sizeof *t);
}
