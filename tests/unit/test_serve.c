/* test_serve.c - whole requests, from a path to the answer and its count, in a process that is a worker of its own:
 * a board, a published segment, a pin. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>

#include "small_packed.h"
#include "../../metrics/slot.h"
#include "../../server/clock.h"
#include "../../server/pin.h"
#include "../../server/serve.h"

#define RING 64

static struct board board;
static struct settings settings;
static struct serve_thread thread;
static struct small table;
static char body[1 << 17];
/* No request here has one but for these. */
static const char *accept_type, *accept_coding;

static const char *header(const struct request *q, const char *name)
{
	(void)q;
	return strcmp(name, "Accept") == 0 ? accept_type : strcmp(name, "Accept-Encoding") == 0 ? accept_coding : NULL;
}

/* One request. Returns the status; the body stands in body[]. */
static int ask(const char *method, const char *path, const char *query)
{
	struct request q = {
		.header = header,
		.method = method,
		.path = {path, strlen(path)},
		.query = {query, query ? strlen(query) : 0},
	};

	serve_begin(&thread);
	serve(&thread, &q);
	assert_false(thread.answer.failed);
	assert_true(thread.answer.body_len < sizeof body);
	memcpy(body, thread.answer.memory ? thread.answer.memory + ANSWER_HEAD : "", thread.answer.body_len);
	body[thread.answer.body_len] = '\0';
	int status = thread.answer.status;
	serve_sent(&thread);
	return status;
}

/* The recommendation_id of an answer. */
static struct text name_in(const char *answer)
{
	static const char key[] = "\"recommendation_id\":\"";
	const char *at = strstr(answer, key);

	assert_non_null(at);
	return (struct text){at + sizeof key - 1, SHOWN_ID};
}

static uint64_t counted(enum handler h, enum method m, enum status s)
{
	return ((struct counters *)board_own_counters(&board))->requests[h][m][s];
}

/* Make generation 1 as the master does. */
static bool publish(struct fault *why)
{
	struct packed p;
	struct segment s;
	char name[SEGMENT_NAME_MAX];
	void *memory = small_packed(&table, 1, 1, &p);

	if (!memory)
		return false;
	segment_model_name(name, board_token(&board), 1);
	if (!segment_create(&s, name, p.head->size, 0, why))
		return false;
	memcpy(s.at, memory, p.head->size);
	free(memory);
	segment_close(&s);
	atomic_store(&board.head->generation_published, 86400);
	atomic_store(&board.head->generation, 1);
	return true;
}

static void unpublish(void)
{
	char name[SEGMENT_NAME_MAX];

	segment_model_name(name, board_token(&board), 1);
	segment_unlink(name);
}

/* In this order: nothing is served until the second test maps what is published. */
static void without_a_model(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/", NULL), 200);
	assert_int_equal(ask("GET", "/healthz", NULL), 200);
	assert_string_equal(body, "{\"status\":\"ok\"}");
	assert_int_equal(ask("GET", "/readyz", NULL), 503);
	assert_string_equal(body, "{\"status\":\"no model\"}");
	assert_int_equal(ask("GET", "/predict/item/i00", NULL), 503);
	assert_string_equal(body, "{\"detail\":\"No model is served yet\"}");
	assert_int_equal(ask("GET", "/model", NULL), 503);
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_int_equal(counted(HANDLER_ITEM, METHOD_GET, STATUS_503), 1);
}

static void with_a_model(void **state)
{
	struct fault why = {""};
	struct shown_what what;

	(void)state;
	assert_true(pin_adopt(&board, &why));
	assert_int_equal(ask("GET", "/readyz", NULL), 200);
	assert_string_equal(body, "{\"status\":\"ready\",\"generation\":1}");
	assert_int_equal(ask("GET", "/predict/item/i00", "n=1"), 200);
	assert_int_equal(thread.answer.generation, 1);
	assert_memory_equal(body, "{\"success\":true,\"type\":\"item_based\",\"total\":1,\"data\":{\"i00\":[\"i", 63);
	assert_int_equal(ask("GET", "/predict/user/c00", "n=1"), 200);
	assert_memory_equal(body, "{\"success\":true,\"type\":\"user_based\",\"total\":1,\"data\":{\"c00\":[\"i", 63);
	assert_int_equal(shown_find(&board, name_in(body), &what), SHOWN_KNOWN);
	assert_int_equal(ask("GET", "/predict/user/i00", NULL), 404);
	assert_int_equal(ask("GET", "/predict/user/i%300", NULL), 404);	/* the same id */
	assert_int_equal(slot_watch_of(&board, 0)->strangers[AXIS_CUSTOMER][0xf45], 2);	/* low bits of its XXH3 */
	assert_int_equal(ask("GET", "/predict/user/c00", "n=x"), 422);
	assert_int_equal(thread.answer.generation, 0);

	struct pin *pin = pin_take();		/* and nobody else holds it any more */

	assert_non_null(pin);
	assert_int_equal(pin->taken, 1);
	pin_drop(pin);
}

