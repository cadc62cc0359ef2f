/* fuzz_csv.c - the whole way of an input: records, dialect, columns, values, dates, rows, lists, a model. The last byte
 * chooses how it is read, the others are the file.
 *
 * The records must be those of a splitter that has the whole text (tests/unit/csv_by_hand.h), in whatever pieces the
 * bytes come. Every row is kept or counted under one reason. What akin-prep build makes a model of is a model that
 * akin-prep verify accepts, rows counted again; what it does not, it refuses in one line and leaves nothing. */
#include "prep.h"

#define assert_non_null(p) REQUIRE((p) != NULL)
#include "../unit/csv_by_hand.h"

#include "../../prep/build.h"
#include "../../prep/csv.h"
#include "../../prep/dates.h"
#include "../../prep/transactions.h"
#include "../../prep/values.h"
#include "../../prep/verify.h"

#define LONGEST 16384			/* below CSV_FIELD_MAX, whose refusals the splitter does not know */

static const char *const formats[] = {NULL, "mdy", "dmy", "iso", "none", NULL, NULL, NULL};
static const char delimiters[] = {0, ',', ';', '\t'};

struct pieces {
	const char *at;
	size_t left, piece;
};

static bool next_piece(void *of, char *to, size_t cap, size_t *got, struct fault *why)
{
	struct pieces *p = of;

	(void)why;
	*got = p->left < p->piece ? p->left : p->piece;
	*got = *got < cap ? *got : cap;
	memcpy(to, p->at, *got);
	p->at += *got;
	p->left -= *got;
	return true;
}

static void check_records(const char *text, size_t len, size_t piece)
{
	static struct csv c;
	struct pieces p = {text, len, piece};
	struct record_log seen = {0}, expected = naive_log(text, len);
	struct fault why;
	enum csv_got got;

	add(&seen, "", 0);
	REQUIRE(csv_open(&c, next_piece, &p, &why));
	csv_start(&c, 0, ',');
	while ((got = csv_next(&c, &why)) != CSV_END) {
		REQUIRE(got == CSV_RECORD || got == CSV_BAD_QUOTE);
		add_line(&seen, c.line, got == CSV_RECORD ? ":" : "!quote");
		for (unsigned i = 0; got == CSV_RECORD && i < c.fields; i++) {
			add(&seen, csv_text(&c, i).at, csv_text(&c, i).len);
			add(&seen, "|", 1);
		}
		add(&seen, "\n", 1);
	}
	csv_close(&c);
	REQUIRE(c.fields > CSV_COLUMNS_MAX || (seen.len == expected.len && memcmp(seen.text, expected.text, seen.len) == 0));
	free(seen.text);
	free(expected.text);
}

static void note(void *of, const char *line)
{
	*(unsigned *)of += 1;
	fuzz_is_line(line);
}

static void check_ids(const struct intern *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct text id = {t->bytes + t->start[i], t->start[i + 1] - t->start[i]};
		uint32_t number;

		REQUIRE(model_is_id(id) && utf8_valid(id.at, id.len));
		REQUIRE(intern_find(t, id.at, id.len, &number) && number == i);
	}
}

/* An item's and a customer's numbers are given in order of first appearance. */
static void check_rows(const struct transactions *t)
{
	uint32_t customers = 0, items = 0;
	uint64_t sum = t->rows;

	for (unsigned r = 0; r < DROPS; r++)
		sum += t->dropped[r];
	REQUIRE(sum == t->rows_read && t->rows > 0 && t->undated <= t->rows);
	for (uint64_t i = 0; i < t->rows; i++) {
		REQUIRE(t->customer[i] <= customers && t->item[i] <= items);
		customers += t->customer[i] == customers;
		items += t->item[i] == items;
		if (t->time && t->time[i] != TRANSACTIONS_NO_TIME)	/* the years 1 to 9999, or 13 digits of ms */
			REQUIRE(t->time[i] >= -62135596800 && t->time[i] < 253402300800);
	}
	REQUIRE(customers == t->customers.n && items == t->items.n);
	REQUIRE((t->time == NULL) == (t->recency_off != NULL));
	for (uint32_t i = 0; i < items; i++)
		REQUIRE(t->description_of[i] == UINT32_MAX || t->description_of[i] < t->descriptions.n);
	check_ids(&t->customers);
	check_ids(&t->items);
}

/* The counts of the reading, or {0} when the input is refused. */
static struct model_head check_reading(const char *path, uint8_t how)
{
	struct transactions t;
	struct fault why = {""};
	unsigned notes = 0;
	struct reading r = {.paths = &path, .path_count = 1, .date_format = formats[how & 7], .strict = how & 8,
			    .delimiter = delimiters[how >> 4 & 3], .max_bad = how & 0x80 ? 1 : 0.1, .examples = 3,
			    .note = note, .of = &notes};
	struct model_head h = {.items = 0};

	if (transactions_read(&t, &r, &why)) {
		check_rows(&t);
		h.items = t.items.n;
		h.customers = t.customers.n;
		h.interactions = t.rows;
		transactions_free(&t);
	} else {
		fuzz_is_line(why.text);
	}
	return h;
}

static const char *output(void)
{
	static char path[64];

	if (!*path)
		snprintf(path, sizeof path, "/dev/shm/fuzz-%d.model", (int)getpid());
	return path;
}

static void check_model(const char *path, uint8_t how, const struct model_head *expected)
{
	const char *delimiter = how & 0x30 ? (const char *[]){"", ",", ";", "tab"}[how >> 4 & 3] : NULL;
	const char *arguments[16] = {"build", "-q", "-j1", "-o", output(), "--max-bad", how & 0x80 ? "1" : "0.1"};
	int n = 7;

	if (formats[how & 7]) {
		arguments[n++] = "--date-format";
		arguments[n++] = formats[how & 7];
	}
	if (delimiter) {
		arguments[n++] = "--delimiter";
		arguments[n++] = delimiter;
	}
	if (how & 8)
		arguments[n++] = "--strict";
	arguments[n] = path;
	struct said s = said(build_main, arguments);

	REQUIRE((s.status == 0) == (expected->items > 0));
	if (s.status) {
		said_well(&s);
		REQUIRE(access(output(), F_OK) != 0);
	} else {
		struct opened o;
		struct fault why = {""};

		REQUIRE(verify_open(&o, output(), &why) && model_verify_rows(&o.model, &why));
		REQUIRE(o.model.head->items == expected->items && o.model.head->customers == expected->customers);
		REQUIRE(o.model.head->interactions <= expected->interactions);
		verify_close(&o);
		unlink(output());
	}
	said_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > LONGEST)
		return -1;
	const char *text = (const char *)data, *path = fuzz_file(text, --size);
	uint8_t how = data[size];

	check_records(text, size, size + 1);
	check_records(text, size, size % 7 + 1);
	struct model_head expected = check_reading(path, how);

	if (how & 0x40)
		check_model(path, how, &expected);
	return 0;
}
