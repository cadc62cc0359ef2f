/* counters.h - what one worker counts, laid out once from the list of families (families.h). The block lives in
 * the worker's board slot; its threads add to it, the scrape sums all slots. */
#ifndef AKIN_COUNTERS_H
#define AKIN_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a slot's counters: what board_create() wants. */
size_t counters_size(void);

/* Master, after a worker died: clear its gauges (in progress), for what was in its hands is over. Returns how many
 * requests that was. Totals stay. */
uint64_t counters_bury(void *counters);

#endif
