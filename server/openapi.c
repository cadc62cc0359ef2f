/* openapi.c - /openapi.json. The document is server/openapi.json, put into the program by the assembler (the
 * Makefile says that this object depends on it). @NAME@ in it is a place for what only the running program knows;
 * where that is no text and the place a whole string, the quotes go, so that the file is JSON before and after.
 * Called by serve.c; fails only as answers do. */
#include "openapi.h"

#include <stdio.h>
#include <string.h>

__asm__(".pushsection .rodata\n"
	"openapi_start: .incbin \"server/openapi.json\"\n"
	"openapi_end:\n"
	".popsection");
extern const char openapi_start[] __attribute__((visibility("hidden")));
extern const char openapi_end[] __attribute__((visibility("hidden")));

/* Two ways to send one of the setting api_keys. */
static const char schemes[] =
	"{\"Bearer\": {\"type\": \"http\", \"scheme\": \"bearer\"}, "
	"\"X-API-Key\": {\"type\": \"apiKey\", \"in\": \"header\", \"name\": \"X-API-Key\"}}";

/* What stands in a place: *bare tells whether it is no text. NULL: this is no place. */
static const char *value_of(struct text name, const struct settings *s, char number_text[16], bool *bare)
{
#define IS(literal) (name.len == sizeof(literal) - 1 && memcmp(name.at, literal, name.len) == 0)
	*bare = true;
	if (IS("MAX_N")) {
		snprintf(number_text, 16, "%u", s->max_n);
		return number_text;
	}
	if (IS("DEFAULT_N")) {
		snprintf(number_text, 16, "%u", s->default_n);
		return number_text;
	}
	if (IS("MAX_EVENTS")) {
		snprintf(number_text, 16, "%u", s->feedback_max_events);
		return number_text;
	}
	if (IS("SECURITY"))
		return *s->api_keys ? "[{\"Bearer\": []}, {\"X-API-Key\": []}]" : "[]";
	if (IS("SECURITY_SCHEMES"))
		return *s->api_keys ? schemes : "{}";
	*bare = false;
	return IS("VERSION") ? AKIN_VERSION : NULL;
#undef IS
}

void openapi_write(struct answer *a, const struct settings *s)
{
	const char *at = openapi_start, *end = openapi_end;

	for (const char *look = at; look < end;) {
		const char *open = memchr(look, '@', (size_t)(end - look));
		const char *close = open ? memchr(open + 1, '@', (size_t)(end - open) - 1) : NULL;
		char number_text[16];
		bool bare;

		if (!close)
			break;
		struct text name = {open + 1, (size_t)(close - open) - 1};
		const char *value = value_of(name, s, number_text, &bare);

		if (!value) {
			look = close;	/* which may open another */
			continue;
		}
		bool alone = bare && open[-1] == '"' && close[1] == '"';

		answer_bytes(a, at, (size_t)(open - at) - alone);
		answer_text(a, value);
		at = look = close + 1 + alone;
	}
	answer_bytes(a, at, (size_t)(end - at));
}
