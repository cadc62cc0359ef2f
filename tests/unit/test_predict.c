/* test_predict.c - the JSON of predictions and of their refusals, byte by byte, on a model worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_packed.h"
#include "../../server/predict.h"

/* Items were first seen in the order 1 2 0 3; customers per item: 3 3 2 1. */
static const struct small table = {
	.items = 4, .customers = 4, .row_limit = 3, .whole = 1,
	.bought = {{1, 1, 0, 0}, {1, 1, 1, 0}, {0, 0, 0, 1}, {1, 1, 1, 0}},
	.first_seen = {2, 0, 1, 3},
};

#define USER(total, id, list) "{\"success\":true,\"type\":\"user_based\",\"total\":" total ",\"data\":{\"" id "\":[" list "]}}"
#define ITEM(total, id, list) "{\"success\":true,\"type\":\"item_based\",\"total\":" total ",\"data\":{\"" id "\":[" list "]}}"
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	enum axis_kind kind;
	const char *id, *query;
	int status;
	const char *want;
} cases[] = {
	/* 0's nearest are 1 and 3, alike; the smaller id wins. They have item 2 more */
	{AXIS_CUSTOMER, "c00", NULL, 200, USER("2", "c00", "\"i02\",\"i03\"")},
	{AXIS_CUSTOMER, "c00", "n=1", 200, USER("1", "c00", "\"i02\"")},
	{AXIS_CUSTOMER, "c00", "details=true", 200,
	 USER("2", "c00", "{\"id\":\"i02\",\"description\":\"Item no 02\",\"score\":0.816496580927726,\"source\":\"user\"},"
			  "{\"id\":\"i03\",\"description\":\"Item no 03\",\"score\":0.25,\"source\":\"popular\"}")},
	{AXIS_CUSTOMER, "c02", "n=2", 200, USER("2", "c02", "\"i00\",\"i01\"")},
	{AXIS_CUSTOMER, "c01", "n=100", 200, USER("1", "c01", "\"i03\"")},
	{AXIS_ITEM, "i02", "n=100", 200, ITEM("2", "i02", "\"i00\",\"i01\"")},
	{AXIS_ITEM, "i02", "n=1&details=1", 200,
	 ITEM("1", "i02", "{\"id\":\"i00\",\"description\":\"Item no 00\",\"score\":0.816496580927726,\"source\":\"item\"}")},
	{AXIS_ITEM, "i00", "details=1", 200,
	 ITEM("2", "i00", "{\"id\":\"i01\",\"description\":\"Item no 01\",\"score\":1,\"source\":\"item\"},"
			  "{\"id\":\"i02\",\"description\":\"Item no 02\",\"score\":0.816496580927726,\"source\":\"item\"}")},
	{AXIS_ITEM, "i03", NULL, 200, ITEM("0", "i03", "")},
	{AXIS_ITEM, "i03", "details=yes", 200, ITEM("0", "i03", "")},

	{AXIS_CUSTOMER, "i00", NULL, 404, "{\"detail\":\"User 'i00' not found\"}"},
	{AXIS_ITEM, "c00", NULL, 404, "{\"detail\":\"Item 'c00' not found\"}"},
	{AXIS_ITEM, "I00", NULL, 404, "{\"detail\":\"Item 'I00' not found\"}"},
	{AXIS_ITEM, "i0", NULL, 404, "{\"detail\":\"Item 'i0' not found\"}"},
	{AXIS_ITEM, "i000", NULL, 404, "{\"detail\":\"Item 'i000' not found\"}"},
	{AXIS_ITEM, "a\"\\\n\xff\xc3\xa9", NULL, 404, "{\"detail\":\"Item 'a\\\"\\\\\\\\x0a\\\\xff\xc3\xa9' not found\"}"},
	{AXIS_ITEM, X32 X32 X32 X32 X32, NULL, 404, "{\"detail\":\"Item '" X32 X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx...' not found\"}"},

	/* a bad parameter comes before an unknown id */
	{AXIS_ITEM, "nope", "n=0", 422,
	 "{\"detail\":[{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is greater than or equal to 1\","
	 "\"type\":\"value_error.number.not_ge\",\"ctx\":{\"limit_value\":1}}]}"},
	{AXIS_CUSTOMER, "c00", "n=101", 422,
	 "{\"detail\":[{\"loc\":[\"query\",\"n\"],\"msg\":\"ensure this value is less than or equal to 100\","
	 "\"type\":\"value_error.number.not_le\",\"ctx\":{\"limit_value\":100}}]}"},
};

static struct text text(const char *s) { return (struct text){s, s ? strlen(s) : 0}; }

static void every_case(void **state)
{
	const struct settings settings = {.default_n = 3, .max_n = 100, .fill = FILL_POPULAR};
	struct serve_thread t = {.near = NULL};
	struct packed p;
	void *memory = small_packed(&table, 9, 1, &p);

	(void)state;
	assert_non_null(memory);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		answer_reset(&t.answer);
		predict(&t, &settings, &(struct traces){NULL}, &p, cases[i].kind, text(cases[i].id), text(cases[i].query));
		if (t.answer.status != cases[i].status || t.answer.body_len != strlen(cases[i].want) ||
		    memcmp(t.answer.memory + ANSWER_HEAD, cases[i].want, t.answer.body_len) != 0)
			fail_msg("%s?%s: %d %.*s", cases[i].id, cases[i].query, t.answer.status,
				 (int)t.answer.body_len, t.answer.memory + ANSWER_HEAD);
		assert_int_equal(t.answer.generation, cases[i].status == 422 ? 0 : 9);
	}
	answer_free(&t.answer);
	scratch_free(&t.scratch);
	free(t.near);
	free(memory);
}

