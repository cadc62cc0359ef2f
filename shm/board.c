/* board.c - laying out the board, and who may write where.
 *
 * The master creates it before it forks and writes anywhere. A worker inherits the mapping and takes its own rights away:
 * after board_enter() only the pages of its own slot are writable, so that a stray pointer in one worker can spoil that
 * worker's figures and nothing else. A loader, which reads what others have written, has no such pages (board_watch()).
 * Fails when /dev/shm is full or the kernel refuses a mapping. */
#include "board.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOKS	1000	/* at a text that is just being written */
#define LOOK_NS 100000

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static size_t counters_offset(void) { return round_up(sizeof(struct board_slot), 64); }

static uint8_t *slot_at(const struct board *b, uint32_t i)
{
	return b->segment.at + b->head->slots_offset + i * b->head->slot_size;
}

bool board_create(struct board *b, uint32_t slots, size_t counters_size, size_t monitored_size, struct fault *why)
{
	char token[SEGMENT_TOKEN + 1];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t head_size = round_up(sizeof(struct board_head), page);
	size_t slot_size = round_up(counters_offset() + counters_size, page);

	monitored_size = round_up(monitored_size, page);

	memset(b, 0, sizeof *b);
	b->segment.fd = b->model = b->previous = -1;
	if (slots < 1 || slots > BOARD_MAX_SLOTS)
		return fault_set(why, "a board has 1 to %d slots, not %u", BOARD_MAX_SLOTS, slots);
	if (!segment_own(&b->segment, token, head_size + monitored_size + slots * slot_size, why))
		return false;
	b->head = (struct board_head *)(void *)b->segment.at;
	memcpy(b->head->token, token, sizeof token);
	b->head->version = BOARD_VERSION;
	b->head->slots = slots;
	b->head->monitored_offset = head_size;
	b->head->monitored_size = monitored_size;
	b->head->slots_offset = head_size + monitored_size;
	b->head->slot_size = slot_size;
	b->head->counters_size = (uint32_t)counters_size;
	b->head->started = (int64_t)time(NULL);
	b->head->master_pid = (int32_t)getpid();
	atomic_store(&b->head->last_reload_ok, 1);
	atomic_thread_fence(memory_order_release);
	memcpy(b->head->magic, BOARD_MAGIC, sizeof b->head->magic);	/* last: see find.c */
	return true;
}

bool board_enter(struct board *b, uint32_t i, struct fault *why)
{
	uint8_t *own = slot_at(b, i);

	if (mprotect(b->segment.at, b->segment.mapped, PROT_READ) != 0 ||
	    mprotect(own, b->head->slot_size, PROT_READ | PROT_WRITE) != 0)
		return fault_errno(why, "board %s: can't limit this worker to slot %u", b->segment.name, i);
	/* The lock is the master's; a worker's closing its copy of the descriptor leaves it alone. */
	close(b->segment.fd);
	b->segment.fd = -1;
	b->own = own;
	b->own_index = i;
	return true;
}

bool board_enter_monitored(struct board *b, struct fault *why)
{
	if (mprotect(b->segment.at, b->segment.mapped, PROT_READ) != 0 ||
	    mprotect(board_monitored(b), b->head->monitored_size, PROT_READ | PROT_WRITE) != 0)
		return fault_errno(why, "board %s: can't limit the monitor to its pages", b->segment.name);
	close(b->segment.fd);
	b->segment.fd = -1;
	return true;
}

void board_watch(struct board *b) { (void)mprotect(b->segment.at, b->segment.mapped, PROT_READ); }

void board_drop_previous(struct board *b)
{
	if (b->previous_generation > 0)
		close(b->previous);
	b->previous = -1;
	b->previous_generation = 0;
}

void board_keep_model(struct board *b, int fd, uint64_t generation)
{
	board_drop_previous(b);
	b->previous = b->model;
	b->previous_generation = b->model_generation;
	b->model = fd;
	b->model_generation = generation;
}

void board_swap_models(struct board *b, uint64_t generation)
{
	int fd = b->model;

	b->model = b->previous;
	b->previous = fd;
	b->previous_generation = b->model_generation;
	b->model_generation = generation;
}

void board_drop_models(struct board *b)
{
	board_keep_model(b, -1, 0);
	board_drop_previous(b);
}

/* There is one writer, which never waits; a reader that meets it looks again. */
void board_set_reason(struct board *b, const char *text)
{
	struct board_head *h = b->head;

	atomic_fetch_add(&h->reason_turn, 1);
	atomic_thread_fence(memory_order_seq_cst);
	snprintf(h->last_reload_reason, sizeof h->last_reload_reason, "%s", text);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_fetch_add(&h->reason_turn, 1);
}

void board_reason(const struct board *b, char text[BOARD_REASON])
{
	const struct board_head *h = b->head;

	for (int looks = 0; looks < LOOKS; looks++) {
		uint32_t turn = atomic_load(&h->reason_turn);

		memcpy(text, h->last_reload_reason, BOARD_REASON);
		atomic_thread_fence(memory_order_seq_cst);
		if (turn % 2 == 0 && atomic_load(&h->reason_turn) == turn)
			break;
		nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);	/* its writer may not be running */
	}
	text[BOARD_REASON - 1] = '\0';	/* a master that died while it wrote may have left anything */
}

void board_close(struct board *b)
{
	board_drop_models(b);
	segment_close(&b->segment);
	b->head = NULL;
	b->own = NULL;
}

void board_remove(struct board *b)
{
	if (b->head)
		segment_unlink(b->segment.name);
	board_close(b);
}

uint32_t board_slots(const struct board *b) { return b->head->slots; }

const char *board_token(const struct board *b) { return b->head->token; }

struct board_slot *board_slot(const struct board *b, uint32_t i)
{
	return (struct board_slot *)(void *)slot_at(b, i);
}

const void *board_counters(const struct board *b, uint32_t i) { return slot_at(b, i) + counters_offset(); }

struct board_slot *board_own(const struct board *b) { return (struct board_slot *)(void *)b->own; }

void *board_own_counters(const struct board *b) { return b->own + counters_offset(); }

void *board_dead_counters(const struct board *b, uint32_t i) { return slot_at(b, i) + counters_offset(); }

void *board_monitored(const struct board *b) { return b->segment.at + b->head->monitored_offset; }
