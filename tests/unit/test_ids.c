/* test_ids.c - what may be an id: one rule for who builds a model, who verifies one, and who is told of one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <xxhash.h>

#include "../../shm/utf8.h"
#include "small_model.h"

static void lengths(void **state)
{
	char longest[MODEL_MAX_ID + 1];

	(void)state;
	memset(longest, 'x', sizeof longest);
	assert_true(model_is_id((struct text){longest, 1}));
	assert_true(model_is_id((struct text){longest, MODEL_MAX_ID}));
	assert_false(model_is_id((struct text){longest, MODEL_MAX_ID + 1}));
	assert_false(model_is_id((struct text){longest, 0}));
}

/* All of Unicode, one character at a time, with others around it: U+0000 to U+001F and U+007F to U+009F are controls. */
static void characters(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x110000; code++) {
		bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
		uint8_t id[8] = {'a'};
		size_t n = 1;

		if (code >= 0xd800 && code < 0xe000)
			continue;
		if (code < 0x80) {
			id[n++] = (uint8_t)code;
		} else if (code < 0x800) {
			id[n++] = (uint8_t)(0xc0 | code >> 6);
			id[n++] = (uint8_t)(0x80 | (code & 63));
		} else if (code < 0x10000) {
			id[n++] = (uint8_t)(0xe0 | code >> 12);
			id[n++] = (uint8_t)(0x80 | (code >> 6 & 63));
			id[n++] = (uint8_t)(0x80 | (code & 63));
		} else {
			id[n++] = (uint8_t)(0xf0 | code >> 18);
			id[n++] = (uint8_t)(0x80 | (code >> 12 & 63));
			id[n++] = (uint8_t)(0x80 | (code >> 6 & 63));
			id[n++] = (uint8_t)(0x80 | (code & 63));
		}
		assert_true(utf8_valid((char *)id, n));
		for (size_t end = n; end <= n + 1; end++) {	/* at the end, and in the middle */
			id[n] = 'z';
			if (utf8_control((char *)id, end) != (control ? 1 : end) ||
			    model_is_id((struct text){(char *)id, end}) == control)
				fail_msg("U+%04X of %zu bytes", code, end);
		}
	}
	assert_int_equal(utf8_control("", 0), 0);
}

/* A file may be somebody else's: akin-prep writes no such id. */
static void in_a_model(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *shown, *name;	/* name: of the control character; NULL: it is none */
	} cases[] = {
		{"\0", 1, "\\x00", "U+0000"},	   {"\n", 1, "\\x0a", "U+000A"},
		{"\x1f", 1, "\\x1f", "U+001F"},	   {"\x7f", 1, "\\x7f", "U+007F"},
		{"\xc2\x80", 2, "\\xc2\\x80", "U+0080"}, {"\xc2\x9f", 2, "\\xc2\\x9f", "U+009F"},
		{"~", 1, NULL, NULL},		   {"\xc2\xa0", 2, NULL, NULL},
		{"\xc3\x80", 2, NULL, NULL},	   {"\xe2\x82\x80", 3, NULL, NULL},
	};
	struct small s;
	struct fault why;
	struct model m;
	void *image;
	size_t size;

	(void)state;
	small_random(&s, 12, 9, 60, 3);
	assert_true(small_image(&s, &image, &size));
	assert_true(model_view(&m, image, size, &why));
	struct model_head *h = image;

	for (int k = 0; k < AXES; k++) {
		struct text last = model_id(&m.axis[k], m.axis[k].n - 1);
		char was[3], want[128];

		assert_int_equal(last.len, sizeof was);
		memcpy(was, last.at, sizeof was);
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			size_t at = last.len - cases[i].len;

			memcpy((char *)(uintptr_t)last.at + at, cases[i].bytes, cases[i].len);
			h->checksum = XXH3_64bits((uint8_t *)image + 32, size - 32);
			bool ok = model_verify(&m, &why);

			if (cases[i].name) {
				snprintf(want, sizeof want,
					 "%s id %u, '%.*s%s', has the control character %s at byte %zu, must have none",
					 k == AXIS_ITEM ? "item" : "customer", m.axis[k].n - 1, (int)at, was, cases[i].shown,
					 cases[i].name, at);
				assert_false(ok);
				assert_string_equal(why.text, want);
			} else if (!ok && k == AXIS_CUSTOMER) {
				fail_msg("case %zu: %s", i, why.text);
			} else if (!ok) {	/* which item it is goes into a reference, and that is no longer true */
				assert_non_null(strstr(why.text, "reference"));
			}
			memcpy((char *)(uintptr_t)last.at, was, sizeof was);
		}
	}
	h->checksum = XXH3_64bits((uint8_t *)image + 32, size - 32);
	assert_true(model_verify(&m, &why));
	model_file_free(image, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(characters),
		cmocka_unit_test(in_a_model),
	};

	return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
