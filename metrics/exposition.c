/* exposition.c - /metrics: the families one after the other.
 *
 * Called by whichever worker is asked. The slots are summed once, the kernel is asked once, then each family is written
 * by its samples_ function, so that all samples of a family stand together as the formats want. A family without a
 * sample is left out whole. */
#include "exposition.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "page.h"

void page_value(struct page *p, uint64_t v)
{
	write_value(&p->w, NULL, v);
	write_created(&p->w, NULL);
}

void page_value_by(struct page *p, const char *label, const char *value, uint64_t v)
{
	struct labels l = {.len = 0};

	labels_add(&l, label, value);
	write_value(&p->w, &l, v);
	write_created(&p->w, &l);
}

static const struct {
	struct family family;
	const char *labels;
	void (*samples)(struct page *p);
} families[] = {
#define X(symbol, type, shape, unit, name, labels, help) {{name, type, unit, help}, labels, samples_##symbol},
	FAMILIES(X)
#undef X
};
#define FAMILY_COUNT (sizeof families / sizeof *families)

void exposition_write(const struct exposition *e, struct counters *sum, void (*put)(void *of, const char *bytes, size_t len),
		      void *of)
{
	const struct board *b = e->board;
	struct page p = {
		.e = e,
		.board = b,
		.sum = sum,
		.w = {.put = put, .of = of, .openmetrics = e->openmetrics, .created = b->head->started},
		.now = (int64_t)time(NULL),
	};

	memset(sum, 0, sizeof *sum);
	for (uint32_t i = 0; i < board_slots(b); i++)
		p.answered[i] = counters_add(sum, board_counters(b, i));
	process_look(b, &p.tree);
	p.watched = monitored_read(b, &p.monitored) && p.monitored.generation > 0;
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		const struct family *f = &families[i].family;

		write_family(&p.w, f, strncmp(f->name, "http_", 5) == 0 ? e->prefix : "");
		families[i].samples(&p);
	}
	write_end(&p.w);
}

/* The table: | name | type | labels | what it says | */
void exposition_table(void (*put)(void *of, const char *bytes, size_t len), void *of)
{
	static const char head[] = "| family | type | labels | what it says |\n|---|---|---|---|\n";
	char line[512];

	put(of, head, sizeof head - 1);
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		const struct family *f = &families[i].family;
		int n = snprintf(line, sizeof line, "| `%s` | %s | %s | %s |\n", f->name, family_type_name(f->type),
				 families[i].labels, f->help);

		put(of, line, (size_t)n);
	}
}
