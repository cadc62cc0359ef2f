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
 *    once. Idle keep-alive connections hold a thread each, and would starve the rest: when no worker has a thread
 *    to spare, the one that has been idle longest is ended, or else the next answer closes its connection.
 * 5. Time. civetweb limits each wait for bytes, not the sum of them. waiting.c and intake.c, which define the poll() and
 *    recv() that civetweb calls, give the whole of a request, and of an answer, its deadline.
 * 6. Stopping. mg_stop() takes two seconds and drops what is queued. It is never called: the listener is replaced by
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

#define STACK	    (512 * 1024)	/* a thread's; the system's 8 MB would only swell the books */
#define START_MS    10000		/* for all threads to come up */

static const struct settings *settings;
static struct counters *counters;	/* this worker's; NULL: nothing is counted */
static struct seat *seats;
static pthread_key_t thread_end;	/* calls on_thread_end() */
static _Atomic uint32_t seats_taken;
static sem_t up;			/* one for every thread that has started */

static _Atomic int listener = -1;	/* the inherited socket, then what replaces it, under civetweb's number */
static int inherited = -1;
static _Atomic uint32_t begun;		/* connections that a thread has taken on; not those in the queue */

/* Connections */

/* For accept(): end the connection that has been idle longest, if that is as long. */
static bool end_idle(int64_t idle)
{
	int64_t oldest = clock_ms() - idle;
	struct seat *found = NULL;

	for (uint32_t i = 0; i < settings->threads; i++) {
		int64_t since = atomic_load_explicit(&seats[i].wait.since, memory_order_relaxed);

		if (since <= oldest && waiting_idle(&seats[i].wait)) {
			oldest = since;
			found = &seats[i];
		}
	}
	return found && waiting_call_off(&found->wait);
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
	atomic_fetch_add(&begun, 1);
	if (counters)
		counters_more(&counters->unheard, 1);
	return 0;
}

static void on_closed(const struct mg_connection *c)
{
	struct seat *seat = mg_get_thread_pointer(c);

	if (seat->first && counters)
		counters_less(&counters->unheard);
	atomic_fetch_sub(&begun, 1);
	accept_closed();
}

static int on_message(const struct mg_connection *c, const char *message)
{
	(void)c;
	log_line(LOG_DEBUG, "civetweb: %s", message);
	return 1;
}

/* Starting */

/* In the accept thread, before its first poll. On failure `listener` stays -1, which listener_start() looks at. */
static void take_over_placeholder(const struct mg_context *context)
{
	struct mg_server_port port;

	if (mg_get_server_ports(context, 1, &port) != 1)
		return;
	int fd = bind_find_loopback(port.port, inherited);

	if (fd >= 0 && dup3(inherited, fd, O_CLOEXEC) == fd) {
		listener = fd;
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

static void *on_thread(const struct mg_context *context, int type)
{
	struct seat *seat = NULL;

	if (type == 0) {
		take_over_placeholder(context);
	} else if (type == 1) {
		seat = &seats[atomic_fetch_add(&seats_taken, 1)];
		waiting_as(&seat->wait);
		pthread_setspecific(thread_end, seat);
		intake_as(&seat->intake);
	}
	sem_post(&up);
	return seat;
}

/* civetweb goes on with fewer threads when it can't have all; we don't. All that there will be have been created when
 * mg_start() returns, and none ever ends; /proc counts them, as links of a folder. Then each tells that it runs. */
static bool all_up(struct fault *why)
{
	struct timespec deadline;
	struct stat tasks;
	unsigned long want = settings->threads + 2ul;	/* this thread and the accept thread */

	if (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 2 && tasks.st_nlink - 2 < want)
		return fault_set(why, "only %lu of %u threads could be started", (unsigned long)tasks.st_nlink - 3,
				 settings->threads);
	clock_gettime(CLOCK_MONOTONIC, &deadline);	/* the other clock may be set meanwhile */
	deadline.tv_sec += START_MS / 1000;
	for (uint32_t i = 0; i < settings->threads + 1; i++) {
		while (sem_clockwait(&up, CLOCK_MONOTONIC, &deadline) != 0) {
			if (errno != EINTR)
				return fault_set(why, "only %u of %u threads came up in %d s", atomic_load(&seats_taken),
						 settings->threads, START_MS / 1000);
		}
	}
	return listener >= 0 || fault_set(why, "civetweb's listening socket was not found");
}

static bool prepare(struct fault *why)
{
	pthread_attr_t attributes;
	size_t size = settings->threads * sizeof *seats;

	seats = aligned_alloc(64, size);
	if (!seats || sem_init(&up, 0, 0) != 0 || pthread_key_create(&thread_end, on_thread_end) != 0 ||
	    pthread_attr_init(&attributes) != 0)
		return fault_errno(why, "can't prepare %u threads", settings->threads);
	memset(seats, 0, size);
	for (uint32_t i = 0; i < settings->threads; i++) {
		if (!intake_open(&seats[i].intake, &seats[i].wait, settings))
			return fault_errno(why, "can't prepare %u threads", settings->threads);
	}
	if (pthread_attr_setstacksize(&attributes, STACK) != 0 || pthread_setattr_default_np(&attributes) != 0)
		log_line(LOG_DEBUG, "threads keep the system's size of stack");
	pthread_attr_destroy(&attributes);
	return true;
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

bool listener_start(const struct settings *s, int socket, struct board *b, struct fault *why)
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
		"enable_keep_alive", s->keep_alive_ms > 0 ? "yes" : "no",
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

	settings = s;
	exchange_open(s, b);
	counters = s->metrics == METRICS_ON ? board_own_counters(b) : NULL;
	inherited = socket;
	snprintf(threads, sizeof threads, "%u", s->threads);
	snprintf(keep_alive, sizeof keep_alive, "%u", s->keep_alive_ms);
	snprintf(timeout, sizeof timeout, "%u", s->request_timeout_ms);
	if (!accept_open(counters, why) || !prepare(why))
		return false;
	accept_limit(s->threads, end_idle);
	if (counters)
		counters_more(&counters->threads, s->threads);	/* all, or this worker ends */
	mg_init_library(0);
	const struct mg_context *context = mg_start(&callbacks, NULL, options);

	if (!context)
		return fault_set(why, "civetweb can't start %u threads", s->threads);
	if (!options_hold(context, options, why) || !all_up(why))
		return false;
	close(inherited);	/* civetweb's number has it now */
	return true;
}

/* Stopping */

void listener_drain(void)
{
	exchange_drain();
}

bool listener_backlog(void)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN;	/* a shut one is readable too, and hung up */
}

void listener_shut(bool for_all)
{
	int never = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	accept_shut();
	if (for_all)
		shutdown(listener, SHUT_RDWR);
	/* Without a descriptor the accept thread would spin on a readable listener until the process ends, which is
	 * soon; it accepts nothing either way. */
	if (never >= 0) {
		dup3(never, listener, O_CLOEXEC);
		close(never);
	}
}

struct listener_state listener_look(void)
{
	struct listener_state l = {.connections = accept_connections()};

	l.busy = l.connections > atomic_load(&begun);
	for (uint32_t i = 0; i < settings->threads; i++) {
		l.busy |= atomic_load_explicit(&seats[i].answering, memory_order_acquire);
		l.answers += atomic_load_explicit(&seats[i].answers, memory_order_relaxed);
	}
	return l;
}
