/* json_text.h - a JSON value as text, whole or not at all.
 *
 * json_dumps() grows a buffer as it writes, and where that can't grow it may leave a name out, go on, and say that all is
 * well (jansson 2.14: do_dump() does not look at what writing a key gave). So the room is measured first. */
#ifndef AKIN_JSON_TEXT_H
#define AKIN_JSON_TEXT_H

#include <jansson.h>
#include <stdlib.h>

/* NUL-terminated, to be freed with free(). how: JSON_COMPACT and such. NULL when memory is short. */
static inline char *json_text(const json_t *value, size_t how)
{
	size_t size = json_dumpb(value, NULL, 0, how);
	char *text = size > 0 ? malloc(size + 1) : NULL;

	if (!text)
		return NULL;
	if (json_dumpb(value, text, size, how) != size) {
		free(text);
		return NULL;
	}
	text[size] = '\0';
	return text;
}

#endif
