/* signals.h - the master's signals, taken one by one. */
#ifndef AKIN_SIGNALS_H
#define AKIN_SIGNALS_H

#include <stdint.h>

/* Before anything else that might get one: block all signals but those of faults, for this process and its children, and
 * have the deaths of children told. */
void signals_block(void);

/* The next signal, or 0 when ms have passed. ms < 0: no limit. */
int signals_next(int64_t ms);

#endif
