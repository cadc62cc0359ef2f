/* accepts.c - the two request fields that choose between forms of one answer. Called by those who have more than one
 * form. Reads what a client has sent: whatever is malformed accepts nothing, and fails nothing. */
#include "accepts.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t"

/* Does what follows a coding give it the weight 0? ";q=0", ";q=0.000", with white space anywhere. */
static bool refused(const char *parameters, size_t len)
{
	const char *at = parameters, *end = at + len;
	bool zero = false;

	for (const char *want = ";q="; *want; want++, at++) {
		at += strspn(at, SPACE);
		if (at >= end || (*at != *want && !(*want == 'q' && *at == 'Q')))
			return false;
	}
	for (at += strspn(at, SPACE); at < end; at++) {
		if (*at >= '1' && *at <= '9')
			return false;
		zero |= *at == '0';
	}
	return zero;
}

bool accepts_gzip(const char *field)
{
	bool any = false;

	while (field && *field) {
		field += strspn(field, SPACE ",");
		size_t len = strcspn(field, ","), name = strcspn(field, SPACE ",;");
		bool wanted = !refused(field + name, len - name);

		if ((name == 4 && strncasecmp(field, "gzip", 4) == 0) ||
		    (name == 6 && strncasecmp(field, "x-gzip", 6) == 0))
			return wanted;
		any |= name == 1 && *field == '*' && wanted;
		field += len;
	}
	return any;
}

bool accepts_has_tag(const char *field, const char *tag)
{
	size_t len = strlen(tag);

	while (field && *field) {
		field += strspn(field, SPACE ",");
		if (*field == '*')
			return true;
		if (strncmp(field, "W/", 2) == 0)
			field += 2;
		if (*field != '"')
			return false;
		const char *end = strchr(++field, '"');

		if (!end)
			return false;
		if ((size_t)(end - field) == len && memcmp(field, tag, len) == 0)
			return true;
		field = end + 1;
	}
	return false;
}
