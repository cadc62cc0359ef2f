/* check.h - -t: what a start would open, looked at without changing anything. */
#ifndef AKIN_CHECK_H
#define AKIN_CHECK_H

#include "settings.h"

/* Could the log and the pid file be opened? Nothing is created, and a pid file may be held. */
bool check_files(const struct settings *s, struct fault *why);

#endif
