/* exposition.c - /metrics, text format 0.0.4.
 *
 * Called by whichever worker is asked. The slots are summed once, then family after family is written, each by its
 * samples_ function, so that all samples of a family stand together as the format wants. A family without a sample
 * is left out whole. Of a counter with labels those cells are written that ever counted, and those that are
 * expected to (every route's GET with 2xx, a prediction's with 4xx), so that rate() sees the first one happen. */
#include "exposition.h"

#include <stdio.h>
#include <string.h>

#include "counters.h"

struct family {
	const char *name, *type, *help;
};

struct page {
	const struct board *board;
	const struct packed *packed;
	const struct family *family;	/* whose samples are being written */
	bool begun;			/* its HELP and TYPE are out */
	struct counters sum;		/* of all slots */
	void (*put)(void *of, const char *bytes, size_t len);
	void *of;
};

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

static const uint16_t status_code[] = {
#define X(code) [STATUS_##code] = code,
	STATUSES(X)
#undef X
};

static void put(struct page *p, const char *s) { p->put(p->of, s, strlen(s)); }

/* HELP escapes backslash and newline; a label value the quote as well. */
static void put_escaped(struct page *p, const char *s, bool quote)
{
	for (; *s; s++) {
		if (*s == '\\')
			put(p, "\\\\");
		else if (*s == '\n')
			put(p, "\\n");
		else if (*s == '"' && quote)
			put(p, "\\\"");
		else
			p->put(p->of, s, 1);
	}
}

static void begin(struct page *p)
{
	if (p->begun)
		return;
	p->begun = true;
	put(p, "# HELP ");
	put(p, p->family->name);
	put(p, " ");
	put_escaped(p, p->family->help, false);
	put(p, "\n# TYPE ");
	put(p, p->family->name);
	put(p, " ");
	put(p, p->family->type);
	put(p, "\n");
}

struct label {
	const char *name, *value;
};

static void put_name(struct page *p, const struct label *labels, size_t n)
{
	begin(p);
	put(p, p->family->name);
	for (size_t i = 0; i < n; i++) {
		put(p, i ? "," : "{");
		put(p, labels[i].name);
		put(p, "=\"");
		put_escaped(p, labels[i].value, true);
		put(p, "\"");
	}
	put(p, n ? "} " : " ");
}

static void sample(struct page *p, const struct label *labels, size_t n, uint64_t v)
{
	char number[32];

	put_name(p, labels, n);
	snprintf(number, sizeof number, "%llu\n", (unsigned long long)v);
	put(p, number);
}

static void sample_signed(struct page *p, int64_t v)
{
	char number[32];

	put_name(p, NULL, 0);
	snprintf(number, sizeof number, "%lld\n", (long long)v);
	put(p, number);
}

static void sample_plain(struct page *p, uint64_t v) { sample(p, NULL, 0, v); }

static void sample_by(struct page *p, const char *label, const char *value, uint64_t v)
{
	sample(p, &(struct label){label, value}, 1, v);
}

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* Is this cell written even while it is 0? */
static bool expected(enum handler h, enum method m, unsigned class)
{
	if (h == HANDLER_NONE || m != METHOD_GET)
		return false;
	return class == 2 || (class == 4 && (h == HANDLER_USER || h == HANDLER_ITEM));
}

static void samples_requests(struct page *p)
{
	for (unsigned h = 0; h < HANDLER_COUNT; h++) {
		for (unsigned m = 0; m < METHOD_COUNT; m++) {
			uint64_t by_class[6] = {0};

			for (unsigned s = 0; s < STATUS_COUNT; s++)
				by_class[status_code[s] / 100] += LOAD(p->sum.requests[h][m][s]);
			for (unsigned c = 1; c < 6; c++) {
				char class[] = {(char)('0' + c), 'x', 'x', '\0'};
				const struct label labels[] = {
					{"handler", handler_label[h]}, {"method", method_label[m]}, {"status", class},
				};

				if (by_class[c] || expected((enum handler)h, (enum method)m, c))
					sample(p, labels, 3, by_class[c]);
			}
		}
	}
}

static void samples_in_progress(struct page *p) { sample_plain(p, LOAD(p->sum.in_progress)); }
static void samples_unanswered(struct page *p) { sample_plain(p, LOAD(p->board->head->unanswered)); }

