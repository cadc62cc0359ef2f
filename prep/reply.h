/* reply.h - what a model or a server would show a customer, in the numbers of the transactions that are replayed. */
#ifndef AKIN_REPLY_H
#define AKIN_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLY_NO_ITEM UINT32_MAX	/* shown, but not in the transactions */
#define REPLY_ID      64		/* bytes of a recommendation_id, at most */

struct reply_place {
	uint32_t item;			/* number in transactions.items, or REPLY_NO_ITEM */
	bool own;			/* of the most similar customer; else from the fill */
};

struct reply {
	bool known;			/* is the customer? Else there is nothing below */
	uint32_t total;			/* places, at most as many as were asked for */
	struct reply_place *place;	/* room for all that are asked for; the caller's */
	char id[REPLY_ID + 1];		/* recommendation_id; "": none */
};

#endif
