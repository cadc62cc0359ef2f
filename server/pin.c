/* pin.c - generations that come and go under running requests.
 *
 * A few places, never freed, each for one mapped generation. `current` points to the place that new requests get.
 * Request threads take and drop; the main thread alone maps, makes current and unmaps.
 *
 * The danger is a request that has read `current` but has not yet counted itself in while the main thread looks for
 * places to unmap. So a request counts itself in first and then looks whether the place is still current; the main
 * thread changes `current` first and then looks at the count. Each side writes one variable and reads the other's,
 * and at least one must see the other's write: that is the one thing only sequentially consistent operations give,
 * so the four of them are. A request that finds the place is not current any more has touched nothing in it but the
 * count, and tries again. The same four decide who unmaps: a drop that comes to zero and finds another place current
 * wakes the main thread, which finds zero; a main thread that looks before that drop finds the count still held. A
 * place may even be reused meanwhile: a request then sees it current, with all of it published by the store.
 *
 * What fails is mapping: no memory for page tables, or a segment whose name is gone, which matters only to a worker
 * that has been running since before it was published. It is no fault when the board has moved on, since the master
 * removes a generation's name as soon as it has published the next. */
#include "pin.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PLACES 4		/* generations mapped at a time: the current one and those that requests still read */

static struct pin places[PLACES];
static struct pin *_Atomic current;
static int wakeup = -1;

struct pin *pin_take(void)
{
	for (;;) {
		struct pin *p = atomic_load_explicit(&current, memory_order_acquire);

		if (!p)
			return NULL;
		atomic_fetch_add(&p->taken, 1);
		if (atomic_load(&current) == p)
			return p;
		pin_drop(p);
	}
}

void pin_drop(struct pin *p)
{
	if (atomic_fetch_sub(&p->taken, 1) != 1 || atomic_load(&current) == p)
		return;
	uint64_t one = 1;
	int error = errno;

	/* It can only fail when the count is near overflow, and then it is readable already. */
	if (write(pin_wakeup(), &one, sizeof one) != (ssize_t)sizeof one)
		errno = error;
}

int pin_wakeup(void)
{
	return wakeup;
}

static struct pin *free_place(void)
{
	for (int i = 0; i < PLACES; i++) {
		if (!places[i].segment.at)
			return &places[i];
	}
	return NULL;
}

/* The oldest generation still mapped, for the board. */
static void tell_board(struct board *b)
{
	struct pin *now = atomic_load(&current);
	uint64_t oldest = now->packed.generation;
	struct board_slot *slot = board_own(b);

	for (int i = 0; i < PLACES; i++) {
		if (places[i].segment.at && places[i].packed.generation < oldest)
			oldest = places[i].packed.generation;
	}
	atomic_store(&slot->generation, now->packed.generation);
	atomic_store(&slot->oldest, oldest);
}

/* Map what the board names: by the descriptor the master had of it at the fork, or else by name. The board may name the
 * next one by the time a segment is opened. */
static bool map_current(struct pin *p, struct board *b, struct fault *why)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t generation, before = 0;

	for (;;) {
		generation = atomic_load_explicit(&b->head->generation, memory_order_acquire);
		segment_model_name(name, board_token(b), generation);
		if (generation > 0 && generation == b->model_generation) {
			if (!segment_map(&p->segment, b->model, name, why))
				return false;
			break;
		}
		if (segment_open(&p->segment, name, why))
			break;
		if (errno != ENOENT || generation == before)
			return false;
		before = generation;
	}
	if (packed_view(&p->packed, p->segment.at, p->segment.size, why)) {
		if (p->packed.head->generation <= generation) {
			p->packed.generation = generation;	/* more than in its head after a rollback */
			p->packed.published = atomic_load(&b->head->generation_published);
			return true;
		}
		fault_set(why, "%s holds generation %llu", name, (unsigned long long)p->packed.head->generation);
	}
	segment_close(&p->segment);
	return false;
}

bool pin_adopt(struct board *b, struct fault *why)
{
	uint64_t generation = atomic_load_explicit(&b->head->generation, memory_order_acquire);
	struct pin *now = atomic_load(&current), *next;

	if (wakeup < 0) {
		wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (wakeup < 0)
			return fault_errno(why, "can't make a descriptor to wake this worker");
	}
	if (now && now->packed.generation == generation)
		return true;
	next = free_place();
	if (!next)
		return true;
	if (!map_current(next, b, why))
		return false;
	atomic_store(&current, next);
	pin_retire(b);
	return true;
}

void pin_retire(struct board *b)
{
	struct pin *now = atomic_load(&current);
	uint64_t wakes;

	if (!now)
		return;
	while (read(wakeup, &wakes, sizeof wakes) > 0)	/* nothing to read is the usual end */
		;
	for (int i = 0; i < PLACES; i++) {
		struct pin *p = &places[i];

		if (p != now && p->segment.at && atomic_load(&p->taken) == 0)
			segment_close(&p->segment);
	}
	tell_board(b);
}
