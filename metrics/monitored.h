/* monitored.h - what the monitor has found, as it publishes it: the last closed windows, drift, hit rates, retrainings.
 *
 * On the board, in pages that the monitor alone writes, in one go when something has changed; whoever reads copies it
 * whole (monitored_read()). It outlives the monitor: a successor goes on from it, with the baseline and the detectors as they
 * were. A number that does not apply is NaN, and is not shown. */
#ifndef AKIN_MONITORED_H
#define AKIN_MONITORED_H

#include "../shm/board.h"
#include "../shm/reference.h"

/* X(symbol, label): what a window is compared with. */
#define DRIFT_REFERENCES(X) X(TRAINING, "training") X(BASELINE, "baseline") X(PREVIOUS, "previous")
/* X(symbol, label): how a series of values is summed up. */
#define STATISTICS(X) \
	X(MEAN, "mean") X(MEDIAN, "median") X(MIN, "min") X(MAX, "max") X(STDDEV, "stddev") \
	X(P10, "p10") X(P25, "p25") X(P75, "p75") X(P90, "p90") X(P99, "p99")
/* X(symbol, label): windows that close by themselves: predictions by kind, and purchases after recommendations. */
#define WINDOW_KINDS(X) X(ITEM, "item") X(USER, "user") X(FEEDBACK, "feedback")
/* X(symbol, label): of which predictions' values there are statistics. */
#define WINDOW_VALUES(X) \
	X(TOP_SCORE,   "top_score")	/* similarity of the first own result; answers without one are left out */ \
	X(MEAN_SCORE,  "mean_score")	/* of all results of an answer, fill included */ \
	X(OWN_RESULTS, "own_results")	/* results that are no fill */ \
	X(HISTORY,     "history")	/* items that the customer has; of users only */ \
	X(ASKED_RANK,  "asked_rank")	/* place of the asked item in the popular ranking; of items only */ \
	X(RETURNED_RANK, "returned_rank") /* of the items returned */
#define CONCEPT_STATES(X) X(UNKNOWN, "unknown") X(STABLE, "stable") X(WARNING, "warning") X(DRIFTED, "drifted")

enum drift_reference {
#define X(symbol, label) REFERENCE_##symbol,
	DRIFT_REFERENCES(X)
#undef X
	DRIFT_REFERENCE_COUNT
};
enum statistic {
#define X(symbol, label) STATISTIC_##symbol,
	STATISTICS(X)
#undef X
	STATISTIC_COUNT
};
enum window_kind {
#define X(symbol, label) WINDOW_##symbol,
	WINDOW_KINDS(X)
#undef X
	WINDOW_KIND_COUNT
};
enum window_value {
#define X(symbol, label) VALUE_##symbol,
	WINDOW_VALUES(X)
#undef X
	WINDOW_VALUE_COUNT
};
enum concept_state {
#define X(symbol, label) CONCEPT_##symbol,
	CONCEPT_STATES(X)
#undef X
	CONCEPT_STATE_COUNT
};
_Static_assert((int)WINDOW_ITEM == (int)AXIS_ITEM && (int)WINDOW_USER == (int)AXIS_CUSTOMER, "a window of an axis");

struct monitored_statistics {
	uint64_t n;			/* values; 0: the others mean nothing */
	double of[STATISTIC_COUNT];
};

struct monitored_window {
	uint64_t closed;		/* windows of this kind since the master started */
	int64_t end;			/* seconds since 1970, of the last closed one; 0: none was closed yet */
	double seconds;			/* how long it was; NaN: none of this generation was closed, and what follows is 0 */
	uint64_t requests;		/* predictions, or trials, in it */
	uint64_t unknown;		/* of them for unknown ids */
	uint64_t entities, strangers;	/* distinct known and unknown ids; of a sampled axis, of the sample */
	struct monitored_statistics value[WINDOW_VALUE_COUNT];
	uint64_t catalogue, catalogue_shown; /* items that are counted, and those that were returned in the window */
};

/* One feature against one reference, in the last closed window. NaN: does not apply or can't be told. */
struct monitored_drift {
	double ks_distance, ks_critical, ks_p_value; /* not of item_mix and of the shares */
	double psi, psi_critical;	/* not of the shares */
	double share, reference_share, share_p_value; /* of unknown ids; only of the shares */
	uint64_t samples;		/* of the window: distinct entities against `training`, else requests */
	uint64_t reference_samples;
	uint32_t insufficient;		/* 1: too little for a verdict, which stays as it was */
	uint32_t detected;
	uint32_t streak;		/* windows running that speak against `detected` */
};

struct monitored_rate {			/* of purchases, how many had been recommended */
	uint64_t generation;		/* 0: none */
	uint64_t trials, hits;		/* in the last closed window of that generation */
	uint64_t all_trials, all_hits;	/* since its publication */
};

#define MONITORED_RESULTS 8
struct monitored_retrain {		/* from the file that akinctl retrain keeps */
	uint64_t results[MONITORED_RESULTS]; /* by enum retrain_result, see retrain.h */
	int64_t last;			/* seconds since 1970; 0: never */
	uint32_t last_result;
	uint32_t known;			/* 1: there is such a file */
};

struct monitored {
	uint64_t generation;		/* that all windows and verdicts are of; 0: nothing is watched yet */
	struct monitored_window window[WINDOW_KIND_COUNT];
	struct monitored_drift drift[FEATURE_COUNT][DRIFT_REFERENCE_COUNT];
	struct monitored_rate rate[2];	/* of this generation and of the one before */
	double hit_baseline;		/* what the backtest promises for default_n; NaN: nothing to rely on */
	uint32_t concept_state;		/* enum concept_state */
	double concept_statistic, concept_threshold;
	struct monitored_retrain retrain;
	uint32_t window_seconds;	/* the setting */
	int64_t looked;			/* seconds since 1970; when the monitor last told what it has found */
};

/* What stands on the board: the published part, and what the monitor keeps for its successor. That has two places, of which
 * one is whole at any moment, however its writer ends. */
#define MONITORED_KEPT 32768
struct monitored_page {
	_Atomic uint32_t turn;		/* odd while `published` is written */
	_Atomic uint32_t place;		/* of kept[]: 1 or 2; 0: nothing is kept yet */
	_Atomic uint64_t beats;		/* the monitor's looks, as a sign of life */
	_Atomic uint64_t proportional;	/* bytes, its own share of memory; 0: not known */
	struct monitored published;
	_Alignas(64) uint8_t kept[2][MONITORED_KEPT];
};

/* Bytes of it: what board_create() wants. */
size_t monitored_size(void);

/* Anybody's: a whole copy. False: there is none, since the board has no such pages, nothing was written yet, or its writer
 * died while it wrote; then *m is zeroed. Waits for a writer for 0.1 s at most. */
bool monitored_read(const struct board *b, struct monitored *m);
/* The monitor's. */
void monitored_write(const struct board *b, const struct monitored *m);

/* The monitor's, for itself: size bytes, at most MONITORED_KEPT, that a successor gets as they were. False: nothing is
 * kept. */
void monitored_keep(const struct board *b, const void *what, size_t size);
bool monitored_kept(const struct board *b, void *what, size_t size);

/* The page itself; NULL: the board has none. */
struct monitored_page *monitored_page(const struct board *b);

#endif
