/* fuzz_keys.c - files of API keys. What is taken keeps the rules, says the same when it is written down and read again, and
 * each of its keys is found under its name; what is refused is refused by one of the known sentences, so that no part of a
 * line is ever repeated. */
#include "fuzz.h"

#include "../../server/keys.h"

#define LONGEST 32768

static const char *const sentences[] = {
	"a line must be text of at most 511 bytes",
	"a line must be 'name key'",
	"a name must be 1 to 32 of a-z, 0-9, '_' and '-'",
	"a key must be 16 to 128 printable characters of ASCII",
	"this key stands in a line above, too",
	"there can be at most 128 keys",
	"there can be at most 64 names",
};

static void check_refusal(const char *text)
{
	char *rest;

	if (strcmp(text, "keys: there is no key in it") == 0)
		return;
	REQUIRE(strncmp(text, "keys:", 5) == 0 && strtoul(text + 5, &rest, 10) > 0 && strncmp(rest, ": ", 2) == 0);
	for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
		if (strcmp(rest + 2, sentences[i]) == 0)
			return;
	}
	REQUIRE(!"one of the sentences");
}

static void check_entry(const char *name, const char *key)
{
	size_t n = strlen(name), k = strlen(key);

	REQUIRE(n >= 1 && n <= KEY_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n);
	REQUIRE(k >= KEY_MIN && k <= KEY_MAX);
	fuzz_is_line(key);
	REQUIRE(!strchr(key, ' '));
}

static void check_table(const struct key_list *l)
{
	static struct key_table t;

	memset(&t, 0, sizeof t);
	REQUIRE(key_table_publish(&t, l, NULL));
	REQUIRE(key_table_names(&t) >= 1 && key_table_names(&t) <= l->count);
	for (uint32_t i = 0; i < l->count; i++) {
		const char *key = l->entry[i].key;
		int place = key_table_find(&t, key, strlen(key));

		REQUIRE(place >= 0 && strcmp(key_table_name(&t, (uint32_t)place), l->entry[i].name) == 0);
	}
	REQUIRE(key_table_find(&t, "", 0) == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char written[KEYS_MAX * (KEY_NAME_MAX + KEY_MAX + 4)];
	static struct key_list l, again;
	struct fault why = {""};
	size_t len = 0;

	if (size > LONGEST)
		return -1;
	if (!keys_parse(&l, "keys", (const char *)data, size, &why)) {
		check_refusal(why.text);
		return 0;
	}
	REQUIRE(l.count >= 1 && l.count <= KEYS_MAX);
	for (uint32_t i = 0; i < l.count; i++) {
		check_entry(l.entry[i].name, l.entry[i].key);
		len += (size_t)snprintf(written + len, sizeof written - len, "%s %s\n", l.entry[i].name, l.entry[i].key);
	}
	REQUIRE(keys_parse(&again, "keys", written, len, &why) && memcmp(&l, &again, sizeof l) == 0);
	check_table(&l);
	return 0;
}
