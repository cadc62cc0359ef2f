/* basket.h - what customers have, and what one has that another has not: the heart of an answer for a customer. */
#ifndef AKIN_BASKET_H
#define AKIN_BASKET_H

#include "model.h"

struct basket {				/* a customer's items, by first appearance. Borrowed from the image */
	const uint32_t *at;
	uint32_t n;
};

static inline struct basket basket_of(const struct model *m, uint32_t customer)
{
	const struct axis *a = &m->axis[AXIS_CUSTOMER];

	return (struct basket){a->members + a->member_start[customer], model_degree(a, customer)};
}

/* What b has and a has not, by first appearance, at most n of it; each with a count of 0. Returns how many. */
size_t basket_differ(const struct model *m, struct basket a, struct basket b, struct neighbour *out, size_t n);

#endif
