/* scrape.h - the answer to a scrape of /metrics: in the format and the coding that is asked for. */
#ifndef AKIN_SCRAPE_H
#define AKIN_SCRAPE_H

#include "http.h"
#include "../metrics/exposition.h"

struct scrape;

/* Write the page into a, which is empty; e says what, and which of the formats is filled in. What is returned, maybe
 * NULL, holds the page's memory: scrape_sent() wants it back when a is sent. */
struct scrape *scrape_answer(struct answer *a, struct exposition *e, const struct request *q);
void scrape_sent(struct answer *a, struct scrape *s);

#endif
