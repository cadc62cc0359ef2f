/* fuzz_settings.c - the settings file. What is refused is refused in one line with a place. What is taken stays within
 * its ranges, and what -T prints of it is taken again and means the same. */
#include "fuzz.h"

#include "../../server/settings.h"

static void check_ranges(const struct settings *s)
{
	REQUIRE(s->default_n >= 1 && s->default_n <= 10000 && s->max_n >= 1 && s->max_n <= 10000);
	REQUIRE(s->port <= 65535 && s->workers <= 64 && s->gate_overlap <= 100 && s->gate_lost_items <= 100);
	REQUIRE((unsigned)s->fill <= FILL_NONE && (unsigned)s->log_level <= LOG_DEBUG);
	REQUIRE(memchr(s->model, '\0', sizeof s->model) && memchr(s->address, '\0', sizeof s->address));
	REQUIRE(memchr(s->metrics_exclude, '\0', sizeof s->metrics_exclude));
}

static bool is_key(const char *line, size_t len)
{
	char key[64];

	if (len >= sizeof key)
		return false;
	memcpy(key, line, len);
	key[len] = '\0';
	return settings_key(key) != NULL;
}

static void check_printed(const struct settings *s)
{
	struct settings *again = malloc(sizeof *again);
	struct fault why = {""};
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	REQUIRE(to && again);
	settings_print(s, to);
	fclose(to);
	for (const char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		REQUIRE(end && is_key(line, strcspn(line, " ")));
	}
	settings_default(again);
	if (!settings_file(again, fuzz_file(text, size), true, &why)) {
		dprintf(2, "%s\n%s", why.text, text);
		REQUIRE(!"what is printed is taken");
	}
	REQUIRE(memcmp(s, again, sizeof *s) == 0);
	free(text);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *s = malloc(sizeof *s);
	struct fault why = {""};
	const char *path = fuzz_file(data, size);

	REQUIRE(s);
	settings_default(s);
	if (settings_file(s, path, true, &why)) {
		check_ranges(s);
		if (settings_check(s, &why))
			REQUIRE(s->default_n <= s->max_n);
		check_printed(s);
	} else {
		fuzz_is_line(why.text);
		REQUIRE(strncmp(why.text, path, strlen(path)) == 0 && why.text[strlen(path)] == ':');
	}
	free(s);
	return 0;
}
