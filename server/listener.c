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
 * 3. One door. begin_request comes before everything civetweb would do by itself (CORS preflights, authorization,
 *    websockets, files), and always answers, so none of that is ever reached. What civetweb refuses before there is
 *    a request comes to http_error, for a JSON body. It reports a time-out as 400; the clock tells, and it is 408.
 *    What is refused without any callback stays: `OPTIONS *` and foreign absolute URIs get no answer.
 * 4. Connection: what the client is told must be what happens. civetweb decides after the answer, and leniently.
 *    We decide before (framing.c), and mg_disable_keep_alive() makes a "close" stick; what we call "keep-alive" is a
 *    subset of what civetweb keeps. A body that is not read would stop that, so small ones are read first.
 * 5. Queueing. A connection that waits in a worker's queue waits for that worker; one in the kernel's can be taken
 *    by any. So the queue is 1 long. While one waits there, answers close their connections: idle keep-alive
 *    connections hold a thread each, and would starve the rest.
 * 6. Stopping. mg_stop() takes two seconds and drops what is queued. It is never called: the listener is replaced by
 *    a descriptor that is never readable, connections are closed with their next answer, and the process exits. */
#include "listener.h"

#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
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
#include "clock.h"
#include "framing.h"
#include "log.h"
#include "serve.h"

#define STACK	    (512 * 1024)	/* a thread's; the system's 8 MB would only swell the books */
#define START_MS    10000		/* for all threads to come up */
#define PLACEHOLDER_LIMIT 65536		/* descriptors looked through for the placeholder */

/* A thread of civetweb's, for as long as it lives. */
struct seat {
	_Alignas(64) struct serve_thread serve;
	_Atomic bool answering;
	_Atomic uint64_t answers;
	int64_t quiet_since;		/* ms; its connection was begun, or its last answer sent */
	bool first;			/* nothing was answered on its connection yet */
};

static const struct settings *settings;
static _Atomic uint32_t *answered;	/* becomes 1 with the first answer */
static struct seat *seats;
static _Atomic uint32_t seats_taken;
static sem_t up;			/* one for every thread that has started */

static int listener = -1;		/* the inherited socket, then what replaces it, under civetweb's number */
static int inherited = -1;
static _Atomic bool draining;
static _Atomic uint32_t begun;		/* connections that a thread has taken on; not those in the queue */

/* One request */

/* civetweb cuts a space before the colon off a name, where RFC 9112 wants a refusal: "Content-Length : 5" may be
 * read otherwise by a proxy in front. Its two zero bytes give it away. */
static bool had_space(const struct mg_header *h)
{
	size_t len = strlen(h->name);

	return h->name[len + 1] == '\0' && h->value != h->name + len + 1;
}

static void read_framing(struct framing *f, const struct mg_request_info *r)
{
	struct field fields[MG_MAX_HEADERS];
	int count = r->num_headers;

	for (int i = 0; i < count; i++) {
		fields[i].name = had_space(&r->http_headers[i]) ? " " : r->http_headers[i].name;
		fields[i].value = r->http_headers[i].value;
	}
	framing_read(f, r->http_version, fields, (size_t)count);
}

static const char *header(const struct request *q, const char *name)
{
	return mg_get_header(q->of, name);
}

/* Throw away the body, if that leaves the connection where the next request begins. A client that waits for a word
 * before it sends gets the answer instead. Where civetweb's chunks end is not told well enough to go on behind. */
static bool skip_body(struct mg_connection *c, const struct framing *f)
{
	char sink[4096];
	uint64_t left = f->chunked ? settings->max_body_bytes : f->length;

	if (!f->has_body)
		return true;
	if (f->expects || left > settings->max_body_bytes)
		return false;
	while (left > 0) {
		int n = mg_read(c, sink, left < sizeof sink ? (size_t)left : sizeof sink);

		if (n <= 0)
			return false;
		left -= (uint64_t)n;
	}
	return !f->chunked;
}

/* Every thread has a connection, and another one waits for a thread. */
static bool crowded(void)
{
	uint32_t taken = atomic_load_explicit(&begun, memory_order_relaxed);

	return taken >= settings->threads && accept_connections() > taken;
}

static bool may_keep(void)
{
	return settings->keep_alive_ms > 0 && !atomic_load_explicit(&draining, memory_order_relaxed) && !crowded();
}

/* Send what serve() has left in the seat. Returns its status. */
static int send_answer(struct mg_connection *c, struct seat *seat, const char *method, bool keep)
{
	struct answer *a = &seat->serve.answer;
	size_t len;
	const char *message = answer_message(a, keep, method && strcmp(method, "HEAD") == 0, &len);
	int status = answer_status(a);

	if (mg_write(c, message, len) != (int)len)
		keep = false;
	if (!keep)
		mg_disable_keep_alive(c);
	serve_sent(&seat->serve);
	return status;
}

static void mark_begun(struct seat *seat)
{
	atomic_store_explicit(&seat->answering, true, memory_order_relaxed);
}

static void mark_done(struct seat *seat)
{
	uint64_t answers = atomic_load_explicit(&seat->answers, memory_order_relaxed);

	if (answers == 0)
		atomic_store(answered, 1);
	seat->quiet_since = clock_ms();
	seat->first = false;
	atomic_store_explicit(&seat->answers, answers + 1, memory_order_relaxed);
	atomic_store_explicit(&seat->answering, false, memory_order_release);
}

