/* samples_requests.c - the http_ families: what was asked and answered, how large it was and how long it took.
 *
 * Of what has labels those cells are written that ever counted, and those that are expected to (every route's GET with
 * 200, a prediction's with 404 or 422), so that rate() sees the first one happen. Excluded handlers are counted like
 * the others, and left out here: the request path need not know. */
#include "page.h"

static const char *const handler_label[] = {
#define X(symbol, label) [HANDLER_##symbol] = label,
	HANDLERS(X)
#undef X
};

static const char *const method_label[] = {
#define X(symbol) [METHOD_##symbol] = #symbol,
	METHODS(X)
#undef X
	[METHOD_OTHER] = "other",
};

static const char *const status_label[] = {
#define X(code) [STATUS_##code] = #code,
	STATUSES(X)
#undef X
};

static const char *const timed_label[] = {[TIMED_GET] = "GET", [TIMED_OTHER] = "other"};
static const char *const class_label[] = {"2xx", "3xx", "4xx", "5xx"};

static const struct {
	const char *le;
	bool fine, coarse;
} bounds[] = {
#define X(ns, le, fine, coarse) {le, fine, coarse},
	BOUNDS(X)
#undef X
};

static bool shown(const struct page *p, unsigned h) { return !(p->e->excluded >> h & 1); }

/* Is this cell written even while it is 0? */
static bool expected(unsigned h, unsigned m, unsigned s)
{
	if (h == HANDLER_FEEDBACK)
		return m == METHOD_POST && s == STATUS_200;
	if (h == HANDLER_NONE || m != METHOD_GET)
		return false;
	return s == STATUS_200 || ((s == STATUS_404 || s == STATUS_422) && (h == HANDLER_USER || h == HANDLER_ITEM));
}

static bool expected_class(unsigned h, unsigned m, unsigned class)
{
	return expected(h, m, STATUS_200) ? class == CLASS_2XX || (class == CLASS_4XX && expected(h, m, STATUS_404)) : false;
}

static void requests_by(struct page *p, unsigned h, unsigned m, const char *status, uint64_t v)
{
	struct labels l = {.len = 0};

	labels_add(&l, "handler", handler_label[h]);
	labels_add(&l, "method", method_label[m]);
	labels_add(&l, "status", status);
	write_value(&p->w, &l, v);
	write_created(&p->w, &l);
}

static void requests_exact(struct page *p, unsigned h, unsigned m)
{
	for (unsigned s = 0; s < STATUS_COUNT; s++) {
		uint64_t v = LOAD(p->sum->requests[h][m][s]);

		if (v || expected(h, m, s))
			requests_by(p, h, m, status_label[s], v);
	}
}

static void requests_grouped(struct page *p, unsigned h, unsigned m)
{
	uint64_t v[CLASS_COUNT] = {0};

	for (unsigned s = 0; s < STATUS_COUNT; s++)
		v[counters_class((enum status)s)] += LOAD(p->sum->requests[h][m][s]);
	for (unsigned c = 0; c < CLASS_COUNT; c++) {
		if (v[c] || expected_class(h, m, c))
			requests_by(p, h, m, class_label[c], v[c]);
	}
}

void samples_requests(struct page *p)
{
	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		for (unsigned m = 0; shown(p, h) && m < METHOD_COUNT; m++) {
			if (p->e->exact)
				requests_exact(p, h, m);
			else
				requests_grouped(p, h, m);
		}
	}
}

static uint64_t received(const struct page *p, unsigned h) { return LOAD(p->sum->request_size[h]); }

static uint64_t sent(const struct page *p, unsigned h)
{
	uint64_t n = 0;

	for (unsigned t = 0; t < TIMED_COUNT; t++)
		for (unsigned c = 0; c < CLASS_COUNT; c++)
			n += LOAD(p->sum->served[h][t][c].bytes);
	return n;
}

/* A summary without quantiles by handler: how many requests, how many bytes. */
static void sizes(struct page *p, uint64_t (*bytes)(const struct page *p, unsigned h))
{
	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		struct labels l = {.len = 0};
		uint64_t n = 0;

		for (unsigned m = 0; m < METHOD_COUNT; m++)
			for (unsigned s = 0; s < STATUS_COUNT; s++)
				n += LOAD(p->sum->requests[h][m][s]);
		if (!shown(p, h) || (!n && h == HANDLER_NONE))
			continue;
		labels_add(&l, "handler", handler_label[h]);
		write_count(&p->w, &l, n);
		write_sum(&p->w, &l, bytes(p, h));
		write_created(&p->w, &l);
	}
}

void samples_request_size(struct page *p) { sizes(p, received); }
void samples_response_size(struct page *p) { sizes(p, sent); }

static uint64_t timed(const struct served *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < BIN_COUNT; i++)
		n += LOAD(d->bin[i]);
	return n;
}

static void histogram(struct page *p, const struct labels *l, const struct served *d, bool fine)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < BOUND_COUNT; i++) {
		below += LOAD(d->bin[i]);
		if (fine ? bounds[i].fine : bounds[i].coarse)
			write_bucket(&p->w, l, bounds[i].le, below);
	}
	below += LOAD(d->bin[BOUND_COUNT]);
	write_bucket(&p->w, l, "+Inf", below);
	write_count(&p->w, l, below);
	write_sum_seconds(&p->w, l, LOAD(d->time));
	write_created(&p->w, l);
}

void samples_served(struct page *p)
{
	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		for (unsigned t = 0; shown(p, h) && t < TIMED_COUNT; t++) {
			for (unsigned c = 0; c < CLASS_COUNT; c++) {
				const struct served *d = &p->sum->served[h][t][c];
				struct labels l = {.len = 0};

				if (!timed(d) && !expected_class(h, t == TIMED_GET ? METHOD_GET : METHOD_POST, c))
					continue;
				labels_add(&l, "handler", handler_label[h]);
				labels_add(&l, "method", timed_label[t]);
				labels_add(&l, "status", class_label[c]);
				histogram(p, &l, d, true);
			}
		}
	}
}

void samples_served_highr(struct page *p)
{
	struct served all = {.time = 0};

	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		for (unsigned t = 0; shown(p, h) && t < TIMED_COUNT; t++) {
			for (unsigned c = 0; c < CLASS_COUNT; c++)
				counters_add_served(&all, &p->sum->served[h][t][c]);
		}
	}
	histogram(p, NULL, &all, false);
}

void samples_in_progress(struct page *p) { page_value(p, LOAD(p->sum->in_progress)); }
