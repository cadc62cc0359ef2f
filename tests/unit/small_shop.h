/* small_shop.h - transactions made by hand, and the same as a plain matrix to compare with. */
#ifndef AKIN_SMALL_SHOP_H
#define AKIN_SMALL_SHOP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../prep/transactions.h"
#include "../../shm/model.h"

struct sale {
	const char *customer, *item;
	int64_t time;
	const char *description;	/* NULL: none */
};

/* What a reader would hand over for these sales. Freed with transactions_free(). */
static inline void shop_open(struct transactions *t, const struct sale *sale, size_t n, bool dated)
{
	*t = (struct transactions){.rows = n, .rows_read = n};
	t->customer = malloc(n * sizeof *t->customer);
	t->item = malloc(n * sizeof *t->item);
	t->time = dated ? malloc(n * sizeof *t->time) : NULL;
	t->description_of = malloc(n * sizeof *t->description_of);
	assert_true(t->customer && t->item && t->description_of && (t->time || !dated));
	memset(t->description_of, 0xff, n * sizeof *t->description_of);
	for (size_t i = 0; i < n; i++) {
		assert_true(intern_put(&t->customers, sale[i].customer, strlen(sale[i].customer), &t->customer[i]));
		assert_true(intern_put(&t->items, sale[i].item, strlen(sale[i].item), &t->item[i]));
		if (dated)
			t->time[i] = sale[i].time;
		if (sale[i].description && t->description_of[t->item[i]] == UINT32_MAX)
			assert_true(intern_put(&t->descriptions, sale[i].description, strlen(sale[i].description),
					       &t->description_of[t->item[i]]));
	}
}

#define SHOP_MAX 400

/* Random sales between customers "c7" and items "i12", and who bought what as a matrix of the numbers in the ids. */
struct shop {
	bool bought[SHOP_MAX][SHOP_MAX];	/* [customer][item] */
	struct sale sale[20000];
	char id[AXES][SHOP_MAX][8];
	size_t sales;
};

static inline void shop_random(struct shop *s, unsigned customers, unsigned items, size_t sales, unsigned seed)
{
	memset(s, 0, sizeof *s);
	for (unsigned i = 0; i < SHOP_MAX; i++) {
		snprintf(s->id[AXIS_ITEM][i], sizeof s->id[0][0], "i%u", i);
		snprintf(s->id[AXIS_CUSTOMER][i], sizeof s->id[0][0], "c%u", i);
	}
	for (s->sales = 0; s->sales < sales; s->sales++) {
		seed = seed * 1664525u + 1013904223u;
		unsigned c = (seed >> 8) % customers;

		seed = seed * 1664525u + 1013904223u;
		unsigned i = (seed >> 8) % items * ((seed >> 24) % items) / items;	/* few items sell best */

		s->bought[c][i] = true;
		s->sale[s->sales] = (struct sale){s->id[AXIS_CUSTOMER][c], s->id[AXIS_ITEM][i], 0, NULL};
	}
}

/* The number in the id of entry i. */
static inline unsigned shop_number(const struct axis *a, uint32_t i)
{
	struct text id = model_id(a, i);
	char text[8] = "";

	assert_in_range(id.len, 2, sizeof text - 1);
	memcpy(text, id.at + 1, id.len - 1);
	return (unsigned)strtoul(text, NULL, 10);
}

#endif
