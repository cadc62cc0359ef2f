/* concept.c - Page-Hinkley's test on hits and misses.
 *
 * Called by the monitor at each look, with the trials since the last. m - min(m) needs neither m nor its minimum: it is
 * the sum that starts again from 0 whenever it would fall below. Nothing here can fail. */
#include "concept.h"

#include <math.h>
#include <stdbool.h>

void concept_begin(struct concept *c, double p0, double drop, double lambda)
{
	*c = (struct concept){.p0 = p0, .drop = drop, .lambda = lambda};
}

static void step(struct concept *c, bool hit)
{
	double next = c->statistic + c->p0 * (1 - c->drop / 2) - hit;

	c->statistic = fmin(fmax(next, 0), 2 * c->lambda);
	if (c->statistic > c->lambda)
		c->drifted = 1;
	else if (c->statistic < c->lambda / 2)
		c->drifted = 0;
}

/* Trial i is a hit where i * hits / trials passes a whole number and a half. */
void concept_feed(struct concept *c, uint64_t trials, uint64_t hits)
{
	uint64_t owed = trials / 2;

	if (hits > trials)
		hits = trials;
	for (uint64_t i = 0; i < trials; i++) {
		bool hit = (owed += hits) >= trials;

		if (hit)
			owed -= trials;
		c->trials++;
		c->hits += hit;
		if (!isnan(c->p0))
			step(c, hit);
		else if (c->trials == CONCEPT_LEARN)
			c->p0 = (double)c->hits / (double)c->trials;
	}
}

enum concept_state concept_state(const struct concept *c)
{
	if (c->trials < CONCEPT_LEAST || !(c->p0 > 0))
		return CONCEPT_UNKNOWN;
	if (c->drifted)
		return CONCEPT_DRIFTED;
	return c->statistic > c->lambda / 2 ? CONCEPT_WARNING : CONCEPT_STABLE;
}
