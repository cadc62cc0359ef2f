/* reload.c - from a signal to a new generation, and what log and board say of it.
 *
 * Called by master.c, in the master's only thread. A reload that fails changes nothing but the figures. */
#include "reload.h"

#include <signal.h>
#include <string.h>

#include "clock.h"
#include "log.h"

/* A reload builds the next generation beside this one. Better said now than when the first SIGHUP fails. */
static void check_room(const struct generation *g)
{
	uint64_t room = segment_room();

	if (room < g->bytes)
		log_line(LOG_WARN, "a reload will need about %zu bytes for a second generation, and /dev/shm has %llu "
			 "free: make it larger (a container's shm_size)", g->bytes, (unsigned long long)room);
}

static void tell_published(const struct generation *g)
{
	log_line(LOG_INFO, "generation %llu is published: %u items, %u customers, %zu bytes, made in %lld ms",
		 (unsigned long long)g->number, g->items, g->customers, g->bytes, (long long)g->took_ms);
}

/* Make the next generation, and tell the board how long that took, failed or not. */
static enum reload_result load(struct reload *r, struct generation *made, struct fault *why)
{
	uint64_t began = clock_ns();
	enum reload_result result = generation_publish(r->board, r->settings->model, made, why);

	atomic_store(&r->board->head->last_load_ns, clock_ns() - began);
	return result;
}

bool reload_open(struct reload *r, const struct settings *s, struct board *b, struct workers *w, struct fault *why)
{
	*r = (struct reload){.settings = s, .board = b, .workers = w};
	if (load(r, &r->generation, why) != RELOAD_OK)
		return false;
	tell_published(&r->generation);
	check_room(&r->generation);
	return true;
}

void reload_close(struct reload *r)
{
	if (r->board)
		generation_remove(r->board);
}

void reload_ask(struct reload *r)
{
	struct board_head *head = r->board->head;
	struct generation made;
	struct fault why = {""};
	enum reload_result result = load(r, &made, &why);

	atomic_store(&head->last_reload_ok, result == RELOAD_OK);
	atomic_fetch_add(&head->reloads[result], 1);
	if (result != RELOAD_OK) {
		log_line(LOG_ERROR, "the reload failed, generation %llu goes on: %s",
			 (unsigned long long)r->generation.number, why.text);
		return;
	}
	r->generation = made;
	workers_signal(r->workers, SIGUSR2);
	tell_published(&r->generation);
}
