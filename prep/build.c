/* build.c - the pipeline: read, backtest, interactions, popularity, similarities, references, write. What a step needed is
 * freed before the next begins. Any failure is one line, and the model that is there stays as it was. */
#include "build.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backtest.h"
#include "destination.h"
#include "interactions.h"
#include "options.h"
#include "popularity.h"
#include "progress.h"
#include "provenance.h"
#include "references.h"
#include "report.h"
#include "similarity.h"
#include "visits.h"
#include "../shm/json_text.h"
#include "../shm/model_file.h"

/* All there is of a model before it is bytes. Each part is zero until its step is done. */
struct build {
	struct build_options options;
	struct progress progress;
	struct interactions interactions;
	struct popularity popularity;
	struct similarity similarity[AXES];
	struct visits visits;
	struct reference references[FEATURE_BINNED];
	struct backtest backtest;
	const char *backtest_off;	/* why there is none, a literal; NULL: there is one */
	struct model_head head;
	json_t *provenance;
	struct effort effort;
};

static bool read_input(struct build *b, struct transactions *t, struct fault *why)
{
	struct reading *how = &b->options.reading;

	how->note = progress_note;
	how->progress = progress_step;
	how->of = &b->progress;
	progress_phase(&b->progress, "reading");
	return transactions_read(t, how, why);
}

/* Everything that is said of the model as a whole. */
static bool describe(struct build *b, const struct transactions *t, struct fault *why)
{
	struct model_head *h = &b->head;

	h->items = b->interactions.side[AXIS_ITEM].n;
	h->customers = b->interactions.side[AXIS_CUSTOMER].n;
	h->interactions = b->interactions.pairs;
	h->data_until = b->popularity.newest;
	for (int k = 0; k < AXES; k++) {
		uint64_t n = b->interactions.side[k].n;

		h->row_limit[k] = b->options.row_limit;
		h->whole[k] = b->options.neighbours == NEIGHBOURS_ALL ||
			      (b->options.neighbours == NEIGHBOURS_AUTO && n * n <= WHOLE_CELLS_MAX);
	}
	b->provenance = provenance_make(t, &b->options, b->backtest_off, h->created, h->data_until);
	return b->provenance || fault_set(why, "no memory for the provenance");
}

static bool try_older(struct build *b, const struct transactions *t, struct fault *why)
{
	const struct similarity_progress progress = {progress_step, &b->progress};
	const struct backtest_how how = {b->options.backtest_days, b->options.threads, &progress};

	progress_phase(&b->progress, "backtest");
	return backtest_run(&b->backtest, &b->backtest_off, t, &how, why);
}

/* The steps that need the rows; afterwards they are gone. */
static bool digest_input(struct build *b, struct fault *why)
{
	struct transactions t = {0};
	double begun = clock_seconds();

	if (!read_input(b, &t, why))
		return false;
	double read = clock_seconds();
	bool ok = try_older(b, &t, why);
	double tried = clock_seconds();

	progress_phase(&b->progress, "interactions");
	ok = ok && interactions_build(&b->interactions, &t, why) &&
	     popularity_build(&b->popularity, &t, &b->interactions, why) &&
	     visits_count(&b->visits, &t, &b->interactions, why) && describe(b, &t, why);

	transactions_free(&t);
	b->effort.read = read - begun;
	b->effort.backtest = tried - read;
	b->effort.interactions = clock_seconds() - tried;
	return ok;
}

static bool compute_rows(struct build *b, struct fault *why)
{
	static const char *const phase[AXES] = {[AXIS_ITEM] = "similarities of items",
						[AXIS_CUSTOMER] = "similarities of customers"};
	const struct similarity_progress progress = {progress_step, &b->progress};
	double begun = clock_seconds();

	for (int k = 0; k < AXES; k++) {
		struct axis own = interactions_axis(&b->interactions, k);
		struct axis other = interactions_axis(&b->interactions, axis_other((enum axis_kind)k));

		progress_phase(&b->progress, phase[k]);
		if (!similarity_build(&b->similarity[k], &own, &other, b->options.row_limit, NULL, b->options.threads,
				      &progress, why))
			return false;
	}
	b->effort.similarities = clock_seconds() - begun;
	return true;
}

/* What the model's own entities look like, from what will be written. */
static bool compute_references(struct build *b, struct fault *why)
{
	struct model m = {.popular = b->popularity.all, .first_seen = b->interactions.first_seen};

	for (int k = 0; k < AXES; k++) {
		m.axis[k] = interactions_axis(&b->interactions, k);
		m.axis[k].row_start = b->similarity[k].row_start;
		m.axis[k].rows = b->similarity[k].rows;
		m.axis[k].row_limit = b->options.row_limit;
	}
	return references_build(b->references, &m, why);
}

