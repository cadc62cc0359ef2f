/* test_head.c - which heads are taken, what they say, and which are refused with what; whole, byte by byte and parted
 * at every place. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/head.h"

#define GET  "GET / HTTP/1.1\r\n"
#define HOST GET "Host: x\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"
#define CL   "Content-Length: "
#define TE   "Transfer-Encoding: "

static const struct head_limits limits = {.head = 512, .target = 40, .fields = 9, .body = 1000};

enum { CLOSE, KEEP };			/* only of what is not refused */

static const struct {
	const char *bytes;
	int status;
	int keep;
	const char *path, *query;
	uint64_t length;
	bool chunked;
} cases[] = {
	/* Host */
	{HOST "\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "hOsT:x:80\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "Host:\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "Host: \t[::1]:8000 \t\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "Host: a_b.c-d%20~!$&'()*+,;=\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "Host: x:\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{GET "\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Accept: */*\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "Host: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: a b\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: a@b\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: http://x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: x:80a\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: x:123456\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: :80\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: [::1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: []\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: [::1]x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET "Host: \xc3\xa9\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	/* versions, and what is kept */
	{"GET / HTTP/1.0\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{"GET / HTTP/1.0\r\nConnection: k\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{"GET / HTTP/1.2\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "Connection: close\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{HOST "connection: keep-alive , CLOSE\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "Connection: ,TE,, keep-alive\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "Connection:\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "Connection: closed\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{"GET / HTTP/2.0\r\n\r\n", 505, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/9.9\r\n\r\n", 505, CLOSE, NULL, NULL, 0, false},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/0.9\r\n\r\n", 505, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/1.10\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / http/1.1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/1.1 \r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET HTTP/1.1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	/* request lines */
	{"\r\n\r\n" HOST "\r\n", 0, KEEP, "/", NULL, 0, false},
	{" " HOST "\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"\t" HOST "\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /\tHTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / b HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"G\xc3\xa9T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, KEEP, "/", NULL, 0, false},
	{"BREW /pot HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n", 501, KEEP, "/pot", NULL, 7, false},
	{"BREW / HTTP/1.1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"!#$%&'*+-.^_`|~0aZ / HTTP/1.1\r\nHost: x\r\n\r\n", 501, KEEP, "/", NULL, 0, false},
	{"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 501, CLOSE, "x:443", NULL, 0, false},
	{"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	/* targets */
	{"GET /a/b?c=d?e&f HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/a/b", "c=d?e&f", 0, false},
	{"GET /? HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/", "", 0, false},
	{"GET //a\\\"<>{}|^`[] HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "//a\\\"<>{}|^`[]", NULL, 0, false},
	{"GET http://x/a?b HTTP/1.1\r\nHost: y\r\n\r\n", 0, KEEP, "/a", "b", 0, false},
	{"GET HTTPS://x:443/a HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/a", NULL, 0, false},
	{"GET http://[::1]:8 HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{"GET http://x?b/c HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/", "b/c", 0, false},
	{"GET http://x/a HTTP/1.1\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET http://x:a/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET ?a HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"BREW * HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "*", NULL, 0, false},
	{"OPTIONS http://x HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "*", NULL, 0, false},
	{"OPTIONS http://x? HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP, "/", "", 0, false},
	{"OPTIONS ** HTTP/1.1\r\nHost: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET /23456789_123456789_123456789_123456789_1 HTTP/1.1\r\nHost: x\r\n\r\n", 414, CLOSE, NULL, NULL, 0, false},
	{"GET /23456789_123456789_123456789_123456789_ HTTP/1.1\r\nHost: x\r\n\r\n", 0, KEEP,
	 "/23456789_123456789_123456789_123456789_", NULL, 0, false},
	/* fields */
	{HOST "X-!#$%&'*+.^_`|~09: \x21\x7e\x80\xff\t \r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "X:\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "a b: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "a : x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "a\t: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "a\x80: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "(a): x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST ": x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "a\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: a\r\n b\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: a\r\n\tb\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST " \r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{GET " Host: x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: a\rb\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: a\r\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: a\nY: b\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{"GET / HTTP/1.1\nHost: x\n\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: \x01\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "X: \x7f\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{HOST "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n\r\n", 431, CLOSE, NULL, NULL, 0, false},
	/* bodies */
	{POST CL "0\r\n\r\n", 0, KEEP, "/", NULL, 0, false},
	{HOST CL "12 \r\n\r\n", 0, KEEP, "/", NULL, 12, false},
	{POST CL "0000000000000000000000000012\r\n\r\n", 0, KEEP, "/", NULL, 12, false},
	{POST CL "1000\r\n\r\n", 0, KEEP, "/", NULL, 1000, false},
	{POST CL "1001\r\n\r\n", 413, CLOSE, NULL, NULL, 0, false},
	{POST CL "18446744073709551615\r\n\r\n", 413, CLOSE, NULL, NULL, 0, false},
	{POST CL "18446744073709551616\r\n\r\n", 413, CLOSE, NULL, NULL, 0, false},
	{POST CL "18446744073709551621\r\n\r\n", 413, CLOSE, NULL, NULL, 0, false},
	{POST CL "99999999999999999999\r\n\r\n", 413, CLOSE, NULL, NULL, 0, false},
	{POST CL "+5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "-5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5x\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5 5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "0x5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5, 5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5\r\ncontent-length: 5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5\r\n" CL "6\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "Chunked\t\r\n\r\n", 0, KEEP, "/", NULL, 0, true},
	{"POST / HTTP/1.0\r\nHost: x\r\n" TE "chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "gzip, chunked\r\n\r\n", 501, CLOSE, NULL, NULL, 0, false},
	{POST TE "gzip\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "chunked, gzip\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "chunked, chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "xchunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "brew, chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "chunked;a=b\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "identity\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "chunked\r\n" TE "chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "gzip\r\n" TE "chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST TE "chunked\r\n" CL "5\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	{POST CL "5\r\n" TE "chunked\r\n\r\n", 400, CLOSE, NULL, NULL, 0, false},
	/* expectations */
	{POST "Expect: 100-Continue\r\n" CL "5\r\n\r\n", 0, KEEP, "/", NULL, 5, false},
	{POST "Expect: tea\r\n" CL "5\r\n\r\n", 417, CLOSE, "/", NULL, 5, false},
	{POST "Expect: 100-continue, tea\r\n\r\n", 417, CLOSE, "/", NULL, 0, false},
	{"POST / HTTP/1.0\r\nExpect: tea\r\n\r\n", 0, CLOSE, "/", NULL, 0, false},
	{"BREW / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 501, CLOSE, "/", NULL, 0, false},
};
#define CASES (sizeof cases / sizeof *cases)

/* Read in memory that ends where the bytes do, so that a sanitizer sees a look beyond. first, then step by step. */
static enum head_state read_parted(struct head *h, const char *bytes, size_t len, size_t first, size_t step)
{
	char *copy = malloc(len);
	enum head_state state = HEAD_MORE;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	*h = (struct head){.status = 0};
	for (size_t n = first; state == HEAD_MORE; n = n + step < len ? n + step : len) {
		state = head_read(h, &limits, copy, n);
		if (n == len)
			break;
	}
	if (state == HEAD_WHOLE && h->path.at >= copy && h->path.at < copy + len)	/* the caller's own stay */
		h->path.at = bytes + (h->path.at - copy);
	if (state == HEAD_WHOLE && h->query.at)
		h->query.at = bytes + (h->query.at - copy);
	free(copy);
	return state;
}

static bool same(struct text got, const char *want)
{
	return want ? got.at && got.len == strlen(want) && memcmp(got.at, want, got.len) == 0 : !got.at;
}

static void check(size_t i, const struct head *h, enum head_state state)
{
	bool refused = state == HEAD_REFUSED;

	if (state == HEAD_MORE || h->status != cases[i].status || (!refused && h->keep != (cases[i].keep == KEEP)))
		fail_msg("case %zu: state %d, status %d (%s), keep %d", i, state, h->status, h->reason, h->keep);
	assert_int_equal(refused, cases[i].path == NULL);
	assert_int_equal(h->status != 0, h->reason != NULL);
	assert_false(h->status == 400 && !refused);
	if (refused) {
		assert_false(h->keep);
		return;
	}
	if (!same(h->path, cases[i].path) || !same(h->query, cases[i].query))
		fail_msg("case %zu: path %.*s, query %.*s", i, (int)h->path.len, h->path.at, (int)h->query.len, h->query.at);
	assert_int_equal(h->length, cases[i].length);
	assert_int_equal(h->chunked, cases[i].chunked);
	assert_int_equal(h->has_body, cases[i].length > 0 || cases[i].chunked);
	assert_int_equal(h->size, strlen(cases[i].bytes));
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		size_t len = strlen(cases[i].bytes);
		struct head h;

		check(i, &h, read_parted(&h, cases[i].bytes, len, len, 1));
		check(i, &h, read_parted(&h, cases[i].bytes, len, 0, 1));
		for (size_t cut = 1; cut < len; cut++)
			check(i, &h, read_parted(&h, cases[i].bytes, len, cut, len));
	}
}

/* Nothing short of its last byte is whole, and what follows is not looked at. */
static void test_where_it_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		size_t len = strlen(cases[i].bytes);
		char more[600];
		struct head h;

		memcpy(more, cases[i].bytes, len);
		memcpy(more + len, "\0\n\r\x01junk", 8);
		check(i, &h, read_parted(&h, more, len + 8, len + 8, 1));
		for (size_t n = 0; cases[i].path && n < len; n++)
			assert_int_equal(read_parted(&h, cases[i].bytes, n, n, 1), HEAD_MORE);
	}
}

static void test_nul(void **state)
{
	static const char heads[][40] = {"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
					 "GET / HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n", "\0GET / HTTP/1.1\r\nHost: x\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct head h;

		assert_int_equal(read_parted(&h, heads[i], sizeof heads[i], sizeof heads[i], 1), HEAD_REFUSED);
		assert_int_equal(h.status, 400);
		assert_int_equal(read_parted(&h, heads[i], sizeof heads[i], 0, 1), HEAD_REFUSED);
		assert_int_equal(h.status, 400);
	}
}

/* The longest head that is taken, and one byte more; a line that never ends. */
static void test_limits(void **state)
{
	char head[600];
	struct head h;

	(void)state;
	for (size_t size = 511; size <= 514; size++) {
		size_t n = strlen(HOST "X: ");

		memcpy(head, HOST "X: ", n);
		memset(head + n, 'a', size - n - 4);
		memcpy(head + size - 4, "\r\n\r\n", 4);
		for (int parted = 0; parted < 2; parted++) {
			enum head_state got = read_parted(&h, head, size, parted ? 0 : size, 1);

			assert_int_equal(got, size <= 512 ? HEAD_WHOLE : HEAD_REFUSED);
			assert_int_equal(h.status, size <= 512 ? 0 : 431);
		}
	}
	memset(head, 'a', sizeof head);
	assert_int_equal(read_parted(&h, head, sizeof head, 0, 1), HEAD_REFUSED);
	assert_int_equal(h.status, 414);
	assert_int_equal(read_parted(&h, head, sizeof head, sizeof head, 1), HEAD_REFUSED);
	assert_int_equal(h.status, 414);
	memset(head, '\r', sizeof head);
	for (size_t i = 1; i < sizeof head; i += 2)
		head[i] = '\n';
	assert_int_equal(read_parted(&h, head, sizeof head, 0, 1), HEAD_REFUSED);
	assert_int_equal(h.status, 431);
}

/* What is wrong is told in words that name it. */
static void test_reasons(void **state)
{
	static const struct { const char *bytes, *word; } reasons[] = {
		{HOST "X: a\r\n b\r\n\r\n", "next line"},
		{HOST "X : a\r\n\r\n", "before the colon"},
		{HOST "X\r\n\r\n", "a name, a colon"},
		{HOST "Host: x\r\n\r\n", "one Host"},
		{GET "\r\n", "one Host"},
		{GET "Host: a b\r\n\r\n", "a name or an address"},
		{GET "X: \x01", "control"},
		{GET "X\n", "CR LF"},
		{GET "X\rY", "by LF"},
		{"GET /\xc3\xa9 HTTP/1.1\r\n", "percent-encoded"},
		{"GET /a#b HTTP/1.1\r\n", "'#'"},
		{"GET / HTTP/3.0\r\n", "HTTP/1.1"},
		{POST CL "5\r\n" TE "chunked\r\n\r\n", "both"},
		{POST CL "x\r\n\r\n", "Content-Length"},
		{POST CL "1001\r\n\r\n", "max_body_bytes"},
		{POST TE "gzip\r\n\r\n", "Transfer-Encoding"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		size_t len = strlen(reasons[i].bytes);
		struct head h;

		assert_int_equal(read_parted(&h, reasons[i].bytes, len, 0, 1), HEAD_REFUSED);
		if (!strstr(h.reason, reasons[i].word))
			fail_msg("case %zu: '%s' has no '%s'", i, h.reason, reasons[i].word);
	}
}

static void test_waiting_for_a_word(void **state)
{
	static const struct { const char *bytes; bool expects; } words[] = {
		{POST "Expect: 100-continue\r\n" CL "5\r\n\r\n", true},
		{POST "Expect: 100-continue\r\n" TE "chunked\r\n\r\n", true},
		{POST "Expect: 100-continue\r\n\r\n", false},
		{POST CL "5\r\n\r\n", false},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\n" CL "5\r\n\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t len = strlen(words[i].bytes);
		struct head h;

		assert_int_equal(read_parted(&h, words[i].bytes, len, len, 1), HEAD_WHOLE);
		assert_int_equal(h.status, 0);
		assert_int_equal(h.expects, words[i].expects);
	}
}

static void test_methods(void **state)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND",
					    "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"};
	struct head h;

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		char head[64];
		size_t len = (size_t)snprintf(head, sizeof head, "%s / HTTP/1.1\r\nHost: x\r\n\r\n", known[i]);

		assert_int_equal(read_parted(&h, head, len, len, 1), HEAD_WHOLE);
		assert_int_equal(h.status, 0);
		assert_string_equal(h.method, known[i]);
	}
	assert_int_equal(read_parted(&h, "GETS / HTTP/1.1\r\nHost: x\r\n\r\n", 28, 28, 1), HEAD_WHOLE);
	assert_int_equal(h.status, 501);
	assert_null(h.method);
}

static void test_fields_by_name(void **state)
{
	static const char bytes[] = "\r\n" HOST "Accept:\t a , b \t\r\nX:\r\naccept: c\r\nAccept-X: d\r\nLast: e\r\n\r\nY: f\r\n";
	static const struct { const char *name, *value; } want[] = {
		{"accept", "a , b"}, {"ACCEPT", "a , b"}, {"X", ""}, {"Accept-x", "d"}, {"last", "e"}, {"host", "x"},
		{"Y", NULL}, {"Acc", NULL}, {"GET / HTTP/1.1", NULL}, {"", NULL}, {"Accept-X-and-more-than-there-is", NULL},
	};
	struct head h = {.status = 0};

	(void)state;
	assert_int_equal(head_read(&h, &limits, bytes, sizeof bytes - 1), HEAD_WHOLE);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		if (!same(head_field(&h, bytes, want[i].name), want[i].value))
			fail_msg("field %s", want[i].name);
	}
	h = (struct head){.status = 0};
	assert_int_equal(head_read(&h, &limits, "GET / HTTP/1.0\r\n\r\n", 18), HEAD_WHOLE);
	assert_null(head_field(&h, "GET / HTTP/1.0\r\n\r\n", "Host").at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_where_it_ends),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_waiting_for_a_word),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_fields_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
