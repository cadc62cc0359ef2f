/* interactions.h - the 0/1 matrix, customers by items, as the model keeps it: both sides in byte order of their ids,
 * each with the list of what it met on the other side, no pair twice. */
#ifndef AKIN_INTERACTIONS_H
#define AKIN_INTERACTIONS_H

#include "transactions.h"
#include "../shm/model.h"

/* One axis of the matrix, owned; model.h's struct axis borrows it. */
struct side {
	uint32_t n;
	uint64_t *id_start;		/* [n + 1] into ids */
	char *ids;
	uint64_t *member_start;		/* [n + 1] into members */
	uint32_t *members;		/* indexes on the other side, in the order model.h promises */
};

struct interactions {
	struct side side[AXES];
	uint64_t pairs;
	uint32_t *first_seen;		/* [items] number the item had in the transactions */
	uint32_t *customer_number;	/* [customers] and the customer */
	uint64_t *description_start;	/* [items + 1] */
	char *descriptions;
};

/* Build from the rows of t, which must have at least one. t is only read: its rows may go afterwards. False when
 * memory is short or there are more rows, or entries of a side, than 32 bits count; nothing is to be freed then. */
bool interactions_build(struct interactions *x, const struct transactions *t, struct fault *why);
void interactions_free(struct interactions *x);

/* A view of one side, without rows. Borrowed from x. */
struct axis interactions_axis(const struct interactions *x, enum axis_kind kind);

#endif
