/* accepts.h - what a client takes, from its Accept-Encoding, and what it has already, from its If-None-Match. */
#ifndef AKIN_ACCEPTS_H
#define AKIN_ACCEPTS_H

#include <stdbool.h>

/* May the answer be gzipped? Only who names gzip, or *, and does not give it the weight 0. NULL: no such field. */
bool accepts_gzip(const char *accept_encoding);

/* Is the entity tag `tag`, without its quotes, among those in the field, weak or strong, or is the field "*"?
 * NULL: no such field. */
bool accepts_has_tag(const char *if_none_match, const char *tag);

#endif
