/* gate.c - what a new model may have lost, and the words for it.
 *
 * Called by generation.c between verifying and packing, in the loader, and for akin-server --gate. The
 * thresholds are whole percents, and what they are held against are counts, so the verdict is one of integers. A fault is
 * a refusal, or that memory was short, or, for a process that is no child of the master, that the served generation
 * changed faster than it could be opened. */
#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "../shm/packed.h"

#define LOOKS 100			/* at a board whose generation changes while we open it */

static void say_share(struct gate_check *g, uint64_t part, uint64_t whole, const char *of, uint32_t limit)
{
	snprintf(g->seen, sizeof g->seen, "%.1f %% (%llu of %llu%s)", compare_percent(part, whole),
		 (unsigned long long)part, (unsigned long long)whole, of);
	snprintf(g->limit, sizeof g->limit, "%u %%", limit);
}

static void check_lost(struct gate_check *g, const char *name, const struct compare_axis *a, uint32_t limit)
{
	g->name = name;
	g->passed = (uint64_t)a->lost * 100 <= (uint64_t)limit * a->before;
	say_share(g, a->lost, a->before, "", limit);
}

static bool nothing_in_common(const struct comparison *c)
{
	return c->axis[AXIS_ITEM].lost == c->axis[AXIS_ITEM].before &&
	       c->axis[AXIS_CUSTOMER].lost == c->axis[AXIS_CUSTOMER].before;
}

/* Models that answered nothing before have nothing to keep; those that can't be asked the same have kept nothing. */
static void check_overlap(struct gate_check *g, const struct comparison *c, uint32_t limit)
{
	const struct compare_axis *items = &c->axis[AXIS_ITEM], *customers = &c->axis[AXIS_CUSTOMER];
	uint64_t kept = (uint64_t)items->kept + customers->kept, answered = (uint64_t)items->answered + customers->answered;

	g->name = "overlap";
	g->passed = limit == 0 || (kept * 100 >= limit * answered && !nothing_in_common(c));
	say_share(g, kept, answered, " ids", limit);
}

static void say_time(char *text, size_t cap, const char *what, int64_t seconds, const char *format)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char is[40];

	if (seconds == INT64_MIN) {
		snprintf(text, cap, "no dates");
		return;
	}
	if (!gmtime_r(&t, &tm) || strftime(is, sizeof is, format, &tm) == 0)
		snprintf(is, sizeof is, "%lld s", (long long)seconds);
	snprintf(text, cap, "%s%s", what, is);
}

static void check_older(struct gate_check *g, const struct comparison *c, enum gate_older older)
{
	const struct model_head *was = c->before, *is = c->after;
	bool dated = was->data_until != INT64_MIN || is->data_until != INT64_MIN;

	g->name = "older";
	g->passed = older == OLDER_TAKE || compare_age(was, is) != DATA_OLDER;
	if (dated)
		say_time(g->seen, sizeof g->seen, "data until ", is->data_until, "%F %T");
	else
		say_time(g->seen, sizeof g->seen, "built ", is->created, "%FT%TZ");
	if (older == OLDER_TAKE)
		snprintf(g->limit, sizeof g->limit, "none");
	else if (dated)
		say_time(g->limit, sizeof g->limit, "", was->data_until, "%F %T");
	else
		say_time(g->limit, sizeof g->limit, "", was->created, "%FT%TZ");
}

void gate_judge(struct verdict *v, const struct settings *s, const struct comparison *c)
{
	check_lost(&v->check[GATE_LOST_ITEMS], "lost_items", &c->axis[AXIS_ITEM], s->gate_lost_items);
	check_lost(&v->check[GATE_LOST_CUSTOMERS], "lost_customers", &c->axis[AXIS_CUSTOMER], s->gate_lost_customers);
	check_overlap(&v->check[GATE_OVERLAP], c, s->gate_overlap);
	check_older(&v->check[GATE_OLDER], c, s->gate_older);
	v->accepted = true;
	for (int i = 0; i < GATE_CHECKS; i++)
		v->accepted = v->accepted && v->check[i].passed;
}

void gate_say(const struct verdict *v, bool failed_only, char *text, size_t cap)
{
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < GATE_CHECKS; i++) {
		const struct gate_check *g = &v->check[i];

		if ((failed_only && g->passed) || len + 1 >= cap)
			continue;
		len += (size_t)snprintf(text + len, cap - len, "%s%s: %s, limit %s", len ? "; " : "", g->name, g->seen,
					g->limit);
	}
}

/* What is served, mapped. A process of the master's has it by a descriptor; others by a name that a next generation, or
 * a rollback, takes away. */
static bool open_served(struct segment *s, const struct board *b, struct fault *why)
{
	char name[SEGMENT_NAME_MAX];

	for (int looks = 0;; looks++) {
		uint64_t generation = atomic_load_explicit(&b->head->generation, memory_order_acquire);

		segment_model_name(name, board_token(b), generation);
		if (b->model_generation == generation)
			return segment_map(s, b->model, name, why);
		if (segment_open(s, name, why))
			return true;
		if (errno != ENOENT || looks >= LOOKS || atomic_load(&b->head->generation) == generation)
			return false;
	}
}

enum reload_result gate_compare(struct verdict *v, const struct settings *s, const struct board *b,
				const struct model *next, struct fault *why)
{
	struct segment served;
	struct packed packed;
	struct comparison c;

	if (!open_served(&served, b, why))
		return RELOAD_NO_MEMORY;
	bool ok = packed_view(&packed, served.at, served.size, why) && compare_models(&c, &packed.model, next, why);

	if (ok)
		gate_judge(v, s, &c);
	segment_close(&served);
	return ok ? RELOAD_OK : RELOAD_NO_MEMORY;
}

enum reload_result gate_reload(const struct settings *s, const struct board *b, const struct model *next, char *said,
			       size_t cap, struct fault *why)
{
	struct verdict v;
	char failed[384];
	enum reload_result result = gate_compare(&v, s, b, next, why);

	if (result != RELOAD_OK)
		return result;
	gate_say(&v, false, said, cap);
	if (v.accepted)
		return RELOAD_OK;
	gate_say(&v, true, failed, sizeof failed);
	fault_set(why, "refused by the gate: %s", failed);
	return RELOAD_GATED;
}
