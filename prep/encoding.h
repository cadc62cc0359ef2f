/* encoding.h - text of the input as UTF-8.
 *
 * A text that is well-formed UTF-8 is taken as it is. Any other is taken as Windows-1252, as the WHATWG Encoding
 * standard maps it: every byte has a meaning there, so this cannot fail. Decided text by text: exports that were
 * pasted together from several machines hold both. */
#ifndef AKIN_ENCODING_H
#define AKIN_ENCODING_H

#include "../shm/model.h"

#define ENCODING_GROWTH 3	/* bytes of UTF-8 a Windows-1252 byte takes at the most */

/* v as UTF-8: v itself, or a text in room, which must hold ENCODING_GROWTH * v.len bytes. *transcoded says which. */
struct text encoding_utf8(struct text v, char *room, bool *transcoded);

#endif
