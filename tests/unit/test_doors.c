/* test_doors.c - which routes are where: by the only listener, by the service's beside one for operations, and by that. No
 * model is served here, and 503 says that a route is there that would want one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../metrics/counters.h"
#include "../../server/serve.h"

static struct board board;
static struct settings settings;
static struct serve_thread thread;

static const char *header(const struct request *q, const char *name)
{
	(void)q;
	(void)name;
	return NULL;
}

static int ask(const char *path, bool ops)
{
	struct request q = {.header = header, .method = "GET", .path = {path, strlen(path)}, .fd = -1, .ops = ops};

	serve_begin(&thread);
	serve(&thread, &q);
	int status = thread.answer.status;
	serve_sent(&thread);
	return status;
}

static void operations_listen(const char *where)
{
	struct fault why;

	assert_true(settings_set(&settings, "ops_listen", where, "here", &why));
}

static const struct {
	const char *path;
	int alone, service, operations;
} cases[] = {
	{"/", 200, 200, 200},
	{"/healthz", 200, 200, 200},
	{"/readyz", 503, 503, 503},
	{"/metrics", 200, 404, 200},
	{"/model", 503, 404, 503},
	{"/metrics/", 307, 404, 307},
	{"/predict/item/a", 503, 503, 404},
	{"/predict/user/a", 503, 503, 404},
	{"/predict/user/a/", 307, 307, 404},
	{"/openapi.json", 200, 200, 404},
	{"/docs/nope", 404, 404, 404},
	{"/nope", 404, 404, 404},
};

static void each_listener_has_its_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		operations_listen("");
		int alone = ask(cases[i].path, false);

		operations_listen("127.0.0.1:9100");
		int service = ask(cases[i].path, false), operations = ask(cases[i].path, true);

		if (alone != cases[i].alone || service != cases[i].service || operations != cases[i].operations)
			fail_msg("%s: %d %d %d", cases[i].path, alone, service, operations);
	}
}

static void what_is_not_there_is_counted_as_none(void **state)
{
	const struct counters *c = board_own_counters(&board);
	uint64_t none = c->requests[HANDLER_NONE][METHOD_GET][STATUS_404];
	uint64_t item = c->requests[HANDLER_ITEM][METHOD_GET][STATUS_404];

	(void)state;
	operations_listen("127.0.0.1:9100");
	ask("/predict/item/a", true);
	ask("/model", false);
	assert_int_equal(c->requests[HANDLER_NONE][METHOD_GET][STATUS_404], none + 2);
	assert_int_equal(c->requests[HANDLER_ITEM][METHOD_GET][STATUS_404], item);
}

/* The last: a /metrics that is switched off is on no listener. */
static void without_metrics(void **state)
{
	(void)state;
	settings.metrics = METRICS_OFF;
	serve_open(&settings, &board);
	operations_listen("127.0.0.1:9100");
	assert_int_equal(ask("/metrics", true), 404);
	assert_int_equal(ask("/model", true), 503);
	operations_listen("");
	assert_int_equal(ask("/metrics", false), 404);
}

static int setup(void **state)
{
	struct fault why = {""};

	(void)state;
	settings_default(&settings);
	if (!board_create(&board, 1, counters_size(), 0, &why) || !board_enter(&board, 0, &why)) {
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
	board_remove(&board);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_listener_has_its_routes),
		cmocka_unit_test(what_is_not_there_is_counted_as_none),
		cmocka_unit_test(without_metrics),
	};

	return cmocka_run_group_tests_name("doors", tests, setup, teardown);
}
