/* scrape.c - /metrics, negotiated.
 *
 * Called by serve.c. A page is some 50 KB long, adding up for it takes 40 KB and compressing it 160 KB more, while other answers have hundreds
 * of bytes; and scrapes come one at a time, but each on a connection, and so a thread, of its own. So that not every
 * thread ends up with that memory, a process keeps it once: a scrape takes it, leaving none, and the next one at the
 * same time makes its own, which is freed when there are two. Fails as answers do, when memory is short. */
#include "scrape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gzip.h"
#include "negotiate.h"

#define VARY "Vary: Accept, Accept-Encoding\r\n"

struct scrape {
	struct counters sum;		/* the first, since it wants a multiple of 64 */
	struct answer page;		/* its body only */
	struct gzip gzip;
};

static _Atomic(struct scrape *) kept;

static struct scrape *take(void)
{
	struct scrape *s = atomic_exchange(&kept, NULL);

	if (s)
		return s;
	s = aligned_alloc(_Alignof(struct scrape), sizeof *s);
	if (s)
		memset(s, 0, sizeof *s);
	return s;
}

static void give(struct scrape *s)
{
	s = atomic_exchange(&kept, s);
	if (!s)
		return;
	answer_free(&s->page);
	gzip_free(&s->gzip);
	free(s);
}

static void append(void *of, const char *bytes, size_t len) { answer_bytes(of, bytes, len); }

/* Of two formats and two codings, the client's choice; when it takes none of them, the plainest. */
struct scrape *scrape_answer(struct answer *a, struct exposition *e, const struct request *q)
{
	const char *accept = q->header(q, "Accept");
	struct scrape *s = take();

	if (!s) {
		a->failed = true;
		return NULL;
	}
	e->openmetrics = negotiate_media(accept, "application/openmetrics-text", "1.0.0") >
			 negotiate_media(accept, "text/plain", "0.0.4");
	a->content_type = e->openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
	a->extra = VARY;
	answer_reset(&s->page);
	exposition_write(e, &s->sum, append, &s->page);
	if (!negotiate_gzip(q->header(q, "Accept-Encoding")) || !gzip_body(&s->gzip, &s->page, a)) {
		answer_swap(a, &s->page);
		return s;
	}
	a->extra = "Content-Encoding: gzip\r\n" VARY;
	give(s);
	return NULL;
}

void scrape_sent(struct answer *a, struct scrape *s)
{
	if (!s)
		return;
	answer_swap(a, &s->page);
	give(s);
}
