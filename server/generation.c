/* generation.c - building a generation beside the one that is served, the store that publishes it, and the way back.
 *
 * Building runs in the master at the start, and in its loader after that (reload.c). The file is read straight to its
 * place in a new segment and verified there before anything in it is believed; then it passes the gate; then it is
 * packed. How much room packing may need (packed_bound()) is known
 * only from a verified model, so the segment is made to the size of the file first, and then its address space, not
 * its memory, is extended to the bound; that may move it, and the model is viewed again. Memory is taken as rows are
 * packed, and what is left over given back. Any failure removes the new segment; nobody has seen it.
 *
 * Publishing and rolling back are the master's alone. A segment's name has the number of the generation that is served
 * from it: what is being built has 0, and gets its number when it is published. The generation before keeps its name and
 * so its memory. To roll back, its segment is given the next number and published again. That needs no memory and no
 * time, and whoever has it mapped under its old number goes on reading the same bytes; for what tells the number is the
 * board, not the segment (pin.c). Two other ways were weighed: a copy needs the memory of a third generation and, for
 * large models, seconds; a segment's number beside the generation's on the board would be two words that workers must
 * read as one. The copy is still made when somebody has removed the name, for a file without one can't be named again.
 *
 * Workers that run find the new segment by its name. One that is forked later has it as a descriptor from the master,
 * since names can be removed from outside (by systemd's RemoveIPC, or a careless rm) and workers must still be
 * replaced then. */
#include "generation.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../shm/model_file.h"
#include "../shm/packed.h"
#include "clock.h"
#include "gate.h"

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

/* In place behind packed_model_offset(): is it sound, and may it follow what is served? */
static enum reload_result examine(const struct segment *s, size_t image, const struct board *b,
				  const struct settings *gate, struct generation *g, struct fault *why)
{
	struct model m;

	if (!model_view(&m, s->at + packed_model_offset(), image, why) || !model_verify(&m, why))
		return RELOAD_INVALID;
	return gate ? gate_reload(gate, b, &m, g->verdict, sizeof g->verdict, why) : RELOAD_OK;
}

static enum reload_result pack(struct segment *s, size_t image, uint64_t number, struct generation *g,
			       struct fault *why)
{
	struct packed_room room = {.grow = grow, .of = s};
	struct model m;
	size_t size;

	if (!model_view(&m, s->at + packed_model_offset(), image, why) || !segment_reserve(s, packed_bound(&m), why) ||
	    !model_view(&m, s->at + packed_model_offset(), image, why))
		return RELOAD_NO_MEMORY;
	room.at = s->at;
	room.size = s->size;
	if (!packed_build(&room, &m, number, (int64_t)time(NULL), &size, NULL, why) || !segment_seal(s, size, why))
		return RELOAD_NO_MEMORY;
	describe(g, &m, s->size);
	return RELOAD_OK;
}

/* What is being built. */
static void unborn_name(char name[SEGMENT_NAME_MAX], const struct board *b) { segment_model_name(name, board_token(b), 0); }

enum reload_result generation_build(const struct board *b, const char *path, const struct settings *gate,
				    struct generation *g, struct fault *why)
{
	struct segment s = {.fd = -1};
	char name[SEGMENT_NAME_MAX];
	size_t image;

	memset(g, 0, sizeof *g);
	unborn_name(name, b);
	enum reload_result result = read_image(&s, name, path, &image, why);

	if (result != RELOAD_OK)
		return result;
	result = examine(&s, image, b, gate, g, why);
	if (result == RELOAD_OK)
		result = pack(&s, image, atomic_load(&b->head->generation) + 1, g, why);
	if (result != RELOAD_OK) {
		fault_at(why, "%s", path);
		segment_unlink(name);
	}
	segment_close(&s);
	return result;
}

void generation_abandon(const struct board *b)
{
	char name[SEGMENT_NAME_MAX];

	unborn_name(name, b);
	segment_unlink(name);
}

static void unlink_model(const struct board *b, uint64_t number)
{
	char name[SEGMENT_NAME_MAX];

	segment_model_name(name, board_token(b), number);
	if (number > 0)
		segment_unlink(name);
}

/* The one store that matters is the release of the generation's number: who reads it finds the segment complete. What
 * was served is the previous one now. */
static void publish(struct board *b, uint64_t number, uint64_t bytes)
{
	struct board_head *h = b->head;

	atomic_store(&h->previous_bytes, atomic_load(&h->segment_bytes));
	atomic_store(&h->previous, atomic_load(&h->generation));
	atomic_store(&h->segment_bytes, bytes);
	atomic_store(&h->generation_published, (int64_t)time(NULL));
	atomic_store_explicit(&h->generation, number, memory_order_release);
}

bool generation_publish(struct board *b, struct generation *g, struct fault *why)
{
	uint64_t older = atomic_load(&b->head->previous);
	char unborn[SEGMENT_NAME_MAX], name[SEGMENT_NAME_MAX];

	g->number = atomic_load(&b->head->generation) + 1;
	unborn_name(unborn, b);
	segment_model_name(name, board_token(b), g->number);
	int reader = segment_reader(unborn, why);

	if (reader < 0 || !segment_rename(unborn, name, why)) {
		if (reader >= 0)
			close(reader);
		return false;
	}
	board_keep_model(b, reader, g->number);
	publish(b, g->number, g->bytes);
	unlink_model(b, older);
	return true;
}

/* The previous one's bytes, which only a descriptor leads to any more, under a name. */
static bool copy_previous(struct board *b, const char *name, struct fault *why)
{
	struct segment from, to;

	if (!segment_map(&from, b->previous, name, why))
		return false;
	bool ok = segment_create(&to, name, from.size, 0, why);
	int reader = -1;

	if (ok) {
		memcpy(to.at, from.at, from.size);
		reader = segment_seal(&to, from.size, why) ? segment_reader(name, why) : -1;
		ok = reader >= 0;
		if (!ok)
			segment_unlink(name);
		segment_close(&to);
	}
	segment_close(&from);
	if (ok) {
		close(b->previous);
		b->previous = reader;
	}
	return ok;
}

bool generation_roll_back(struct board *b, struct generation *g, struct fault *why)
{
	struct board_head *h = b->head;
	uint64_t previous = atomic_load(&h->previous), number = atomic_load(&h->generation) + 1;
	char from[SEGMENT_NAME_MAX], name[SEGMENT_NAME_MAX];

	if (previous == 0)
		return fault_set(why, "no generation is kept that was served before this one");
	segment_model_name(from, board_token(b), previous);
	segment_model_name(name, board_token(b), number);
	if (!segment_rename(from, name, why) && (errno != ENOENT || !copy_previous(b, name, why)))
		return false;
	board_swap_models(b, number);
	publish(b, number, atomic_load(&h->previous_bytes));
	g->number = number;
	return true;
}

void generation_forget_previous(struct board *b)
{
	unlink_model(b, atomic_load(&b->head->previous));
	board_drop_previous(b);
	atomic_store(&b->head->previous, 0);
	atomic_store(&b->head->previous_bytes, 0);
}

void generation_remove(const struct board *b)
{
	if (!b->head)
		return;
	generation_abandon(b);
	unlink_model(b, atomic_load(&b->head->previous));
	unlink_model(b, atomic_load(&b->head->generation));
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
