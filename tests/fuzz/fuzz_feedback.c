/* fuzz_feedback.c - bodies of POST /feedback, all the way to their rows. The first byte chooses the limits.
 *
 * What is taken is what jansson, asked here without a look at the depth before, says that it is; every event has exactly one
 * fate, by rules told here once more; and the rows of those that are not refused, read by akin-prep's own reader of CSV, say
 * the same ids again, one record each. */
#include "fuzz.h"

#include "../../prep/csv.h"
#include "../../server/feedback_rows.h"

#define LONGEST 8192

static const char *const columns[] = {"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
				      "CustomerID", "Country"};

/* Deepest nesting of a value, itself included. */
static unsigned depth_of(const json_t *j)
{
	unsigned deepest = 0, d;
	const char *key;
	json_t *one;
	size_t i;

	json_array_foreach(j, i, one) {
		d = depth_of(one);
		deepest = d > deepest ? d : deepest;
	}
	json_object_foreach((json_t *)(uintptr_t)j, key, one) {
		d = depth_of(one);
		deepest = d > deepest ? d : deepest;
	}
	return deepest + (json_is_array(j) || json_is_object(j));
}

/* As the next one reads it: no controls, of one of the two sets, no more than MODEL_MAX_ID bytes. */
static bool is_id(const json_t *j)
{
	const uint8_t *at = (const uint8_t *)json_string_value(j);
	size_t len = json_string_length(j);

	if (!json_is_string(j) || len < 1 || len > 1024)
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] < 32 || at[i] == 127 || (at[i] == 0xc2 && at[i + 1] >= 0x80 && at[i + 1] < 0xa0))
			return false;
	return true;
}

static bool absent(const json_t *j) { return !j || json_is_null(j); }

static bool same(struct text t, const json_t *j)
{
	if (absent(j))
		return !t.at;
	return t.len == json_string_length(j) && memcmp(t.at, json_string_value(j), t.len) == 0;
}

static void check_event(const struct feedback_event *e, const json_t *j, int64_t latest)
{
	const json_t *id = json_object_get(j, "recommendation_id"), *user = json_object_get(j, "user");
	const json_t *item = json_object_get(j, "item"), *event = json_object_get(j, "event"), *when = json_object_get(j, "time");
	const char *word = json_string_value(event);
	bool named = (absent(id) || is_id(id)) && (absent(user) || is_id(user)) && !(absent(id) && absent(user));
	bool fine = json_is_object(j) && named && is_id(item) && word;
	bool known = word && strlen(word) == json_string_length(event) &&
		     (!strcmp(word, "click") || !strcmp(word, "cart") || !strcmp(word, "purchase"));
	bool timely = absent(when) || json_is_string(when) || (json_is_number(when) && json_number_value(when) >= 0);

	REQUIRE(e->outcome == FEEDBACK_UNDECIDED || e->outcome == OUTCOME_MALFORMED || e->outcome == OUTCOME_FUTURE ||
		e->outcome == OUTCOME_UNKNOWN_EVENT);
	REQUIRE((e->outcome != FEEDBACK_UNDECIDED) == (e->detail != NULL));
	REQUIRE((e->outcome == OUTCOME_UNKNOWN_EVENT) == (fine && !known));
	if (e->outcome == OUTCOME_FUTURE)
		REQUIRE(fine && known && !absent(when));
	if (e->outcome != FEEDBACK_UNDECIDED) {
		REQUIRE(!fine || !known || !absent(when));
		fuzz_is_line(e->detail);
		return;
	}
	REQUIRE(fine && known && timely && same(e->id, id) && same(e->user, user) && same(e->item, item));
	REQUIRE(e->timed == !absent(when) && (!e->timed || (e->ms >= 0 && e->ms <= latest)));
	if (json_is_integer(when))
		REQUIRE(e->ms == json_integer_value(when) * 1000);
	REQUIRE(e->kind == (word[1] == 'l' ? EVENT_CLICK : word[0] == 'c' ? EVENT_CART : EVENT_PURCHASE));
}

