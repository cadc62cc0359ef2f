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
