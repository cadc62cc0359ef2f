/* utf8.c - well-formedness after RFC 3629, table 3-7 of the Unicode standard. Reads nothing beyond len. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(uint8_t c) { return (c & 0xc0) == 0x80; }

size_t utf8_length(const char *s, size_t len)
{
	const uint8_t *u = (const uint8_t *)s;

	if (len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		return len >= 2 && is_tail(u[1]) ? 2 : 0;
	if ((u[0] & 0xf0) == 0xe0) {
		if (len < 3 || !is_tail(u[1]) || !is_tail(u[2]))
			return 0;
		if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f))
			return 0;	/* overlong, or a surrogate */
		return 3;
	}
	if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		if (len < 4 || !is_tail(u[1]) || !is_tail(u[2]) || !is_tail(u[3]))
			return 0;
		if ((u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
			return 0;	/* overlong, or above U+10FFFF */
		return 4;
	}
	return 0;
}

size_t utf8_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < len && (uint8_t)s[i + 1] < 0xa0))
			return i;
	}
	return len;
}

bool utf8_valid(const char *s, size_t len)
{
	size_t i = 0;

	while (i + 8 <= len) {		/* eight ASCII bytes at a time: ids and descriptions are mostly that */
		uint64_t word;

		memcpy(&word, s + i, sizeof word);
		if (word & UINT64_C(0x8080808080808080))
			break;
		i += 8;
	}
	while (i < len) {
		size_t n = utf8_length(s + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
