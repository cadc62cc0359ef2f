/* negotiate.h - what a client takes, as its Accept and Accept-Encoding fields say (RFC 9110, 12.5). */
#ifndef AKIN_NEGOTIATE_H
#define AKIN_NEGOTIATE_H

#include <stdbool.h>

/* How much it wants this media type with this version, 0 (not at all) to 1000; the most specific range decides. A field
 * that is missing (NULL) takes everything. */
unsigned negotiate_media(const char *accept, const char *type, const char *version);

/* Does it take gzip, and no less than the plain body? A field that is missing does not. */
bool negotiate_gzip(const char *accept_encoding);

#endif
