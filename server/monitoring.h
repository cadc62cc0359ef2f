/* monitoring.h - the monitor's own process. */
#ifndef AKIN_MONITORING_H
#define AKIN_MONITORING_H

#include "workers.h"
#include "../metrics/window.h"

/* What of the settings windows and verdicts go by. */
struct window_rules monitoring_rules(const struct settings *s);

/* In a child of the master, right after the fork: watch until told to go. */
_Noreturn void monitoring_run(const struct settings *s, struct board *b, struct workers *w, pid_t master);

#endif
