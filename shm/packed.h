/* packed.h - the matrices as they are served: a model image and, behind it, the rest of every row, packed.
 *
 * A row is split. Its head, the first row_limit neighbours in rank order, stands raw in the image: 50 neighbours
 * are read in about 50 ns. Its rest, where the model asks for whole rows, is one byte a neighbour in index order
 * (the co-count, nearly always small), LZ4-compressed: dense counts compress, ranked ids do not. Whatever is not
 * stored is computed from the member lists, so every n and every pair has its exact answer either way.
 *
 *   packed image:  struct packed_head | model image | starts of rests | rests
 *
 * The master writes it once; everybody else maps it read-only. */
#ifndef AKIN_PACKED_H
#define AKIN_PACKED_H

#include "model.h"
#include "rank.h"

#define PACKED_MAGIC   "AKINPACK"
#define PACKED_VERSION 1

struct packed_head {			/* written by the master, before anyone else can map it */
	char magic[8];
	uint32_t version;
	uint32_t reserved;
	uint64_t generation;		/* that it was made to be: 1 for the first model a master serves, then +1 a reload */
	uint64_t size;			/* bytes of all */
	uint64_t model_offset;
	uint64_t model_size;
	uint64_t rest_starts[AXES];	/* offset of u64[n + 1], themselves offsets; 0: this axis keeps no rests */
	int64_t published;		/* seconds since 1970 */
};

struct packed {
	const struct packed_head *head;
	uint64_t generation;		/* what it is served as, and since when. packed_view() has both from the head; who */
	int64_t published;		/* maps what has been rolled back to knows better, and says so here */
	struct model model;
	const uint64_t *rest_start[AXES]; /* NULL: none kept */
};

/* Where the bytes go: a region that grows. Keeps `at` in place while it does (a mapping made large enough, grown
 * behind by posix_fallocate), since views point into it. */
struct packed_room {
	uint8_t *at;
	size_t size;			/* usable now */
	bool (*grow)(struct packed_room *room, size_t need, struct fault *why); /* make size >= need */
	void *of;			/* for grow */
};

/* Bytes an image of this model takes at the most: what the room must be able to grow to. */
size_t packed_bound(const struct model *m);
/* Offset of the model image in a packed image: read the file to room->at + this, then call packed_build(). */
size_t packed_model_offset(void);

/* Pack the rests of the model that stands, verified, at packed_model_offset() in the room, and write the head.
 * *size is what the image takes in the end. p, when not NULL, becomes a view. */
bool packed_build(struct packed_room *room, const struct model *m, uint64_t generation, int64_t published,
		  size_t *size, struct packed *p, struct fault *why);

/* View a packed image that packed_build() made (maybe in another process). */
bool packed_view(struct packed *p, const void *image, size_t size, struct fault *why);

/* Memory for one thread's lookups beyond the heads. Starts zeroed; grows on first need and with the model. */
struct scratch {
	uint32_t *co;			/* counts of a whole row */
	size_t co_cap;
	uint8_t *dense;			/* an unpacked rest */
	size_t dense_cap;
	struct ranker ranker[AXES];
	uint64_t ranker_of[AXES];	/* generation the ranker was opened for; 0: none */
};
void scratch_free(struct scratch *s);
/* n bytes of it, zeroed, until the next call with s; NULL when memory is short. */
uint8_t *scratch_marks(struct scratch *s, size_t n);

/* The best n neighbours of entry i into out[], best first: from the head while that reaches, else from the rest or
 * the member lists. Returns how many there are, at most n; fewer only when the row holds no more. False in *ok
 * when memory was short (then 0). Within the head nothing is allocated and s is not touched. */
size_t packed_top(const struct packed *p, enum axis_kind kind, uint32_t i, struct neighbour *out, size_t n,
		  struct scratch *s, bool *ok);

#endif
