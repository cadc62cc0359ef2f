/* test_access.c - who may have which route: every route by each list, keys in every spelling, what is counted, and how
 * often the kernel is asked who the peer is. getpeername() is this file's own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../server/access.h"

#define KEY_SHOP "0123456789abcdef"
#define KEY_APP	 "fedcba9876543210-"

static struct settings settings;
static struct board board;
static struct counters counters;
static struct answer answer;
static struct access_peer peer;

/* Who is at the other end of descriptor 7; NULL: it has gone. */
static const char *address;
static unsigned asked;

int getpeername(int fd, struct sockaddr *a, socklen_t *len)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)a;
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)a;

	asked++;
	if (fd != 7 || !address) {
		errno = ENOTCONN;
		return -1;
	}
	*len = strchr(address, ':') ? sizeof *v6 : sizeof *v4;
	a->sa_family = strchr(address, ':') ? AF_INET6 : AF_INET;
	return inet_pton(a->sa_family, address, strchr(address, ':') ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) - 1;
}

static const char *authorization, *x_api_key;

static const char *header(const struct request *q, const char *name)
{
	(void)q;
	return strcasecmp(name, "Authorization") == 0 ? authorization : strcasecmp(name, "X-API-Key") == 0 ? x_api_key : NULL;
}

/* Status of a request for this route on the connection there is; 200: it is granted. */
static int ask(enum handler h)
{
	struct request q = {.method = "GET", .header = header, .fd = 7};

	answer_reset(&answer);
	return access_granted(&peer, h, &q, &answer) ? 200 : answer.status;
}

static int ask_from(const char *from, enum handler h)
{
	address = from;
	peer = (struct access_peer){.known = false};
	return ask(h);
}

static void open_with(const char *allow, const char *ops, const char *keys)
{
	snprintf(settings.allow, sizeof settings.allow, "%s", allow);
	snprintf(settings.ops_allow, sizeof settings.ops_allow, "%s", ops);
	snprintf(settings.api_keys, sizeof settings.api_keys, "%s", keys);
	memset(&counters, 0, sizeof counters);
	access_open(&settings, &board, &counters);
	asked = 0;
	authorization = x_api_key = NULL;
}

/* What is written here is the contract: P for predictions and documents, O for operations, - for everybody. */
static const char guarded[HANDLER_COUNT + 1] = "PPP-O--OPPPP-";

static void routes_by_list(void **state)
{
	(void)state;
	assert_string_equal(guarded + HANDLER_NONE, "-");
	open_with("10.0.0.0/8", "192.0.2.7, 2001:db8::/32", "");
	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		char g = guarded[h];

		if (ask_from("10.1.2.3", (enum handler)h) != (g == 'O' ? 403 : 200) ||
		    ask_from("192.0.2.7", (enum handler)h) != (g == 'P' ? 403 : 200) ||
		    ask_from("2001:db8::9", (enum handler)h) != (g == 'P' ? 403 : 200) ||
		    ask_from("::ffff:10.1.2.3", (enum handler)h) != (g == 'O' ? 403 : 200) ||
		    ask_from("203.0.113.1", (enum handler)h) != (g == '-' ? 200 : 403) ||
		    ask_from(NULL, (enum handler)h) != (g == '-' ? 200 : 403))
			fail_msg("handler %u", h);
	}
	assert_int_equal(counters.access_denied[DENIAL_ALLOW], 4 * 7);
	assert_int_equal(counters.access_denied[DENIAL_OPS_ALLOW], 4 * 2);
}

static void an_empty_list_is_for_everybody(void **state)
{
	(void)state;
	open_with("", "", "");
	for (unsigned h = 0; h < HANDLER_COUNT; h++)
		assert_int_equal(ask_from(NULL, (enum handler)h), 200);
	assert_int_equal(asked, 0);			/* and nobody needs to know who it is */
	open_with("", "10.0.0.0/8", "");
	assert_int_equal(ask_from(NULL, HANDLER_ITEM), 200);
	assert_int_equal(asked, 0);
	assert_int_equal(ask_from(NULL, HANDLER_MODEL), 403);
}

static void the_peer_is_asked_for_once(void **state)
{
	(void)state;
	open_with("10.0.0.0/8", "10.0.0.0/8", "");
	assert_int_equal(ask_from("10.1.2.3", HANDLER_ROOT), 200);
	assert_int_equal(asked, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(HANDLER_ITEM), 200);
		assert_int_equal(ask(HANDLER_METRICS), 200);
	}
	assert_int_equal(asked, 1);
	assert_int_equal(ask_from("11.1.2.3", HANDLER_ITEM), 403);	/* the next connection */
	assert_int_equal(asked, 2);
}

