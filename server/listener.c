/* listener.c - civetweb 1.15 as Debian ships it, and what it takes to serve with it from several processes.
 *
 * What had to be adapted, each at its place below:
 *
 * 1. A shared listener. civetweb opens its own socket and can't be given one. So it is told to listen on a port of
 *    the loopback that means nothing, and in its accept thread, before that first polls (its init_thread callback),
 *    the inherited socket is put over that descriptor by dup3(). Interposing bind() would do too; this has the
 *    smaller surface: no call is changed for anyone. After mg_start() it would be late by up to two seconds, the
 *    time for which the accept thread polls what it polled first.
 * 2. accept(). The program defines it (accept.c), and so the dynamic linker gives it to civetweb: to count
 *    connections exactly, to live through a lack of descriptors, and to keep IPv6 addresses from a civetweb that was
 *    built without them and has 16 bytes for one. With that it serves an IPv6 listener well.
 * 3. One door. Every request goes to exchange.c, before anything that civetweb would do by itself (CORS preflights,
 *    authorization, websockets, files), and civetweb never sees it: intake.c reads heads and bodies, strictly, and gives
 *    civetweb a stand-in, the same for each.
 * 4. Queueing. A connection that waits in a worker's queue waits for that worker; one in the kernel's can be taken
 *    by any. So accept() takes none while every thread has one, and its own queue, 1 long, is always drained at
 *    once. Idle keep-alive connections and slow clients hold a thread each, and would starve the rest: when no worker
 *    has a thread to spare, the one that has been so longest is ended, or else the next answer closes its connection.
 * 5. Time. civetweb limits each wait for bytes, not the sum of them. waiting.c and intake.c, which define the poll() and
 *    recv() that civetweb calls, give the whole of a request, and of an answer, its deadline.
 * 6. Two listeners. Operations may have a socket of their own, and then have a civetweb of their own, with threads that
 *    nobody else can take. What is said here of a listener goes for each.
 * 7. Stacks. civetweb gives its threads 100 KB each, whatever the process would have (USE_STACK_SIZE, as it is built).
 *    It takes 20 of them itself; what needs much room has it elsewhere.
 * 8. Stopping. mg_stop() takes two seconds and drops what is queued. It is never called: the listener is replaced by
 *    a descriptor that is never readable, connections are closed with their next answer, and the process exits. */
#include "listener.h"

#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accept.h"
#include "bind.h"
#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "serve.h"
#include "waiting.h"

#define START_MS    10000		/* for all threads to come up */

/* A listening socket with its threads; made by listener_start(), and there until the process ends. */
struct listener {
	struct door door;
	struct seat *seats;
	uint32_t threads;
	_Atomic uint32_t seated;	/* threads that have taken a seat */
	_Atomic uint32_t begun;		/* connections that a thread has taken on; not those in the queue */
	int inherited;			/* the socket the master has made */
	_Atomic int fd;			/* the same, then what replaces it, under civetweb's number; -1 before */
};

static const struct settings *settings;
static struct counters *counters;	/* this worker's; NULL: nothing is counted */
static struct listener listeners[BOARD_LISTENERS];
static unsigned count;			/* of them */
static pthread_key_t thread_end;	/* calls on_thread_end() */
static sem_t up;			/* one for every thread that has started */

/* Connections */

/* For accept.c: end the connection that has been idle, or slow, longest of all, if that is long enough. */
static bool make_room(void *of, int64_t idle, enum ending *how)
{
	struct listener *l = of;
	int64_t now = clock_ms(), oldest = INT64_MAX, when;
	enum waiting_kind found_kind = WAITING_NOT, kind;
	struct seat *found = NULL;

	for (uint32_t i = 0; i < l->threads; i++) {
		kind = waiting_look(&l->seats[i].wait, &when);
		if (kind != WAITING_NOT && when < oldest && now - when >= (kind == WAITING_IDLE ? idle : settings->give_way_ms)) {
			oldest = when;
			found = &l->seats[i];
			found_kind = kind;
		}
	}
	*how = found_kind == WAITING_IDLE ? ENDING_IDLE : ENDING_SLOW;
	return found && waiting_call_off(&found->wait, found_kind, oldest);
}

static struct listener *listener_of(const struct mg_connection *c)
{
	return mg_get_user_data(mg_get_context(c));
}

static int on_begin(const struct mg_connection *c, void **data)
{
	struct seat *seat = mg_get_thread_pointer(c);

	(void)data;
	waiting_from(&seat->wait, settings->request_timeout_ms, false);
	intake_begin(&seat->intake);
	seat->wait.ended = false;
	seat->first = true;
	serve_connection(&seat->serve);
	atomic_fetch_add(&listener_of(c)->begun, 1);
	if (seat->unheard)
		counters_more(seat->unheard, 1);
	return 0;
}

