/* replay_judge.h - what became of each purchase: the heart of akin-prep replay.
 *
 * Whoever is asked is asked once for each customer, when the first purchase of that customer comes up, and all of the
 * customer's purchases are held against the one answer. */
#ifndef AKIN_REPLAY_JUDGE_H
#define AKIN_REPLAY_JUDGE_H

#include "purchases.h"
#include "replay_model.h"
#include "replay_server.h"

/* In the order in which they are looked at; the first that is true counts. NOT_JUDGED: only the server could tell whether
 * it is a miss, and has not. */
enum standing { UNKNOWN_CUSTOMER, UNKNOWN_ITEM, REPEAT, HIT, MISS, NOT_JUDGED, STANDINGS };

struct judged {				/* a purchase */
	uint32_t place;			/* of a hit, from 0 */
	bool own;			/* of a hit: not from the fill */
	uint8_t standing;		/* enum standing */
};

struct replay_judge {
	const struct replay_options *options;
	const struct transactions *new;
	const struct purchases *purchases;
	struct replay_model *model;	/* NULL: only a server is asked */
	struct replay_server *server;	/* NULL: the model is asked */
	struct judged *judged;		/* [purchases] */
	uint8_t *customer;		/* [customers] enum seen */
	uint8_t *item;			/* [items] enum seen */
	char (*id)[REPLY_ID + 1];	/* [customers] recommendation_id of the last answer; NULL without --feedback */
	uint32_t *place_of;		/* [items] in the answer at hand, or UINT32_MAX */
	struct reply reply;
};

enum seen { NOT_ASKED, SEEN_KNOWN, SEEN_UNKNOWN };

/* j's first five members are set and borrowed, the others zero. False: nothing is to be freed. */
bool replay_judge_open(struct replay_judge *j, struct fault *why);
void replay_judge_close(struct replay_judge *j);

/* Find out which items are known. */
bool replay_judge_items(struct replay_judge *j, void (*step)(void *of, uint64_t done, uint64_t total), void *of,
			struct fault *why);

/* Ask for a customer, if that was not done yet or `again`, and then judge all of the customer's purchases. Again, only
 * the answer's name is taken: the verdicts stand. */
bool replay_judge_customer(struct replay_judge *j, uint32_t customer, bool again, struct fault *why);

/* The customer and the item of a purchase, as numbers of the transactions. */
static inline uint32_t replay_judge_row(const struct replay_judge *j, uint32_t purchase)
{
	return j->purchases->order[j->purchases->at[purchase]];
}

#endif
