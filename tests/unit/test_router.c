/* test_router.c - which route a raw path is, and the id in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../server/router.h"

static const struct {
	const char *path;
	enum match match;
	enum handler handler;
	const char *id;			/* or, for MATCH_SLASH, the path to go to */
} cases[] = {
	{"/", MATCH_ROUTE, HANDLER_ROOT, ""},
	{"/metrics", MATCH_ROUTE, HANDLER_METRICS, ""},
	{"/healthz", MATCH_ROUTE, HANDLER_HEALTHZ, ""},
	{"/readyz", MATCH_ROUTE, HANDLER_READYZ, ""},
	{"/model", MATCH_ROUTE, HANDLER_MODEL, ""},
	{"/openapi.json", MATCH_ROUTE, HANDLER_OPENAPI, ""},
	{"/predict/user/12350", MATCH_ROUTE, HANDLER_USER, "12350"},
	{"/predict/item/85123A", MATCH_ROUTE, HANDLER_ITEM, "85123A"},

	/* ids: decoded once, malformed escapes as they stand, a plus is a plus */
	{"/predict/item/a%2Fb", MATCH_ROUTE, HANDLER_ITEM, "a/b"},
	{"/predict/item/%2f", MATCH_ROUTE, HANDLER_ITEM, "/"},
	{"/predict/item/a%20b+c", MATCH_ROUTE, HANDLER_ITEM, "a b+c"},
	{"/predict/item/%252F", MATCH_ROUTE, HANDLER_ITEM, "%2F"},
	{"/predict/item/%2500", MATCH_ROUTE, HANDLER_ITEM, "%00"},
	{"/predict/item/100%", MATCH_ROUTE, HANDLER_ITEM, "100%"},
	{"/predict/item/%zz%4", MATCH_ROUTE, HANDLER_ITEM, "%zz%4"},
	{"/predict/item/caf%C3%A9", MATCH_ROUTE, HANDLER_ITEM, "caf\xc3\xa9"},
	{"/predict/item/%FF%fe", MATCH_ROUTE, HANDLER_ITEM, "\xff\xfe"},
	{"/predict/item/..", MATCH_ROUTE, HANDLER_ITEM, ".."},
	{"/predict/user/007", MATCH_ROUTE, HANDLER_USER, "007"},

	/* literal parts may be encoded too, but their slashes not */
	{"/%6Detrics", MATCH_ROUTE, HANDLER_METRICS, ""},
	{"/predict/us%65r/1", MATCH_ROUTE, HANDLER_USER, "1"},
	{"/predict%2Fuser/1", MATCH_NONE, HANDLER_NONE, NULL},

	{"", MATCH_NONE, HANDLER_NONE, NULL},
	{"*", MATCH_NONE, HANDLER_NONE, NULL},
	{"//", MATCH_NONE, HANDLER_NONE, NULL},
	{"//metrics", MATCH_NONE, HANDLER_NONE, NULL},
	{"//evil.example/metrics/", MATCH_NONE, HANDLER_NONE, NULL},
	{"/Metrics", MATCH_NONE, HANDLER_NONE, NULL},
	{"/metric", MATCH_NONE, HANDLER_NONE, NULL},
	{"/metricss", MATCH_NONE, HANDLER_NONE, NULL},
	{"/metrics/x", MATCH_NONE, HANDLER_NONE, NULL},
	{"/none", MATCH_NONE, HANDLER_NONE, NULL},
	{"none", MATCH_NONE, HANDLER_NONE, NULL},
	{"/docs/a/b", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict/", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict/user", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict/user/", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict/user//", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict/user/a/b", MATCH_NONE, HANDLER_NONE, NULL},
	{"/predict//1", MATCH_NONE, HANDLER_NONE, NULL},
	{"/%6Detrics%6Detrics%6Detrics%6Detrics", MATCH_NONE, HANDLER_NONE, NULL},

	{"/docs", MATCH_ROUTE, HANDLER_DOCS, ""},
	{"/redoc", MATCH_ROUTE, HANDLER_REDOC, ""},
	{"/docs/plain.html", MATCH_ROUTE, HANDLER_ASSET, "plain.html"},
	{"/docs/a%2Fb", MATCH_ROUTE, HANDLER_ASSET, "a/b"},
	{"/docs/", MATCH_SLASH, HANDLER_NONE, "/docs"},

	{"/metrics/", MATCH_SLASH, HANDLER_NONE, "/metrics"},
	{"/metrics///", MATCH_SLASH, HANDLER_NONE, "/metrics"},
	{"/predict/user/a%2F/", MATCH_SLASH, HANDLER_NONE, "/predict/user/a%2F"},

	{"/predict/user/%00", MATCH_NUL, HANDLER_NONE, NULL},
	{"/predict/user/1%002", MATCH_NUL, HANDLER_NONE, NULL},
	{"/predict/user/%%00", MATCH_NUL, HANDLER_NONE, NULL},
	{"/metrics%00", MATCH_NUL, HANDLER_NONE, NULL},
	{"/nowhere/%00/", MATCH_NUL, HANDLER_NONE, NULL},
};

static void every_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct route r;
		/* in memory of just its length, so that a sanitizer sees a step beyond */
		size_t len = strlen(cases[i].path);
		char *path = test_malloc(len ? len : 1);

		memcpy(path, cases[i].path, len);
		enum match match = router_match(&r, (struct text){path, len});
		struct text got = match == MATCH_SLASH ? r.path : r.id;

		if (match != cases[i].match || r.handler != cases[i].handler ||
		    (cases[i].id && (got.len != strlen(cases[i].id) || memcmp(got.at, cases[i].id, got.len) != 0)))
			fail_msg("%s: match %d, handler %d, '%.*s'", cases[i].path, match, r.handler, (int)got.len, got.at);
		test_free(path);
	}
}

/* An id longer than any in a model arrives as one that is longer than any in a model. */
static void long_ids(void **state)
{
	static char path[64 + 3 * 5000];
	struct route r;

	(void)state;
	for (size_t n = MODEL_MAX_ID - 1; n < 5000; n += n < MODEL_MAX_ID + 2 ? 1 : 997) {
		size_t at = (size_t)snprintf(path, sizeof path, "/predict/user/");

		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(path + at, sizeof path - at, "%%78");
		assert_int_equal(router_match(&r, (struct text){path, at}), MATCH_ROUTE);
		assert_int_equal(r.id.len, n <= MODEL_MAX_ID ? n : MODEL_MAX_ID + 1);
		for (size_t i = 0; i < r.id.len; i++)
			assert_int_equal(r.id.at[i], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_case), cmocka_unit_test(long_ids)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
