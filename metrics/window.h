/* window.h - what clients asked for between two sums, on one axis: in histograms, and in numbers to be shown. */
#ifndef AKIN_WINDOW_H
#define AKIN_WINDOW_H

#include "monitored.h"
#include "summary.h"
#include "sums.h"
#include "profile.h"

/* Settings of windows and of what is concluded from them; akin.conf(5). */
struct window_rules {
	uint32_t requests, seconds;	/* what closes a window */
	uint32_t least;			/* requests below which it is no good for a verdict */
	uint32_t baseline_windows;
	uint32_t effect_percent, alpha_permille, running; /* drift_ */
	uint32_t hit_drop_percent, hit_lambda;
	uint32_t default_n;		/* places of the backtest that count */
};

struct window {
	enum axis_kind axis;
	uint64_t requests;		/* for known ids */
	uint64_t unknown;		/* for unknown ones */
	uint64_t entities, strangers;	/* distinct known ids, and unknown ones as far as can be told; where each stride-th
					 * entity is counted, of such a sample */
	/* Of the axis' own features, by bin; of item_mix with the unknown ids. */
	uint64_t by_request[FEATURE_BINNED][REFERENCE_BINS];
	uint64_t by_entity[FEATURE_BINNED][REFERENCE_BINS]; /* each distinct id once */
};

void window_take(struct window *w, enum axis_kind axis, const struct profile *p, const struct sums *from,
		 const struct sums *to);

/* What is shown of it: counts and statistics, but for its time and number. room: for as many values as entities are
 * counted, WATCH_ENTITIES. */
void window_tell(struct monitored_window *m, const struct window *w, const struct profile *p, const struct sums *from,
		 const struct sums *to, struct weighted *room);

#endif
