/* exchange.c - one request and its answer: throw its body away, have it answered, send that.
 *
 * listener.c hands on civetweb's callbacks, in any of its threads; what a thread knows is in its seat. begin_request
 * comes before everything civetweb would do by itself and always answers. What the request was is in the seat's intake:
 * civetweb itself knows of a stand-in only (intake.c).
 *
 * What the client is told of its connection must be what happens. civetweb decides after the answer, and would always
 * go on. Here it is decided before, and mg_disable_keep_alive() makes a "close" stick. A body that is not read would
 * stand in the next request's place, so it is read first; or with the answer, by a route that wants it. */
#include "exchange.h"

#include <civetweb.h>
#include <string.h>

#include "accept.h"
#include "log.h"

#define PIECE 65536			/* of a long body, sent at a time */

static const struct settings *settings;
static struct counters *counters;	/* this worker's; NULL: nothing is counted */
static _Atomic uint32_t *answered;	/* becomes 1 with the first answer */
static _Atomic bool draining;

void exchange_open(const struct settings *s, struct board *b)
{
	settings = s;
	counters = s->metrics == METRICS_ON ? board_own_counters(b) : NULL;
	answered = &board_own(b)->answered;
}

void exchange_drain(void) { atomic_store(&draining, true); }

static const char *header(const struct request *q, const char *name)
{
	struct seat *seat = q->of;

	return intake_field(&seat->intake, name);
}

static int read_body(const struct request *q, char *into, size_t room, struct body_fault *why)
{
	struct seat *seat = q->of;
	int n = intake_body(&seat->intake, into, room);

	if (n < 0)
		*why = (struct body_fault){seat->intake.status, seat->intake.reason};
	return n;
}

/* A client may wait to be told that its body is wanted. If telling it fails, so does reading. */
static void ask_for_body(struct mg_connection *c, struct seat *seat)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!seat->intake.head.expects || intake_has_some(&seat->intake))
		return;
	waiting_allow(&seat->wait, settings->request_timeout_ms);
	mg_write(c, go_on, sizeof go_on - 1);
}

/* Throw away the body, so that the next request begins with the next byte. False: there is no end of it to be found,
 * and the intake has a status for that. */
static bool skip_body(struct intake *in)
{
	char sink[4096];
	int n;

	while ((n = intake_body(in, sink, sizeof sink)) > 0)
		;
	return n == 0;
}

/* The last question of all: who claims has to close. */
static bool may_keep(const struct seat *seat)
{
	return settings->keep_alive_ms > 0 && !atomic_load_explicit(&draining, memory_order_relaxed) &&
	       !seat->wait.ended && !accept_claim(seat->door);
}

/* A body that is not in the message. Each piece of it may take as long as a message. */
static bool send_rest(struct mg_connection *c, struct seat *seat, struct text rest)
{
	for (size_t piece; (piece = rest.len < PIECE ? rest.len : PIECE) > 0; rest.at += piece, rest.len -= piece) {
		waiting_allow(&seat->wait, settings->request_timeout_ms);
		if (mg_write(c, rest.at, piece) != (int)piece)
			return false;
	}
	return true;
}

/* Send what serve() has left in the seat; *keep becomes false when that fails. Returns its status. */
static int send_answer(struct mg_connection *c, struct seat *seat, const char *method, bool *keep)
{
	struct answer *a = &seat->serve.answer;
	bool head = method && strcmp(method, "HEAD") == 0;
	size_t len;
	const char *message = answer_message(a, *keep, head, &len);
	int status = answer_status(a);

	waiting_allow(&seat->wait, settings->request_timeout_ms);
	if (mg_write(c, message, len) != (int)len || !send_rest(c, seat, answer_rest(a, head)))
		*keep = false;
	if (!*keep)
		mg_disable_keep_alive(c);
	serve_sent(&seat->serve);
	return status;
}

