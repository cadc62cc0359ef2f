/* intern.c - numbering of texts. The reader puts every kept row's ids through here, so a lookup is one hash, one
 * table word and, on a hit, one comparison. A table word is the 32-bit tag of a hash and, below it, the number + 1;
 * the slot comes from the tag, so a larger table is filled without touching the texts. Fails only when memory is
 * short or all numbers are used; the set is then as it was. */
#include "intern.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL		/* the texts are short: a call each would cost as much as the hash */
#include <xxhash.h>

#define FIRST_TABLE 1024
#define FIRST_TEXTS 512
#define FIRST_BYTES 8192

static void table_put(uint64_t *table, uint64_t mask, uint64_t word)
{
	uint64_t i = (word >> 32) & mask;

	while (table[i])
		i = (i + 1) & mask;
	table[i] = word;
}

static bool table_grow(struct intern *t)
{
	uint64_t slots = t->table ? (t->table_mask + 1) * 2 : FIRST_TABLE;
	uint64_t *table = calloc(slots, sizeof *table);

	if (!table)
		return false;
	for (uint64_t i = 0; t->table && i <= t->table_mask; i++)
		if (t->table[i])
			table_put(table, slots - 1, t->table[i]);
	free(t->table);
	t->table = table;
	t->table_mask = slots - 1;
	return true;
}

/* Room for one more start, counting the one behind the last text. */
static bool starts_grow(struct intern *t)
{
	uint32_t old = t->start_cap, cap = old == 0 ? FIRST_TEXTS : old > UINT32_MAX / 2 ? UINT32_MAX : old * 2;
	uint64_t *start = realloc(t->start, (size_t)cap * sizeof *start);

	if (!start)
		return false;
	if (old == 0)
		start[0] = 0;
	t->start = start;
	t->start_cap = cap;
	return true;
}

static bool bytes_grow(struct intern *t, uint64_t need)
{
	uint64_t cap = t->bytes_cap ? t->bytes_cap : FIRST_BYTES;

	while (cap < need)
		cap *= 2;
	char *bytes = realloc(t->bytes, cap);
	if (!bytes)
		return false;
	t->bytes = bytes;
	t->bytes_cap = cap;
	return true;
}

static bool append(struct intern *t, const char *text, size_t len, uint32_t tag)
{
	if (t->n >= UINT32_MAX - 1)
		return false;
	if ((uint64_t)t->n + 2 > t->start_cap && !starts_grow(t))
		return false;
	uint64_t end = t->start[t->n] + len;
	if (end > t->bytes_cap && !bytes_grow(t, end))
		return false;
	if (len)
		memcpy(t->bytes + t->start[t->n], text, len);
	table_put(t->table, t->table_mask, (uint64_t)tag << 32 | (t->n + 1));
	t->start[++t->n] = end;
	return true;
}

static uint32_t tag_of(const char *text, size_t len)
{
	return (uint32_t)(XXH3_64bits(text, len) >> 32);
}

static bool find(const struct intern *t, const char *text, size_t len, uint32_t tag, uint32_t *number)
{
	if (!t->table)
		return false;
	for (uint64_t i = tag & t->table_mask; t->table[i]; i = (i + 1) & t->table_mask) {
		uint32_t k = (uint32_t)t->table[i] - 1;

		if ((uint32_t)(t->table[i] >> 32) != tag || t->start[k + 1] - t->start[k] != len)
			continue;
		if (len == 0 || memcmp(t->bytes + t->start[k], text, len) == 0) {
			*number = k;
			return true;
		}
	}
	return false;
}

bool intern_find(const struct intern *t, const char *text, size_t len, uint32_t *number)
{
	return find(t, text, len, tag_of(text, len), number);
}

bool intern_put(struct intern *t, const char *text, size_t len, uint32_t *number)
{
	uint32_t tag = tag_of(text, len);

	if (find(t, text, len, tag, number))
		return true;
	/* at most three quarters full, so that every search ends at a free slot */
	if ((!t->table || (uint64_t)t->n * 4 >= (t->table_mask + 1) * 3) && !table_grow(t))
		return false;
	*number = t->n;
	return append(t, text, len, tag);
}

void intern_free(struct intern *t)
{
	free(t->start);
	free(t->bytes);
	free(t->table);
	*t = (struct intern){0};
}