static const struct {
	const char *method, *path, *query;
	int status;
	const char *allow, *location, *detail;
	enum handler handler;
} refusals[] = {
	{"GET", "/nope", NULL, 404, NULL, "", "Not Found", HANDLER_NONE},
	{"HEAD", "/nope", NULL, 404, NULL, "", "Not Found", HANDLER_NONE},
	{"GET", "//", NULL, 404, NULL, "", "Not Found", HANDLER_NONE},
	{"GET", "/docs/a/b", NULL, 404, NULL, "", "Not Found", HANDLER_NONE},
	{"GET", "/docs/x", NULL, 404, NULL, "", "Not Found", HANDLER_ASSET},
	{"POST", "/docs", NULL, 405, "GET, HEAD", "", "Method Not Allowed", HANDLER_DOCS},
	{"GET", "/predict/user/", NULL, 404, NULL, "", "Not Found", HANDLER_NONE},
	{"HEAD", "/", NULL, 405, "GET", "", "Method Not Allowed", HANDLER_ROOT},
	{"OPTIONS", "/metrics", NULL, 405, "GET", "", "Method Not Allowed", HANDLER_METRICS},
	{"POST", "/predict/user/c00", NULL, 405, "GET", "", "Method Not Allowed", HANDLER_USER},
	{"get", "/", NULL, 405, "GET", "", "Method Not Allowed", HANDLER_ROOT},
	{"PROPFIND", "/", NULL, 405, "GET", "", "Method Not Allowed", HANDLER_ROOT},
	{"GET", "/metrics/", NULL, 307, NULL, "/metrics", NULL, HANDLER_NONE},
	{"POST", "/predict/user/a%20b/", "n=3&x=%41", 307, NULL, "/predict/user/a%20b?n=3&x=%41", NULL, HANDLER_NONE},
	{"GET", "/predict/user/%00", NULL, 400, NULL, "", "a path must not hold a NUL byte (%00)", HANDLER_NONE},
};

static void refused_and_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		enum method m = counters_method(refusals[i].method);
		enum status s = counters_status(refusals[i].status);
		uint64_t before = counted(refusals[i].handler, m, s);
		char want[128] = "";

		if (ask(refusals[i].method, refusals[i].path, refusals[i].query) != refusals[i].status)
			fail_msg("%s %s: %d", refusals[i].method, refusals[i].path, thread.answer.status);
		if (refusals[i].detail)
			snprintf(want, sizeof want, "{\"detail\":\"%s\"}", refusals[i].detail);
		assert_string_equal(body, want);
		assert_string_equal(thread.answer.location, refusals[i].location);
		if (refusals[i].allow)
			assert_string_equal(thread.answer.allow, refusals[i].allow);
		else
			assert_null(thread.answer.allow);
		if (counted(refusals[i].handler, m, s) != before + 1)
			fail_msg("%s %s is not counted", refusals[i].method, refusals[i].path);
	}
}

/* A path that is too long for a Location is as unknown as it looks. */
static void a_long_redirect_is_none(void **state)
{
	char path[700] = "/predict/user/";

	(void)state;
	memset(path + 14, 'x', 600);
	strcpy(path + 614, "/");
	assert_int_equal(ask("GET", path, NULL), 404);
	assert_string_equal(thread.answer.location, "");
}

static void what_the_library_refuses(void **state)
{
	const struct counters *c = board_own_counters(&board);

	(void)state;
	serve_begin(&thread);
	serve_refused(&thread, NULL, 431, "too much head");
	assert_int_equal(thread.answer.status, 431);
	assert_memory_equal(thread.answer.memory + ANSWER_HEAD, "{\"detail\":\"too much head\"}", 26);
	assert_int_equal(c->in_progress, 1);
	serve_sent(&thread);
	assert_int_equal(c->in_progress, 0);
	assert_int_equal(counted(HANDLER_NONE, METHOD_OTHER, STATUS_431), 1);
}

static void draining(void **state)
{
	(void)state;
	atomic_store(&board_own(&board)->state, WORKER_DRAINING);
	assert_int_equal(ask("GET", "/readyz", NULL), 503);
	assert_string_equal(body, "{\"status\":\"draining\"}");
	assert_int_equal(ask("GET", "/predict/item/i00", NULL), 200);	/* it still answers */
	atomic_store(&board_own(&board)->state, WORKER_SERVING);
	assert_int_equal(ask("GET", "/readyz", NULL), 200);
}

