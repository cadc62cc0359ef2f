/* gzip.h - answers as gzip (RFC 1952), for clients that take it. */
#ifndef AKIN_GZIP_H
#define AKIN_GZIP_H

#include "http.h"

/* What is kept for it from its first use on: 160 KB, and room for the longest body. Zero-initialised. */
struct gzip {
	struct z_stream_s *stream;	/* NULL: not used yet */
	unsigned char *out;
	size_t cap;
};

/* Append the body of `from`, compressed, to that of `to`. False, with nothing changed: memory was short. */
bool gzip_body(struct gzip *g, const struct answer *from, struct answer *to);
void gzip_free(struct gzip *g);

#endif
