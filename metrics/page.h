/* page.h - a page of metrics while it is written: what it is written from, and the functions that write the samples
 * of each family. Used by exposition.c and the samples_*.c only. */
#ifndef AKIN_PAGE_H
#define AKIN_PAGE_H

#include "counters.h"
#include "exposition.h"
#include "monitored.h"
#include "process.h"
#include "writer.h"

struct page {
	const struct exposition *e;
	const struct board *board;
	struct writer w;
	int64_t now;			/* seconds since 1970 */
	struct process_tree tree;
	bool watched;			/* is there anything in the next? */
	struct monitored monitored;
	struct counters *sum;		/* of all slots */
	uint64_t answered[BOARD_MAX_SLOTS]; /* requests, by slot */
};

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* One sample, without labels or with one. */
void page_value(struct page *p, uint64_t v);
void page_value_by(struct page *p, const char *label, const char *value, uint64_t v);

/* Write the samples of a family, or none. */
#define X(symbol, type, shape, unit, name, labels, help) void samples_##symbol(struct page *p);
FAMILIES(X)
#undef X

#endif
