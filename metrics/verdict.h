/* verdict.h - has a feature drifted? What a closed window is compared with, and what follows from it.
 *
 * Against `training`, the distinct entities of the window are held against the mixture of all entities and of the shop's own
 * mix that is nearest to them; for how often customers ask is not in the model, and is no drift. Against the two live references,
 * requests are. A feature has drifted when a difference can't be chance, alpha divided by the number of features, and is
 * large enough to matter, several windows running; and has come back after as many without it. */
#ifndef AKIN_VERDICT_H
#define AKIN_VERDICT_H

#include "window.h"

#define VERDICT_LEAST 30		/* samples, distinct entities mostly: fewer of them tell nothing */

/* Windows added up: the first of a generation, or the last ones. */
struct live {
	uint64_t count[FEATURE_BINNED][REFERENCE_BINS]; /* by request */
	uint64_t requests[AXES];	/* unknown ids' included */
	uint64_t unknown[AXES];
	uint32_t windows[AXES];
};

void live_forget(struct live *l, enum axis_kind axis);
void live_add(struct live *l, const struct window *w);
/* The same for a reference that moves on: when there are LIVE_MOST windows in it, all count half from then on. */
#define LIVE_MOST 8
void live_follow(struct live *l, const struct window *w);

/* Nothing is known yet. */
void verdict_begin(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT]);

/* Has a window spoken against the verdict on a feature of that axis, and others are to confirm it? Then the reference has to
 * stay as it is: if it took in what differs from it, a step would be seen once, and not twice running. */
bool verdict_pending(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT], enum axis_kind axis,
		     enum drift_reference reference);

/* Is there enough in the window for a verdict? */
bool verdict_enough(const struct window *w, const struct window_rules *r);

/* Compare the features of the window's axis. A reference is used when it has as many windows as it should. */
void verdict_look(struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT], const struct window *w,
		  const struct profile *p, const struct live *baseline, const struct live *previous,
		  const struct window_rules *r);

#endif
