/* accept.c - the accept() that civetweb calls.
 *
 * The program defines this symbol and exports it, so the dynamic linker binds libcivetweb's call to it. One thread,
 * civetweb's accept thread, calls it, on the one listening socket. Four things are done that civetweb does not:
 *
 * A connection is counted before it is taken, and out again when there was none. So a worker that has told
 * accept_shut() and then sees a count of zero knows that none can come any more.
 *
 * A connection that is accepted waits for this worker's threads; one in the kernel's queue can be taken by any worker.
 * So while every thread has a connection, none is accepted: accept() blocks, until one has closed. What still waits
 * after PATIENCE_MS waits for us, since any worker with a free thread would have taken it. Then a connection is ended
 * that has long been idle; or, when there is none, the next answer closes its own. One goes for each that waits. An
 * idle connection is told nothing, so its client may be about to send: on a machine with too much to do, busy ones look
 * idle for a while.
 *
 * Without a free descriptor civetweb would poll a readable listener and fail to accept for ever at 100 % CPU. Here a
 * spare descriptor is given up, the connection is taken with it, told 503 and closed, and the spare is taken back.
 *
 * Debian's civetweb is built without IPv6: its addresses have 16 bytes, and with the length of an IPv6 address in
 * hand its next call, getsockname(), would write 28 bytes there. So it is told of IPv4 addresses only; another peer
 * is 0.0.0.0. Nothing uses the address. */
#include "accept.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define PATIENCE_MS 5			/* for another worker to take what this one can't */
#define PRESS_MS    50			/* as long after that, the next one need not be patient */
#define LONG_IDLE_MS 1000		/* an idle connection gives way before a busy one; */
#define CLAIM_MS    100			/* until then a busy one does, if one is answered in this time; */
#define IDLE_MS	    100			/* or else one that has been idle a little */
#define CLOSING_MS  100			/* for a connection that is ended to be gone */
#define SHED_LOG_MS 60000		/* the log hears of shed connections this often */

static int spare = -1;
static _Atomic bool shut;
static _Atomic uint32_t connections;
static struct counters *counters;	/* what others are told: only of connections that did come */
static uint32_t limit = UINT32_MAX;
static bool (*make_room)(int64_t idle);
static sem_t freed;			/* posted when a connection closes while `full` */
static _Atomic bool full;		/* accept() waits for one to close */
static _Atomic bool claim;

bool accept_open(struct counters *c, struct fault *why)
{
	counters = c;
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sem_init(&freed, 0, 0) != 0)
		return fault_errno(why, "can't make a semaphore");
	return spare >= 0 || fault_errno(why, "can't keep a spare descriptor");
}

void accept_limit(uint32_t most, bool (*room)(int64_t idle))
{
	limit = most;
	make_room = room;
}

void accept_shut(void)
{
	atomic_store(&shut, true);
	sem_post(&freed);
}

bool accept_claim(void)
{
	return atomic_load_explicit(&claim, memory_order_relaxed) && atomic_exchange(&claim, false);
}

uint32_t accept_connections(void) { return atomic_load(&connections); }

void accept_closed(void)
{
	if (counters)
		counters_less(&counters->connections_active);
	atomic_fetch_sub(&connections, 1);
	if (atomic_load(&full))
		sem_post(&freed);
}

static const char shed_answer[] =
	"HTTP/1.1 503 Service Unavailable\r\nServer: Akin/" AKIN_VERSION "\r\nContent-Type: application/json\r\n"
	"Content-Length: 47\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
	"{\"detail\":\"the server is out of descriptors\"}  ";

static void log_shed(void)
{
	static uint64_t count;
	static int64_t told;
	int64_t now = clock_ms();

	count++;
	if (told && now - told < SHED_LOG_MS)
		return;
	log_line(LOG_WARN, "out of file descriptors: %llu connections were told 503 so far; raise open_files",
		 (unsigned long long)count);
	told = now;
}

/* Answer the next connection 503, with the descriptor that was kept for it. */
static void shed(int fd)
{
	char sink[4096];

	if (spare < 0) {
		poll(NULL, 0, 10);	/* nothing can be done but not to spin */
		return;
	}
	close(spare);
	int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s >= 0) {
		/* To a client that is gone, or to one that takes nothing: either way it is closed. Its request is
		 * read, for a close over unread bytes would take the answer back. */
		ssize_t ignored = send(s, shed_answer, sizeof shed_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

		ignored = recv(s, sink, sizeof sink, MSG_DONTWAIT);
		(void)ignored;
		close(s);
		if (counters)
			counters_more(&counters->connections_refused[REFUSAL_DESCRIPTORS], 1);
		log_shed();
	}
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool someone_waits(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && !atomic_load(&shut);
}

/* Has a connection closed within ms? Posts left from before only make the caller look once more. */
static bool wait_for_close(int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_clockwait(&freed, CLOCK_MONOTONIC, &until) == 0;
}

/* Wait for there to be a thread. False: nobody waits any more for one. */
static bool have_room(int fd)
{
	static int64_t press_until;
	int64_t began = clock_ms();
	bool room;

	atomic_store(&full, true);	/* before the look at connections: whoever closes one after that posts */
	while (!(room = atomic_load(&connections) < limit) && someone_waits(fd)) {
		int64_t now = clock_ms();
		bool press = now < press_until, ended = press && make_room(now - began < CLAIM_MS ? LONG_IDLE_MS : IDLE_MS);

		if (press)
			press_until = now + PRESS_MS;
		atomic_store(&claim, press && !ended);
		if (!wait_for_close(ended ? CLOSING_MS : PATIENCE_MS))
			press_until = clock_ms() + PRESS_MS;
	}
	atomic_store(&full, false);
	atomic_store(&claim, false);
	return room;
}

int accept(int fd, struct sockaddr *restrict peer, socklen_t *restrict peer_len)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_storage room;
	} from = {.v4 = {.sin_family = AF_INET}};
	socklen_t len = sizeof from;

	if (atomic_load(&connections) >= limit && !have_room(fd)) {
		errno = EAGAIN;
		return -1;
	}
	atomic_fetch_add(&connections, 1);
	int s = atomic_load(&shut) ? -1 : accept4(fd, &from.any, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s < 0) {
		int error = atomic_load(&shut) ? EAGAIN : errno;

		atomic_fetch_sub(&connections, 1);
		if (error == EMFILE || error == ENFILE)
			shed(fd);
		else if (error == ENOBUFS || error == ENOMEM)
			poll(NULL, 0, 10);
		errno = error;
		return -1;
	}
	if (counters) {
		counters_more(&counters->connections_active, 1);
		counters_more(&counters->connections_accepted, 1);
	}
	if (from.any.sa_family != AF_INET)
		from.v4 = (struct sockaddr_in){.sin_family = AF_INET};
	if (peer && peer_len && *peer_len >= sizeof from.v4) {
		memcpy(peer, &from.v4, sizeof from.v4);
		*peer_len = sizeof from.v4;
	}
	return s;
}
