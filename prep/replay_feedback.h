/* replay_feedback.h - telling the server what was bought after its answers, and what it makes of that. */
#ifndef AKIN_REPLAY_FEEDBACK_H
#define AKIN_REPLAY_FEEDBACK_H

#include "replay_judge.h"

struct feedback {
	struct judge *judge;
	char *body;			/* the events of the next request, a JSON array but for its end */
	size_t length, cap;
	uint32_t *purchase;		/* [options->batch] whose they are */
	uint32_t count;
	uint8_t *again;			/* [purchases] posted before, and the answer was gone */
	json_t *outcomes;		/* how many events by outcome, as the server names them */
	uint64_t posted, contradicted;	/* contradicted: the server and we judged a purchase, and not alike */
};

/* j is borrowed. False: nothing is to be freed. */
bool feedback_open(struct feedback *f, struct judge *j, struct fault *why);
void feedback_close(struct feedback *f);

/* Post a purchase that was judged, of a customer that is known: now, or with others later. A purchase that is NOT_JUDGED is judged
 * by what the server says. */
bool feedback_add(struct feedback *f, uint32_t purchase, struct fault *why);
/* Post what was not posted yet. */
bool feedback_flush(struct feedback *f, struct fault *why);

/* For the report: {posted, contradicted, outcomes}; a new reference, NULL when memory is short. */
json_t *feedback_json(const struct feedback *f);

#endif
