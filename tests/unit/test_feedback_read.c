/* test_feedback_read.c - bodies of POST /feedback: what is refused whole, what becomes of single events, times. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../../server/feedback_read.h"

#define NOW INT64_C(1795348800000)	/* 2026-11-22T12:00:00Z */

static const struct feedback_limits limits = {.events = 4, .latest_ms = NOW};
static struct feedback_body body;
static struct fault why;

/* In memory of just its length, so that a sanitizer sees a byte too far. The status; 0: it is taken. */
static int read_bytes(const char *bytes, size_t len)
{
	char *exact = malloc(len ? len : 1);
	int status = 0;

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	bool ok = feedback_read(&body, (struct text){exact, len}, &limits, &status, &why);

	free(exact);
	return ok ? 0 : status;
}

static int read_text(const char *s) { return read_bytes(s, strlen(s)); }

static const struct {
	const char *body;
	int status;
	const char *why;
} refused[] = {
	{"", 400, "is not JSON"},
	{"   ", 400, "is not JSON"},
	{"nonsense", 400, "is not JSON"},
	{"5", 400, "is not JSON"},
	{"null", 400, "is not JSON"},
	{"\"text\"", 400, "is not JSON"},
	{"{\"a\":1", 400, "is not JSON"},
	{"[{}] x", 400, "is not JSON"},
	{"[{},]", 400, "is not JSON"},
	{"{\"item\":\"a\",\"item\":\"b\"}", 400, "duplicate object key"},
	{"[{\"item\":\"\xff\"}]", 400, "is not JSON"},
	{"[{\"item\":\"\\ud800\"}]", 400, "is not JSON"},
	{"{\"\\u0000\":1}", 400, "is not JSON"},
	{"{\"time\":1e999}", 400, "is not JSON"},
	{"{\"time\":99999999999999999999}", 400, "is not JSON"},
	{"{\"events\":5}", 400, "events: must be an array"},
	{"{\"events\":{}}", 400, "events: must be an array"},
	{"{\"events\":null}", 400, "events: must be an array"},
	{"[[[[[[[[[1]]]]]]]]]", 400, "deeper than 8"},
	{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", 400, "deeper than 8"},
	{"[{},{},{},{},{}]", 413, "at most 4 events"},
	{"{\"events\":[{},{},{},{},{}]}", 413, "at most 4 events"},
	{"[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
	 "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", 413, "too many values"},
};

static void refused_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		why.text[0] = '\0';
		if (read_text(refused[i].body) != refused[i].status || !strstr(why.text, refused[i].why))
			fail_msg("%s: %s", refused[i].body, why.text);
		assert_null(body.event);
		assert_null(strchr(why.text, '\n'));
	}
	assert_int_equal(read_bytes("[{}\0]", 5), 400);
}

/* What is deep, but not too deep, or only looks so within a text; and very deep, which must not get to jansson. */
static void depth(void **state)
{
	static char deep[1 << 20];

	(void)state;
	assert_int_equal(read_text("[[[[[[[[1]]]]]]]]"), 0);
	assert_int_equal(body.event[0].outcome, OUTCOME_MALFORMED);
	feedback_read_free(&body);
	assert_int_equal(read_text("{\"item\":\"[[[[[[[[[[\\\"[[[[[[[[[\"}"), 0);
	feedback_read_free(&body);
	assert_int_equal(read_text("{\"item\":\"\\\\\",\"x\":[[[[[[[[]]]]]]]]}"), 400);
	assert_int_equal(read_text("]]]]]]]]]]{"), 400);
	memset(deep, '[', sizeof deep);
	assert_int_equal(read_bytes(deep, sizeof deep), 400);
}

#define GOOD "\"item\":\"i\",\"event\":\"click\""
#define USER "\"user\":\"u\","

static const struct {
	const char *event;
	enum outcome outcome;
	const char *detail;
} events[] = {
	{"{" USER GOOD "}", FEEDBACK_UNDECIDED, NULL},
	{"{\"recommendation_id\":\"r\"," GOOD "}", FEEDBACK_UNDECIDED, NULL},
	{"{\"recommendation_id\":\"r\"," USER GOOD ",\"price\":[1,{\"x\":2}]}", FEEDBACK_UNDECIDED, NULL},
	{"{\"recommendation_id\":null,\"time\":null," USER GOOD "}", FEEDBACK_UNDECIDED, NULL},
	{"{" GOOD "}", OUTCOME_MALFORMED, "a recommendation_id or a user"},
	{"{\"user\":null," GOOD "}", OUTCOME_MALFORMED, "a recommendation_id or a user"},
	{"{\"user\":12350," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"user\":\"\"," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"user\":\"a\\nb\"," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"user\":\"a\\u0000b\"," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"user\":\"\\u0085\"," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"user\":\"\\u007f\"," GOOD "}", OUTCOME_MALFORMED, "user:"},
	{"{\"recommendation_id\":7," GOOD "}", OUTCOME_MALFORMED, "recommendation_id:"},
	{"{" USER "\"event\":\"click\"}", OUTCOME_MALFORMED, "item:"},
	{"{" USER "\"item\":null,\"event\":\"click\"}", OUTCOME_MALFORMED, "item:"},
	{"{" USER "\"item\":[],\"event\":\"click\"}", OUTCOME_MALFORMED, "item:"},
	{"{" USER "\"item\":\"i\"}", OUTCOME_MALFORMED, "event:"},
	{"{" USER "\"item\":\"i\",\"event\":1}", OUTCOME_MALFORMED, "event:"},
	{"{" USER "\"item\":\"i\",\"event\":\"Click\"}", OUTCOME_UNKNOWN_EVENT, "click, cart or purchase"},
	{"{" USER "\"item\":\"i\",\"event\":\"\"}", OUTCOME_UNKNOWN_EVENT, "click, cart or purchase"},
	{"{" USER "\"item\":\"i\",\"event\":\"click\\u0000\"}", OUTCOME_UNKNOWN_EVENT, "click, cart or purchase"},
	{"{" USER GOOD ",\"time\":1795348800}", FEEDBACK_UNDECIDED, NULL},
	{"{" USER GOOD ",\"time\":1795348800.001}", OUTCOME_FUTURE, "time:"},
	{"{" USER GOOD ",\"time\":1e300}", OUTCOME_FUTURE, "time:"},
	{"{" USER GOOD ",\"time\":1795348800000}", OUTCOME_FUTURE, "time:"},
	{"{" USER GOOD ",\"time\":\"2026-11-22T13:00:01+01:00\"}", OUTCOME_FUTURE, "time:"},
	{"{" USER GOOD ",\"time\":-1}", OUTCOME_MALFORMED, "time:"},
	{"{" USER GOOD ",\"time\":true}", OUTCOME_MALFORMED, "time:"},
	{"{" USER GOOD ",\"time\":\"yesterday\"}", OUTCOME_MALFORMED, "time:"},
	{"[]", OUTCOME_MALFORMED, "an object"},
	{"5", OUTCOME_MALFORMED, "an object"},
	{"null", OUTCOME_MALFORMED, "an object"},
	{"\"text\"", OUTCOME_MALFORMED, "an object"},
};

