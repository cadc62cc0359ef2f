/* accept.c - the accept() that civetweb calls.
 *
 * The program defines this symbol and exports it, so the dynamic linker binds libcivetweb's call to it. Each listening
 * socket of a worker is a door, with one thread, civetweb's accept thread, that calls it. Five things are done that
 * civetweb does not:
 *
 * A connection is counted before it is taken, and out again when there was none. So a worker that has told
 * accept_shut() and then sees a count of zero knows that none can come any more.
 *
 * A connection that is accepted waits for this worker's threads; one in the kernel's queue can be taken by any worker.
 * So while every thread has a connection, none is accepted: accept() blocks, until one has closed. What still waits
 * after PATIENCE_MS waits for us, since any worker with a free thread would have taken it. Then a connection is ended
 * that has long been idle, or whose client is slow; or, when there is none, the next answers close their own. One goes for
 * each that waits. An idle connection is told nothing, so its client may be about to send: on a machine with too much to
 * do, busy ones look idle for a while.
 *
 * When the queue is longer than max_waiting all the same, what is too many is told 503 (refusal.c), but not as long as
 * another worker has threads left and just has not come to take it. A worker that still has not after STUBBORN_MS
 * hangs.
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
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "refusal.h"

#define DOORS	    2
#define PATIENCE_MS 5			/* for another worker to take what this one can't */
#define PRESS_MS    50			/* as long after that, the next one need not be patient */
#define STUBBORN_MS 1000			/* for a worker with free threads to use them */
#define LONG_IDLE_MS 1000		/* an idle connection gives way before a busy one; */
#define CLAIM_MS    100			/* until then a busy one does, if one is answered in this time; */
#define IDLE_MS	    100			/* or else one that has been idle a little */
#define CLOSING_MS  100			/* for a connection that is ended to be gone */
#define CLAIMS	    32			/* answers that may close their connections before the next look */
#define BATCH	    64			/* connections told 503 between two looks for room */

static struct door *doors[DOORS];

bool accept_open(struct door *d, const struct board *b, struct fault *why)
{
	d->board = b;
	d->fd = -1;
	d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sem_init(&d->freed, 0, 0) != 0)
		return fault_errno(why, "can't make a semaphore");
	atomic_fetch_and(&board_own(b)->full, ~(UINT32_C(1) << d->number));	/* a dead worker may have left it set */
	doors[d->number] = d;
	return d->spare >= 0 || fault_errno(why, "can't keep a spare descriptor");
}

void accept_at(struct door *d, int fd) { atomic_store(&d->fd, fd); }

void accept_shut(struct door *d)
{
	atomic_store(&d->shut, true);
	sem_post(&d->freed);
}

static void count_ending(struct door *d, enum ending how)
{
	if (d->refused)
		counters_more(&d->refused->connections_ended[how], 1);
}

bool accept_claim(struct door *d)
{
	uint32_t left = atomic_load_explicit(&d->claims, memory_order_relaxed);

	while (left > 0 && !atomic_compare_exchange_weak(&d->claims, &left, left - 1))
		;
	if (left > 0)
		count_ending(d, ENDING_BUSY);
	return left > 0;
}

uint32_t accept_connections(struct door *d) { return atomic_load(&d->connections); }

void accept_closed(struct door *d)
{
	if (d->counted)
		counters_less(&d->counted->connections_active);
	atomic_fetch_sub(&d->connections, 1);
	if (atomic_load(&d->full))
		sem_post(&d->freed);
}

