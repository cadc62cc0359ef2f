/* serve.c - every request passes here once: count it in, find its route, have it answered, count the answer.
 *
 * Called by exchange.c from its threads, each with its own struct serve_thread. What is shared is read-only after
 * serve_open() or atomic, so nothing locks. A request that fails is an answer with a status like any other. */
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "../metrics/exposition.h"
#include "assets.h"
#include "clock.h"
#include "feedback.h"
#include "feedback_json.h"
#include "openapi.h"
#include "pages.h"
#include "pin.h"
#include "predict.h"
#include "router.h"

#define KEEP 16384			/* bytes that a thread keeps for its next answer: there may be a thousand threads */

static const struct settings *settings;
static struct board *board;
static struct counters *counters;	/* this worker's; NULL: nothing is counted */
static struct traces traces;		/* of predictions */
static struct exposition exposition;	/* as /metrics is written, but for what each request says */
static _Atomic int listening = -1;

/* Settings that are the same for every scrape. */
static void open_exposition(void)
{
	static char prefix[2 * sizeof settings->metrics_namespace + 2];
	const char *space = settings->metrics_namespace, *system = settings->metrics_subsystem, *bad;
	size_t len;

	snprintf(prefix, sizeof prefix, "%s%s%s%s", space, *space ? "_" : "", system, *system ? "_" : "");
	exposition = (struct exposition){
		.board = board,
		.exact = settings->metrics_status == METRICS_EXACT,
		.prefix = prefix,
	};
	counters_handlers(settings->metrics_exclude, &exposition.excluded, &bad, &len);
}

void serve_open(const struct settings *s, struct board *b)
{
	settings = s;
	board = b;
	counters = s->metrics == METRICS_ON ? board_own_counters(b) : NULL;
	traces.board = b;
	traces.counters = counters;
	traces.watch = slot_watch(board_own_counters(b));
	traces.shown = b->head->shown_ring > 0 ? slot_shown(board_own_counters(b)) : NULL;
	feedback_json_open();
	open_exposition();
	access_open(s, b, counters);
}

void serve_listens(int listener) { atomic_store(&listening, listener); }

void serve_thread_free(struct serve_thread *t)
{
	answer_free(&t->answer);
	scratch_free(&t->scratch);
	free(t->near);
	*t = (struct serve_thread){.near = NULL};
}

bool serve_thread_room(struct serve_thread *t, size_t n)
{
	if (n <= t->near_cap)
		return true;
	struct neighbour *near = realloc(t->near, n * sizeof *near);
	if (!near)
		return false;
	t->near = near;
	t->near_cap = n;
	return true;
}

static void answer_metrics(struct serve_thread *t, const struct packed *p, const struct request *q)
{
	struct exposition e = exposition;

	e.packed = p;
	e.listener = atomic_load(&listening);
	t->scrape = scrape_answer(&t->answer, &e, q);
}

static void answer_with_model(struct serve_thread *t, const struct route *r, const struct request *q)
{
	struct pin *pin = pin_take();
	const struct packed *p = pin ? &pin->packed : NULL;
	struct answer *a = &t->answer;

	if (r->handler == HANDLER_METRICS)
		answer_metrics(t, p, q);
	else if (r->handler == HANDLER_READYZ)
		page_readyz(a, board, p);
	else if (!p)
		answer_detail(a, 503, "No model is served yet");
	else if (r->handler == HANDLER_MODEL)
		page_model(a, p);
	else
		predict(t, settings, &traces, p, r->handler == HANDLER_ITEM ? AXIS_ITEM : AXIS_CUSTOMER, r->id, q->query);
	if (pin)
		pin_drop(pin);
}

/* FastAPI takes HEAD too for what it serves by itself, and for nothing else. */
static bool takes_head(enum handler h)
{
	return h == HANDLER_OPENAPI || h == HANDLER_DOCS || h == HANDLER_REDOC || h == HANDLER_ASSET;
}

static void answer_route(struct serve_thread *t, const struct route *r, const struct request *q)
{
	switch (r->handler) {
	case HANDLER_ROOT:
		page_root(&t->answer);
		return;
	case HANDLER_HEALTHZ:
		page_healthz(&t->answer);
		return;
	case HANDLER_OPENAPI:
		openapi_write(&t->answer, settings);
		return;
	case HANDLER_DOCS:
		assets_answer(&t->answer, q, "/docs", r->id);
		return;
	case HANDLER_REDOC:
		assets_answer(&t->answer, q, "/redoc", r->id);
		return;
	case HANDLER_ASSET:
		assets_answer(&t->answer, q, "/docs/", r->id);
		return;
	default:
		answer_with_model(t, r, q);
	}
}

