/* encoding.c - Windows-1252 to UTF-8, for the reader's ids and descriptions. Cannot fail. */
#include "encoding.h"

#include "../shm/utf8.h"

/* What Windows-1252 has where latin-1 has the C1 controls. The five bytes it leaves open stay controls. */
static const uint16_t high_controls[32] = {
	0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d,
	0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
	0x0153, 0x009d, 0x017e, 0x0178,
};

static size_t put_utf8(char *out, unsigned point)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | point >> 12);
	out[1] = (char)(0x80 | (point >> 6 & 0x3f));
	out[2] = (char)(0x80 | (point & 0x3f));
	return 3;
}

struct text encoding_utf8(struct text v, char *room, bool *transcoded)
{
	*transcoded = !utf8_valid(v.at, v.len);
	if (!*transcoded)
		return v;

	size_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		unsigned byte = (uint8_t)v.at[i];

		n += put_utf8(room + n, byte >= 0x80 && byte < 0xa0 ? high_controls[byte - 0x80] : byte);
	}
	return (struct text){room, n};
}
