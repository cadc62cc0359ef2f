/* retrain.h - how retraining goes: the file in which akinctl retrain keeps count, as the monitor reads it.
 *
 *   ok 3
 *   refused 1
 *   last 1322438400 refused
 *
 * A line for each result with how often it came; then when the last one ended, in seconds since 1970, and how. The file is
 * replaced as a whole, and lies in the folder `models` beside the model. */
#ifndef AKIN_RETRAIN_H
#define AKIN_RETRAIN_H

#include "monitored.h"

/* X(symbol, label) */
#define RETRAIN_RESULTS_LIST(X) \
	X(OK,            "ok") \
	X(BUILD_FAILED,  "build_failed") \
	X(REFUSED,       "refused") \
	X(DEPLOY_FAILED, "deploy_failed") \
	X(HELD_OFF,      "held_off") \
	X(BUSY,          "busy")

enum retrain_result {
#define X(symbol, label) RETRAIN_##symbol,
	RETRAIN_RESULTS_LIST(X)
#undef X
	RETRAIN_RESULTS
};
_Static_assert(RETRAIN_RESULTS <= MONITORED_RESULTS, "a place for each");

const char *retrain_name(enum retrain_result r);

/* Where it is for this model file. False: that is too long. */
bool retrain_path(char *path, size_t cap, const char *model);

/* What is in a file's text. Lines that are none of these are passed over: a newer akinctl may have more. */
void retrain_read(struct monitored_retrain *r, const char *text);

/* The file at path, if it has changed since *seen, which starts at 0: true, and *r is what it says; all 0, when there is
 * none any more. */
bool retrain_look(struct monitored_retrain *r, const char *path, int64_t *seen);

#endif
