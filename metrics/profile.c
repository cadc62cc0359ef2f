/* profile.c - a generation's features, worked out once.
 *
 * Called by the monitor when a generation has been taken into service, with the model mapped: 8,000 entities take
 * milliseconds. Fails only when memory is short. */
#include "profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(REFERENCE_BINS <= 256 && FEATURE_BUCKETS <= 256, "a bin is a byte");
_Static_assert(WATCH_STRANGERS % FEATURE_BUCKETS == 0, "the low bits of a cell for unknown ids are the bucket");

static unsigned bin_of(const struct model *m, enum feature f, uint32_t entity, const uint32_t *rank)
{
	if (f == FEATURE_ITEM_MIX)
		return feature_bucket(model_id(&m->axis[AXIS_ITEM], entity));
	return reference_bin(&m->references[f], feature_value(m, f, entity, rank));
}

static void make_axis(struct profile *p, const struct model *m, enum axis_kind kind, const uint32_t *rank)
{
	const uint32_t *asked = kind == AXIS_ITEM ? m->lines : m->visits;
	uint32_t n = m->axis[kind].n;
	double all = 0;

	p->entities[kind] = n;
	p->stride[kind] = watch_stride(n);
	p->counted[kind] = (n - 1) / p->stride[kind] + 1;
	for (uint32_t i = 0; i < n; i++)
		all += asked[i];
	for (uint32_t cell = 0; cell < p->counted[kind]; cell++) {
		uint32_t entity = cell * p->stride[kind];

		p->share[kind][cell] = asked[entity] / all;
		p->value[kind][cell] = kind == AXIS_ITEM ? rank[entity] : model_degree(&m->axis[kind], entity);
		for (unsigned f = 0; f < FEATURE_BINNED; f++) {
			if (feature_axis((enum feature)f) == kind)
				p->bin[f][cell] = (uint8_t)bin_of(m, (enum feature)f, entity, rank);
		}
	}
}

bool profile_make(struct profile *p, const struct model *m, uint64_t generation, struct fault *why)
{
	uint32_t *rank = calloc(m->axis[AXIS_ITEM].n, sizeof *rank);

	if (!rank)
		return fault_set(why, "no memory for the ranks of %u items", m->axis[AXIS_ITEM].n);
	feature_ranks(m, rank);
	p->generation = generation;
	memcpy(p->reference, m->references, sizeof p->reference);
	p->backtest = *m->backtest;
	for (unsigned kind = 0; kind < AXES; kind++)
		make_axis(p, m, (enum axis_kind)kind, rank);
	free(rank);
	return true;
}

void profile_mix(const struct profile *p, enum feature f, double requests, double *weights)
{
	enum axis_kind axis = feature_axis(f);

	for (unsigned i = 0; i < profile_bins(p, f); i++)
		weights[i] = 0;
	for (uint32_t cell = 0; cell < p->counted[axis]; cell++)
		weights[p->bin[f][cell]] -= expm1(-requests * p->share[axis][cell]);
}

uint64_t profile_backtest_hits(const struct profile *p, uint32_t n)
{
	uint64_t hits = 0;

	for (uint32_t i = 0; i < n && i < BACKTEST_RANKS; i++)
		hits += p->backtest.hits_own[i] + p->backtest.hits_popular[i];
	return hits;
}