/* Each between two good ones, which it does not touch. */
static void single_events(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		const struct feedback_event *e;

		snprintf(text, sizeof text, "[{" USER GOOD "}, %s ,{" USER GOOD "}]", events[i].event);
		assert_int_equal(read_text(text), 0);
		assert_int_equal(body.count, 3);
		e = &body.event[1];
		if (e->outcome != events[i].outcome || !e->detail != !events[i].detail ||
		    (e->detail && !strstr(e->detail, events[i].detail)))
			fail_msg("%s: %d %s", events[i].event, (int)e->outcome, e->detail ? e->detail : "");
		assert_int_equal(body.event[0].outcome, FEEDBACK_UNDECIDED);
		assert_int_equal(body.event[2].outcome, FEEDBACK_UNDECIDED);
		assert_memory_equal(body.event[2].item.at, "i", 1);
		feedback_read_free(&body);
	}
}

static void shapes(void **state)
{
	static const struct {
		const char *body;
		uint32_t count;
	} good[] = {
		{"[]", 0}, {"{\"events\":[]}", 0}, {"{" USER GOOD "}", 1}, {" [ {" USER GOOD "} ] ", 1},
		{"{\"events\":[{" USER GOOD "},{" USER GOOD "}],\"user\":5}", 2}, {"{}", 1},
	};
	struct text id;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(read_text(good[i].body), 0);
		assert_int_equal(body.count, good[i].count);
		feedback_read_free(&body);
	}
	assert_int_equal(read_text("{\"recommendation_id\":\"abc\",\"user\":\"\xc3\xa9\",\"item\":\"a\\\"b\","
				   "\"event\":\"purchase\",\"time\":1.5}"), 0);
	id = body.event->id;
	assert_int_equal(id.len, 3);
	assert_memory_equal(id.at, "abc", 3);
	assert_memory_equal(body.event->user.at, "\xc3\xa9", 3);
	assert_memory_equal(body.event->item.at, "a\"b", 4);
	assert_int_equal(body.event->kind, EVENT_PURCHASE);
	assert_true(body.event->timed);
	assert_int_equal(body.event->ms, 1500);
	feedback_read_free(&body);
}

/* Seconds as GNU date has them. */
static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;			/* -1: it is none */
	} cases[] = {
		{"1970-01-01", 0},
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T01:00+01", 0},
		{"2026-11-22T12:00:00Z", NOW},
		{"2026-11-22 12:00", NOW},
		{"2026-11-22t12:00:00z", NOW},
		{"2026-11-22T13:30:00+01:30", NOW},
		{"2026-11-22T02:00:00-1000", NOW},
		{"2026-11-22T12:00:00.5", NOW + 500},
		{"2026-11-22T12:00:00,0259999Z", NOW + 25},
		{"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
		{"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
		{"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
		{"1970-01-01T00:00:00+01:00", -1},	/* before 1970 */
		{"1969-12-31", -1},
		{"2023-02-29", -1}, {"2026-13-01", -1}, {"2026-00-01", -1}, {"2026-01-00", -1}, {"2026-04-31", -1},
		{"2026-11-22T24:00:00Z", -1}, {"2026-11-22T12:60:00Z", -1}, {"2026-11-22T12:00:61Z", -1},
		{"2026-11-22T12", -1}, {"2026-11-22T12:00:00.Z", -1}, {"2026-11-22T12:00:00ZZ", -1},
		{"2026-11-22T12:00:00+1", -1}, {"2026-11-22T12:00:00+24:00", -1}, {"2026-11-22T12:00:00+01:60", -1},
		{"2026-11-22T", -1}, {"2026-11-2", -1}, {"26-11-22", -1}, {"11/22/2026", -1}, {"", -1}, {"now", -1},
		{"2026-11-22x12:00", -1}, {"-026-11-22", -1},
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool good = feedback_time((struct text){cases[i].text, strlen(cases[i].text)}, &ms);

		if (good != (cases[i].ms >= 0) || (good && ms != cases[i].ms))
			fail_msg("%s: %lld", cases[i].text, good ? (long long)ms : -1LL);
	}
	assert_false(feedback_time((struct text){"2026-11-22\0", 11}, &ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_whole),
		cmocka_unit_test(depth),
		cmocka_unit_test(single_events),
		cmocka_unit_test(shapes),
		cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
