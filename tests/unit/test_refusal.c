/* test_refusal.c - a real listening socket on the loopback, clients that wait at it, and who of them is told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../server/refusal.h"

#define CLIENTS 6

static int listener, client[CLIENTS];
static struct counters *counters;

/* Client i has sent so many bytes and waits; so does every one before it. */
static int setup(void **state)
{
	static const size_t sent[CLIENTS] = {100, 0, 40000, 100, 100, 100};
	static char junk[40000];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;

	(void)state;
	counters = aligned_alloc(64, sizeof *counters);
	memset(counters, 0, sizeof *counters);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(bind(listener, (struct sockaddr *)&a, len) == 0 && listen(listener, 16) == 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(refusal_waiting(listener), 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&a, len), 0);
		assert_int_equal(send(client[i], junk, sent[i], 0), (ssize_t)sent[i]);
	}
	assert_int_equal(refusal_waiting(listener), CLIENTS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++)
		close(client[i]);
	close(listener);
	free(counters);
	return 0;
}

/* It has a whole 503 and an end behind it, and was not reset. */
static bool told(int s, const char *why)
{
	char got[1024];
	ssize_t n = recv(s, got, sizeof got - 1, MSG_WAITALL);
	int error = -1;
	socklen_t len = sizeof error;

	if (n <= 0)
		return false;
	got[n] = '\0';
	char *body = strstr(got, "\r\n\r\n"), *length = strstr(got, "\r\nContent-Length: ");

	return strncmp(got, "HTTP/1.1 503 ", 13) == 0 && strstr(got, "\r\nRetry-After: 1\r\n") && body && length &&
	       strtoul(length + 18, NULL, 10) == strlen(body + 4) && strstr(body, why) &&
	       strstr(got, "\r\nConnection: close\r\n") && recv(s, got, 1, 0) == 0 &&
	       getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

static bool waits(int s)
{
	char c;

	return recv(s, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void the_oldest_are_told_and_no_more_than_too_many(void **state)
{
	(void)state;
	assert_int_equal(refusal_surplus(listener, CLIENTS, 64, counters), 0);
	assert_int_equal(refusal_surplus(listener, 2, 1, counters), 1);
	assert_true(told(client[0], "too many connections"));
	assert_true(waits(client[1]));
	assert_int_equal(refusal_surplus(listener, 2, 64, counters), 3);
	for (unsigned i = 1; i < 4; i++)
		assert_true(told(client[i], "too many connections"));
	assert_true(waits(client[4]) && waits(client[5]));
	assert_int_equal(refusal_waiting(listener), 2);
	assert_int_equal(counters->connections_refused[REFUSAL_OVERLOAD], 4);
	assert_int_equal(counters->connections_refused[REFUSAL_DESCRIPTORS], 0);
}

/* Another process is at it, and then it dies. */
static void one_at_a_time(void **state)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	int ready[2];
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();

	if (pid == 0) {
		if (fcntl(listener, F_SETLK, &l) == 0 && write(ready[1], "x", 1) == 1)
			poll(NULL, 0, 60000);
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(refusal_surplus(listener, 2, 64, counters), 0);
	assert_int_equal(refusal_waiting(listener), CLIENTS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(refusal_surplus(listener, 2, 64, counters), CLIENTS - 2);
	close(ready[0]);
	close(ready[1]);
}

static void what_is_no_listener_has_no_queue(void **state)
{
	(void)state;
	assert_int_equal(refusal_waiting(-1), 0);
	assert_int_equal(refusal_waiting(client[0]), 0);
	assert_int_equal(refusal_surplus(-1, 0, 64, NULL), 0);
}

static void a_connection_is_told_of_descriptors(void **state)
{
	int s = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	(void)state;
	assert_true(s >= 0);
	refusal_tell(s, REFUSAL_DESCRIPTORS, counters);
	assert_true(told(client[0], "out of descriptors"));
	assert_int_equal(fcntl(s, F_GETFD), -1);
	assert_int_equal(counters->connections_refused[REFUSAL_DESCRIPTORS], 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_are_told_and_no_more_than_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_listener_has_no_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_is_told_of_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
