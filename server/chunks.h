/* chunks.h - a body that comes in chunks, taken apart: RFC 9112, 7.1. A pure function over bytes. Extensions and
 * trailers are read strictly, bounded, and thrown away. */
#ifndef AKIN_CHUNKS_H
#define AKIN_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "../shm/model.h"

/* Zero-initialised before a body's first byte. */
struct chunks {
	int state;			/* what the next byte has to be; chunks.c has the values */
	unsigned digits;		/* of the size in hand */
	uint64_t left;			/* of the chunk in hand */
	uint64_t besides;		/* bytes of extensions and trailers so far */
};

enum chunks_result {
	CHUNKS_MORE,			/* all bytes are used */
	CHUNKS_DATA,			/* *data is some of the body; call again with what is not used */
	CHUNKS_END,			/* the body is over; what is not used is the next request's */
	CHUNKS_BAD,			/* malformed: nothing that follows can be trusted */
	CHUNKS_LONG,			/* too much that is not body */
};

/* Read bytes[0..len), which follow those of the last call; *used of them are done with. besides: how many bytes all
 * extensions and trailers together may have. */
enum chunks_result chunks_read(struct chunks *c, uint64_t besides, const char *bytes, size_t len, size_t *used,
			       struct text *data);

#endif
