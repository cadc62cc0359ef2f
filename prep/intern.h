/* intern.h - a set of texts, numbered 0, 1, 2, ... in order of first sight. */
#ifndef AKIN_INTERN_H
#define AKIN_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern {
	uint32_t n;
	uint64_t *start;		/* [n + 1] into bytes */
	char *bytes;			/* back to back, no terminators */
	/* the rest belongs to intern.c */
	uint64_t bytes_cap;
	uint32_t start_cap;
	uint64_t *table;		/* hash tag and number, open addressing; 0: free */
	uint64_t table_mask;
};

/* Is this text in the set, and under which number? */
bool intern_find(const struct intern *t, const char *text, size_t len, uint32_t *number);

/* Find it or put it there. False when memory is short. Zero-initialised is an empty set. */
bool intern_put(struct intern *t, const char *text, size_t len, uint32_t *number);
void intern_free(struct intern *t);

#endif
