/* samples_model.c - the build, the model that is served, its reloads, and the shared memory they take. */
#include <stdio.h>

#include "page.h"

void samples_build_info(struct page *p)
{
	struct labels l = {.len = 0};

	labels_add(&l, "version", AKIN_VERSION);
	labels_add(&l, "compiler", __VERSION__);
	write_value(&p->w, &l, 1);
}

void samples_model_info(struct page *p)
{
	struct labels l = {.len = 0};
	char checksum[24];

	if (!p->e->packed)
		return;
	const struct model_head *m = p->e->packed->model.head;

	snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)m->checksum);
	labels_add_number(&l, "generation", p->e->packed->generation);
	labels_add(&l, "checksum", checksum);
	labels_add_number(&l, "items", m->items);
	labels_add_number(&l, "customers", m->customers);
	labels_add_number(&l, "interactions", m->interactions);
	write_value(&p->w, &l, 1);
}

void samples_generation(struct page *p) { page_value(p, LOAD(p->board->head->generation)); }

void samples_model_created(struct page *p)
{
	if (p->e->packed)
		write_signed(&p->w, NULL, p->e->packed->model.head->created);
}

void samples_model_published(struct page *p)
{
	if (p->e->packed)
		write_signed(&p->w, NULL, p->e->packed->published);
}

void samples_model_age(struct page *p)
{
	if (p->e->packed)
		write_signed(&p->w, NULL, p->now - p->e->packed->model.head->created);
}

/* Not every table has dates. */
static bool dated(const struct page *p)
{
	return p->e->packed && p->e->packed->model.head->data_until != INT64_MIN;
}

void samples_model_data(struct page *p)
{
	if (dated(p))
		write_signed(&p->w, NULL, p->e->packed->model.head->data_until);
}

void samples_data_age(struct page *p)
{
	if (dated(p))
		write_signed(&p->w, NULL, p->now - p->e->packed->model.head->data_until);
}

void samples_reloads(struct page *p)
{
	static const char *const reason[] = {
		[RELOAD_OK] = "none", [RELOAD_UNREADABLE] = "unreadable", [RELOAD_INVALID] = "invalid",
		[RELOAD_NO_MEMORY] = "no_memory", [RELOAD_GATED] = "gate", [RELOAD_CRASHED] = "crashed",
		[RELOAD_CANCELLED] = "cancelled",
	};
	_Static_assert(sizeof reason / sizeof *reason == RELOAD_RESULTS, "a name for each");

	for (unsigned i = 0; i < RELOAD_RESULTS; i++) {
		struct labels l = {.len = 0};

		labels_add(&l, "result", i == RELOAD_OK ? "success" : "failure");
		labels_add(&l, "reason", reason[i]);
		write_value(&p->w, &l, LOAD(p->board->head->reloads[i]));
		write_created(&p->w, &l);
	}
}

void samples_rollbacks(struct page *p)
{
	for (unsigned i = 0; i < ROLLBACK_RESULTS; i++) {
		struct labels l = {.len = 0};

		labels_add(&l, "result", i == ROLLBACK_OK ? "success" : "failure");
		write_value(&p->w, &l, LOAD(p->board->head->rollbacks[i]));
		write_created(&p->w, &l);
	}
}

void samples_last_reload(struct page *p) { page_value(p, LOAD(p->board->head->last_reload_ok)); }

void samples_last_reload_duration(struct page *p)
{
	write_seconds(&p->w, NULL, LOAD(p->board->head->last_load_ns));
}

void samples_shared_memory(struct page *p)
{
	page_value_by(p, "segment", "board", p->board->segment.size);
	page_value_by(p, "segment", "model", LOAD(p->board->head->segment_bytes));
	page_value_by(p, "segment", "previous", LOAD(p->board->head->previous_bytes));
}
