/* bind.c - making the listening sockets, in the master, once.
 *
 * All workers inherit them, so that a connection that waits to be accepted belongs to no worker and is not lost with
 * one (with SO_REUSEPORT it would be). They are non-blocking because their users poll them and then race for accept(). */
#include "bind.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define FIND_LIMIT 65536	/* descriptors that are looked through */

static bool set_options(int fd, int family, const struct settings *s)
{
	const int on = 1, off = 0, defer = (int)s->defer_accept_s;

	/* TCP_NODELAY is inherited by every accepted connection. Dual stack is said aloud, whatever the system's
	 * default is. */
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer) == 0 &&
	       (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0);
}

/* The kernel caps a backlog without a word. Of a listening socket it tells it where it tells other sockets' data. */
static void check_backlog(int fd, const struct settings *s, const char *where)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_sacked < s->backlog &&
	    info.tcpi_sacked <= s->max_waiting)
		log_line(LOG_WARN, "%s: the kernel lets %u connections wait (net.core.somaxconn), so that max_waiting, %u, is "
			 "never reached", where, info.tcpi_sacked, s->max_waiting);
}

int bind_listener(const struct endpoint *e, const struct settings *s, char where[BIND_WHERE], struct fault *why)
{
	union endpoint_address a;
	socklen_t len = endpoint_address(e, &a);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	endpoint_write(&a, where);
	if (fd < 0 || !set_options(fd, a.any.sa_family, s)) {
		fault_errno(why, "%s: can't make a socket", where);
	} else if (bind(fd, &a.any, len) != 0 || listen(fd, (int)s->backlog) != 0) {
		fault_errno(why, "can't listen on %s", where);
	} else if (getsockname(fd, &a.any, &len) != 0) {
		fault_errno(why, "%s: can't tell the port", where);
	} else {
		endpoint_write(&a, where);
		check_backlog(fd, s, where);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool same_address(const union endpoint_address *a, const union endpoint_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr && (!b->v4.sin_port || a->v4.sin_port == b->v4.sin_port);
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0 &&
	       (!b->v6.sin6_port || a->v6.sin6_port == b->v6.sin6_port);
}

bool bind_adopt(int fd, const struct endpoint *e, const struct settings *s, char where[BIND_WHERE])
{
	const int defer = (int)s->defer_accept_s;
	union endpoint_address is, wanted;
	socklen_t len = sizeof is;

	endpoint_address(e, &wanted);
	memset(&is, 0, sizeof is);
	if (getsockname(fd, &is.any, &len) != 0 || !same_address(&is, &wanted))
		return false;
	int flags = fcntl(fd, F_GETFL);

	/* listen() again, since the length of the queue may have been set anew */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || listen(fd, (int)s->backlog) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer) != 0)
		return false;
	endpoint_write(&is, where);
	check_backlog(fd, s, where);
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
