/* references.h - the histograms of a new model's own entities, by which live traffic is judged later. */
#ifndef AKIN_REFERENCES_H
#define AKIN_REFERENCES_H

#include "../shm/reference.h"

/* Fill r[FEATURE_BINNED] for m, of which the counts, lists, rows, ids and popular need be there and nothing else. Takes
 * 8 bytes an entity of the longer axis while it runs. False when memory is short. */
bool references_build(struct reference *r, const struct model *m, struct fault *why);

/* Lay out edges and groups for these values, at least one, which it sorts. r->count is filled, too. Not for item_mix. */
void reference_lay_out(struct reference *r, double *value, uint32_t n);

#endif
