/* basket.c - one merge of two lists that both ascend by first appearance. Called for every answer to a customer, and
 * when two models are compared. Nothing can fail. */
#include "basket.h"

size_t basket_differ(const struct model *m, struct basket a, struct basket b, struct neighbour *out, size_t n)
{
	size_t total = 0;
	uint32_t i = 0;

	for (uint32_t j = 0; j < b.n && total < n; j++) {
		uint32_t item = b.at[j], rank = m->first_seen[item];

		while (i < a.n && m->first_seen[a.at[i]] < rank)
			i++;
		if (i < a.n && a.at[i] == item)
			i++;
		else
			out[total++] = (struct neighbour){item, 0};
	}
	return total;
}