static void on_closed(const struct mg_connection *c)
{
	struct seat *seat = mg_get_thread_pointer(c);

	if (seat->first && seat->unheard)
		counters_less(seat->unheard);
	atomic_fetch_sub(&listener_of(c)->begun, 1);
	accept_closed(seat->door);
}

static int on_message(const struct mg_connection *c, const char *message)
{
	(void)c;
	log_line(LOG_DEBUG, "civetweb: %s", message);
	return 1;
}

/* Starting */

/* In the accept thread, before its first poll. On failure `fd` stays -1, which all_up() looks at. */
static void take_over_placeholder(const struct mg_context *context, struct listener *l)
{
	struct mg_server_port port;

	if (mg_get_server_ports(context, 1, &port) != 1)
		return;
	int fd = bind_find_loopback(port.port, l->inherited);

	if (fd >= 0 && dup3(l->inherited, fd, O_CLOEXEC) == fd) {
		atomic_store(&l->fd, fd);
		accept_at(&l->door, fd);
		if (l == &listeners[BOARD_SERVICE])
			serve_listens(fd);
	}
}

/* civetweb's threads go on as long as the process, but one that gets no memory for a head goes before its first connection,
 * and nobody hears of it. A worker without all its threads is to be replaced. */
static void on_thread_end(void *seat)
{
	(void)seat;
	log_line(LOG_ERROR, "can't serve: one of %u threads had no memory to start", settings->threads);
	_exit(1);
}

static struct seat *take_seat(struct listener *l)
{
	struct seat *seat = &l->seats[atomic_fetch_add(&l->seated, 1)];

	seat->door = &l->door;
	seat->ops = l == &listeners[BOARD_OPERATIONS];
	seat->unheard = counters && !seat->ops ? &counters->unheard : NULL;
	waiting_as(&seat->wait);
	pthread_setspecific(thread_end, seat);
	intake_as(&seat->intake);
	return seat;
}

static void *on_thread(const struct mg_context *context, int type)
{
	struct listener *l = mg_get_user_data(context);
	struct seat *seat = NULL;

	if (type == 0)
		take_over_placeholder(context, l);
	else if (type == 1)
		seat = take_seat(l);
	sem_post(&up);
	return seat;
}

/* civetweb goes on with fewer threads when it can't have all; we don't. All that there will be have been created when
 * mg_start() returns, and none ever ends; /proc counts them, as links of a folder. Then each tells that it runs. others:
 * threads there were before. */
static bool all_up(const struct listener *l, unsigned long others, struct fault *why)
{
	struct timespec deadline;
	struct stat tasks;
	unsigned long want = others + l->threads + 1;	/* and the accept thread */

	if (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 2 && tasks.st_nlink - 2 < want)
		return fault_set(why, "only %lu of %u threads could be started", (unsigned long)tasks.st_nlink - 3 - others,
				 l->threads);
	clock_gettime(CLOCK_MONOTONIC, &deadline);	/* the other clock may be set meanwhile */
	deadline.tv_sec += START_MS / 1000;
	for (uint32_t i = 0; i < l->threads + 1; i++) {
		while (sem_clockwait(&up, CLOCK_MONOTONIC, &deadline) != 0) {
			if (errno != EINTR)
				return fault_set(why, "only %u of %u threads came up in %d s", atomic_load(&l->seated),
						 l->threads, START_MS / 1000);
		}
	}
	return atomic_load(&l->fd) >= 0 || fault_set(why, "civetweb's listening socket was not found");
}

static bool prepare(struct fault *why)
{
	return (sem_init(&up, 0, 0) == 0 && pthread_key_create(&thread_end, on_thread_end) == 0) ||
	       fault_errno(why, "can't prepare threads");
}

/* A listener that has no thread yet. */
static bool open_listener(struct listener *l, int socket, uint32_t threads, const struct board *b, struct fault *why)
{
	size_t size = threads * sizeof *l->seats;

	l->fd = -1;
	l->inherited = socket;
	l->threads = threads;
	l->seats = aligned_alloc(64, size);
	if (!l->seats)
		return fault_errno(why, "can't prepare %u threads", threads);
	memset(l->seats, 0, size);
	for (uint32_t i = 0; i < threads; i++) {
		if (!intake_open(&l->seats[i].intake, &l->seats[i].wait, settings))
			return fault_errno(why, "can't prepare %u threads", threads);
	}
	l->door = (struct door){
		.number = (uint32_t)(l - listeners),
		.limit = threads,
		.max_waiting = settings->max_waiting,
		.counted = l == &listeners[BOARD_SERVICE] ? counters : NULL,
		.refused = counters,
		.make_room = make_room,
		.of = l,
	};
	return accept_open(&l->door, b, why);
}

/* civetweb copies every option. One that it has no memory for it leaves out, or takes its own default for it, in silence:
 * addresses, limits and paths would be others than those that were asked for. */
