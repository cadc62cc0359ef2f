/* replay.c - the steps of a replay: open the model, read what is new, put it in order, ask and judge, count, tell. Any
 * failure is one line, and then nothing is told. What was posted to a server by then is posted. */
#include "replay.h"

#include <signal.h>
#include <stdlib.h>

#include "progress.h"
#include "replay_report.h"
#include "replay_text.h"
#include "report.h"

/* All there is of a replay. Each part is zero until its step is done. */
struct replay {
	struct replay_options options;
	struct progress progress;
	struct transactions new;
	struct purchases purchases;
	struct replay_model model;
	struct replay_server *server;
	struct replay_judge judge;
	struct replay_feedback feedback;
	struct replay_score score;
};

static bool read_new(struct replay *r, struct fault *why)
{
	struct reading *how = &r->options.reading;

	if (r->options.model && !replay_model_open(&r->model, r->options.model, why))
		return false;
	if (r->options.model)		/* a week may have no day above 12, and comes from where the model's data came from */
		how->date_order = replay_model_dates(&r->model);
	how->note = progress_note;
	how->progress = progress_step;
	how->of = &r->progress;
	progress_phase(&r->progress, "reading");
	if (!transactions_read(&r->new, how, why) || !purchases_open(&r->purchases, &r->new, why))
		return false;
	return r->new.time || r->options.by == PERIOD_NONE ||
	       fault_set(why, "--by must have dates, but %s", r->new.recency_off);
}

/* Whoever is asked; with both, the file must be what the server serves. */
static bool open_asked(struct replay *r, struct fault *why)
{
	const struct replay_options *o = &r->options;

	if (o->model && !replay_model_match(&r->model, &r->new, o->n, why))
		return false;
	if (!o->server)
		return true;
	r->server = replay_server_open(o, &r->new, why);
	return r->server && (!o->model || replay_server_serves(r->server, r->model.opened.model.head->checksum, why));
}

/* Everything is asked in the order in which it happened. */
static bool ask_all(struct replay *r, struct fault *why)
{
	const struct purchases *p = &r->purchases;
	struct replay_judge *j = &r->judge;

	*j = (struct replay_judge){.options = &r->options, .new = &r->new, .purchases = p,
				    .model = r->options.model ? &r->model : NULL, .server = r->server};
	if (!replay_judge_open(j, why) || (r->options.feedback && !replay_feedback_open(&r->feedback, j, why)))
		return false;
	progress_phase(&r->progress, "asking for items");
	if (!replay_judge_items(j, progress_step, &r->progress, why))
		return false;
	progress_phase(&r->progress, "asking for customers");
	for (uint32_t i = 0; i < p->n; i++) {
		uint32_t customer = r->new.customer[replay_judge_row(j, i)];

		if (!replay_judge_customer(j, customer, false, why))
			return false;
		if (r->options.feedback && j->customer[customer] == SEEN_KNOWN && !replay_feedback_add(&r->feedback, i, why))
			return false;
		progress_step(&r->progress, i, p->n);
	}
	return !r->options.feedback || replay_feedback_flush(&r->feedback, why);
}

static bool tell(struct replay *r)
{
	const struct replay_options *o = &r->options;
	struct replay_result result = {.options = o, .new = &r->new, .purchases = &r->purchases, .score = &r->score,
				       .model = o->model ? &r->model.opened.model : NULL};

	if (o->server)
		result.server = replay_server_json(r->server);
	if (o->feedback)
		result.feedback = replay_feedback_json(&r->feedback);
	json_t *all = (!o->server || result.server) && (!o->feedback || result.feedback) ? replay_report_json(&result) : NULL;

	json_decref(result.server);
	json_decref(result.feedback);
	if (!all || o->json)
		return report_print_json(all);
	replay_text_report(all);
	json_decref(all);
	return report_flushed();
}

static void replay_free(struct replay *r)
{
	replay_score_free(&r->score);
	replay_feedback_close(&r->feedback);
	replay_judge_close(&r->judge);
	replay_server_close(r->server);
	replay_model_close(&r->model);
	purchases_free(&r->purchases);
	transactions_free(&r->new);
}

int replay_main(int argc, char **argv)
{
	struct replay r = {0};
	struct fault why = {""};
	int status;

	if (!options_replay(&r.options, argc, argv, &status))
		return status;
	signal(SIGPIPE, SIG_IGN);	/* a server that goes away is a failed request */
	progress_open(&r.progress, r.options.quiet);

	bool ok = read_new(&r, &why) && open_asked(&r, &why) && ask_all(&r, &why) &&
		  replay_score_make(&r.score, &r.judge,
				    r.options.model ? r.model.opened.model.head->data_until : TRANSACTIONS_NO_TIME, &why);

	progress_clear(&r.progress);
	if (!ok)
		fprintf(stderr, "akin-prep: %s\n", why.text);
	else
		ok = tell(&r);
	replay_free(&r);
	return ok ? 0 : 1;
}
