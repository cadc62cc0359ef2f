/* query.h - the parameters of a prediction, read from the raw query string as FastAPI with pydantic 1 reads them.
 *
 * Pairs stand between '&', a name ends at its first '=', '+' is a space, %XX is decoded once and a malformed escape
 * is taken as it stands. A parameter given twice is
 * refused, where FastAPI takes the last one: which of the two was meant is a guess. Others are ignored. */
#ifndef AKIN_QUERY_H
#define AKIN_QUERY_H

#include "http.h"

enum query_fault {
	QUERY_FINE,
	QUERY_NO_INTEGER,
	QUERY_TOO_SMALL,
	QUERY_TOO_LARGE,
	QUERY_NO_BOOLEAN,
	QUERY_TWICE
};

struct query {
	uint32_t n;
	bool details;
	enum query_fault n_fault;	/* of n */
	enum query_fault details_fault;	/* of details */
};

/* False when a parameter is refused: the fault says why; 1 <= n <= max_n otherwise. */
bool query_parse(struct query *q, struct text query, uint32_t default_n, uint32_t max_n);

/* The 422 of a refused query, in the words of pydantic 1. */
void query_refuse(struct answer *a, const struct query *q, uint32_t max_n);

/* Percent-decode s into out[cap], at most cap bytes of it; returns how many. plus: '+' is a space. Malformed escapes
 * stay as they are. */
size_t query_unescape(char *out, size_t cap, struct text s, bool plus);

#endif
