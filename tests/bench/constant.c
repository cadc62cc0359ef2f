/* constant.c - the yardstick of `make bench`: what civetweb itself can do. Workers share one listener, as Akin's do,
 * and each answers every request with the bytes of a file, head included, in one mg_write(). No routing, no counting,
 * no lookup: what Akin is slower by is Akin's own.
 *
 *   usage: constant PORT WORKERS THREADS FILE
 *
 * The master forks and waits; it ends with its workers on SIGTERM. Any failure ends the program: it is only a bench. */
#include <arpa/inet.h>
#include <civetweb.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char message[65536];
static size_t message_len;

static int answer(struct mg_connection *c)
{
	mg_write(c, message, message_len);
	return 200;
}

static void read_message(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		err(1, "%s", path);
	message_len = fread(message, 1, sizeof message, f);
	if (ferror(f) || message_len == 0 || message_len == sizeof message)
		errx(1, "%s: must have 1 to %zu bytes", path, sizeof message - 1);
	fclose(f);
}

static int open_listener(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1024) != 0)
		err(1, "port %u", port);
	return fd;
}

/* civetweb can't be given a listener: put ours where it has put the one it opened. */
static void take_over(struct mg_context *ctx, int listener)
{
	struct mg_server_port port;

	if (mg_get_server_ports(ctx, 1, &port) != 1)
		errx(1, "civetweb tells no port");
	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_in a = {0};
		socklen_t len = sizeof a;

		if (fd != listener && getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET &&
		    ntohs(a.sin_port) == port.port) {
			if (dup2(listener, fd) < 0)
				err(1, "dup2");
			return;
		}
	}
	errx(1, "civetweb's own listener was not found");
}

static void work(int listener, const char *threads)
{
	const char *options[] = {"listening_ports", "127.0.0.1:0", "num_threads", threads, "enable_keep_alive", "yes",
				 "tcp_nodelay", "1", "keep_alive_timeout_ms", "5000", "request_timeout_ms", "10000",
				 "access_control_allow_origin", "", NULL};
	struct mg_callbacks callbacks = {.begin_request = answer};
	sigset_t term;
	int number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct mg_context *ctx = mg_start(&callbacks, NULL, options);
	if (!ctx)
		errx(1, "mg_start failed");
	take_over(ctx, listener);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigwait(&term, &number);
	_exit(0);
}

int main(int argc, char **argv)
{
	sigset_t term;
	int number, listener;

	if (argc != 5)
		errx(64, "usage: constant PORT WORKERS THREADS FILE");
	read_message(argv[4]);
	listener = open_listener((uint16_t)atoi(argv[1]));
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	for (int i = atoi(argv[2]); i > 0; i--) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0)
			work(listener, argv[3]);
	}
	sigwait(&term, &number);
	return 0;
}