/* Answer the next connection 503, with the descriptor that was kept for it. */
static void refuse_next(struct door *d, int fd)
{
	if (d->spare < 0) {
		poll(NULL, 0, 10);	/* nothing can be done but not to spin */
	} else {
		close(d->spare);
		int s = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (s >= 0)
			refusal_tell(s, REFUSAL_DESCRIPTORS, d->refused);
	}
	d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool someone_waits(const struct door *d, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && !atomic_load(&d->shut);
}

/* Has a connection closed within ms? Posts left from before only make the caller look once more. */
static bool wait_for_close(struct door *d, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_clockwait(&d->freed, CLOCK_MONOTONIC, &until) == 0;
}

/* Is there no worker with a thread to spare for this door? */
static bool all_full(const struct door *d)
{
	for (uint32_t i = 0; i < board_slots(d->board); i++) {
		struct board_slot *slot = board_slot(d->board, i);

		if (atomic_load(&slot->state) == WORKER_SERVING && !(atomic_load(&slot->full) >> d->number & 1))
			return false;
	}
	return true;
}

static uint32_t tell_surplus(struct door *d, int fd, int64_t now)
{
	if (now - d->eased < STUBBORN_MS && !all_full(d))
		return 0;
	return refusal_surplus(fd, d->max_waiting, BATCH, d->refused);
}

static bool end_one(struct door *d, int64_t idle)
{
	enum ending how;

	if (!d->make_room(d->of, idle, &how))
		return false;
	count_ending(d, how);
	return true;
}

static void set_full(struct door *d, bool full)
{
	uint32_t bit = UINT32_C(1) << d->number;

	atomic_store(&d->full, full);
	if (full)
		atomic_fetch_or(&board_own(d->board)->full, bit);
	else
		atomic_fetch_and(&board_own(d->board)->full, ~bit);
}

/* How many answers may close their connections: this worker's share of what waits. With one at a time, each would cost
 * the accept thread a sleep, which on a machine with too much to do is what everybody waits for. */
static uint32_t share(const struct door *d, int fd)
{
	uint32_t waiting = refusal_waiting(fd) / board_slots(d->board);

	return waiting < 1 ? 1 : waiting > CLAIMS ? CLAIMS : waiting;
}

/* Wait for there to be a thread. False: nobody waits any more for one. */
static bool have_room(struct door *d, int fd)
{
	int64_t began = clock_ms();
	bool room;

	set_full(d, true);	/* before the look at connections: whoever closes one after that posts */
	while (!(room = atomic_load(&d->connections) < d->limit) && someone_waits(d, fd)) {
		int64_t now = clock_ms();
		bool press = now < d->press_until;

		if (!press)
			d->eased = now;
		bool more = press && tell_surplus(d, fd, now) == BATCH;
		bool ended = press && end_one(d, now - began < CLAIM_MS ? LONG_IDLE_MS : IDLE_MS);

		if (press)
			d->press_until = now + PRESS_MS;
		atomic_store(&d->claims, press && !ended ? share(d, fd) : 0);
		if (!wait_for_close(d, more ? 0 : ended ? CLOSING_MS : PATIENCE_MS))
			d->press_until = clock_ms() + PRESS_MS;
	}
	set_full(d, false);
	atomic_store(&d->claims, 0);
	return room;
}

static int take(struct door *d, int fd, struct sockaddr *from, socklen_t *len)
{
	if (atomic_load(&d->connections) >= d->limit && !have_room(d, fd)) {
		errno = EAGAIN;
		return -1;
	}
	atomic_fetch_add(&d->connections, 1);
	int s = atomic_load(&d->shut) ? -1 : accept4(fd, from, len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s < 0) {
		int error = atomic_load(&d->shut) ? EAGAIN : errno;

		atomic_fetch_sub(&d->connections, 1);
		if (error == EMFILE || error == ENFILE)
			refuse_next(d, fd);
		else if (error == ENOBUFS || error == ENOMEM)
			poll(NULL, 0, 10);
		errno = error;
	} else if (d->counted) {
		counters_more(&d->counted->connections_active, 1);
		counters_more(&d->counted->connections_accepted, 1);
	}
	return s;
}

static struct door *door_of(int fd)
{
	for (unsigned i = 0; i < DOORS; i++) {
		if (doors[i] && atomic_load(&doors[i]->fd) == fd)
			return doors[i];
	}
	return NULL;
}

int accept(int fd, struct sockaddr *restrict peer, socklen_t *restrict peer_len)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_storage room;
	} from = {.v4 = {.sin_family = AF_INET}};
	socklen_t len = sizeof from;
	struct door *d = door_of(fd);

	if (!d)
		return accept4(fd, peer, peer_len, 0);
	int s = take(d, fd, &from.any, &len);

	if (s < 0)
		return -1;
	if (from.any.sa_family != AF_INET)
		from.v4 = (struct sockaddr_in){.sin_family = AF_INET};
	if (peer && peer_len && *peer_len >= sizeof from.v4) {
		memcpy(peer, &from.v4, sizeof from.v4);
		*peer_len = sizeof from.v4;
	}
	return s;
}
