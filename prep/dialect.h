/* dialect.h - what kind of text the input is, from its head. */
#ifndef AKIN_DIALECT_H
#define AKIN_DIALECT_H

#include "../shm/fault.h"
#include "../shm/model.h"

struct dialect {
	char delimiter;
	size_t skip;			/* bytes before the header: a UTF-8 byte-order mark */
};

/* Find the dialect from the first bytes of an input (the more the better, at least the whole header). delimiter 0:
 * find it out, as the one of , ; tab and | that the header has most of outside quotes, the earlier when equal.
 * False: this is no text with a header that we can read; *why says what it looks like, without a place. */
bool dialect_find(struct dialect *d, struct text head, char delimiter, struct fault *why);

#endif