static bool options_hold(const struct mg_context *context, const char *const *asked, struct fault *why)
{
	for (const struct mg_option *o = mg_get_valid_options(); o->name; o++) {
		const char *want = o->default_value ? o->default_value : "", *has = mg_get_option(context, o->name);

		for (size_t i = 0; asked[i]; i += 2)
			want = strcmp(asked[i], o->name) == 0 ? asked[i + 1] : want;
		if (!has || strcmp(has, want) != 0)
			return fault_set(why, "civetweb had no memory for its option %s", o->name);
	}
	return true;
}

/* others: threads there were before. */
static bool start(struct listener *l, unsigned long others, struct fault *why)
{
	static const struct mg_callbacks callbacks = {
		.begin_request = exchange_request,
		.end_request = exchange_ended,
		.http_error = exchange_refusal,
		.init_connection = on_begin,
		.connection_closed = on_closed,
		.log_message = on_message,
		.init_thread = on_thread,
	};
	char threads[12], keep_alive[12], timeout[12];
	const char *options[] = {
		"listening_ports", "127.0.0.1:0",
		"num_threads", threads,
		"connection_queue", "1",
		"tcp_nodelay", "0",	/* inherited from the listening socket */
		"enable_keep_alive", settings->keep_alive_ms > 0 ? "yes" : "no",
		"keep_alive_timeout_ms", keep_alive,
		"request_timeout_ms", timeout,
		"max_request_size", "1024",	/* the least; intake.c has its own */
		"decode_url", "no",
		"enable_auth_domain_check", "no",
		"access_control_allow_origin", "",
		"access_control_allow_methods", "",
		"access_control_allow_headers", "",
		NULL,
	};

	snprintf(threads, sizeof threads, "%u", l->threads);
	snprintf(keep_alive, sizeof keep_alive, "%u", settings->keep_alive_ms);
	snprintf(timeout, sizeof timeout, "%u", settings->request_timeout_ms);
	const struct mg_context *context = mg_start(&callbacks, l, options);

	if (!context)
		return fault_set(why, "civetweb can't start %u threads", l->threads);
	if (!options_hold(context, options, why) || !all_up(l, others, why))
		return false;
	close(l->inherited);	/* civetweb's number has it now */
	return true;
}

bool listener_start(const struct settings *s, int socket, int ops_socket, struct board *b, struct fault *why)
{
	struct listener *service = &listeners[BOARD_SERVICE], *operations = &listeners[BOARD_OPERATIONS];

	settings = s;
	exchange_open(s, b);
	counters = s->metrics == METRICS_ON ? board_own_counters(b) : NULL;
	count = ops_socket >= 0 ? 2 : 1;
	if (!prepare(why) || !open_listener(service, socket, s->threads, b, why) ||
	    (count > 1 && !open_listener(operations, ops_socket, s->ops_threads, b, why)))
		return false;
	if (counters)
		counters_more(&counters->threads, s->threads);	/* all, or this worker ends */
	mg_init_library(0);
	if (!start(service, 1, why))	/* there is this thread */
		return false;
	return count == 1 || start(operations, service->threads + 2ul, why);
}

/* Stopping */

void listener_drain(void)
{
	exchange_drain();
}

bool listener_backlog(uint32_t of)
{
	struct pollfd p[BOARD_LISTENERS];

	for (unsigned i = 0; i < count; i++)
		p[i] = (struct pollfd){.fd = of >> i & 1 ? atomic_load(&listeners[i].fd) : -1, .events = POLLIN};
	if (poll(p, count, 0) <= 0)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (p[i].revents == POLLIN)	/* a shut one is readable too, and hung up */
			return true;
	}
	return false;
}

static void shut(struct listener *l, int never, bool for_all)
{
	int fd = atomic_load(&l->fd);

	accept_shut(&l->door);
	if (for_all)
		shutdown(fd, SHUT_RDWR);
	/* Without a descriptor the accept thread would spin on a readable listener until the process ends, which is
	 * soon; it accepts nothing either way. */
	if (never >= 0)
		dup3(never, fd, O_CLOEXEC);
}

void listener_shut(uint32_t for_all)
{
	int never = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	for (unsigned i = 0; i < count; i++)
		shut(&listeners[i], never, for_all >> i & 1);
	if (never >= 0)
		close(never);
}

static void look(struct listener *l, struct listener_state *all)
{
	uint32_t connections = accept_connections(&l->door);

	all->connections += connections;
	all->busy |= connections > atomic_load(&l->begun);
	for (uint32_t i = 0; i < l->threads; i++) {
		all->busy |= atomic_load_explicit(&l->seats[i].answering, memory_order_acquire);
		all->answers += atomic_load_explicit(&l->seats[i].answers, memory_order_relaxed);
	}
}

struct listener_state listener_look(void)
{
	struct listener_state all = {.connections = 0};

	for (unsigned i = 0; i < count; i++)
		look(&listeners[i], &all);
	return all;
}
