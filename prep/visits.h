/* visits.h - how often every customer came and every item was sold: the mix in which a shop's own traffic would ask. */
#ifndef AKIN_VISITS_H
#define AKIN_VISITS_H

#include "interactions.h"

struct visits {
	uint32_t *visits;		/* [customers] distinct times of the customer's rows; 1 where none has a time */
	uint32_t *lines;		/* [items] rows */
};

/* Count the rows of t, of which x was built. Takes 8 bytes a row while it runs, where there are dates. False when memory
 * is short: nothing is to be freed then. */
bool visits_count(struct visits *v, const struct transactions *t, const struct interactions *x, struct fault *why);
void visits_free(struct visits *v);

/* Different times among time[0..n), whose order it may change. TRANSACTIONS_NO_TIME is none. */
uint32_t visits_distinct(int64_t *time, uint64_t n);

#endif