static void the_model_page(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/model", NULL), 200);
	json_t *page = json_loads(body, 0, NULL);
	uint64_t pairs = 0;
	const char *published, *created, *until;
	json_int_t generation, items, customers, interactions;
	json_t *provenance, *stored;

	for (uint32_t c = 0; c < table.customers; c++)
		for (uint32_t i = 0; i < table.items; i++)
			pairs += table.bought[c][i];
	assert_non_null(page);
	assert_int_equal(json_unpack(page, "{s:I,s:I,s:I,s:I,s:s,s:s,s:s,s:o,s:o}", "generation", &generation,
				     "items", &items, "customers", &customers, "interactions", &interactions,
				     "published", &published, "created", &created, "data_until", &until,
				     "provenance", &provenance, "stored_neighbours", &stored), 0);
	assert_int_equal(generation, 1);
	assert_int_equal(items, table.items);
	assert_int_equal(customers, table.customers);
	assert_int_equal(interactions, pairs);
	assert_string_equal(published, "1970-01-02T00:00:00Z");
	assert_string_equal(created, "1970-01-01T00:16:40Z");	/* small_model.h: 1000 */
	assert_string_equal(until, "1970-01-01T00:33:20");
	assert_true(json_is_array(json_object_get(provenance, "sources")));
	assert_string_equal(json_string_value(json_object_get(stored, "item")), "all");
	json_decref(page);
}

/* The places of the document are filled, and it names every route that there is but the pages for people. */
static void the_openapi_page(void **state)
{
	static const char *const routes[] = {
#define X(symbol, label) label,
		HANDLERS(X)
#undef X
	};

	(void)state;
	assert_int_equal(ask("GET", "/openapi.json", NULL), 200);
	assert_null(strchr(body, '@'));
	json_t *page = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(page);
	json_t *paths = json_object_get(page, "paths");
	const char *version;
	json_int_t most, usual;

	for (size_t i = 0; i < HANDLER_NONE; i++)
		if (!json_object_get(json_object_get(paths, routes[i]), i == HANDLER_FEEDBACK ? "post" : "get") !=
		    (i >= HANDLER_DOCS && i <= HANDLER_ASSET))
			fail_msg("%s is not in the document, or should not be", routes[i]);
	assert_int_equal(json_object_size(paths), HANDLER_DOCS);
	assert_int_equal(json_unpack(page, "{s:{s:s},s:{s:{s:{s:{s:I,s:I}}}}}", "info", "version", &version, "components",
				     "parameters", "N", "schema", "maximum", &most, "default", &usual), 0);
	assert_string_equal(version, AKIN_VERSION);
	assert_int_equal(most, settings.max_n);
	assert_int_equal(usual, settings.default_n);
	json_decref(page);
}

/* A scrape finds all that was answered before it, and itself among those in progress. */
static void a_scrape_counts_what_was_answered(void **state)
{
	char want[128];
	uint64_t before = counted(HANDLER_METRICS, METHOD_GET, STATUS_200);

	(void)state;
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	snprintf(want, sizeof want, "{handler=\"/metrics\",method=\"GET\",status=\"2xx\"} %llu\n",
		 (unsigned long long)before);
	assert_non_null(strstr(body, want));
	assert_non_null(strstr(body, "\nhttp_requests_inprogress 1\n"));
	assert_int_equal(counted(HANDLER_METRICS, METHOD_GET, STATUS_200), before + 1);
}

static bool starts(const char *what) { return memcmp(body, what, strlen(what)) == 0; }

