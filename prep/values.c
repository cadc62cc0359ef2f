/* values.c - field texts to meanings, for the reader's row rules. Pure functions; a text that makes no sense is an
 * answer, not a failure. */
#include "values.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool value_missing(struct text v)
{
	static const char *const spellings[] = {"nan", "NaN", "NULL", "null", "None", "NA", "N/A"};

	if (v.len == 0)
		return true;
	if (v.len > 4 || (v.at[0] != 'n' && v.at[0] != 'N'))
		return false;
	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
		if (strlen(spellings[i]) == v.len && memcmp(spellings[i], v.at, v.len) == 0)
			return true;
	return false;
}

struct text value_customer(struct text v)
{
	if (v.len < 3 || v.at[v.len - 1] != '0' || v.at[v.len - 2] != '.')
		return v;
	for (size_t i = 0; i < v.len - 2; i++)
		if (!is_digit(v.at[i]))
			return v;
	return (struct text){v.at, v.len - 2};
}

/* Pass over digits with points and commas between them, as values.h allows them. NULL: they make no number. */
static const char *read_digits(const char *p, const char *end, bool *above)
{
	unsigned separators = 0, first_run = 0, run = 0;
	char thousands = 0;
	bool decimals = false, digits = false;

	for (*above = false; p < end && (is_digit(*p) || *p == '.' || *p == ','); p++) {
		if (is_digit(*p)) {
			digits = true;
			run++;
			*above |= *p != '0';
			continue;
		}
		if (separators == 0) {
			thousands = *p;
			first_run = run;
		} else if (decimals || run != 3 || first_run < 1 || first_run > 3) {
			return NULL;
		} else {
			decimals = *p != thousands;
		}
		separators++;
		run = 0;
	}
	return digits && (separators < 2 || decimals || run == 3) ? p : NULL;
}

enum value_sign value_quantity(struct text v)
{
	const char *p = v.at, *end = v.at + v.len;
	bool negative = false, above;

	if (p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	p = read_digits(p, end, &above);
	if (!p)
		return VALUE_NO_NUMBER;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		if (p == end)
			return VALUE_NO_NUMBER;
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end)
		return VALUE_NO_NUMBER;
	return above && !negative ? VALUE_ABOVE_0 : VALUE_NOT_ABOVE_0;
}
