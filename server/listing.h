/* listing.h - keys with values, told as lines of text or as one JSON object.
 *
 *   text   latency.count 17            worker.0.pid 4711
 *   JSON   {"latency":{"count":17}, "workers":[{"pid":4711}]}
 *
 * The keys are the same in both; in JSON their dots nest. A key that has a value and is the beginning of others as
 * well, "requests" and "requests.2xx", is "total" there: {"requests":{"total":9,"2xx":9}}. */
#ifndef AKIN_LISTING_H
#define AKIN_LISTING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../shm/fault.h"

struct json_t;

struct listing {
	FILE *to;
	struct json_t *root;		/* NULL: text */
	struct json_t *workers;		/* borrowed from root */
	struct json_t *at;		/* where values go: root, or a worker of its */
	char prefix[24];		/* "worker.0." or "", in text */
	bool ok;			/* false: memory was short */
};

void listing_open(struct listing *r, FILE *to, bool json);
/* Values. Text is one line. */
void listing_text(struct listing *r, const char *key, const char *value);
void listing_number(struct listing *r, const char *key, int64_t value);
void listing_count(struct listing *r, const char *key, uint64_t value);
/* How many workers there are; then listing_worker(): what follows is of worker i, which come in order. */
void listing_workers(struct listing *r, uint32_t count);
void listing_worker(struct listing *r, uint32_t i);
/* Write what is not written yet, and forget all. */
bool listing_close(struct listing *r, struct fault *why);

#endif
