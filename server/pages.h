/* pages.h - the answers that are not predictions: /, /healthz, /readyz, /model, /metrics. Each writes into a, which
 * is empty and 200. b is the board this worker has entered; p is the pinned model, NULL while none is served. */
#ifndef AKIN_PAGES_H
#define AKIN_PAGES_H

#include "gzip.h"
#include "http.h"
#include "../metrics/exposition.h"
#include "../shm/board.h"
#include "../shm/packed.h"

void page_root(struct answer *a);
/* Does this process live? Always yes. */
void page_healthz(struct answer *a);
/* Should new requests come here? 503 while nothing is served, and from the moment the tree or this worker drains. */
void page_readyz(struct answer *a, const struct board *b, const struct packed *p);
/* What is served. p is not NULL. */
void page_model(struct answer *a, const struct packed *p);
/* The numbers, as Prometheus reads them; in which format, and whether compressed, is what q asks for. `settled` is the
 * part of it that no request changes. */
void page_metrics(struct answer *a, const struct exposition *settled, const struct packed *p, const struct request *q,
		  struct gzip *gzip);

#endif
