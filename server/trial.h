/* trial.h - akin-server --gate: what would the running server say to this model? */
#ifndef AKIN_TRIAL_H
#define AKIN_TRIAL_H

#include "settings.h"

/* Verify the model at path, compare it with what the server that runs with these settings serves, and print the checks and
 * the verdict. Returns what to exit with: 0, 1 or EXIT_NOT_RUNNING; *why says why when nothing was printed. */
int trial(const struct settings *s, const char *path, struct fault *why);

#endif