/* What each of these leaves in the worker's slot: top and mean score in thousandths, -1 for none, and ids as a set of bits.
 * Their scores: c00 and c01, i02 and i00: 2 / sqrt(2 * 3); i00 and i01: 1; i03 as fill: 1 of 4 customers. */
static const struct {
	enum axis_kind kind;
	const char *id, *query;
	enum delivery outcome;
	int own, top, mean;
	unsigned ids;
	uint32_t asked, n;
} watched[] = {
	{AXIS_CUSTOMER, "c00", NULL, DELIVERY_SHORT, 1, 816, 533, 1 << 2 | 1 << 3, 0, 3},
	{AXIS_CUSTOMER, "c00", "n=2&details=true", DELIVERY_FILLED, 1, 816, 533, 1 << 2 | 1 << 3, 0, 2},
	{AXIS_CUSTOMER, "c00", "n=1", DELIVERY_FULL, 1, 816, 816, 1 << 2, 0, 1},
	{AXIS_CUSTOMER, "c02", "n=2", DELIVERY_FILLED, 0, -1, 750, 1 << 0 | 1 << 1, 2, 2},
	{AXIS_CUSTOMER, "c01", "n=100", DELIVERY_SHORT, 0, -1, 250, 1 << 3, 1, 100},
	{AXIS_ITEM, "i00", "n=2", DELIVERY_FULL, 2, 1000, 908, 1 << 1 | 1 << 2, 0, 2},
	{AXIS_ITEM, "i00", "n=2&details=1", DELIVERY_FULL, 2, 1000, 908, 1 << 1 | 1 << 2, 0, 2},
	{AXIS_ITEM, "i02", "n=100", DELIVERY_SHORT, 2, 816, 816, 1 << 0 | 1 << 1, 2, 100},
	{AXIS_ITEM, "i03", "n=7", DELIVERY_SHORT, 0, -1, -1, 0, 3, 7},
};

static void assert_only(const _Atomic uint32_t *cells, int n, int at)
{
	for (int i = 0; i < n; i++)
		if (cells[i] != (i == at))
			fail_msg("cell %d is %u, not only cell %d is 1", i, cells[i], at);
}

