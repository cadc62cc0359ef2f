/* test_keys.c - the file of API keys: what it may say, what is refused, and that no refusal tells a key. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../server/keys.h"

#define KEY "0123456789abcdef"
#define K32 KEY KEY
#define K128 K32 K32 K32 K32

static struct key_list list;
static struct fault why;

static bool parse(const char *text) { return keys_parse(&list, "keys", text, strlen(text), &why); }

static void a_file(void **state)
{
	(void)state;
	assert_true(parse("# two shops\r\n\n   \t\nshop " KEY "\r\n  shop\t\t" KEY "#;=/+~! \nmobile-2_x " K128));
	assert_int_equal(list.count, 3);
	assert_string_equal(list.entry[0].name, "shop");
	assert_string_equal(list.entry[0].key, KEY);
	assert_string_equal(list.entry[1].name, "shop");
	assert_string_equal(list.entry[1].key, KEY "#;=/+~!");
	assert_string_equal(list.entry[2].name, "mobile-2_x");
	assert_string_equal(list.entry[2].key, K128);
}

#define SECRET "topsecrettopsecret"

static const struct {
	const char *text, *says;
} bad[] = {
	{"", "keys: there is no key in it"},
	{"# shop " SECRET "\n", "keys: there is no key in it"},
	{"shop\n", "keys:1: a line must be 'name key'"},
	{"\n" SECRET "\n", "keys:2: a line must be 'name key'"},
	{"shop " SECRET " shop\n", "keys:1: a line must be 'name key'"},
	{"Shop " SECRET "\n", "keys:1: a name must be 1 to 32 of a-z, 0-9, '_' and '-'"},
	{"\"shop\" " SECRET "\n", "keys:1: a name must be 1 to 32 of a-z, 0-9, '_' and '-'"},
	{SECRET "\" shop\n", "keys:1: a name must be 1 to 32 of a-z, 0-9, '_' and '-'"},
	{K32 "x " SECRET "\n", "keys:1: a name must be 1 to 32 of a-z, 0-9, '_' and '-'"},
	{"shop topsecrettopsec\n", "keys:1: a key must be 16 to 128 printable characters of ASCII"},
	{"shop " K128 "x\n", "keys:1: a key must be 16 to 128 printable characters of ASCII"},
	{"shop " SECRET "\xc3\xa9\n", "keys:1: a key must be 16 to 128 printable characters of ASCII"},
	{"shop " SECRET "\x7f\n", "keys:1: a key must be 16 to 128 printable characters of ASCII"},
	{"a " SECRET "\nb " SECRET "\n", "keys:2: this key stands in a line above, too"},
	{"a " SECRET "\na " SECRET "\n", "keys:2: this key stands in a line above, too"},
};

static void what_is_refused(void **state)
{
	char longest[600];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse(bad[i].text))
			fail_msg("taken: %s", bad[i].text);
		assert_string_equal(why.text, bad[i].says);
		assert_null(strstr(why.text, "secret"));
	}
	assert_false(keys_parse(&list, "keys", "shop " KEY "\0x", 5 + 16 + 2, &why));
	assert_string_equal(why.text, "keys:1: a line must be text of at most 511 bytes");
	memset(longest, '#', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_false(parse(longest));
	longest[511] = '\n';
	memcpy(longest + 512, "a " KEY "\n", 20);
	assert_true(parse(longest));
}

/* n names, each with one key. */
static char *file_of(int names, int each)
{
	static char text[1 << 16];
	size_t len = 0;

	for (int i = 0; i < names; i++)
		for (int k = 0; k < each; k++)
			len += (size_t)sprintf(text + len, "name%d key-number-%06d-%06d\n", i, i, k);
	return text;
}

static void how_many(void **state)
{
	(void)state;
	assert_true(parse(file_of(KEY_NAMES, 2)));
	assert_int_equal(list.count, KEYS_MAX);
	assert_false(parse(file_of(KEY_NAMES + 1, 1)));
	assert_string_equal(why.text, "keys:65: there can be at most 64 names");
	assert_false(parse(file_of(1, KEYS_MAX + 1)));
	assert_string_equal(why.text, "keys:129: there can be at most 128 keys");
}

static void the_file_itself(void **state)
{
	char path[] = "/tmp/akin-keys-XXXXXX", want[256];
	static char large[70000];
	int fd = mkstemp(path);
	static const struct { mode_t mode; bool ok; } modes[] = {
		{0600, true}, {0640, true}, {0400, true}, {0440, true},
		{0644, false}, {0604, false}, {0602, false}, {0601, false}, {0660, false}, {0620, false},
	};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "shop " KEY "\n", 22), 22);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(chmod(path, modes[i].mode), 0);
		if (keys_read(&list, path, &why) != modes[i].ok)
			fail_msg("mode %o: %s", modes[i].mode, why.text);
		snprintf(want, sizeof want, "%s: the file of API keys must not be open to others: chmod 640, not %03o", path,
			 modes[i].mode);
		if (!modes[i].ok)
			assert_string_equal(why.text, want);
	}
	assert_int_equal(chmod(path, 0600), 0);
	memset(large, '\n', sizeof large);
	assert_int_equal(write(fd, large, 65536 - 22), 65536 - 22);
	assert_true(keys_read(&list, path, &why));
	assert_int_equal(write(fd, large, 1), 1);
	assert_false(keys_read(&list, path, &why));
	assert_non_null(strstr(why.text, "must have at most 65536 bytes"));
	close(fd);
	unlink(path);
	assert_false(keys_read(&list, path, &why));
	assert_non_null(strstr(why.text, ": can't read the API keys: No such file"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(keys_read(&list, path, &why));	/* and does not wait */
	assert_non_null(strstr(why.text, "must be a regular file"));
	unlink(path);
	assert_false(keys_read(&list, "/tmp", &why));
	assert_non_null(strstr(why.text, "must be a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(how_many),
		cmocka_unit_test(the_file_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
