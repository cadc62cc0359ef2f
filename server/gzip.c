/* gzip.c - a body compressed at once, by zlib.
 *
 * Called for pages that are large, rare and text: /metrics. The fastest level is enough for lines that are nearly alike,
 * and so is a hash table of 16 KB instead of 64; a smaller window would save memory and take a third longer. Fails
 * only when memory is short, and then the plain body is sent. */
#include "gzip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LEVEL	1
#define WINDOW	15			/* bits, of how far back is looked */
#define GZIP	16			/* added to the window: gzip's wrapping instead of zlib's */
#define MEMORY	6

static bool open_stream(struct gzip *g)
{
	if (g->stream)
		return deflateReset(g->stream) == Z_OK;
	g->stream = calloc(1, sizeof *g->stream);
	if (g->stream && deflateInit2(g->stream, LEVEL, Z_DEFLATED, WINDOW + GZIP, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK)
		return true;
	free(g->stream);
	g->stream = NULL;
	return false;
}

static bool make_room(struct gzip *g, size_t need)
{
	if (need <= g->cap)
		return true;
	unsigned char *out = realloc(g->out, need);

	if (!out)
		return false;
	g->out = out;
	g->cap = need;
	return true;
}

bool gzip_body(struct gzip *g, const struct answer *from, struct answer *to)
{
	if (from->failed || !open_stream(g) || !make_room(g, deflateBound(g->stream, from->body_len)))
		return false;
	g->stream->next_in = (unsigned char *)from->memory + ANSWER_HEAD;
	g->stream->avail_in = (unsigned)from->body_len;
	g->stream->next_out = g->out;
	g->stream->avail_out = (unsigned)g->cap;
	if (deflate(g->stream, Z_FINISH) != Z_STREAM_END)
		return false;
	answer_bytes(to, (const char *)g->out, g->cap - g->stream->avail_out);
	return true;
}

void gzip_free(struct gzip *g)
{
	if (g->stream)
		deflateEnd(g->stream);
	free(g->stream);
	free(g->out);
	memset(g, 0, sizeof *g);
}
