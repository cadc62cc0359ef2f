/* monitored.c - the monitor's page on the board: one writer, which may die at any moment, and readers that wait for nobody
 * for long.
 *
 * Written by the monitor (server/monitoring.c), read by a scrape, by --status and by the monitor's successor. What is
 * published has a turn, odd while it is written: a reader that meets the writer looks again, and gives up when the writer seems to
 * have died there; the next one's first writing puts that right. What is kept has two places, and the number of the one
 * that is whole is stored last. */
#include "monitored.h"

#include <string.h>
#include <time.h>

#define LOOKS	1000	/* at what is just being written */
#define LOOK_NS 100000

size_t monitored_size(void) { return sizeof(struct monitored_page); }

struct monitored_page *monitored_page(const struct board *b)
{
	return b->head->monitored_size < sizeof(struct monitored_page) ? NULL : board_monitored(b);
}

bool monitored_read(const struct board *b, struct monitored *m)
{
	const struct monitored_page *p = monitored_page(b);

	for (int looks = 0; p && looks < LOOKS; looks++) {
		uint32_t turn = atomic_load(&p->turn);

		if (turn == 0)
			break;
		memcpy(m, &p->published, sizeof *m);
		atomic_thread_fence(memory_order_seq_cst);
		if (turn % 2 == 0 && atomic_load(&p->turn) == turn)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);	/* its writer may not be running */
	}
	memset(m, 0, sizeof *m);
	return false;
}

/* A turn that is odd already is a dead writer's. */
void monitored_write(const struct board *b, const struct monitored *m)
{
	struct monitored_page *p = monitored_page(b);
	uint32_t turn = atomic_load(&p->turn) | 1;

	atomic_store(&p->turn, turn);
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(&p->published, m, sizeof *m);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&p->turn, turn + 1 ? turn + 1 : 2);	/* 0 would be: nothing yet */
}

void monitored_keep(const struct board *b, const void *what, size_t size)
{
	struct monitored_page *p = monitored_page(b);
	uint32_t place = atomic_load(&p->place) == 1 ? 2 : 1;

	memcpy(p->kept[place - 1], what, size);
	atomic_store(&p->place, place);
}

bool monitored_kept(const struct board *b, void *what, size_t size)
{
	const struct monitored_page *p = monitored_page(b);
	uint32_t place = atomic_load(&p->place);

	if (place != 1 && place != 2)
		return false;
	memcpy(what, p->kept[place - 1], size);
	return true;
}
