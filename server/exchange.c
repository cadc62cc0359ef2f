/* exchange.c - one request and its answer: judge its framing, throw its body away, have it answered, send that.
 *
 * listener.c hands on civetweb's callbacks, in any of its threads; what a thread knows is in its seat. begin_request
 * comes before everything civetweb would do by itself and always answers. What civetweb refuses before there is a
 * request comes to http_error, for a JSON body; it reports a time-out as 400, but the clock tells, and it is 408.
 *
 * What the client is told of its connection must be what happens. civetweb decides after the answer, and leniently.
 * Here it is decided before (framing.c), and mg_disable_keep_alive() makes a "close" stick; what is called
 * "keep-alive" is a subset of what civetweb keeps. A body that is not read would stop that, so small ones are read
 * first. */
#include "exchange.h"

#include <civetweb.h>
#include <string.h>

#include "accept.h"
#include "clock.h"
#include "framing.h"

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
 * before it sends gets the answer instead. Where civetweb's chunks end is not told well enough to go on behind.
 * The time for a first request includes its body; of a later one, only the head had to come in the idle time. */
static bool skip_body(struct mg_connection *c, struct seat *seat, const struct framing *f)
{
	char sink[4096];
	uint64_t left = f->chunked ? settings->max_body_bytes : f->length;

	if (!f->has_body)
		return true;
	if (f->expects || left > settings->max_body_bytes)
		return false;
	if (!seat->first)
		waiting_allow(&seat->wait, settings->request_timeout_ms);
	while (left > 0) {
		int n = mg_read(c, sink, left < sizeof sink ? (size_t)left : sizeof sink);

		if (n <= 0)
			return false;
		left -= (uint64_t)n;
	}
	return !f->chunked;
}

/* What is counted of a body: none of one that was not to be read, for its length may be any number. */
static uint64_t body_len(const struct framing *f)
{
	return f->has_body && !f->chunked && f->length <= settings->max_body_bytes ? f->length : 0;
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

/* Send what serve() has left in the seat. Returns its status. */
static int send_answer(struct mg_connection *c, struct seat *seat, const char *method, bool keep)
{
	struct answer *a = &seat->serve.answer;
	bool head = method && strcmp(method, "HEAD") == 0;
	size_t len;
	const char *message = answer_message(a, keep, head, &len);
	int status = answer_status(a);

	waiting_allow(&seat->wait, settings->request_timeout_ms);
	if (mg_write(c, message, len) != (int)len || !send_rest(c, seat, answer_rest(a, head)))
		keep = false;
	if (!keep)
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

int exchange_request(struct mg_connection *c)
{
	const struct mg_request_info *r = mg_get_request_info(c);
	struct seat *seat = mg_get_thread_pointer(c);
	struct framing f;

	mark_begun(seat);
	read_framing(&f, r);
	bool keep = f.keep && skip_body(c, seat, &f) && may_keep(seat);

	if (f.status) {
		serve_refused(&seat->serve, r->request_method, f.status, f.reason);
	} else {
		const char *query = r->query_string;
		struct request q = {
			.method = r->request_method,
			.path = {r->local_uri_raw, strlen(r->local_uri_raw)},
			.query = {query, query ? strlen(query) : 0},
			.body_len = body_len(&f),
			.header = header,
			.of = c,
			.ops = seat->ops,
			.fd = seat->wait.fd,
		};

		serve(&seat->serve, &q);
	}
	int status = send_answer(c, seat, r->request_method, keep);

	mark_done(seat);
	return status;
}

/* civetweb refuses what it can't read, before any path. After a head it could not parse, nothing in it is used. */
int exchange_refusal(struct mg_connection *c, int status, const char *message)
{
	struct seat *seat = mg_get_thread_pointer(c);
	bool late = seat->wait.ended || clock_ms() - atomic_load_explicit(&seat->wait.since, memory_order_relaxed) >=
		    (seat->first ? settings->request_timeout_ms : settings->keep_alive_ms);
	const char *method = status == 505 ? mg_get_request_info(c)->request_method : NULL, *reason;

	mark_begun(seat);
	status = framing_refusal(status, message, seat->wait.full, late, &reason);
	serve_refused(&seat->serve, method, status, reason);
	send_answer(c, seat, method, false);
	mark_done(seat);
	return 0;
}
