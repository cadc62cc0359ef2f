/* test_intake.c - a connection's bytes taken apart into heads, bodies and the next head, over a real socket. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../server/intake.h"

#define GET     "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
#define CHUNKED "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#define COUNTED "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

static struct settings settings;
static struct waiting wait;
static struct intake in;
static int client, server;

static int begin(void **state)
{
	int pair[2];

	(void)state;
	if (!in.bytes) {
		settings_default(&settings);
		settings.max_head_bytes = 1024;
		settings.max_body_bytes = 50;
		settings.request_timeout_ms = 100;
		if (!intake_open(&in, &wait, &settings))
			return -1;
		waiting_as(&wait);
		intake_as(&in);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	client = pair[0];
	server = pair[1];
	waiting_from(&wait, 100, false);
	wait.ended = false;
	intake_begin(&in);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (client >= 0)
		close(client);
	close(server);
	client = -1;
	return 0;
}

static void say(const char *bytes) { assert_int_equal(write(client, bytes, strlen(bytes)), strlen(bytes)); }

static void hang_up(void)
{
	close(client);
	client = -1;
}

/* As civetweb does it. False: the connection is over. */
static bool ask(void)
{
	char buffer[1024];
	ssize_t n = recv(server, buffer, sizeof buffer, 0);

	assert_true(n >= 0);
	if (n > 0) {
		assert_int_equal(n, strlen("GET / HTTP/1.1\r\n\r\n"));
		assert_memory_equal(buffer, "GET / HTTP/1.1\r\n\r\n", (size_t)n);
		intake_seen(&in);
	}
	return n > 0;
}

static void assert_path(const char *path)
{
	assert_int_equal(in.head.status, 0);
	assert_int_equal(in.head.path.len, strlen(path));
	assert_memory_equal(in.head.path.at, path, strlen(path));
}

