/* rows.c - the row rules, in their order, and the interning of what a kept row names. Called for every record, so it
 * looks first at what most often decides: the ids' texts are checked only when they are new, since what is in a set
 * has been found good. Fails when strict refuses a row, or memory is short. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoding.h"
#include "values.h"

#define FIRST_ROWS 65536

struct row {				/* one that may yet be dropped */
	struct text customer, item;
	uint32_t customer_number, item_number;	/* MODEL_NONE: new */
	unsigned transcoded;
	int64_t time;
};

bool rows_open(struct rows *r, struct transactions *t, const struct reading *how, struct fault *why)
{
	memset(r, 0, sizeof *r);
	r->t = t;
	r->tally = (struct tally){.how = how, .dropped = t->dropped};
	r->no_dates = how->date_format && strcmp(how->date_format, "none") == 0;
	if (!dates_init(&r->dates, r->no_dates ? NULL : how->date_format, why))
		return false;
	r->room = malloc(ENCODING_GROWTH * (size_t)CSV_FIELD_MAX);
	return r->room || fault_set(why, "out of memory to read rows");
}

void rows_close(struct rows *r)
{
	free(r->room);
	r->room = NULL;
}

static bool drop(struct rows *r, enum drop_reason reason, const struct csv *c, struct text seen, struct fault *why)
{
	return tally_drop(&r->tally, reason, r->file, c->line, seen, why);
}

static bool drop_count(struct rows *r, const struct csv *c, struct fault *why)
{
	char seen[48];
	int n = snprintf(seen, sizeof seen, "%u of %u", c->fields, r->columns.count);

	return drop(r, c->fields < r->columns.count ? DROP_too_few_fields : DROP_too_many_fields, c,
		    (struct text){seen, (size_t)n}, why);
}

/* A sound row that does not count still bears witness to what its dates look like, while nothing is proven. */
static bool drop_sound(struct rows *r, enum drop_reason reason, const struct csv *c, struct text seen,
		       struct fault *why)
{
	if (r->columns.at[ROLE_DATE] != COLUMNS_NONE && dates_open_question(&r->dates)) {
		int64_t ignored;

		(void)dates_read(&r->dates, value_trim(csv_text(c, r->columns.at[ROLE_DATE])), r->file, c->line,
				 &ignored);
	}
	return drop(r, reason, c, seen, why);
}

/* An id that no kept row has had yet: as UTF-8, and fit to be one? Its UTF-8 is put in room, half of which is for
 * the customer and half for the item. */
static bool new_id(struct text *id, char *room, unsigned *transcoded)
{
	bool changed;

	if (id->len > MODEL_MAX_ID)
		return false;
	*id = encoding_utf8(*id, room, &changed);
	*transcoded += changed;
	return model_is_id(*id);
}

static bool grow(struct rows *r, struct fault *why)
{
	struct transactions *t = r->t;
	uint64_t cap = r->cap ? r->cap * 2 : FIRST_ROWS;
	uint32_t *customer = realloc(t->customer, cap * sizeof *customer);
	if (customer)
		t->customer = customer;
	uint32_t *item = realloc(t->item, cap * sizeof *item);
	if (item)
		t->item = item;
	int64_t *time = r->no_dates ? NULL : realloc(t->time, cap * sizeof *time);
	if (time)
		t->time = time;
	if (!customer || !item || (!time && !r->no_dates))
		return fault_set(why, "%s: out of memory for %llu rows", r->file, (unsigned long long)cap);
	r->cap = cap;
	return true;
}

/* The items' descriptions grow with the items: a slot for a new one, at every power of two. */
static bool add_item(struct transactions *t, uint32_t number)
{
	if ((number & (number - 1)) == 0) {
		size_t cap = number ? (size_t)number * 2 : 1;
		uint32_t *of = realloc(t->description_of, cap * sizeof *of);

		if (!of)
			return false;
		t->description_of = of;
	}
	t->description_of[number] = UINT32_MAX;
	return true;
}

static bool describe(struct rows *r, const struct csv *c, uint32_t item)
{
	struct text v = value_trim(csv_text(c, r->columns.at[ROLE_DESCRIPTION]));
	bool changed;

	if (value_missing(v))
		return true;
	v = encoding_utf8(v, r->room, &changed);
	r->t->transcoded += changed;
	return intern_put(&r->t->descriptions, v.at, v.len, &r->t->description_of[item]);
}

