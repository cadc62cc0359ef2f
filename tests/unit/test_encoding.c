/* test_encoding.c - UTF-8 is kept, the rest is Windows-1252 by the WHATWG index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/encoding.h"

static const struct {
	const char *in, *want;
	bool transcoded;
} cases[] = {
	{"", "", false},
	{"plain", "plain", false},
	{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x84", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x84", false},
	{"Voucher \xa3" "40", "Voucher \xc2\xa3" "40", true},
	{"\xe9", "\xc3\xa9", true},
	{"\xff", "\xc3\xbf", true},
	{"\xa0", "\xc2\xa0", true},
	{"\x80 5", "\xe2\x82\xac 5", true},		/* euro sign */
	{"\x93q\x94", "\xe2\x80\x9cq\xe2\x80\x9d", true},	/* curly quotes */
	{"\x85\x99\x9f", "\xe2\x80\xa6\xe2\x84\xa2\xc5\xb8", true},
	{"\x81\x8d\x8f\x90\x9d", "\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d", true},
	{"\xc0\xaf", "\xc3\x80\xc2\xaf", true},		/* overlong */
	{"\xed\xa0\x80", "\xc3\xad\xc2\xa0\xe2\x82\xac", true},	/* a surrogate */
	{"\xc3\xa9\xe9", "\xc3\x83\xc2\xa9\xc3\xa9", true},	/* half UTF-8 is no UTF-8 */
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char room[64];
		bool transcoded = !cases[i].transcoded;
		struct text in = {cases[i].in, strlen(cases[i].in)};
		struct text out = encoding_utf8(in, room, &transcoded);

		assert_int_equal(transcoded, cases[i].transcoded);
		assert_int_equal(out.len, strlen(cases[i].want));
		assert_memory_equal(out.at, cases[i].want, out.len);
		assert_true(out.len <= ENCODING_GROWTH * in.len);
	}
}

/* The code points of the index that differ from latin-1, as the standard lists them by byte. */
static void test_every_byte(void **state)
{
	static const struct {
		uint8_t byte;
		uint16_t point;
	} differs[] = {
		{0x80, 0x20AC}, {0x82, 0x201A}, {0x83, 0x0192}, {0x84, 0x201E}, {0x85, 0x2026}, {0x86, 0x2020},
		{0x87, 0x2021}, {0x88, 0x02C6}, {0x89, 0x2030}, {0x8A, 0x0160}, {0x8B, 0x2039}, {0x8C, 0x0152},
		{0x8E, 0x017D}, {0x91, 0x2018}, {0x92, 0x2019}, {0x93, 0x201C}, {0x94, 0x201D}, {0x95, 0x2022},
		{0x96, 0x2013}, {0x97, 0x2014}, {0x98, 0x02DC}, {0x99, 0x2122}, {0x9A, 0x0161}, {0x9B, 0x203A},
		{0x9C, 0x0153}, {0x9E, 0x017E}, {0x9F, 0x0178},
	};

	(void)state;
	for (unsigned byte = 0x80; byte <= 0xff; byte++) {
		char in[1] = {(char)byte}, room[3];
		unsigned want = byte, got;
		bool transcoded;
		struct text out = encoding_utf8((struct text){in, 1}, room, &transcoded);

		for (size_t i = 0; i < sizeof differs / sizeof *differs; i++)
			want = differs[i].byte == byte ? differs[i].point : want;
		if (out.len == 2)
			got = (out.at[0] & 0x1fu) << 6 | (out.at[1] & 0x3fu);
		else
			got = (out.at[0] & 0x0fu) << 12 | (out.at[1] & 0x3fu) << 6 | (out.at[2] & 0x3fu);
		assert_true(transcoded);
		assert_int_equal(out.len, want < 0x800 ? 2 : 3);
		assert_int_equal(got, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