static const struct {
	const char *authorization, *x_api_key;
	int status;
	enum { NOBODY = -1, SHOP, APP } name;
	enum denial why;
} sent[] = {
	{NULL, NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{"Bearer " KEY_SHOP, NULL, 200, SHOP, 0},
	{"bearer " KEY_SHOP, NULL, 200, SHOP, 0},
	{"BEARER    " KEY_APP, NULL, 200, APP, 0},
	{NULL, KEY_APP, 200, APP, 0},
	{"Basic c2hvcDpzaG9w", KEY_APP, 200, APP, 0},
	{"Bearer " KEY_SHOP, KEY_APP, 200, APP, 0},		/* X-API-Key is looked at first */
	{"Bearer " KEY_SHOP, "no-such-key-at-all", 401, NOBODY, DENIAL_KEY_WRONG},
	{"Bearer " KEY_SHOP, "", 401, NOBODY, DENIAL_KEY_MISSING},
	{"Bearer", NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{"Bearer ", NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{"Bearer " KEY_SHOP "x", NULL, 401, NOBODY, DENIAL_KEY_WRONG},
	{"Bearer " KEY_SHOP " ", NULL, 401, NOBODY, DENIAL_KEY_WRONG},
	{"Bearer 0123456789abcde", NULL, 401, NOBODY, DENIAL_KEY_WRONG},
	{"Bearer\t" KEY_SHOP, NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{KEY_SHOP, NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{"Basic " KEY_SHOP, NULL, 401, NOBODY, DENIAL_KEY_MISSING},
	{NULL, "Bearer " KEY_SHOP, 401, NOBODY, DENIAL_KEY_WRONG},
	{NULL, "0123456789ABCDEF", 401, NOBODY, DENIAL_KEY_WRONG},
};

static void keys_as_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
		for (unsigned h = 0; h < HANDLER_COUNT; h++) {
			bool prediction = h == HANDLER_USER || h == HANDLER_ITEM || h == HANDLER_FEEDBACK;

			open_with("", "", "keys");
			authorization = sent[i].authorization;
			x_api_key = sent[i].x_api_key;
			if (ask_from("10.1.2.3", (enum handler)h) != (prediction ? sent[i].status : 200))
				fail_msg("row %zu, handler %u: %d", i, h, answer.status);
			for (int k = 0; k < KEY_NAMES; k++)
				assert_int_equal(counters.api_key_requests[k], prediction && k == (int)sent[i].name);
			for (unsigned d = 0; d < DENIAL_COUNT; d++)
				assert_int_equal(counters.access_denied[d],
						 prediction && sent[i].name == NOBODY && d == sent[i].why);
		}
	}
}

/* A list comes before the keys, and a missing key and a wrong one can't be told apart. */
static void what_a_refusal_says(void **state)
{
	char missing[512];
	size_t len;

	(void)state;
	open_with("10.0.0.0/8", "", "keys");
	assert_int_equal(ask_from("11.1.2.3", HANDLER_ITEM), 403);
	assert_null(answer.extra);
	assert_memory_equal(answer.memory + ANSWER_HEAD, "{\"detail\":\"this address may not have that\"}", 43);
	assert_int_equal(ask_from("10.1.2.3", HANDLER_ITEM), 401);
	assert_string_equal(answer.extra, "WWW-Authenticate: Bearer realm=\"akin\"\r\n");
	len = answer.body_len;
	memcpy(missing, answer.memory + ANSWER_HEAD, len);
	x_api_key = "no-such-key-at-all";
	assert_int_equal(ask(HANDLER_ITEM), 401);
	assert_string_equal(answer.extra, "WWW-Authenticate: Bearer realm=\"akin\"\r\n");
	assert_int_equal(answer.body_len, len);
	assert_memory_equal(answer.memory + ANSWER_HEAD, missing, len);
}

/* A list that can't be read, which settings.c does not let through, keeps everybody out. */
static void a_broken_list_is_closed(void **state)
{
	(void)state;
	open_with("nonsense", "", "");
	assert_int_equal(ask_from("10.1.2.3", HANDLER_ITEM), 403);
	assert_int_equal(ask_from(NULL, HANDLER_ITEM), 403);
	assert_int_equal(ask_from("::", HANDLER_ITEM), 403);
}

static void without_counters(void **state)
{
	(void)state;
	open_with("10.0.0.0/8", "", "keys");
	access_open(&settings, &board, NULL);
	assert_int_equal(ask_from("11.1.2.3", HANDLER_ITEM), 403);
	assert_int_equal(ask_from("10.1.2.3", HANDLER_ITEM), 401);
	x_api_key = KEY_SHOP;
	assert_int_equal(ask_from("10.1.2.3", HANDLER_ITEM), 200);
}

static int setup(void **state)
{
	static const struct key_list l = {2, {{"shop", KEY_SHOP}, {"app", KEY_APP}}};
	struct fault why = {""};

	(void)state;
	settings_default(&settings);
	if (!board_create(&board, 1, counters_size(), 0, &why) || !key_table_publish(&board.head->keys, &l, &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	answer_free(&answer);
	board_remove(&board);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_by_list),
		cmocka_unit_test(an_empty_list_is_for_everybody),
		cmocka_unit_test(the_peer_is_asked_for_once),
		cmocka_unit_test(keys_as_sent),
		cmocka_unit_test(what_a_refusal_says),
		cmocka_unit_test(a_broken_list_is_closed),
		cmocka_unit_test(without_counters),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