struct bytes {
	const char *at;
	size_t left;
};

static bool give(void *of, char *to, size_t cap, size_t *got, struct fault *why)
{
	struct bytes *b = of;

	(void)why;
	*got = b->left < cap ? b->left : cap;
	memcpy(to, b->at, *got);
	b->at += *got;
	b->left -= *got;
	return true;
}

static bool is(const struct csv *c, unsigned field, struct text t)
{
	struct text is = csv_text(c, field);

	return is.len == t.len && (t.len == 0 || memcmp(is.at, t.at, t.len) == 0);
}

static void check_rows(const struct feedback_body *f)
{
	struct feedback_rows rows = {.count = 0};
	struct fault why;
	static struct csv c;

	for (uint32_t i = 0; i < f->count; i++)
		if (f->event[i].outcome == FEEDBACK_UNDECIDED)
			REQUIRE(feedback_rows_add(&rows, &f->event[i], f->event[i].user, 1));
	char *file = malloc(sizeof FEEDBACK_HEADER + rows.len);

	REQUIRE(file);
	memcpy(file, FEEDBACK_HEADER, sizeof FEEDBACK_HEADER - 1);
	if (rows.len)
		memcpy(file + sizeof FEEDBACK_HEADER - 1, rows.at, rows.len);
	struct bytes b = {file, sizeof FEEDBACK_HEADER - 1 + rows.len};

	REQUIRE(csv_open(&c, give, &b, &why));
	csv_start(&c, 0, ',');
	REQUIRE(csv_next(&c, &why) == CSV_RECORD && c.fields == 8);
	for (unsigned i = 0; i < 8; i++)
		REQUIRE(is(&c, i, (struct text){columns[i], strlen(columns[i])}));
	for (uint32_t i = 0; i < f->count; i++) {
		const struct feedback_event *e = &f->event[i];

		if (e->outcome != FEEDBACK_UNDECIDED)
			continue;
		REQUIRE(csv_next(&c, &why) == CSV_RECORD && c.fields == 8 && is(&c, 1, e->item) && is(&c, 6, e->user));
		REQUIRE(is(&c, 3, (struct text){e->kind == EVENT_PURCHASE ? "1" : "0", 1}) && csv_text(&c, 4).len >= 19);
	}
	REQUIRE(csv_next(&c, &why) == CSV_END);
	csv_close(&c);
	free(file);
	free(rows.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > LONGEST)
		return -1;
	const struct feedback_limits l = {.events = data[0] % 8 + 1u, .latest_ms = (int64_t)(data[0] / 8) * INT64_C(1000000000000)};
	struct text body = {(const char *)data + 1, size - 1};
	struct feedback_body f;
	struct fault why = {""};
	json_t *all, *events;
	int status = 0;

	bool taken = feedback_read(&f, body, &l, &status, &why);

	if (!taken) {
		REQUIRE((status == 400 || status == 413) && !f.event && !f.json.value && !f.json.pieces);
		fuzz_is_line(why.text);
	}
	all = size > 4096 ? NULL : json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (taken && size <= 4096)
		REQUIRE(all && depth_of(all) <= FEEDBACK_DEPTH);
	if (!taken && status == 400 && all)
		REQUIRE(depth_of(all) > FEEDBACK_DEPTH || strcmp(why.text, "events: must be an array") == 0);
	if (taken && all) {
		events = json_is_array(all) ? all : json_object_get(all, "events");
		REQUIRE(f.count == (events ? json_array_size(events) : 1) && f.count <= l.events);
		for (uint32_t i = 0; i < f.count; i++)
			check_event(&f.event[i], events ? json_array_get(events, i) : all, l.latest_ms);
	}
	if (taken) {
		check_rows(&f);
		feedback_read_free(&f);
	}
	json_decref(all);
	return 0;
}
