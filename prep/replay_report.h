/* replay_report.h - what a replay has found, as JSON. */
#ifndef AKIN_REPLAY_REPORT_H
#define AKIN_REPLAY_REPORT_H

#include "replay_feedback.h"
#include "replay_score.h"

struct replay_result {
	const struct replay_options *options;
	const struct transactions *new;
	const struct purchases *purchases;
	const struct replay_score *score;
	const struct model *model;	/* NULL: there was no file */
	json_t *server, *feedback;	/* replay_server_json(), replay_feedback_json(); NULL: none */
};

/* All there is to say, as an object; a new reference, NULL when memory is short. */
json_t *replay_report_json(const struct replay_result *r);

#endif
