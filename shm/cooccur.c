/* cooccur.c - exact co-occurrence counts from the member lists.
 *
 * Used by akin-prep for every row of a build, by the master to pack whole rows, and by a worker for the rare answer
 * that no stored row reaches. Can't fail: the lists are verified, the counts fit 32 bits because a count is at most
 * the number of entries on the other axis. */
#include "cooccur.h"

void cooccur_row(const struct axis *own, const struct axis *other, uint32_t i, uint32_t *co)
{
	const uint32_t *member = own->members + own->member_start[i];
	const uint32_t *end = own->members + own->member_start[i + 1];

	for (; member < end; member++) {
		const uint32_t *peer = other->members + other->member_start[*member];
		const uint32_t *last = other->members + other->member_start[*member + 1];

		for (; peer < last; peer++)
			co[*peer]++;
	}
}

uint32_t cooccur_pair(const struct model *m, enum axis_kind kind, uint32_t i, uint32_t j)
{
	const struct axis *a = &m->axis[kind];
	/* A customer's items ascend by first appearance, an item's customers by index. */
	const uint32_t *rank = kind == AXIS_CUSTOMER ? m->first_seen : NULL;
	const uint32_t *x = a->members + a->member_start[i], *x_end = a->members + a->member_start[i + 1];
	const uint32_t *y = a->members + a->member_start[j], *y_end = a->members + a->member_start[j + 1];
	uint32_t co = 0;

	while (x < x_end && y < y_end) {
		uint32_t u = rank ? rank[*x] : *x, v = rank ? rank[*y] : *y;

		co += u == v;
		x += u <= v;
		y += v <= u;
	}
	return co;
}
