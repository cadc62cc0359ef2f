/* generation.c - building a generation beside the one that is served, and the store that publishes it.
 *
 * Runs in the master's only thread, at start and at SIGHUP. The file is read straight to its place in a new segment
 * and verified there before anything in it is believed. How much room packing may need (packed_bound()) is known
 * only from a verified model, so the segment is made to the size of the file first, and then its address space, not
 * its memory, is extended to the bound; that may move it, and the model is viewed again. Memory is taken as rows are
 * packed, and what is left over given back. Any failure removes the new segment; nobody has seen it.
 *
 * Workers that run find the new segment by its name. One that is forked later has it as a descriptor from the master,
 * since names can be removed from outside (by systemd's RemoveIPC, or a careless rm) and workers must still be
 * replaced then. */
#include "generation.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../shm/model_file.h"
#include "../shm/packed.h"
#include "clock.h"

#define STEP ((size_t)1 << 20)	/* bytes a segment grows by */

static void describe(struct generation *g, const struct model *m, size_t bytes)
{
	g->items = m->head->items;
	g->customers = m->head->customers;
	g->interactions = m->head->interactions;
	g->bytes = bytes;
}

/* In steps, for each is a system call; but near the end of a full /dev/shm what is needed must do. */
static bool grow(struct packed_room *room, size_t need, struct fault *why)
{
	struct segment *s = room->of;
	size_t step = s->size + STEP < s->mapped ? s->size + STEP : s->mapped;

	if ((step <= need || !segment_grow(s, step, NULL)) && !segment_grow(s, need, why))
		return false;
	room->size = s->size;
	return true;
}

/* A new segment with the bytes of the file in the model's place. */
static enum reload_result read_image(struct segment *s, const char *name, const char *path, size_t *size,
				     struct fault *why)
{
	int fd = model_file_open(path, 0, size, why);
	enum reload_result result = RELOAD_UNREADABLE;

	if (fd < 0)
		return result;
	if (!model_file_check(fd, *size, why)) {
		fault_at(why, "%s", path);
		result = RELOAD_INVALID;
	} else if (!segment_create(s, name, packed_model_offset() + *size, 0, why)) {
		fault_at(why, "%s", path);
		result = RELOAD_NO_MEMORY;
	} else if (model_file_read(fd, s->at + packed_model_offset(), *size, why)) {
		result = RELOAD_OK;
	} else {
		segment_unlink(name);
		segment_close(s);
	}
	close(fd);
	return result;
}

static enum reload_result pack(struct segment *s, const char *path, size_t image, struct generation *g,
			       struct fault *why)
{
	struct model m;

	if (!model_view(&m, s->at + packed_model_offset(), image, why) || !model_verify(&m, why)) {
		fault_at(why, "%s", path);
		return RELOAD_INVALID;
	}
	struct packed_room room = {.grow = grow, .of = s};
	size_t size;

	if (!segment_reserve(s, packed_bound(&m), why) ||
	    !model_view(&m, s->at + packed_model_offset(), image, why)) {
		fault_at(why, "%s", path);
		return RELOAD_NO_MEMORY;
	}
	room.at = s->at;
	room.size = s->size;
	if (!packed_build(&room, &m, g->number, (int64_t)time(NULL), &size, NULL, why) || !segment_seal(s, size, why)) {
		fault_at(why, "%s", path);
		return RELOAD_NO_MEMORY;
	}
	describe(g, &m, s->size);
	return RELOAD_OK;
}

/* The one store that matters is the release of the generation's number: who reads it finds the segment complete. */
static void publish(struct board *b, const struct generation *g)
{
	uint64_t before = atomic_load(&b->head->generation);
	char name[SEGMENT_NAME_MAX];

	atomic_store(&b->head->segment_bytes, g->bytes);
	atomic_store(&b->head->generation_published, (int64_t)time(NULL));
	atomic_store_explicit(&b->head->generation, g->number, memory_order_release);
	if (before > 0) {
		segment_model_name(name, board_token(b), before);
		segment_unlink(name);
	}
}

enum reload_result generation_publish(struct board *b, const char *path, struct generation *g, struct fault *why)
{
	int64_t began = clock_ms();
	struct segment s = {.fd = -1};
	char name[SEGMENT_NAME_MAX];
	size_t image;

	memset(g, 0, sizeof *g);
	g->number = atomic_load(&b->head->generation) + 1;
	segment_model_name(name, board_token(b), g->number);
	enum reload_result result = read_image(&s, name, path, &image, why);

	if (result != RELOAD_OK)
		return result;
	result = pack(&s, path, image, g, why);
	int reader = result == RELOAD_OK ? segment_reader(name, why) : -1;

	if (reader >= 0) {
		board_keep_model(b, reader, g->number);
		publish(b, g);
	} else {
		result = result == RELOAD_OK ? RELOAD_NO_MEMORY : result;
		segment_unlink(name);
	}
	segment_close(&s);
	g->took_ms = clock_ms() - began;
	return result;
}

void generation_remove(const struct board *b)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t number = b->head ? atomic_load(&b->head->generation) : 0;

	if (number == 0)
		return;
	segment_model_name(name, board_token(b), number);
	segment_unlink(name);
}

bool generation_check(const char *path, struct generation *g, struct fault *why)
{
	int64_t began = clock_ms();
	struct model m;
	void *image;
	size_t size;

	memset(g, 0, sizeof *g);
	if (!model_file_load(path, &image, &size, why))
		return false;
	bool ok = model_view(&m, image, size, why) && model_verify(&m, why);

	if (ok)
		describe(g, &m, size);
	else
		fault_at(why, "%s", path);
	model_file_free(image, size);
	g->took_ms = clock_ms() - began;
	return ok;
}
