/* gzip.h - answers as gzip (RFC 1952), for clients that take it. */
#ifndef AKIN_GZIP_H
#define AKIN_GZIP_H

#include "http.h"

/* What a thread keeps for it, 64 KB and the longest compressed body, from its first use on. Zero-initialised. */
struct gzip {
	struct z_stream_s *stream;	/* NULL: not used yet */
	unsigned char *out;
	size_t cap;
};

/* Replace the body by its compressed form. False, with nothing changed: memory was short. */
bool gzip_body(struct gzip *g, struct answer *a);
void gzip_free(struct gzip *g);

#endif
