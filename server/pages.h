/* pages.h - the answers that are not predictions: /, /healthz, /readyz, /model. Each writes into a, which
 * is empty and 200. b is the board this worker has entered; p is the pinned model, NULL while none is served. */
#ifndef AKIN_PAGES_H
#define AKIN_PAGES_H

#include "http.h"
#include "../shm/board.h"
#include "../shm/packed.h"

void page_root(struct answer *a);
/* Does this process live? Always yes. */
void page_healthz(struct answer *a);
/* Should new requests come here? 503 while nothing is served, and from the moment the tree or this worker drains. */
void page_readyz(struct answer *a, const struct board *b, const struct packed *p);
/* What is served. p is not NULL. */
void page_model(struct answer *a, const struct packed *p);

#endif
