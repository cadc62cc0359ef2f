/* waiting.c - how a connection's thread waits: the poll() and the send() that civetweb calls, and the read that
 * intake.c, whose recv() it calls, is made of.
 *
 * As with accept.c, the program defines the symbols and the dynamic linker binds libcivetweb's calls to them. A
 * thread that has not called waiting_as() gets the system's, unchanged.
 *
 * civetweb limits each wait for bytes and not all of them together: a client that sends one byte now and then holds
 * its thread for as long as it likes. So there is a deadline for the whole, and a wait that would go beyond it fails,
 * which civetweb takes for a broken connection.
 *
 * A connection that is kept open and idle has nothing in hand, and one whose client is slow, to send the rest of a
 * request or to take an answer, keeps a thread from others. Another thread may call such a wait off, by shutting the
 * reading side, so that it looks as if the client had left, and when it is an answer that is not taken, the writing side,
 * too. The descriptor must not be closed, and its number given to somebody else, between the other's look and the
 * shutdown: so both go through `state`, and who comes back from the wait waits for a shutdown that has begun. If a request
 * came at the same moment, it is still read, answered, and the connection closed after it.
 *
 * A kept connection waits for its next request in the read itself, on a socket that may sleep for SLEEP_MS: poll()
 * says yes without a look. A request so costs two system calls, not three, and they are most of what it costs. Who is
 * quiet for longer waits in ppoll(). */
#undef _FORTIFY_SOURCE		/* its inline poll() would stand in the way of this one */
#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"

#define SLEEP_MS 1000

enum {
	BUSY,
	IDLE,				/* for a next request */
	RECEIVING,			/* for the rest of one, or the first one */
	SENDING,			/* for an answer to be taken */
	CALLED_OFF,			/* another thread is about to shut the descriptor */
	SHUT,				/* and has */
};

static _Thread_local struct waiting *mine;

void waiting_as(struct waiting *w) { mine = w; }

void waiting_allow(struct waiting *w, uint32_t allowed)
{
	w->deadline = clock_ms() + allowed;
	w->idle = false;
}

void waiting_from(struct waiting *w, uint32_t allowed, bool idle)
{
	int64_t now = clock_ms();

	atomic_store_explicit(&w->since, now, memory_order_relaxed);
	w->deadline = now + allowed;
	w->idle = idle;
	w->slow = false;
	if (!idle)
		w->sleeping = 0;	/* a new connection */
}

static enum waiting_kind kind_of(int state)
{
	return state == IDLE ? WAITING_IDLE : state == RECEIVING || state == SENDING ? WAITING_SLOW : WAITING_NOT;
}

static int64_t since(const struct waiting *w, enum waiting_kind kind)
{
	return atomic_load_explicit(kind == WAITING_IDLE ? &w->since : &w->slow_since, memory_order_relaxed);
}

enum waiting_kind waiting_look(const struct waiting *w, int64_t *when)
{
	enum waiting_kind kind = kind_of(atomic_load_explicit(&w->state, memory_order_acquire));

	*when = since(w, kind);
	return kind;
}

bool waiting_call_off(struct waiting *w, enum waiting_kind kind, int64_t when)
{
	int state = atomic_load(&w->state);

	if (kind == WAITING_NOT || kind_of(state) != kind || !atomic_compare_exchange_strong(&w->state, &state, CALLED_OFF))
		return false;
	if (since(w, kind) != when) {	/* that one is over, and this another */
		atomic_store(&w->state, state);
		return false;
	}
	/* It can only fail on a connection that has ended by itself. */
	shutdown(w->fd, state == SENDING ? SHUT_RDWR : SHUT_RD);
	atomic_store(&w->state, SHUT);
	return true;
}

static int plain_poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	return ppoll(fds, n, ms < 0 ? NULL : &limit, NULL);
}

static void begin(struct waiting *w, int fd, int state)
{
	w->fd = fd;
	atomic_store(&w->state, state);
}

/* errno is kept. Another thread may be looking, for no longer than a system call takes. */
static void end(struct waiting *w, int state)
{
	int error = errno, was = state;

	while (!atomic_compare_exchange_strong(&w->state, &was, BUSY)) {
		if (was == SHUT)
			w->ended = true;
		else
			sched_yield();
		was = was == SHUT ? SHUT : state;
	}
	errno = error;
}

/* A request's waits count as one, from the first on, however many bytes come in between; each for an answer to be taken
 * counts by itself. */
static int slow_poll(struct waiting *w, struct pollfd *fds, int ms, int state)
{
	if (!w->slow || state == SENDING)
		atomic_store_explicit(&w->slow_since, clock_ms(), memory_order_relaxed);
	w->slow = true;
	begin(w, fds->fd, state);
	int got = plain_poll(fds, 1, ms);

	end(w, state);
	return got;
}

/* May recv() sleep on this socket? Then send() must be told not to, each time. */
static bool can_sleep(struct waiting *w, int fd)
{
	static const struct timeval limit = {.tv_sec = SLEEP_MS / 1000};

	if (w->sleeping == fd + 1)
		return true;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
	    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		return false;
	w->sleeping = fd + 1;
	return true;
}

/* A time-out looks as it does to poll(). What sleeps past it wakes up within SLEEP_MS: that is when a wait may sleep. */
ssize_t waiting_recv(struct waiting *w, int fd, void *into, size_t room)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool idle = w->idle, sleeps;

	if (idle)
		begin(w, fd, IDLE);
	else
		w->fd = fd;	/* not once it can be called off: whoever does reads it */
	sleeps = idle && w->deadline - clock_ms() >= SLEEP_MS && can_sleep(w, fd);
	ssize_t n = recvfrom(fd, into, room, sleeps ? 0 : MSG_DONTWAIT, NULL, NULL);

	while (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		int64_t left = w->deadline - clock_ms();

		if (left <= 0 || (idle ? plain_poll(&p, 1, (int)left) : slow_poll(w, &p, (int)left, RECEIVING)) == 0) {
			errno = ETIMEDOUT;
			break;
		}
		n = recvfrom(fd, into, room, MSG_DONTWAIT, NULL, NULL);
	}
	if (idle)
		end(w, IDLE);
	w->idle = false;
	return n;
}

/* civetweb looks for something to read only before it reads, and that read is intake.c's, which waits by itself. */
int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct waiting *w = mine;

	if (!w || n != 1)
		return plain_poll(fds, n, ms);
	int64_t left = w->deadline - clock_ms();

	fds->revents = 0;
	if (fds->events & POLLIN) {
		fds->revents = POLLIN;
		return 1;
	}
	if (left <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return slow_poll(w, fds, ms < 0 || left < ms ? (int)left : ms, SENDING);
}

/* poll() has the time limit of what does not fit into the kernel's buffer. */
ssize_t send(int fd, const void *from, size_t len, int flags)
{
	return sendto(fd, from, len, mine ? flags | MSG_DONTWAIT : flags, NULL, 0);
}