static int on_request(struct mg_connection *c)
{
	const struct mg_request_info *r = mg_get_request_info(c);
	struct seat *seat = mg_get_thread_pointer(c);
	struct framing f;

	mark_begun(seat);
	read_framing(&f, r);
	bool keep = f.keep && skip_body(c, &f) && may_keep();

	if (f.status) {
		serve_refused(&seat->serve, r->request_method, f.status, f.reason);
	} else {
		const char *query = r->query_string;
		struct request q = {
			.method = r->request_method,
			.path = {r->local_uri_raw, strlen(r->local_uri_raw)},
			.query = {query, query ? strlen(query) : 0},
			.header = header,
			.of = c,
		};

		serve(&seat->serve, &q);
	}
	int status = send_answer(c, seat, r->request_method, keep);

	mark_done(seat);
	return status;
}

/* civetweb refuses what it can't read, before any path. After a head it could not parse, nothing in it is used. */
static int on_refusal(struct mg_connection *c, int status, const char *message)
{
	struct seat *seat = mg_get_thread_pointer(c);
	const char *reason = "the request can't be read";
	const char *method = NULL;

	(void)message;
	mark_begun(seat);
	if (status == 505) {
		reason = "HTTP/1.0 and HTTP/1.1 are spoken here";
		method = mg_get_request_info(c)->request_method;
	} else if (status == 413) {
		status = 431;
		reason = "the request line and its header fields are too long";
	} else if (status == 411) {
		status = 400;
		reason = "Content-Length must be one decimal number";
	} else if (clock_ms() - seat->quiet_since >=
		   (seat->first ? settings->request_timeout_ms : settings->keep_alive_ms)) {
		status = 408;
		reason = "the request did not arrive in time";
	}
	serve_refused(&seat->serve, method, status, reason);
	send_answer(c, seat, method, false);
	mark_done(seat);
	return 0;
}

static int on_begin(const struct mg_connection *c, void **data)
{
	struct seat *seat = mg_get_thread_pointer(c);

	(void)data;
	seat->quiet_since = clock_ms();
	seat->first = true;
	atomic_fetch_add(&begun, 1);
	return 0;
}

static void on_closed(const struct mg_connection *c)
{
	(void)c;
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

static bool listens_on(int fd, int port)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int listening = 0;
	socklen_t size = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening && fd != inherited &&
	       getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.sin_family == AF_INET && ntohs(a.sin_port) == port &&
	       a.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* In the accept thread, before its first poll. On failure `listener` stays -1, which listener_start() looks at. */
static void take_over_placeholder(const struct mg_context *context)
{
	struct mg_server_port port;

	if (mg_get_server_ports(context, 1, &port) != 1)
		return;
	for (int fd = 0; fd < PLACEHOLDER_LIMIT; fd++) {
		if (listens_on(fd, port.port)) {
			if (dup3(inherited, fd, O_CLOEXEC) == fd)
				listener = fd;
			return;
		}
	}
}

static void *on_thread(const struct mg_context *context, int type)
{
	struct seat *seat = NULL;

	if (type == 0)
		take_over_placeholder(context);
	else if (type == 1)
		seat = &seats[atomic_fetch_add(&seats_taken, 1)];
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
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += START_MS / 1000;
	for (uint32_t i = 0; i < settings->threads + 1; i++) {
		while (sem_timedwait(&up, &deadline) != 0) {
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
	if (!seats || sem_init(&up, 0, 0) != 0 || pthread_attr_init(&attributes) != 0)
		return fault_errno(why, "can't prepare %u threads", settings->threads);
	memset(seats, 0, size);
	if (pthread_attr_setstacksize(&attributes, STACK) != 0 || pthread_setattr_default_np(&attributes) != 0)
		log_line(LOG_DEBUG, "threads keep the system's size of stack");
	pthread_attr_destroy(&attributes);
	return true;
}

bool listener_start(const struct settings *s, int socket, _Atomic uint32_t *answered_flag, struct fault *why)
{
	static const struct mg_callbacks callbacks = {
		.begin_request = on_request,
		.http_error = on_refusal,
		.init_connection = on_begin,
		.connection_closed = on_closed,
		.log_message = on_message,
		.init_thread = on_thread,
	};
	char threads[12], keep_alive[12], timeout[12], head[12];
	const char *options[] = {
		"listening_ports", "127.0.0.1:0",
		"num_threads", threads,
		"connection_queue", "1",
		"tcp_nodelay", "0",	/* inherited from the listening socket */
		"enable_keep_alive", s->keep_alive_ms > 0 ? "yes" : "no",
		"keep_alive_timeout_ms", keep_alive,
		"request_timeout_ms", timeout,
		"max_request_size", head,
		"decode_url", "no",	/* router.c decodes, once */
		"enable_auth_domain_check", "no",
		"access_control_allow_origin", "",
		"access_control_allow_methods", "",
		"access_control_allow_headers", "",
		NULL,
	};

	settings = s;
	answered = answered_flag;
	inherited = socket;
	snprintf(threads, sizeof threads, "%u", s->threads);
	snprintf(keep_alive, sizeof keep_alive, "%u", s->keep_alive_ms);
	snprintf(timeout, sizeof timeout, "%u", s->request_timeout_ms);
	snprintf(head, sizeof head, "%u", s->max_head_bytes);
	if (!accept_open(why) || !prepare(why))
		return false;
	mg_init_library(0);
	if (!mg_start(&callbacks, NULL, options))
		return fault_set(why, "civetweb can't start %u threads", s->threads);
	if (!all_up(why))
		return false;
	close(inherited);	/* civetweb's number has it now */
	return true;
}

/* Stopping */

void listener_drain(void)
{
	atomic_store(&draining, true);
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
