/* feedback_json.c - jansson's memory while it reads a body. Called by feedback_read.c; whoever else uses jansson, or the same
 * thread at another time, gets malloc()'s, as ever. jansson holds nothing but memory while it reads, so leaving it in the
 * middle leaves nothing else behind. */
#include "feedback_json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

struct feedback_piece {			/* before each, in a list, so that it can be freed alone or with all */
	struct feedback_piece *next, **at;
};
_Static_assert(sizeof(struct feedback_piece) % _Alignof(max_align_t) == 0, "what follows is aligned for anything");

struct reading {
	struct feedback_json *json;
	jmp_buf out;
};

static _Thread_local struct reading *now;

static void *take(size_t size)
{
	if (!now)
		return malloc(size);
	struct feedback_piece *p = size > SIZE_MAX - sizeof *p ? NULL : malloc(sizeof *p + size);

	if (!p) {
		now->json->short_of_memory = true;
		longjmp(now->out, 1);
	}
	p->next = now->json->pieces;
	p->at = &now->json->pieces;
	if (p->next)
		p->next->at = &p->next;
	*p->at = p;
	return p + 1;
}

static void give(void *memory)
{
	if (!now || !memory) {
		free(memory);
		return;
	}
	struct feedback_piece *p = (struct feedback_piece *)memory - 1;

	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	free(p);
}

static void use_ours(void) { json_set_alloc_funcs(take, give); }

void feedback_json_open(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, use_ours);
}

bool feedback_json_load(struct feedback_json *j, struct text body, json_error_t *error)
{
	struct reading r = {.json = j};

	*j = (struct feedback_json){.value = NULL};
	feedback_json_open();
	if (setjmp(r.out) == 0) {
		now = &r;
		j->value = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
	}
	now = NULL;
	if (j->value)
		return true;
	bool memory = j->short_of_memory;

	feedback_json_free(j);
	j->short_of_memory = memory;
	return false;
}

void feedback_json_free(struct feedback_json *j)
{
	while (j->pieces) {
		struct feedback_piece *p = j->pieces;

		j->pieces = p->next;
		free(p);
	}
	*j = (struct feedback_json){.value = NULL};
}
