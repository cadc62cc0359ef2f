/* feedback_rows.h - events as rows of the transactions CSV, from which akin-prep builds the next model:
 *
 *   InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
 *   purchase-00000000000000012a3b4c5d,85123A,,1,2026-11-22 12:00:00,,12350,
 *
 * A purchase has the Quantity 1; clicks and carts have 0, which akin-prep counts as not bought. The invoice is the event and
 * the recommendation_id, when there was one. Times are UTC. What nobody knows is empty; a row without a customer is one that
 * akin-prep passes over. */
#ifndef AKIN_FEEDBACK_ROWS_H
#define AKIN_FEEDBACK_ROWS_H

#include "feedback_read.h"

#define FEEDBACK_HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

/* Zeroed at first; freed by its owner. */
struct feedback_rows {
	char *at;
	size_t len, cap;
	uint32_t count;
};

/* Append an event's row. now: seconds since 1970, for one that does not say when it was. False: memory was short. */
bool feedback_rows_add(struct feedback_rows *r, const struct feedback_event *e, struct text customer, int64_t now);

#endif