static void samples_build_info(struct page *p)
{
	const struct label labels[] = {{"version", AKIN_VERSION}, {"compiler", __VERSION__}};

	sample(p, labels, 2, 1);
}

static void samples_generation(struct page *p) { sample_plain(p, LOAD(p->board->head->generation)); }

static void samples_model_info(struct page *p)
{
	char generation[24], checksum[24], items[16], customers[16], interactions[24];
	const struct label labels[] = {
		{"generation", generation}, {"checksum", checksum}, {"items", items},
		{"customers", customers}, {"interactions", interactions},
	};

	if (!p->packed)
		return;
	const struct model_head *m = p->packed->model.head;

	snprintf(generation, sizeof generation, "%llu", (unsigned long long)p->packed->head->generation);
	snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)m->checksum);
	snprintf(items, sizeof items, "%u", m->items);
	snprintf(customers, sizeof customers, "%u", m->customers);
	snprintf(interactions, sizeof interactions, "%llu", (unsigned long long)m->interactions);
	sample(p, labels, sizeof labels / sizeof *labels, 1);
}

static void samples_model_created(struct page *p)
{
	if (p->packed)
		sample_signed(p, p->packed->model.head->created);
}

static void samples_model_data(struct page *p)
{
	if (p->packed && p->packed->model.head->data_until != INT64_MIN)
		sample_signed(p, p->packed->model.head->data_until);
}

static void samples_model_published(struct page *p)
{
	if (p->packed)
		sample_signed(p, p->packed->head->published);
}

static void samples_reloads(struct page *p)
{
	static const char *const result[] = {
		[RELOAD_OK] = "success", [RELOAD_UNREADABLE] = "unreadable", [RELOAD_INVALID] = "invalid",
		[RELOAD_NO_MEMORY] = "no_memory",
	};
	_Static_assert(sizeof result / sizeof *result == RELOAD_RESULTS, "a name for each");

	for (unsigned i = 0; i < RELOAD_RESULTS; i++)
		sample_by(p, "result", result[i], LOAD(p->board->head->reloads[i]));
}

static void samples_last_reload(struct page *p) { sample_plain(p, LOAD(p->board->head->last_reload_ok)); }

static void samples_deaths(struct page *p)
{
	static const char *const reason[] = {[END_EXIT] = "exit", [END_SIGNAL] = "signal", [END_KILLED] = "killed"};
	_Static_assert(sizeof reason / sizeof *reason == ENDS, "a name for each");

	for (unsigned i = 0; i < ENDS; i++)
		sample_by(p, "reason", reason[i], LOAD(p->board->head->deaths[i]));
}

static void samples_workers(struct page *p)
{
	static const char *const state[] = {
		[WORKER_STARTING] = "starting", [WORKER_SERVING] = "serving", [WORKER_DRAINING] = "draining",
	};
	uint64_t n[sizeof state / sizeof *state] = {0};

	for (uint32_t i = 0; i < board_slots(p->board); i++) {
		uint32_t s = LOAD(board_slot(p->board, i)->state);

		if (s < sizeof state / sizeof *state)	/* another process wrote it */
			n[s]++;
	}
	for (unsigned s = WORKER_STARTING; s < sizeof state / sizeof *state; s++)
		sample_by(p, "state", state[s], n[s]);
}

static void samples_shared_memory(struct page *p)
{
	sample_by(p, "segment", "board", p->board->segment.size);
	sample_by(p, "segment", "model", LOAD(p->board->head->segment_bytes));
}

void exposition_write(const struct board *b, const struct packed *packed,
		      void (*to)(void *of, const char *bytes, size_t len), void *of)
{
#define COUNTER "counter"
#define GAUGE	"gauge"
	static const struct {
		struct family family;
		void (*samples)(struct page *p);
	} families[] = {
#define X(symbol, type, shape, unit, name, help) {{name, type, help}, samples_##symbol},
		FAMILIES(X)
#undef X
	};
#undef COUNTER
#undef GAUGE
	struct page p = {.board = b, .packed = packed, .put = to, .of = of};

	for (uint32_t i = 0; i < board_slots(b); i++)
		counters_add(&p.sum, board_counters(b, i));
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		p.family = &families[i].family;
		p.begun = false;
		families[i].samples(&p);
	}
}
