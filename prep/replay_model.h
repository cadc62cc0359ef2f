/* replay_model.h - a model file that is asked as a server would be, or that is known to be what a server serves. */
#ifndef AKIN_REPLAY_MODEL_H
#define AKIN_REPLAY_MODEL_H

#include "reply.h"
#include "transactions.h"
#include "verify.h"
#include "../shm/recommend.h"

struct replay_model {
	struct opened opened;
	struct packed packed;		/* a view of the file, with nothing packed: only row heads are needed */
	const struct transactions *new;	/* what is replayed */
	uint32_t *index[AXES];		/* its customers and items, as the model has them; MODEL_NONE: unknown */
	uint32_t *number;		/* [the model's items] the other way, or REPLY_NO_ITEM */
	uint32_t *owner;		/* [new's items] the customer who was looked at last and has it, plus 1 */
	struct neighbour *out;		/* [n] */
	uint32_t n;
	struct scratch scratch;
};

/* Load and verify the model at path. False: nothing is to be closed. */
bool replay_model_open(struct replay_model *m, const char *path, struct fault *why);
/* The order that the dates had from which it was made. */
enum dates_order replay_model_dates(const struct replay_model *m);
/* Get ready for t, which is borrowed and must outlive m, and answers of n places: before all that follows. */
bool replay_model_match(struct replay_model *m, const struct transactions *t, uint32_t n, struct fault *why);
void replay_model_close(struct replay_model *m);

/* What the model would show customer number `customer` of the transactions, n places. False: memory was short. */
bool replay_model_ask(struct replay_model *m, uint32_t customer, enum fill fill, struct reply *r, struct fault *why);

bool replay_model_knows_item(const struct replay_model *m, uint32_t item);
/* From now on, whether this customer has an item. */
void replay_model_look_at(struct replay_model *m, uint32_t customer);
bool replay_model_has(const struct replay_model *m, uint32_t customer, uint32_t item);

#endif
