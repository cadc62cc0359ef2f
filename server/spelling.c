/* spelling.c - for settings.c, when a key is unknown. Pure. */
#include "spelling.h"

#include <ctype.h>
#include <string.h>

size_t spelling_distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = row[0]++;

		for (size_t j = 1; j <= n; j++) {
			size_t change = corner + (tolower((unsigned char)a[i]) != b[j - 1]);
			size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];

			corner = row[j];
			row[j] = change < least + 1 ? change : least + 1;
		}
	}
	return row[n];
}
