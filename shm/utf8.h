/* utf8.h - is this text UTF-8? Ids and descriptions are stored as UTF-8 only, since JSON allows nothing else. */
#ifndef AKIN_UTF8_H
#define AKIN_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence that starts at s (1 to 4), or 0 when none does (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF). len is what may be read; 0 gives 0. A NUL byte is a sequence of 1. */
size_t utf8_length(const char *s, size_t len);

/* Is all of it well-formed? The empty text is. */
bool utf8_valid(const char *s, size_t len);

/* Where the first control character of a well-formed text begins, one of C0, DEL and C1 (U+0080 to U+009F); len: it has none. */
size_t utf8_control(const char *s, size_t len);

#endif
