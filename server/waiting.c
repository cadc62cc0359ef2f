/* waiting.c - the poll() and the recv() that civetweb calls.
 *
 * As with accept.c, the program defines the symbols and the dynamic linker binds libcivetweb's calls to them. A
 * thread that has not called waiting_as() gets the system's poll() and recv(), unchanged.
 *
 * civetweb limits each wait for bytes and not all of them together: a client that sends one byte now and then holds
 * its thread for as long as it likes. So there is a deadline for the whole, and a wait that would go beyond it fails,
 * which civetweb takes for a broken connection.
 *
 * A connection that is kept open and idle sits in poll() and has nothing in hand. Another thread may call that wait
 * off, by shutting the reading side, so that it looks as if the client had left. The descriptor must not be closed,
 * and its number given to somebody else, between the other's look and the shutdown: so both go through `state`, and
 * who comes back from poll() waits for a shutdown that has begun. If a request came at the same moment, it is still
 * read, answered, and the connection closed after it.
 *
 * How much of a read was filled is kept, since civetweb tells a head that is too long from a malformed one to nobody. */
#undef _FORTIFY_SOURCE		/* its inline poll() and recv() would stand in the way of these */
#include "waiting.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"

enum { BUSY, IDLE, CALLED_OFF, SHUT };	/* CALLED_OFF: another thread is about to shut the descriptor */

static _Thread_local struct waiting *mine;

void waiting_as(struct waiting *w) { mine = w; }

void waiting_allow(struct waiting *w, uint32_t allowed) { w->deadline = clock_ms() + allowed; }

void waiting_from(struct waiting *w, uint32_t allowed, bool idle)
{
	int64_t now = clock_ms();

	atomic_store_explicit(&w->since, now, memory_order_relaxed);
	w->deadline = now + allowed;
	w->idle = idle;
	w->full = false;
}

bool waiting_idle(const struct waiting *w) { return atomic_load_explicit(&w->state, memory_order_relaxed) == IDLE; }

bool waiting_call_off(struct waiting *w)
{
	int idle = IDLE;

	if (!atomic_compare_exchange_strong(&w->state, &idle, CALLED_OFF))
		return false;
	shutdown(w->fd, SHUT_RD);	/* it can only fail on a connection that has ended by itself */
	atomic_store(&w->state, SHUT);
	return true;
}

static int plain_poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	return ppoll(fds, n, ms < 0 ? NULL : &limit, NULL);
}

static int idle_poll(struct waiting *w, struct pollfd *fds, int ms)
{
	int idle = IDLE;

	w->fd = fds->fd;
	atomic_store(&w->state, IDLE);
	int got = plain_poll(fds, 1, ms);
	int error = errno;

	if (!atomic_compare_exchange_strong(&w->state, &idle, BUSY)) {
		while (atomic_load(&w->state) != SHUT)	/* for the length of one system call */
			sched_yield();
		atomic_store(&w->state, BUSY);
		w->ended = true;
	}
	errno = error;
	return got;
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct waiting *w = mine;

	if (!w || n != 1)
		return plain_poll(fds, n, ms);
	int64_t left = w->deadline - clock_ms();

	fds->revents = 0;
	if (left <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (ms < 0 || left < ms)
		ms = (int)left;
	return w->idle && (fds->events & POLLIN) ? idle_poll(w, fds, ms) : plain_poll(fds, 1, ms);
}

ssize_t recv(int fd, void *into, size_t room, int flags)
{
	ssize_t n = recvfrom(fd, into, room, flags, NULL, NULL);

	if (mine) {
		mine->idle = false;
		mine->full = n > 0 && (size_t)n == room;
	}
	return n;
}