/* The whole body, some bytes a call. */
static void assert_body(const char *want, size_t room)
{
	char body[64], *to = body;
	int n;

	while ((n = intake_body(&in, to, room)) > 0) {
		assert_true((size_t)n <= room);
		to += n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(to - body, strlen(want));
	assert_memory_equal(body, want, strlen(want));
	assert_int_equal(in.body_len, strlen(want));
	assert_int_equal(intake_body(&in, body, sizeof body), 0);
}

static void answered(void) { waiting_from(&wait, 100, true); }

static void test_pipelined(void **state)
{
	(void)state;
	for (size_t room = 1; room < 8; room++) {
		say(COUNTED "hello" CHUNKED "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: u\r\n\r\n" "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_true(ask());
		assert_path("/b");
		assert_body("hello", room);
		assert_string_equal(intake_field(&in, "host"), "x");
		answered();
		assert_true(ask());
		assert_path("/a");
		assert_body("abcdefg", room);
		assert_string_equal(intake_field(&in, "Host"), "x");
		assert_string_equal(intake_field(&in, "transfer-encoding"), "chunked");
		assert_null(intake_field(&in, "T"));
		answered();
		assert_true(ask());
		assert_path("/c");
		assert_body("", room);
		assert_false(intake_unread(&in));
		answered();
	}
}

static void test_a_body_that_comes_later(void **state)
{
	static const char *const parts[] = {"5", "\r", "\nhe", "llo", "\r\n0\r\n", "\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n"};
	char body[64];
	size_t have = 0;

	(void)state;
	say(CHUNKED);
	assert_true(ask());
	assert_false(intake_has_some(&in));
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		say(parts[i]);
		if (i == 2 || i == 3) {
			int n = intake_body(&in, body + have, sizeof body - have);

			assert_int_equal(n, i);		/* 2 bytes, 3 bytes */
			have += (size_t)n;
		}
	}
	assert_int_equal(intake_body(&in, body, sizeof body), 0);
	assert_memory_equal(body, "hello", 5);
	assert_true(intake_unread(&in));
	answered();
	assert_true(ask());
	assert_path("/c");
}

/* What nobody has read must not become the next request. */
static void test_a_body_that_is_not_read_ends_it(void **state)
{
	(void)state;
	say(COUNTED "GET /");
	assert_true(ask());
	answered();
	assert_false(ask());
}

static void refuses(const char *bytes, bool over, int status)
{
	char body[64];
	int n;

	say(bytes);
	if (over)
		shutdown(client, SHUT_WR);
	assert_true(ask());
	assert_int_equal(in.head.status, 0);
	while ((n = intake_body(&in, body, sizeof body)) > 0)
		;
	assert_int_equal(n, -1);
	assert_int_equal(in.status, status);
	assert_non_null(in.reason);
	assert_true(intake_unread(&in));
	answered();
	assert_false(ask());
	end(NULL);
	begin(NULL);
}

static void test_bodies_that_are_refused(void **state)
{
	(void)state;
	refuses(COUNTED "hell", true, 400);
	refuses(COUNTED "hell", false, 408);
	refuses(CHUNKED "5\r\nhell", true, 400);
	refuses(CHUNKED "5\r\nhell", false, 408);
	refuses(CHUNKED "5\r\nhello\r\n0\r\n", true, 400);
	refuses(CHUNKED "x\r\n\r\n", false, 400);
	refuses(CHUNKED "19\r\n1234567890123456789012345\r\n1a\r\n12345678901234567890123456\r\n0\r\n\r\n", false, 413);
}

/* As long as may be, and longer than what is read at a time. */
static void test_a_long_body(void **state)
{
	char chunks[8200] = CHUNKED "1\r\na\r\n0;";

	(void)state;
	memset(chunks + strlen(chunks), 'x', 1000);
	strcat(chunks, "\r\n\r\n");
	say(chunks);
	assert_true(ask());
	assert_body("a", 10);
	answered();
	memset(strstr(chunks, ";x") + 1, 'x', 8000);
	say(chunks);
	assert_true(ask());
	assert_int_equal(intake_body(&in, chunks, 1), 1);
	assert_int_equal(intake_body(&in, chunks, 100), -1);
	assert_int_equal(in.status, 431);
}

static void fails(const char *bytes, bool over, int status)
{
	say(bytes);
	if (over)
		shutdown(client, SHUT_WR);
	assert_int_equal(ask(), status != 0);
	if (status) {
		assert_int_equal(in.head.status, status);
		assert_non_null(in.head.reason);
		assert_false(in.head.keep);
		answered();
		assert_false(ask());
	}
	end(NULL);
	begin(NULL);
}

static void test_heads_that_do_not_come(void **state)
{
	(void)state;
	fails("GET / HT", true, 400);
	fails("GET / HT", false, 408);
	fails("GET / HTTP/1.1\r\nHost: x\r\n", true, 400);
	fails("", true, 0);
	fails("", false, 0);
	fails("\r\n\r\n", true, 0);
	fails("\r\n", false, 0);
	fails("\n", false, 400);
	hang_up();
	assert_false(ask());
}

/* An idle wait that another thread calls off ends the connection without a word; and before its first request, when
 * part of that is there, with 408. */
static void test_a_wait_that_was_called_off(void **state)
{
	(void)state;
	say("GET /c HTTP/1.1\r\nHost: x\r\n\r\n" "GET");
	assert_true(ask());
	answered();
	shutdown(server, SHUT_RD);
	wait.ended = true;
	assert_true(ask());
	assert_int_equal(in.head.status, 408);
}

/* civetweb had no memory to pass the request on: it is not followed by another. */
static void test_a_request_that_was_not_seen(void **state)
{
	char buffer[1024];

	(void)state;
	say("GET /c HTTP/1.1\r\nHost: x\r\n\r\nGET /d HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(recv(server, buffer, sizeof buffer, 0) > 0);
	assert_int_equal(recv(server, buffer, sizeof buffer, 0), 0);
}

static void test_lingering(void **state)
{
	char byte;

	(void)state;
	say("GET / HTTP/9.9\r\n\r\nand much more");
	assert_true(ask());
	assert_int_equal(in.head.status, 505);
	assert_true(intake_unread(&in));
	assert_int_equal(write(server, "!", 1), 1);
	shutdown(client, SHUT_WR);
	intake_linger(&in);
	assert_int_equal(read(client, &byte, 1), 1);
	assert_int_equal(read(client, &byte, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pipelined),
		TEST(test_a_body_that_comes_later),
		TEST(test_a_body_that_is_not_read_ends_it),
		TEST(test_bodies_that_are_refused),
		TEST(test_a_long_body),
		TEST(test_heads_that_do_not_come),
		TEST(test_a_wait_that_was_called_off),
		TEST(test_a_request_that_was_not_seen),
		TEST(test_lingering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
