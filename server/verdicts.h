/* verdicts.h - the monitor's verdicts, in the log: what has drifted, and what no longer has. */
#ifndef AKIN_VERDICTS_H
#define AKIN_VERDICTS_H

#include <stdbool.h>

#include "../metrics/monitored.h"

/* What was told last. */
struct verdicts {
	uint64_t generation;
	bool drifted[FEATURE_COUNT][DRIFT_REFERENCE_COUNT];
	uint32_t concept_state;
};

/* Takes what stands there already as told: by the monitor before. */
void verdicts_begin(struct verdicts *v, const struct monitored *m);

/* A line for each verdict that has changed since. A new generation's begin anew, and the end of the old one's is no news. */
void verdicts_tell(struct verdicts *v, const struct monitored *m);

#endif
