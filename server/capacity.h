/* capacity.h - how many workers and threads "0" is, here. */
#ifndef AKIN_CAPACITY_H
#define AKIN_CAPACITY_H

#include "settings.h"

/* Put numbers in place of the zeros of `workers` and `threads`; cores is how many this process may use. */
void capacity_resolve(struct settings *s, uint32_t cores);
uint32_t capacity_cores(void);

/* Open descriptors that a worker may come to need. */
unsigned long capacity_files(const struct settings *s);

#endif
