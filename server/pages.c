/* pages.c - small pages about the service itself. Called by serve.c; fails only as answers do. */
#include "pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

void page_root(struct answer *a) { answer_text(a, "{\"status\":\"ok\"}"); }

void page_healthz(struct answer *a) { answer_text(a, "{\"status\":\"ok\"}"); }

void page_readyz(struct answer *a, const struct board *b, const struct packed *p)
{
	const struct board_slot *own = board_own(b);
	bool draining = atomic_load_explicit(&b->head->draining, memory_order_relaxed) ||
			atomic_load_explicit(&own->state, memory_order_relaxed) == WORKER_DRAINING;

	/* While another master takes over, the service is ready, whoever of the two is asked. */
	draining = draining && !(atomic_load_explicit(&b->head->shared, memory_order_relaxed) >> BOARD_SERVICE & 1);

	if (!p || draining) {
		a->status = 503;
		answer_text(a, draining ? "{\"status\":\"draining\"}" : "{\"status\":\"no model\"}");
		return;
	}
	a->generation = p->generation;
	answer_text(a, "{\"status\":\"ready\",\"generation\":");
	answer_number(a, p->generation);
	answer_text(a, "}");
}

/* ISO 8601, or null for what is no time. zone: "Z" or nothing, where the data does not say. */
static void write_time(struct answer *a, int64_t seconds, const char *zone)
{
	time_t t = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (seconds == INT64_MIN || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm)) {
		answer_text(a, "null");
		return;
	}
	answer_text(a, "\"");
	answer_text(a, text);
	answer_text(a, zone);
	answer_text(a, "\"");
}

static void write_count(struct answer *a, const char *key, uint64_t v)
{
	answer_text(a, key);
	answer_number(a, v);
}

/* Neighbours kept a row on an axis: "all", or how many. */
static void write_rows(struct answer *a, const struct axis *axis)
{
	if (axis->whole)
		answer_text(a, "\"all\"");
	else
		answer_number(a, axis->row_limit);
}

void page_model(struct answer *a, const struct packed *p)
{
	const struct model *m = &p->model;
	char checksum[17];

	snprintf(checksum, sizeof checksum, "%016" PRIx64, m->head->checksum);
	a->generation = p->generation;
	write_count(a, "{\"generation\":", p->generation);
	answer_text(a, ",\"checksum\":\"");
	answer_text(a, checksum);
	answer_text(a, "\"");
	answer_text(a, ",\"published\":");
	write_time(a, p->published, "Z");
	answer_text(a, ",\"created\":");
	write_time(a, m->head->created, "Z");
	answer_text(a, ",\"data_until\":");
	write_time(a, m->head->data_until, "");
	write_count(a, ",\"items\":", m->head->items);
	write_count(a, ",\"customers\":", m->head->customers);
	write_count(a, ",\"interactions\":", m->head->interactions);
	answer_text(a, ",\"stored_neighbours\":{\"item\":");
	write_rows(a, &m->axis[AXIS_ITEM]);
	answer_text(a, ",\"customer\":");
	write_rows(a, &m->axis[AXIS_CUSTOMER]);
	write_count(a, "},\"model_bytes\":", m->head->size);
	write_count(a, ",\"segment_bytes\":", p->head->size);
	answer_text(a, ",\"provenance\":");
	answer_bytes(a, m->provenance.at, m->provenance.len);	/* a JSON object, verified before it was published */
	answer_text(a, "}");
}
