/* heartbeat.h - a worker's sign of life, and the master's notice of its absence (setting worker_hung_ms). */
#ifndef AKIN_HEARTBEAT_H
#define AKIN_HEARTBEAT_H

#include "workers.h"

/* Milliseconds between two signs of life, and between two looks; at most 1000. 0: nobody looks. */
uint32_t heartbeat_ms(const struct settings *s);

/* Worker, its main thread alone: "I am here". */
void heartbeat_give(struct board *b);

/* Master, as often as it likes: kill every worker that has been silent for too long, and say so. They are reaped and
 * replaced like any other that dies. */
void heartbeat_look(struct workers *w);
/* Milliseconds until a look is due; -1: never. */
int64_t heartbeat_wait(const struct workers *w);

#endif
