/* diff.c - what one model has lost and won against another, for people and for scripts. The comparison is the one by
 * which the server decides (shm/compare.h); here nothing is decided, so a difference is no failure. */
#include "diff.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "backtest.h"
#include "options.h"
#include "provenance.h"
#include "report.h"
#include "verify.h"
#include "../shm/compare.h"

#define HITS_OF 10		/* recommendations, in the text */

/* The time of a model's newest row, whose zone nobody knows. */
static const char *until(char text[TIME_TEXT], int64_t seconds)
{
	return seconds == INT64_MIN ? "no dates" : time_of_data(text, seconds);
}

static void print_lost(const char *what, const struct compare_axis *a)
{
	printf("%-14s %u, before %u: %u lost (%.1f %%), %u new\n", what, a->after, a->before, a->lost,
	       compare_percent(a->lost, a->before), a->gained);
}

static void print_kept(const char *what, const struct compare_axis *a)
{
	printf("%-14s %.1f %% of the ids answered before (%u of %u, for %u questions)\n", what,
	       compare_percent(a->kept, a->answered), a->kept, a->answered, a->asked);
}

/* What a model that was learnt from all but the newest data would have hit of those. */
static const char *hits(char text[80], const struct backtest *b)
{
	if (b->split == INT64_MIN)
		return "no backtest";
	snprintf(text, 80, "%.2f %% of %llu items bought anew", backtest_hit_percent(b, HITS_OF),
		 (unsigned long long)b->trials);
	return text;
}

static bool say_text(const struct comparison *c, const struct model *before_model, const struct model *after_model)
{
	char hits_before[80], hits_after[80];
	char before[TIME_TEXT], after[TIME_TEXT];

	print_lost("customers", &c->axis[AXIS_CUSTOMER]);
	print_lost("items", &c->axis[AXIS_ITEM]);
	printf("%-14s %llu, before %llu\n", "interactions", (unsigned long long)c->after->interactions,
	       (unsigned long long)c->before->interactions);
	print_kept("user answers", &c->axis[AXIS_CUSTOMER]);
	print_kept("item answers", &c->axis[AXIS_ITEM]);
	printf("%-14s %s, before %s\n", "hits of 10", hits(hits_after, after_model->backtest),
	       hits(hits_before, before_model->backtest));
	printf("%-14s %s, before %s\n", "data until", until(after, c->after->data_until),
	       until(before, c->before->data_until));
	printf("%-14s %s, before %s\n", "built", time_utc(after, c->after->created), time_utc(before, c->before->created));
	return report_flushed();
}

static json_t *lost_json(const struct compare_axis *a)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:f}", "before", (json_int_t)a->before, "after", (json_int_t)a->after,
			 "lost", (json_int_t)a->lost, "gained", (json_int_t)a->gained,
			 "lost_percent", compare_percent(a->lost, a->before));
}

static json_t *kept_json(const struct compare_axis *a)
{
	return json_pack("{s:I, s:I, s:I, s:f}", "asked", (json_int_t)a->asked, "ids", (json_int_t)a->answered,
			 "kept", (json_int_t)a->kept, "kept_percent", compare_percent(a->kept, a->answered));
}

static json_t *model_json(const char *path, const struct model *m)
{
	const struct model_head *h = m->head;
	char name[1024], checksum[17], data[TIME_TEXT], built[TIME_TEXT];

	snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)h->checksum);
	return json_pack("{s:s, s:s, s:I, s:s*, s:s, s:o}", "model", fault_quote(name, sizeof name, path, strlen(path)),
			 "checksum", checksum, "interactions", (json_int_t)h->interactions,
			 "data_until", h->data_until == INT64_MIN ? NULL : until(data, h->data_until),
			 "built", time_utc(built, h->created), "backtest", report_backtest_json(m->backtest));
}

static bool say_json(const struct diff_options *opt, const struct comparison *c, const struct model *before,
		     const struct model *after)
{
	static const char *const age[] = {[DATA_SAME] = "same", [DATA_NEWER] = "newer", [DATA_OLDER] = "older"};

	return report_print_json(json_pack("{s:o, s:o, s:o, s:o, s:s, s:{s:o, s:o}}",
					   "before", model_json(opt->before, before),
					   "after", model_json(opt->after, after),
					   "customers", lost_json(&c->axis[AXIS_CUSTOMER]),
					   "items", lost_json(&c->axis[AXIS_ITEM]),
					   "data", age[compare_age(c->before, c->after)],
					   "answers", "users", kept_json(&c->axis[AXIS_CUSTOMER]),
					   "items", kept_json(&c->axis[AXIS_ITEM])));
}

int diff_main(int argc, char **argv)
{
	struct diff_options opt;
	struct opened before, after;
	struct comparison c;
	struct fault why = {""};
	int status;

	if (!options_diff(&opt, argc, argv, &status))
		return status;
	if (!verify_open(&before, opt.before, &why)) {
		fprintf(stderr, "akin-prep: %s\n", why.text);
		return 1;
	}
	bool ok = verify_open(&after, opt.after, &why);

	if (ok) {
		ok = compare_models(&c, &before.model, &after.model, &why);
		if (ok)
			ok = opt.json ? say_json(&opt, &c, &before.model, &after.model) : say_text(&c, &before.model, &after.model);
		verify_close(&after);
	}
	if (why.text[0])
		fprintf(stderr, "akin-prep: %s\n", why.text);
	verify_close(&before);
	return ok ? 0 : 1;
}