/* It has its answer. */
static void count(struct serve_thread *t, enum handler handler, enum method method, uint64_t request_len)
{
	const struct answer *a = &t->answer;

	t->counted = (struct counted){handler, method, counters_status(answer_status(a))};
	if (counters)
		counters_answered(counters, t->counted, request_len, method == METHOD_HEAD ? 0 : answer_length(a));
}

void serve_connection(struct serve_thread *t) { t->peer = (struct access_peer){.known = false}; }

void serve_begin(struct serve_thread *t)
{
	if (counters || traces.shown)
		t->began = clock_ns();
	if (counters)
		counters_begin(counters);
}

/* Is this route there, for whoever came in so? Without metrics there is no /metrics. */
static bool offered(enum handler h, bool ops)
{
	switch (h) {
	case HANDLER_METRICS:
		return counters && (ops || !*settings->ops_listen);
	case HANDLER_MODEL:
		return ops || !*settings->ops_listen;
	case HANDLER_ROOT:
	case HANDLER_HEALTHZ:
	case HANDLER_READYZ:
		return true;
	case HANDLER_FEEDBACK:
		return !ops && settings->feedback == FEEDBACK_ON;
	default:
		return !ops;
	}
}

/* A route that is not offered is none, and nobody is sent to it. */
static enum match match(struct route *r, const struct request *q)
{
	enum match m = router_match(r, q->path);
	struct route target;

	if (m == MATCH_SLASH && router_match(&target, r->path) == MATCH_ROUTE && !offered(target.handler, q->ops))
		return MATCH_NONE;
	if (m == MATCH_ROUTE && !offered(r->handler, q->ops)) {
		r->handler = HANDLER_NONE;
		return MATCH_NONE;
	}
	return m;
}

/* "OPTIONS *" asks for what the server as a whole can do, which is a ping: RFC 9110, 9.3.7. No other method has that
 * target. */
static void answer_server_options(struct answer *a)
{
	a->content_type = NULL;
	a->allow = "GET, HEAD";
}

bool serve_takes_body(const struct request *q)
{
	struct route route;

	return counters_method(q->method) == METHOD_POST && match(&route, q) == MATCH_ROUTE && route.handler == HANDLER_FEEDBACK;
}

static const char *allowed(enum handler h)
{
	return h == HANDLER_FEEDBACK ? "POST" : takes_head(h) ? "GET, HEAD" : "GET";
}

/* Does the route take the method? */
static bool takes(enum handler h, enum method m)
{
	if (h == HANDLER_FEEDBACK)
		return m == METHOD_POST;
	return m == METHOD_GET || (m == METHOD_HEAD && takes_head(h));
}

void serve(struct serve_thread *t, const struct request *q)
{
	struct answer *a = &t->answer;
	enum method method = counters_method(q->method);
	uint64_t body_len = q->body_len;
	struct route route;

	answer_reset(a);
	switch (match(&route, q)) {
	case MATCH_ROUTE:
		if (!access_granted(&t->peer, route.handler, q, a))
			break;
		if (!takes(route.handler, method)) {
			answer_detail(a, 405, "Method Not Allowed");
			a->allow = allowed(route.handler);
		} else if (route.handler == HANDLER_FEEDBACK) {
			body_len = feedback(t, settings, board, counters, q);
		} else {
			answer_route(t, &route, q);
		}
		break;
	case MATCH_SLASH:
		if (answer_redirect(a, route.path, q->query))
			break;
		/* Too long to be repeated in a header. */
		/* fall through */
	case MATCH_NONE:
		if (q->path.at[0] == '*')
			answer_server_options(a);
		else
			answer_detail(a, 404, "Not Found");
		break;
	case MATCH_NUL:
		answer_detail(a, 400, "a path must not hold a NUL byte (%00)");
		break;
	}
	count(t, route.handler, method, body_len);
}

void serve_refused(struct serve_thread *t, const char *method, int status, const char *reason)
{
	answer_reset(&t->answer);
	answer_detail(&t->answer, status, reason);
	count(t, HANDLER_NONE, counters_method(method), 0);
}

void serve_sent(struct serve_thread *t)
{
	scrape_sent(&t->answer, t->scrape);
	t->scrape = NULL;
	if (t->answer.body_cap > KEEP)
		answer_free(&t->answer);
	if (counters)
		counters_sent(counters, t->counted, clock_ns() - t->began);
}
