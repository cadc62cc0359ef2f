/* trial.c - a reload's question, asked from outside: before a file is put where a reload would find it.
 *
 * Called by main.c for --gate, in a process of its own. The file is read as a reload reads it; what is served is mapped
 * read-only from the server's shared memory, by its name. The server notices nothing. */
#include "trial.h"

#include <stdio.h>

#include "../shm/model_file.h"
#include "gate.h"
#include "running.h"

/* Returns what to exit with. */
static int say(const struct verdict *v, bool refuse)
{
	const char *between = "refused: ";

	for (int i = 0; i < GATE_CHECKS; i++)
		printf("%s %s: %s, limit %s\n", v->check[i].passed ? "pass" : "fail", v->check[i].name, v->check[i].seen,
		       v->check[i].limit);
	refuse = refuse && !v->accepted;
	for (int i = 0; refuse && i < GATE_CHECKS; i++) {
		if (v->check[i].passed)
			continue;
		printf("%s%s", between, v->check[i].name);
		between = ", ";
	}
	puts(refuse ? "" : "accepted");
	return fflush(stdout) != 0 || refuse;
}

static int compare(const struct settings *s, const struct board *b, const char *path, struct fault *why)
{
	struct verdict v;
	struct model m;
	void *image;
	size_t size;

	if (atomic_load(&b->head->generation) == 0)
		return fault_set(why, "the server has not loaded its first model yet"), 1;
	if (!model_file_load(path, &image, &size, why))
		return 1;
	bool ok = (model_view(&m, image, size, why) && model_verify(&m, why)) || fault_at(why, "%s", path);

	ok = ok && gate_compare(&v, s, b, &m, why) == RELOAD_OK;
	model_file_free(image, size);
	return ok ? say(&v, s->gate == GATE_ON) : 1;
}

int trial(const struct settings *s, const char *path, struct fault *why)
{
	struct running r;

	switch (running_open(&r, s, why)) {
	case RUNNING_NO:
		fault_set(why, "no server runs with these settings");
		return EXIT_NOT_RUNNING;
	case RUNNING_UNCLEAR:
		return 1;
	default:
		break;
	}
	int status = compare(s, &r.board, path, why);

	running_close(&r);
	return status;
}
