/* gate.h - may this model follow the one that is served? The checks of akin.conf(5), GATE, over two models that are
 * sound. */
#ifndef AKIN_GATE_H
#define AKIN_GATE_H

#include "settings.h"
#include "../shm/board.h"
#include "../shm/compare.h"

enum gate_checks { GATE_LOST_ITEMS, GATE_LOST_CUSTOMERS, GATE_OVERLAP, GATE_OLDER, GATE_CHECKS };

struct gate_check {
	const char *name;		/* "lost_items": of the setting, without "gate_" */
	bool passed;
	char seen[96], limit[48];	/* in words, with their units */
};

struct verdict {
	bool accepted;			/* all have passed */
	struct gate_check check[GATE_CHECKS];
};

/* The checks under these settings, whatever the setting `gate` itself says. */
void gate_judge(struct verdict *v, const struct settings *s, const struct comparison *c);

/* "NAME: SEEN, limit LIMIT; ..." of all checks, or of those that failed. Cut to cap. */
void gate_say(const struct verdict *v, bool failed_only, char *text, size_t cap);

/* Compare `next`, which is verified, with what this board's master serves, read through its descriptor, or where this
 * process has none, by its name. RELOAD_NO_MEMORY says why; else *v is the verdict. */
enum reload_result gate_compare(struct verdict *v, const struct settings *s, const struct board *b,
				const struct model *next, struct fault *why);

/* A reload's question. RELOAD_GATED: *why names the checks that failed. said: all of them, in one line. */
enum reload_result gate_reload(const struct settings *s, const struct board *b, const struct model *next, char *said,
			       size_t cap, struct fault *why);

#endif
