/* replay_feedback.h - telling the server what was bought after its answers, and what it makes of that. */
#ifndef AKIN_REPLAY_FEEDBACK_H
#define AKIN_REPLAY_FEEDBACK_H

#include "replay_judge.h"

struct replay_feedback {
	struct replay_judge *judge;
	char *body;			/* the events of the next request, a JSON array but for its end */
	size_t length, cap;
	uint32_t *purchase;		/* [options->batch] whose they are */
	uint32_t count;
	uint8_t *again;			/* [purchases] posted before, and the answer was gone */
	json_t *outcomes;		/* how many events by outcome, as the server names them */
	uint64_t posted, contradicted;	/* contradicted: the server and we judged a purchase, and not alike */
};

/* j is borrowed. False: nothing is to be freed. */
bool replay_feedback_open(struct replay_feedback *f, struct replay_judge *j, struct fault *why);
void replay_feedback_close(struct replay_feedback *f);

/* Post a purchase that was judged, of a customer that is known: now, or with others later. A purchase that is NOT_JUDGED is judged
 * by what the server says. */
bool replay_feedback_add(struct replay_feedback *f, uint32_t purchase, struct fault *why);
/* Post what was not posted yet. */
bool replay_feedback_flush(struct replay_feedback *f, struct fault *why);

/* For the report: {posted, contradicted, outcomes}; a new reference, NULL when memory is short. */
json_t *replay_feedback_json(const struct replay_feedback *f);

#endif
