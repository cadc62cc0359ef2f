/* refusal.c - a 503 for those that get no thread, at the price of a few system calls.
 *
 * Called by accept.c in civetweb's accept threads; no thread of a connection has a part in it. The socket is
 * non-blocking, so a client that reads nothing holds nobody up: the answer fits any fresh socket's buffer. What the client
 * has sent is read before the close, for a close over unread bytes resets the connection and may take the answer back.
 * Who sends more than SINK_MAX, or only after that, may see a reset behind the answer.
 *
 * A queue can only be taken from at its head. So it is those that have waited longest that are told, and they are also
 * those whose clients are nearest to giving up.
 *
 * Every worker that is full looks at the same queue. Each taking the surplus it has seen, they would together take too
 * much; so they take turns by a record lock on the listening socket itself. It needs no file, is let go by the kernel when
 * its holder dies, and whoever does not get it has nothing to do: the holder looks at the queue before each one it takes. */
#include "refusal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define SINK_MAX (64 * 1024)		/* of a request that is thrown away */
#define LOG_MS	 60000			/* the log hears of refusals this often, from each worker and for each reason */

static const struct {
	const char *detail;		/* to the client */
	const char *line;		/* to the operator, with the number so far */
} said[] = {
	[REFUSAL_DESCRIPTORS] = {"the server is out of descriptors",
				 "out of file descriptors: %llu connections were told 503 so far; raise open_files"},
	[REFUSAL_OVERLOAD] = {"too many connections wait for the server",
			      "more connections than max_waiting wait for a thread: %llu were told 503 so far"},
};
_Static_assert(sizeof said / sizeof *said == REFUSAL_COUNT, "a text for each");

static void log_refusal(enum refusal why)
{
	static _Atomic uint64_t count[REFUSAL_COUNT];
	static _Atomic int64_t due[REFUSAL_COUNT];
	uint64_t so_far = atomic_fetch_add(&count[why], 1) + 1;
	int64_t now = clock_ms(), then = atomic_load(&due[why]);

	if (now < then || !atomic_compare_exchange_strong(&due[why], &then, now + LOG_MS))
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	log_line(LOG_WARN, said[why].line, (unsigned long long)so_far);
#pragma GCC diagnostic pop
}

void refusal_tell(int s, enum refusal why, struct counters *c)
{
	char answer[400], sink[4096];
	int len = snprintf(answer, sizeof answer,
			   "HTTP/1.1 503 Service Unavailable\r\nServer: Akin/" AKIN_VERSION "\r\n"
			   "Content-Type: application/json\r\nContent-Length: %zu\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
			   "{\"detail\":\"%s\"}", strlen(said[why].detail) + strlen("{\"detail\":\"\"}"), said[why].detail);
	/* To a client that is gone, or takes nothing, too: either way it is closed. */
	ssize_t n = send(s, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);

	shutdown(s, SHUT_WR);
	for (size_t read = 0; read < SINK_MAX && (n = recv(s, sink, sizeof sink, MSG_DONTWAIT)) > 0;)
		read += (size_t)n;
	close(s);
	if (c)
		counters_more(&c->connections_refused[why], 1);
	log_refusal(why);
}

/* Of a listening socket, the kernel tells the length of its queue where it tells other sockets' unacknowledged data. */
uint32_t refusal_waiting(int listener)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_state != TCP_LISTEN)
		return 0;
	return info.tcpi_unacked;
}

static bool lock(int listener, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

	return fcntl(listener, F_SETLK, &l) == 0;
}

uint32_t refusal_surplus(int listener, uint32_t most, uint32_t batch, struct counters *c)
{
	uint32_t told = 0;

	if (refusal_waiting(listener) <= most || !lock(listener, F_WRLCK))
		return 0;
	while (told < batch && refusal_waiting(listener) > most) {
		int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (s < 0)
			break;
		refusal_tell(s, REFUSAL_OVERLOAD, c);
		told++;
	}
	lock(listener, F_UNLCK);
	return told;
}
