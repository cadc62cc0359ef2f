/* openapi.c - /openapi.json. The document is server/openapi.json, put into the program by the assembler (the
 * Makefile says that this object depends on it). @NAME@ in it is a place for what only the running program knows;
 * where that is a number and the place a whole string, the quotes go, so that the file is JSON before and after.
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

/* What stands in a place: *number tells whether it is one. NULL: this is no place. */
static const char *value_of(struct text name, const struct settings *s, char number_text[16], bool *number)
{
#define IS(literal) (name.len == sizeof(literal) - 1 && memcmp(name.at, literal, name.len) == 0)
	*number = true;
	if (IS("MAX_N")) {
		snprintf(number_text, 16, "%u", s->max_n);
		return number_text;
	}
	if (IS("DEFAULT_N")) {
		snprintf(number_text, 16, "%u", s->default_n);
		return number_text;
	}
	*number = false;
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
		bool number;

		if (!close)
			break;
		struct text name = {open + 1, (size_t)(close - open) - 1};
		const char *value = value_of(name, s, number_text, &number);

		if (!value) {
			look = close;	/* which may open another */
			continue;
		}
		bool alone = number && open[-1] == '"' && close[1] == '"';

		answer_bytes(a, at, (size_t)(open - at) - alone);
		answer_text(a, value);
		at = look = close + 1 + alone;
	}
	answer_bytes(a, at, (size_t)(end - at));
}
