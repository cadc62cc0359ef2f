/* bind.c - making the listening socket, in the master, once.
 *
 * All workers inherit it, so that a connection that waits to be accepted belongs to no worker and is not lost with
 * one (with SO_REUSEPORT it would be). It is non-blocking because its users poll it and then race for accept(). */
#include "bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIND_LIMIT 65536	/* descriptors that are looked through */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* settings.c has made sure that it is one of the two. */
static socklen_t read_address(const struct settings *s, union address *a)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, s->address, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)s->port);
		return sizeof a->v4;
	}
	inet_pton(AF_INET6, s->address, &a->v6.sin6_addr);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)s->port);
	return sizeof a->v6;
}

static void write_where(const struct settings *s, const union address *a, char where[BIND_WHERE])
{
	unsigned port = ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);

	snprintf(where, BIND_WHERE, a->any.sa_family == AF_INET ? "%s:%u" : "[%s]:%u", s->address, port);
}

static bool set_options(int fd, int family)
{
	const int on = 1, off = 0;

	/* TCP_NODELAY is inherited by every accepted connection. Dual stack is said aloud, whatever the system's
	 * default is. */
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	       (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0);
}

int bind_listener(const struct settings *s, char where[BIND_WHERE], struct fault *why)
{
	union address a;
	socklen_t len = read_address(s, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	write_where(s, &a, where);
	if (fd < 0 || !set_options(fd, a.any.sa_family)) {
		fault_errno(why, "%s: can't make a socket", where);
	} else if (bind(fd, &a.any, len) != 0 || listen(fd, (int)s->backlog) != 0) {
		fault_errno(why, "can't listen on %s", where);
	} else if (getsockname(fd, &a.any, &len) != 0) {
		fault_errno(why, "%s: can't tell the port", where);
	} else {
		write_where(s, &a, where);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool same_address(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr && (!b->v4.sin_port || a->v4.sin_port == b->v4.sin_port);
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0 &&
	       (!b->v6.sin6_port || a->v6.sin6_port == b->v6.sin6_port);
}

bool bind_adopt(int fd, const struct settings *s, char where[BIND_WHERE])
{
	union address is, wanted;
	socklen_t len = sizeof is;

	read_address(s, &wanted);
	memset(&is, 0, sizeof is);
	if (getsockname(fd, &is.any, &len) != 0 || !same_address(&is, &wanted))
		return false;
	int flags = fcntl(fd, F_GETFL);

	/* listen() again, since the length of the queue may have been set anew */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || listen(fd, (int)s->backlog) != 0)
		return false;
	write_where(s, &is, where);
	return true;
}

static bool listens_on(int fd, int port)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int listening = 0;
	socklen_t size = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
	       getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && ntohs(a.sin_port) == port &&
	       a.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

int bind_find_loopback(int port, int but)
{
	for (int fd = 0; fd < FIND_LIMIT; fd++) {
		if (fd != but && listens_on(fd, port))
			return fd;
	}
	return -1;
}

unsigned long bind_raise_files(const struct settings *s)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 0;
	rlim_t want = s->open_files ? s->open_files : files.rlim_max;

	if (want > files.rlim_max)	/* more than the hard limit takes a privilege; try, and fall back */
		files.rlim_max = want;
	files.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (unsigned long)files.rlim_cur : 0;
}
