/* purchases.h - what was bought, in the order in which it was bought: the rows of newly arrived transactions by time, and
 * which of them are the first of their customer and item, or of their customer and time.
 *
 * Rows without a time come last, in the order of the input; without dates all rows do. */
#ifndef AKIN_PURCHASES_H
#define AKIN_PURCHASES_H

#include "transactions.h"

struct purchases {
	uint64_t rows;
	uint32_t *order;		/* [rows] rows of the transactions, the earliest first */
	uint8_t *visit;			/* [rows] does order[i] begin a visit? A customer's rows of one time, or without any */
	uint32_t n;
	uint32_t *at;			/* [n] places in order that are a purchase: a customer's first row of an item */
	uint64_t *of_start;		/* [customers + 1] into of */
	uint32_t *of;			/* [n] purchases (indexes of at) by customer, the earliest first */
};

/* Put the rows of t, which must have some, in order. t is only read, and must stay as it is. False when memory is short
 * or there are more rows than 32 bits count; nothing is to be freed then. */
bool purchases_open(struct purchases *p, const struct transactions *t, struct fault *why);
void purchases_free(struct purchases *p);

#endif
