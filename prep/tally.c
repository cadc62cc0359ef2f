/* tally.c - what becomes of a row that is not kept: a count under its reason, and for the first few a line that a
 * person can act on. Fails by strict's or max_bad's wish only. */
#include "tally.h"

#include <stdio.h>

/* The rules as an example states them; the value seen follows in quotes. */
static const char *const rules[DROPS] = {
	[DROP_no_customer] = "a row must have a customer to count, but has",
	[DROP_no_item] = "a row must have an item to count, but has",
	[DROP_not_bought] = "the quantity must be above 0 to count, but is",
	[DROP_too_few_fields] = "a row must have as many fields as the header, but has",
	[DROP_too_many_fields] = "a row must have as many fields as the header, but has",
	[DROP_bad_quantity] = "the quantity must be a number, but is",
	[DROP_bad_date] = "the date must be like 2011-12-09, 12/9/2011 or 9.12.2011 12:50, but is",
	[DROP_bad_id] = "an id must be at most 1024 bytes without control characters, but is",
	[DROP_long_field] = "a field must be at most 65536 bytes, but one is longer:",
	[DROP_bad_quote] = "a quoted field must end with a quote before a delimiter, but this does not:",
};

bool tally_drop(struct tally *y, enum drop_reason reason, const char *file, uint64_t line, struct text seen,
		struct fault *why)
{
	bool malformed = transactions_reason_malformed(reason);
	bool first_bad = malformed && !y->first_bad.text[0];

	y->dropped[reason]++;
	if (y->shown[reason] >= y->how->examples && !first_bad)
		return true;

	char shown[48];
	struct fault example;

	fault_set(&example, "%.200s:%llu: %s '%s'", file, (unsigned long long)line, rules[reason],
		  fault_quote(shown, sizeof shown, seen.at, seen.len));
	if (first_bad)
		y->first_bad = example;
	if (malformed && y->how->strict)
		return fault_set(why, "%s", example.text);
	if (y->shown[reason] < y->how->examples) {
		y->shown[reason]++;
		if (y->how->note)
			y->how->note(y->how->of, example.text);
	}
	return true;
}

bool tally_check(const struct tally *y, uint64_t rows_read, struct fault *why)
{
	uint64_t bad = 0;

	for (enum drop_reason r = 0; r < DROPS; r++)
		bad += transactions_reason_malformed(r) ? y->dropped[r] : 0;
	if (bad == 0 || (double)bad <= y->how->max_bad * (double)rows_read)
		return true;
	return fault_set(why, "%.380s; %llu of %llu rows are malformed, more than the %g %% that --max-bad allows",
			 y->first_bad.text, (unsigned long long)bad, (unsigned long long)rows_read,
			 100 * y->how->max_bad);
}

const char *tally_text(const struct tally *y, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (enum drop_reason r = 0; r < DROPS && at < cap; r++) {
		if (y->dropped[r] == 0)
			continue;
		int n = snprintf(out + at, cap - at, "%s%llu %s", at ? ", " : "", (unsigned long long)y->dropped[r],
				 transactions_reason(r));
		at += n > 0 ? (size_t)n : 0;
	}
	return out;
}