/* Number what is new, and append. */
static bool keep(struct rows *r, const struct csv *c, struct row *row, struct fault *why)
{
	struct transactions *t = r->t;
	uint32_t items = t->items.n;
	bool ok = true;

	if (row->customer_number == MODEL_NONE)
		ok = intern_put(&t->customers, row->customer.at, row->customer.len, &row->customer_number);
	/* One that had to be transcoded was looked for as it came, and may have been there after all. */
	if (ok && row->item_number == MODEL_NONE)
		ok = intern_put(&t->items, row->item.at, row->item.len, &row->item_number) &&
		     (row->item_number < items || add_item(t, row->item_number));
	if (ok && r->columns.at[ROLE_DESCRIPTION] != COLUMNS_NONE &&
	    t->description_of[row->item_number] == UINT32_MAX)
		ok = describe(r, c, row->item_number);
	if (!ok)
		return fault_set(why, "%s:%llu: out of memory for one more customer or item", r->file,
				 (unsigned long long)c->line);
	if (t->rows == r->cap && !grow(r, why))
		return false;
	t->customer[t->rows] = row->customer_number;
	t->item[t->rows] = row->item_number;
	if (!r->no_dates)
		t->time[t->rows] = row->time;
	r->dated += row->time != TRANSACTIONS_NO_TIME;
	t->transcoded += row->transcoded;
	t->rows++;
	return true;
}

static void remember(struct rows *r, struct text raw, const struct row *row, bool transcoded)
{
	if (raw.len > sizeof r->last.raw)
		return;
	memcpy(r->last.raw, raw.at, raw.len);
	r->last.len = raw.len;
	r->last.number = row->customer_number;
	r->last.transcoded = transcoded;
}

bool rows_take(struct rows *r, const struct csv *c, enum csv_got got, struct fault *why)
{
	const uint32_t *at = r->columns.at;
	struct transactions *t = r->t;
	struct row row = {.customer_number = MODEL_NONE, .item_number = MODEL_NONE, .time = TRANSACTIONS_NO_TIME};

	t->rows_read++;
	if (got != CSV_RECORD)
		return drop(r, got == CSV_BAD_QUOTE ? DROP_bad_quote : DROP_long_field, c, c->seen, why);
	if (c->fields != r->columns.count)
		return drop_count(r, c, why);

	struct text raw = csv_text(c, at[ROLE_CUSTOMER]);
	bool again = raw.len == r->last.len && raw.len && memcmp(raw.at, r->last.raw, raw.len) == 0;
	if (again) {
		row.customer_number = r->last.number;
		row.transcoded = r->last.transcoded;
	} else {
		row.customer = value_trim(raw);
		if (value_missing(row.customer))
			return drop_sound(r, DROP_no_customer, c, raw, why);
		row.customer = value_customer(row.customer);
		(void)intern_find(&t->customers, row.customer.at, row.customer.len, &row.customer_number);
	}

	row.item = value_trim(csv_text(c, at[ROLE_ITEM]));
	if (value_missing(row.item))
		return drop_sound(r, DROP_no_item, c, row.item, why);

	if (at[ROLE_QUANTITY] != COLUMNS_NONE) {
		struct text quantity = value_trim(csv_text(c, at[ROLE_QUANTITY]));
		enum value_sign sign = value_quantity(quantity);

		if (sign == VALUE_NO_NUMBER)
			return drop(r, DROP_bad_quantity, c, quantity, why);
		if (sign == VALUE_NOT_ABOVE_0)
			return drop_sound(r, DROP_not_bought, c, quantity, why);
	}

	if (row.customer_number == MODEL_NONE && !new_id(&row.customer, r->room, &row.transcoded))
		return drop(r, DROP_bad_id, c, row.customer, why);
	bool customer_transcoded = row.transcoded;
	if (!intern_find(&t->items, row.item.at, row.item.len, &row.item_number) &&
	    !new_id(&row.item, r->room + ENCODING_GROWTH * (size_t)MODEL_MAX_ID, &row.transcoded))
		return drop(r, DROP_bad_id, c, row.item, why);

	if (at[ROLE_DATE] != COLUMNS_NONE && !r->no_dates) {
		struct text date = value_trim(csv_text(c, at[ROLE_DATE]));

		if (!value_missing(date) && !dates_read(&r->dates, date, r->file, c->line, &row.time))
			return drop(r, DROP_bad_date, c, date, why);
	}
	if (!keep(r, c, &row, why))
		return false;
	if (!again)
		remember(r, raw, &row, customer_transcoded);
	return true;
}