static bool write_model(struct build *b, struct fault *why)
{
	const struct interactions *x = &b->interactions;
	uint32_t items = x->side[AXIS_ITEM].n;
	double begun = clock_seconds();
	char *provenance = json_text(b->provenance, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
	struct model_part part[SECTIONS];

	progress_phase(&b->progress, "writing");
	if (!provenance)
		return fault_set(why, "no memory for the provenance");
	for (int k = 0; k < AXES; k++) {
		struct model_part *p = part + (k == AXIS_ITEM ? SECTION_ITEM_ID_STARTS : SECTION_CUSTOMER_ID_STARTS);
		const struct side *s = &x->side[k];
		const struct similarity *rows = &b->similarity[k];
		uint64_t starts = ((uint64_t)s->n + 1) * sizeof(uint64_t);

		p[0] = (struct model_part){s->id_start, starts};
		p[1] = (struct model_part){s->ids, s->id_start[s->n]};
		p[2] = (struct model_part){s->member_start, starts};
		p[3] = (struct model_part){s->members, x->pairs * sizeof *s->members};
		p[4] = (struct model_part){rows->row_start, starts};
		p[5] = (struct model_part){rows->rows, rows->row_start[s->n] * sizeof *rows->rows};
	}
	part[SECTION_DESCRIPTION_STARTS] =
		(struct model_part){x->description_start, ((uint64_t)items + 1) * sizeof *x->description_start};
	part[SECTION_DESCRIPTIONS] = (struct model_part){x->descriptions, x->description_start[items]};
	part[SECTION_FIRST_SEEN] = (struct model_part){x->first_seen, (uint64_t)items * sizeof *x->first_seen};
	part[SECTION_POPULAR] =
		(struct model_part){b->popularity.all, (uint64_t)items * sizeof *b->popularity.all};
	part[SECTION_RECENT] = (struct model_part){b->popularity.recent,
						   (uint64_t)b->popularity.recent_count * sizeof *b->popularity.recent};
	part[SECTION_VISITS] = (struct model_part){b->visits.visits, x->side[AXIS_CUSTOMER].n * sizeof *b->visits.visits};
	part[SECTION_LINES] = (struct model_part){b->visits.lines, items * sizeof *b->visits.lines};
	part[SECTION_REFERENCES] = (struct model_part){b->references, sizeof b->references};
	part[SECTION_BACKTEST] = (struct model_part){&b->backtest, sizeof b->backtest};
	part[SECTION_PROVENANCE] = (struct model_part){provenance, strlen(provenance)};

	bool ok = model_file_write(b->options.output, &b->head, part, why);

	free(provenance);
	b->effort.write = clock_seconds() - begun;
	return ok;
}

/* The most memory this program had at a time, in bytes. Linux knows it for the program; getrusage() counts what its
 * parent had before it became this program, too. */
static uint64_t peak_memory(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long kilobytes = 0;
	struct rusage usage;
	char line[128];

	while (status && kilobytes == 0 && fgets(line, sizeof line, status))
		if (sscanf(line, "VmHWM: %llu kB", &kilobytes) != 1)
			kilobytes = 0;
	if (status)
		fclose(status);
	if (kilobytes == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
		kilobytes = (unsigned long long)usage.ru_maxrss;
	return kilobytes * 1024;
}

static bool summarise(struct build *b)
{
	b->effort.threads = b->options.threads;
	b->effort.total = clock_seconds() - b->progress.begun;
	b->effort.peak_memory = peak_memory();
	if (b->options.json) {
		json_t *all = report_json(b->options.output, &b->head, &b->backtest, b->provenance);

		if (!all || json_object_update_new(all, report_effort_json(&b->effort)) != 0) {
			json_decref(all);
			all = NULL;
		}
		return report_print_json(all);
	}
	if (b->options.quiet)
		return true;
	report_text(stdout, b->options.output, &b->head, &b->backtest, b->provenance);
	report_effort_text(stdout, &b->effort, b->options.verbose);
	return report_flushed();
}

static void build_free(struct build *b)
{
	json_decref(b->provenance);
	for (int k = 0; k < AXES; k++)
		similarity_free(&b->similarity[k]);
	visits_free(&b->visits);
	popularity_free(&b->popularity);
	interactions_free(&b->interactions);
}

int build_main(int argc, char **argv)
{
	struct build b = {0};
	struct fault why = {""};
	const struct reading *how = &b.options.reading;
	int status;

	if (!options_build(&b.options, argc, argv, &status))
		return status;
	signal(SIGXFSZ, SIG_IGN);	/* too large a file is a failed write(), and its reason is said */
	progress_open(&b.progress, b.options.quiet);

	bool ok = provenance_now(&b.head.created, &why) &&
		  destination_check(b.options.output, how->paths, how->path_count, &why) &&
		  digest_input(&b, &why) && compute_rows(&b, &why) && compute_references(&b, &why) &&
		  write_model(&b, &why);

	progress_clear(&b.progress);
	if (!ok)
		fprintf(stderr, "akin-prep: %s\n", why.text);
	else
		ok = summarise(&b);
	build_free(&b);
	return ok ? 0 : 1;
}
