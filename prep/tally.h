/* tally.h - the count of rows that are not kept, the examples shown of them, and when they are too many. */
#ifndef AKIN_TALLY_H
#define AKIN_TALLY_H

#include "transactions.h"
#include "../shm/model.h"

struct tally {
	const struct reading *how;
	uint64_t *dropped;		/* [DROPS], of the transactions */
	unsigned shown[DROPS];		/* examples given */
	struct fault first_bad;		/* the first malformed row, as a line */
};

/* One row that is not kept. seen is the text that broke the rule. False when strict says that this one refuses the
 * input; *why is the example then. */
bool tally_drop(struct tally *y, enum drop_reason reason, const char *file, uint64_t line, struct text seen,
		struct fault *why);

/* After the last row: may the input pass? */
bool tally_check(const struct tally *y, uint64_t rows_read, struct fault *why);

/* "1 without a customer, 2 ..." of all reasons that occurred; returns out. */
const char *tally_text(const struct tally *y, char *out, size_t cap);

#endif