static void mark_begun(struct seat *seat)
{
	atomic_store_explicit(&seat->answering, true, memory_order_relaxed);
	if (seat->first && seat->unheard)
		counters_less(seat->unheard);
	if (seat->ops && counters)
		counters_more(&counters->ops_in_progress, 1);
	serve_begin(&seat->serve);
}

static void mark_done(struct seat *seat)
{
	uint64_t answers = atomic_load_explicit(&seat->answers, memory_order_relaxed);

	if (answers == 0)
		atomic_store(answered, 1);
	if (seat->ops && counters)
		counters_less(&counters->ops_in_progress);
	waiting_from(&seat->wait, settings->keep_alive_ms, true);
	seat->first = false;
	atomic_store_explicit(&seat->answers, answers + 1, memory_order_relaxed);
	atomic_store_explicit(&seat->answering, false, memory_order_release);
}

static struct request request_of(struct seat *seat)
{
	struct intake *in = &seat->intake;
	struct head *h = &in->head;

	return (struct request){
		.method = h->method,
		.path = h->path,
		.query = h->query,
		.body_len = in->body_len,
		.header = header,
		.read = read_body,
		.of = seat,
		.fd = seat->wait.fd,
		.ops = seat->ops,
	};
}

static void answer(struct seat *seat)
{
	const struct intake *in = &seat->intake;
	const struct head *h = &in->head;
	struct request q = request_of(seat);

	if (in->status)
		serve_refused(&seat->serve, h->method, in->status, in->reason);
	else if (h->status)
		serve_refused(&seat->serve, h->method, h->status, h->reason);
	else
		serve(&seat->serve, &q);
}

/* Where a route takes the body, the answer comes first, since it reads it. What is left of it then, as of one that was refused
 * for its sender's sake, is thrown away like any other. */
static bool answer_with_body(struct seat *seat)
{
	struct request q = request_of(seat);

	if (seat->intake.head.status || !serve_takes_body(&q))
		return false;
	serve(&seat->serve, &q);
	return true;
}

/* A head with a status may still be kept: then what follows it is certain, and its body is read all the same. */
int exchange_request(struct mg_connection *c)
{
	struct seat *seat = mg_get_thread_pointer(c);
	struct intake *in = &seat->intake;

	intake_seen(in);
	mark_begun(seat);
	bool readable = !in->head.status || in->head.keep;

	if (readable)
		ask_for_body(c, seat);
	bool answered_it = answer_with_body(seat);
	bool keep = readable && !in->status && skip_body(in) && in->head.keep && may_keep(seat);

	if (!answered_it)
		answer(seat);
	int status = send_answer(c, seat, in->head.method, &keep);

	mark_done(seat);
	if (!keep && status != 408 && intake_unread(in))
		intake_linger(in);
	return status;
}

/* A request that was handed on and did not come back as one. */
static void answer_lost(struct mg_connection *c, const char *method)
{
	struct seat *seat = mg_get_thread_pointer(c);
	bool keep = false;

	mark_begun(seat);
	serve_refused(&seat->serve, method, 500, "Internal Server Error");
	send_answer(c, seat, method, &keep);
	mark_done(seat);
}

/* civetweb has nothing to refuse, since all it ever gets is one and the same request. Should it, that is our fault. */
int exchange_refusal(struct mg_connection *c, int status, const char *message)
{
	struct seat *seat = mg_get_thread_pointer(c);

	log_line(LOG_ERROR, "civetweb refused a request with %d: %s", status, message);
	intake_seen(&seat->intake);
	answer_lost(c, NULL);
	return 0;
}

/* In handle_request() it copies the path first, and without memory for that it does nothing at all: the client would wait
 * for ever, or take the answer to its next request for this one's. */
void exchange_ended(const struct mg_connection *c, int status)
{
	struct seat *seat = mg_get_thread_pointer(c);

	(void)status;
	if (!seat->intake.handed)
		return;
	log_line(LOG_ERROR, "no memory to answer a request");
	intake_seen(&seat->intake);
	answer_lost((struct mg_connection *)(uintptr_t)c, seat->intake.head.method);	/* this thread's own */
}