/* Two formats and two codings, by what the client takes. */
static void a_scrape_is_negotiated(void **state)
{
	(void)state;
	accept_type = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_string_equal(thread.answer.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
	assert_string_equal(thread.answer.extra, "Vary: Accept, Accept-Encoding\r\n");
	assert_true(starts("# HELP http_requests HTTP"));
	assert_string_equal(body + strlen(body) - 6, "# EOF\n");
	accept_type = "text/html,*/*;q=0.8";
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_string_equal(thread.answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
	assert_true(starts("# HELP http_requests_total HTTP"));
	accept_type = "application/json";	/* neither, and yet no error */
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_string_equal(thread.answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
	accept_coding = "gzip";
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_true(starts("\x1f\x8b\x08"));
	assert_string_equal(thread.answer.extra, "Content-Encoding: gzip\r\nVary: Accept, Accept-Encoding\r\n");
	accept_coding = accept_type = NULL;
}

/* A long page's memory does not stay with the thread that was asked; two scrapes at a time do not share it. */
static void long_pages_leave_no_memory_behind(void **state)
{
	static struct serve_thread one, two;
	struct request q = {.header = header, .method = "GET", .path = {"/metrics", 8}};

	(void)state;
	serve_begin(&one);
	serve(&one, &q);
	serve_begin(&two);
	serve(&two, &q);
	assert_true(one.answer.body_len > 10000 && two.answer.body_len > 10000);
	assert_ptr_not_equal(one.answer.memory, two.answer.memory);
	serve_sent(&two);
	serve_sent(&one);
	assert_true(one.answer.body_cap < 10000 && two.answer.body_cap < 10000);
	q.path = (struct text){"/openapi.json", 13};
	serve(&one, &q);
	assert_true(one.answer.body_len > 16384);
	serve_sent(&one);
	assert_true(one.answer.body_cap <= 16384);
	serve_thread_free(&one);
	serve_thread_free(&two);
}

/* What bodies weigh, and that it is told where the request is told. */
static void sizes_are_counted(void **state)
{
	const struct counters *c = board_own_counters(&board);
	uint64_t out = c->served[HANDLER_ROOT][TIMED_GET][CLASS_2XX].bytes, in = c->request_size[HANDLER_ROOT];
	struct request q = {.header = header, .method = "POST", .path = {"/", 1}, .body_len = 1234};

	(void)state;
	assert_int_equal(ask("GET", "/", NULL), 200);
	assert_int_equal(c->served[HANDLER_ROOT][TIMED_GET][CLASS_2XX].bytes, out + strlen("{\"status\":\"ok\"}"));
	uint64_t refused = c->served[HANDLER_ROOT][TIMED_OTHER][CLASS_4XX].bytes;

	assert_int_equal(ask("HEAD", "/", NULL), 405);			/* it has no body */
	assert_int_equal(c->served[HANDLER_ROOT][TIMED_OTHER][CLASS_4XX].bytes, refused);
	assert_int_equal(ask("PUT", "/", NULL), 405);
	assert_true(c->served[HANDLER_ROOT][TIMED_OTHER][CLASS_4XX].bytes > refused);
	assert_int_equal(c->request_size[HANDLER_ROOT], in);
	serve_begin(&thread);
	serve(&thread, &q);
	serve_sent(&thread);
	assert_int_equal(c->request_size[HANDLER_ROOT], in + 1234);
}

/* The last of all: nothing is counted any more, and the route is gone. */
static void without_metrics(void **state)
{
	const size_t size = slot_size(0) - shown_size(0);	/* counters and what is watched */
	const struct counters *c = board_own_counters(&board);
	static uint8_t before[1 << 20];
	struct shown_what what;

	(void)state;
	assert_true(size <= sizeof before);
	settings.metrics = METRICS_OFF;
	thread.began = 0;			/* what counting has left there */
	serve_open(&settings, &board);
	memcpy(before, c, size);
	assert_int_equal(ask("GET", "/metrics", NULL), 404);
	assert_string_equal(body, "{\"detail\":\"Not Found\"}");
	assert_int_equal(ask("POST", "/metrics", NULL), 404);
	assert_int_equal(ask("GET", "/predict/item/nobody", NULL), 404);
	assert_int_equal(ask("GET", "/predict/item/i00", "n=4"), 200);
	assert_memory_equal(before, c, size);
	assert_int_equal(shown_find(&board, name_in(body), &what), SHOWN_KNOWN);	/* it has a name, and a time */
	assert_in_range(clock_ns() - what.began, 0, UINT64_C(60000000000));
}

static int setup(void **state)
{
	struct fault why = {""};

	(void)state;
	settings_default(&settings);
	settings.max_n = 77;
	settings.default_n = 6;
	small_random(&table, 12, 15, 40, 3);
	if (!board_create(&board, 1, slot_size(RING), 0, &why) || !publish(&why))
		return -1;
	board.head->shown_ring = RING;
	shown_make(slot_shown(board_dead_counters(&board, 0)), RING);
	if (!board_enter(&board, 0, &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	serve_open(&settings, &board);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	serve_thread_free(&thread);
	unpublish();
	board_remove(&board);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_model),
		cmocka_unit_test(with_a_model),
		cmocka_unit_test(refused_and_counted),
		cmocka_unit_test(a_long_redirect_is_none),
		cmocka_unit_test(what_the_library_refuses),
		cmocka_unit_test(draining),
		cmocka_unit_test(the_model_page),
		cmocka_unit_test(the_openapi_page),
		cmocka_unit_test(a_scrape_counts_what_was_answered),
		cmocka_unit_test(a_scrape_is_negotiated),
		cmocka_unit_test(long_pages_leave_no_memory_behind),
		cmocka_unit_test(sizes_are_counted),
		cmocka_unit_test(without_metrics),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