static void what_is_left_behind(void **state)
{
	const struct settings settings = {.default_n = 3, .max_n = 100, .fill = FILL_POPULAR};
	struct serve_thread t = {.near = NULL, .began = 123456789};
	struct fault why = {""};
	struct board board;
	struct packed p;
	void *memory = small_packed(&table, 9, 1, &p);

	(void)state;
	assert_non_null(memory);
	assert_true(board_create(&board, 1, slot_size(64), 0, &why));
	struct counters *c = board_dead_counters(&board, 0);
	const struct traces to = {.board = &board, .counters = c, .watch = slot_watch(c), .shown = slot_shown(c)};
	struct watch *w = to.watch;

	board.head->generation = 9;
	shown_make(to.shown, 64);
	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		enum axis_kind kind = watched[i].kind;
		struct shown_what what;

		memset(c, 0, slot_size(0) - shown_size(0));
		answer_reset(&t.answer);
		predict(&t, &settings, &to, &p, kind, text(watched[i].id), text(watched[i].query));
		assert_int_equal(t.answer.status, 200);
		assert_int_equal(c->predictions[kind].outcome[watched[i].outcome], 1);
		assert_int_equal(c->predictions[kind].own_ids, watched[i].own);
		assert_int_equal(c->predictions[kind].own_ids + c->predictions[kind].fill_ids,
				 __builtin_popcount(watched[i].ids));
		assert_only(w->own_results[kind], WATCH_RESULTS, watched[i].own);
		assert_only(w->top_score[kind], WATCH_SCORES, watched[i].top);
		assert_only(w->mean_score[kind], WATCH_SCORES, watched[i].mean);
		assert_only(w->asked[kind], WATCH_ENTITIES, (int)watched[i].asked);
		for (unsigned k = 0; k < 4; k++)
			assert_int_equal(w->returned[kind][k], watched[i].ids >> k & 1);

		/* the name stands where it should, and means this answer */
		const char *end = t.answer.memory + ANSWER_HEAD + t.answer.body_len - SHOWN_ID - 2;

		assert_memory_equal(end - 22, ",\"recommendation_id\":\"", 22);
		assert_memory_equal(end + SHOWN_ID, "\"}", 2);
		assert_int_equal(shown_find(&board, (struct text){end, SHOWN_ID}, &what), SHOWN_KNOWN);
		assert_true(what.generation == 9 && what.kind == kind && what.asked == watched[i].asked);
		assert_true(what.n == watched[i].n && what.began == 123456789);
	}
	answer_free(&t.answer);
	scratch_free(&t.scratch);
	free(t.near);
	free(memory);
	board_remove(&board);
}

/* A refused request leaves nothing, an unknown id itself; and each part can be absent. */
static void what_is_not(void **state)
{
	const struct settings settings = {.default_n = 3, .max_n = 100, .fill = FILL_POPULAR};
	struct serve_thread t = {.near = NULL};
	struct fault why = {""};
	struct board board;
	struct packed p;
	void *memory = small_packed(&table, 9, 1, &p);

	(void)state;
	assert_non_null(memory);
	assert_true(board_create(&board, 1, slot_size(64), 0, &why));
	struct counters *c = board_dead_counters(&board, 0);
	struct traces to = {.board = &board, .counters = c, .watch = slot_watch(c), .shown = slot_shown(c)};
	uint8_t *before = malloc(slot_size(64));

	assert_non_null(before);
	shown_make(to.shown, 64);
	memcpy(before, c, slot_size(64));
	predict(&t, &settings, &to, &p, AXIS_ITEM, text("i00"), text("n=0"));
	assert_int_equal(t.answer.status, 422);
	assert_memory_equal(before, c, slot_size(64));
	answer_reset(&t.answer);
	predict(&t, &settings, &to, &p, AXIS_CUSTOMER, text("nobody"), text("n=2"));
	assert_int_equal(t.answer.status, 404);
	assert_int_equal(to.watch->strangers[AXIS_CUSTOMER][0xd8e], 1);
	assert_int_equal(c->predictions[AXIS_CUSTOMER].outcome[DELIVERY_UNKNOWN], 1);
	assert_int_equal(to.shown->last, 0);
	to.watch->strangers[AXIS_CUSTOMER][0xd8e] = 0;
	c->predictions[AXIS_CUSTOMER].outcome[DELIVERY_UNKNOWN] = 0;
	assert_memory_equal(before, c, slot_size(64));
	answer_reset(&t.answer);
	to.shown = NULL;			/* feedback is off */
	predict(&t, &settings, &to, &p, AXIS_ITEM, text("i00"), text("n=1"));
	assert_int_equal(t.answer.body_len, strlen(ITEM("1", "i00", "\"i01\"")));
	assert_memory_equal(t.answer.memory + ANSWER_HEAD, ITEM("1", "i00", "\"i01\""), t.answer.body_len);
	assert_int_equal(to.watch->own_results[AXIS_ITEM][1], 1);
	memcpy(c, before, slot_size(64));
	answer_reset(&t.answer);
	to.shown = slot_shown(c);
	to.counters = NULL;			/* metrics are off */
	predict(&t, &settings, &to, &p, AXIS_ITEM, text("i00"), text("n=1"));
	assert_int_equal(to.shown->last, 1);
	answer_reset(&t.answer);
	predict(&t, &settings, &to, &p, AXIS_ITEM, text("nobody"), text("n=1"));
	assert_memory_equal(before, c, (size_t)((uint8_t *)slot_shown(c) - (uint8_t *)c));
	free(before);
	answer_free(&t.answer);
	scratch_free(&t.scratch);
	free(t.near);
	free(memory);
	board_remove(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(what_is_left_behind),
		cmocka_unit_test(what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
