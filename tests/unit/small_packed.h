/* small_packed.h - a small model as the workers see it: packed, in memory of its own. */
#ifndef AKIN_SMALL_PACKED_H
#define AKIN_SMALL_PACKED_H

#include "small_model.h"
#include "../../shm/packed.h"

static inline bool small_grow(struct packed_room *room, size_t need, struct fault *why)
{
	if (need > *(size_t *)room->of)
		return fault_set(why, "the room is full");
	room->size = need;
	return true;
}

/* Pack s as this generation. Returns the memory, to be freed with free(); NULL says why on stderr. */
static inline void *small_packed(const struct small *s, uint64_t generation, int64_t published, struct packed *p)
{
	struct fault why = {""};
	struct model m;
	void *image;
	size_t size, used;

	if (!small_image(s, &image, &size))
		return NULL;
	if (!model_view(&m, image, size, &why))
		goto failed;
	size_t bound = packed_bound(&m);
	struct packed_room room = {.at = aligned_alloc(64, (bound + 63) / 64 * 64), .grow = small_grow, .of = &bound};

	if (!room.at || !room.grow(&room, packed_model_offset() + size, &why))
		goto failed;
	memcpy(room.at + packed_model_offset(), image, size);
	model_file_free(image, size);
	if (model_view(&m, room.at + packed_model_offset(), size, &why) &&
	    packed_build(&room, &m, generation, published, &used, p, &why))
		return room.at;
	free(room.at);
	fprintf(stderr, "small_packed: %s\n", why.text);
	return NULL;
failed:
	model_file_free(image, size);
	fprintf(stderr, "small_packed: %s\n", why.text);
	return NULL;
}

#endif
