/* healthcheck.c - `akin-server --healthcheck`: the client that an image without curl has.
 *
 * The operations listener is asked when there is one: it answers while every other thread is taken.
 *
 * Called by main() instead of serving, in a process of its own: nothing of the server that is asked is shared but the
 * settings, which must come from the same file and variables. It speaks as little HTTP as the question needs: one
 * request on one connection, read until the other side closes. Every wait is cut off at one deadline, and everything
 * that is not a 200 in time is a fault with what was seen. */
#include "healthcheck.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "endpoint.h"

#define ANSWER_MAX 4096		/* more than any answer of /readyz with its header */
#define PATH	   "/readyz"

struct question {
	char where[ENDPOINT_TEXT]; /* "127.0.0.1:8000", for faults and the Host field */
	int fd;
	int64_t deadline;
	size_t len;
	char answer[ANSWER_MAX + 1];
};

/* Who listens on every address is asked on the loopback. */
static socklen_t read_address(const struct endpoint *e, union endpoint_address *a, char where[ENDPOINT_TEXT])
{
	socklen_t len = endpoint_address(e, a);

	if (a->any.sa_family == AF_INET && a->v4.sin_addr.s_addr == htonl(INADDR_ANY))
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr))
		a->v6.sin6_addr = in6addr_loopback;
	endpoint_write(a, where);
	return len;
}

/* Until fd can be read from or written to. */
static bool wait_for(const struct question *q, short what, struct fault *why)
{
	struct pollfd p = {.fd = q->fd, .events = what};

	for (;;) {
		int64_t left = q->deadline - clock_ms();
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n > 0)
			return true;
		if (n == 0)
			return fault_set(why, "%s: no whole answer to GET " PATH " within %d ms", q->where, HEALTHCHECK_MS);
		if (errno != EINTR)
			return fault_errno(why, "%s: can't wait for an answer", q->where);
	}
}

static bool meet(struct question *q, const union endpoint_address *a, socklen_t len, struct fault *why)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (connect(q->fd, &a->any, len) == 0)
		return true;
	if (errno != EINPROGRESS)
		return fault_errno(why, "can't connect to %s", q->where);
	if (!wait_for(q, POLLOUT, why))
		return false;
	if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	errno = error;
	return error == 0 || fault_errno(why, "can't connect to %s", q->where);
}

/* So short that a fresh connection's buffer takes it at once; if ever not, that is a fault like any other. */
static bool ask(const struct question *q, struct fault *why)
{
	char request[160];
	int len = snprintf(request, sizeof request, "GET " PATH " HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			   q->where);

	return send(q->fd, request, (size_t)len, MSG_NOSIGNAL) == len ||
	       fault_errno(why, "%s: can't send GET " PATH, q->where);
}

/* Until the other side closes, or has said more than /readyz has to say. */
static bool listen_to(struct question *q, struct fault *why)
{
	while (q->len < ANSWER_MAX) {
		ssize_t n = recv(q->fd, q->answer + q->len, ANSWER_MAX - q->len, 0);

		if (n == 0)
			break;
		if (n > 0) {
			q->len += (size_t)n;
		} else if (errno == EAGAIN) {
			if (!wait_for(q, POLLIN, why))
				return false;
		} else if (errno != EINTR) {
			return fault_errno(why, "%s: no whole answer to GET " PATH, q->where);
		}
	}
	q->answer[q->len] = '\0';
	return true;
}

/* "HTTP/1.1 200 ..." and a body, which is quoted: it may be anybody's. */
static bool judge(const struct question *q, char *said, size_t cap, struct fault *why)
{
	const char *end = strstr(q->answer, "\r\n\r\n"), *body = end ? end + 4 : q->answer;
	char quoted[160];
	unsigned status = 0;
	char after = 0;

	fault_quote(quoted, sizeof quoted, body, q->len - (size_t)(body - q->answer));
	if (!end || sscanf(q->answer, "HTTP/1.%*1[01] %3u%c", &status, &after) != 2 || !strchr(" \r", after))
		return fault_set(why, "%s: what answered GET " PATH " with %zu bytes is no HTTP server: '%s'", q->where,
				 q->len, quoted);
	if (status != 200)
		return fault_set(why, "%s: GET " PATH " was answered %u: %s", q->where, status, quoted);
	snprintf(said, cap, "%s: %s", q->where, quoted);
	return true;
}

bool healthcheck(const struct settings *s, char *said, size_t cap, struct fault *why)
{
	struct question q = {.deadline = clock_ms() + HEALTHCHECK_MS};
	union endpoint_address a;
	struct endpoint e;
	bool ops = endpoint_of_operations(&e, s);

	if (!ops)
		endpoint_of_service(&e, s);
	socklen_t len = read_address(&e, &a, q.where);

	if (e.port == 0)
		return fault_set(why, "port 0 is any free one, which can't be asked: set the port%s", ops ? " of ops_listen" : "");
	q.fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q.fd < 0)
		return fault_errno(why, "%s: can't make a socket", q.where);
	bool ok = meet(&q, &a, len, why) && ask(&q, why) && listen_to(&q, why) && judge(&q, said, cap, why);

	close(q.fd);
	return ok;
}
