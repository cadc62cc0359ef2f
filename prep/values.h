/* values.h - what the text of one field says.
 *
 * The dialects of real exports, gathered in one place. Nothing here allocates, copies or looks beyond the text. */
#ifndef AKIN_VALUES_H
#define AKIN_VALUES_H

#include "../shm/model.h"

/* Without the spaces and tabs around it. */
static inline struct text value_trim(struct text v)
{
	while (v.len && (v.at[0] == ' ' || v.at[0] == '\t')) {
		v.at++;
		v.len--;
	}
	while (v.len && (v.at[v.len - 1] == ' ' || v.at[v.len - 1] == '\t'))
		v.len--;
	return v;
}

/* Does a trimmed text stand for no value? Empty, nan, NaN, NULL, null, None, NA and N/A do, in just these spellings:
 * a shop may well have an item "na". */
bool value_missing(struct text v);

/* A trimmed customer id without the ".0" that a spreadsheet or a float column put behind its digits: 17850.0 is
 * 17850. Other ids stay as they are. */
struct text value_customer(struct text v);

enum value_sign { VALUE_NO_NUMBER, VALUE_NOT_ABOVE_0, VALUE_ABOVE_0 };

/* Is this trimmed text a number above 0? A sign, digits, and an exponent, with one point or comma for decimals or for
 * thousands, or several: before groups of three, and the last, if it is the other one, before decimals. 6, 6.0, 6,0,
 * 1,200, 1.200,5, 1,234,567, .5, -1, +2, 1e3 are numbers; 1.5.2, 12.1.2010 and 1,200,50 are none. Whether 1,200 is
 * 1.2 or 1200 need not be known, as only "above 0" counts. */
enum value_sign value_quantity(struct text v);

#endif
