/* test_fault.c - one-line reasons, safe quoting, and what counts as UTF-8. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../shm/fault.h"
#include "../../shm/utf8.h"

static void places_stand_before_rules(void **state)
{
	struct fault f = {""};

	(void)state;
	errno = ENOSPC;
	assert_false(fault_errno(&f, "can't write %d bytes", 7));
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(f.text, "can't write 7 bytes: No space left on device");
	assert_false(fault_at(&f, "model.akin"));
	assert_string_equal(f.text, "model.akin: can't write 7 bytes: No space left on device");
	assert_false(fault_set(NULL, "nobody listens"));
	assert_false(fault_errno(NULL, "nobody listens"));
	assert_false(fault_at(NULL, "nobody listens"));
}

static void overlong_reasons_are_cut(void **state)
{
	struct fault f;
	char name[2000];

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (size_t n = sizeof f.text - 6; n < sizeof f.text + 6; n++) {
		errno = ENOENT;
		fault_errno(&f, "%.*s", (int)n, name);
		assert_true(strlen(f.text) < sizeof f.text);
		fault_at(&f, "%.*s", (int)n, name);
		assert_true(strlen(f.text) < sizeof f.text);
	}
	fault_set(&f, "%s", name);
	assert_int_equal(strlen(f.text), sizeof f.text - 1);
}

static void quoted_bytes_are_printable(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(fault_quote(out, sizeof out, "85123A", 6), "85123A");
	assert_string_equal(fault_quote(out, sizeof out, "a\tb\0c\x7f", 6), "a\\x09b\\x00c\\x7f");
	assert_string_equal(fault_quote(out, sizeof out, "\xc2\xa3 1", 4), "\xc2\xa3 1");
	assert_string_equal(fault_quote(out, sizeof out, "\xa3 1", 3), "\\xa3 1");
	assert_string_equal(fault_quote(out, 12, "0123456789abcdef", 16), "01234567...");
	assert_string_equal(fault_quote(out, 8, "\x01\x02\x03", 3), "\\x01...");
	assert_string_equal(fault_quote(out, sizeof out, "", 0), "");
}

static size_t utf8_of(char *out, uint32_t code)
{
	if (code < 0x80)
		return (size_t)sprintf(out, "%c", (int)code);
	if (code < 0x800)
		return (size_t)sprintf(out, "%c%c", (int)(0xc0 | code >> 6), (int)(0x80 | (code & 0x3f)));
	return (size_t)sprintf(out, "%c%c%c", (int)(0xe0 | code >> 12), (int)(0x80 | (code >> 6 & 0x3f)),
			       (int)(0x80 | (code & 0x3f)));
}

/* What terminals act on, or what makes a line read as another: Cc, Zl, Zp and Bidi_Control of Unicode. */
static void controls_are_not_shown(void **state)
{
	static const uint32_t unsafe[] = {0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c,
					  0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069};
	size_t shown = 0;

	(void)state;
	for (uint32_t code = 1; code < 0x3000; code++) {
		char in[8], out[32];
		size_t len = utf8_of(in, code);
		bool safe = code >= 0x20 && (code < 0x7f || code > 0x9f);

		for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
			safe &= code != unsafe[i];
		fault_quote(out, sizeof out, in, len);
		if ((strcmp(in, out) == 0) != safe || strlen(out) != (safe ? len : 4 * len))
			fail_msg("U+%04X: %s", code, out);
		shown += safe;
	}
	assert_int_equal(shown, 0x2fff - 31 - 33 - 14);
}

/* Every sequence of up to 4 bytes from a set with all borders, against the definition: decode, then ask whether the
 * code point is one and would be written that way. */
static size_t by_definition(const uint8_t *u, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	for (n = 2; n <= 4; n++)
		if ((unsigned)u[0] >> (7 - n) == (0xffu >> (7 - n) & ~1u))
			break;
	if (n > 4 || n > len)
		return 0;
	code = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (u[i] >> 6 != 2)
			return 0;
		code = code << 6 | (u[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

static void utf8_is_what_the_standard_says(void **state)
{
	static const uint8_t border[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
					 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff};
	enum { B = sizeof border };

	(void)state;
	for (size_t k = 0; k < (size_t)B * B * B * B; k++) {
		uint8_t u[4] = {border[k % B], border[k / B % B], border[k / B / B % B], border[k / B / B / B]};

		for (size_t len = 0; len <= 4; len++)
			assert_int_equal(utf8_length((char *)u, len), by_definition(u, len));
	}
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("0123456789 \xc2\xa3 \xe2\x82\xac \xf0\x9f\x8e\x84", 22));
	assert_false(utf8_valid("0123456789 \xc2\xa3 \xe2\x82\xac \xf0\x9f\x8e\x84", 21));
	assert_false(utf8_valid("01234567\xa3", 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_stand_before_rules),
		cmocka_unit_test(overlong_reasons_are_cut),
		cmocka_unit_test(quoted_bytes_are_printable),
		cmocka_unit_test(controls_are_not_shown),
		cmocka_unit_test(utf8_is_what_the_standard_says),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
