/* cooccur.h - co-occurrence counts, exact, from the member lists.
 *
 * Row-wise sparse accumulation (Gustavson): for every member of i, add one to each of that member's own members.
 * Half a matrix and a mirror, or bitsets, were measured slower. */
#ifndef AKIN_COOCCUR_H
#define AKIN_COOCCUR_H

#include "model.h"

/* Add entry i's co-occurrence counts to co[own->n], which the caller has zeroed. other is the other axis. co[i]
 * itself becomes i's own degree. */
void cooccur_row(const struct axis *own, const struct axis *other, uint32_t i, uint32_t *co);

#endif
