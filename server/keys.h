/* keys.h - the file of API keys: reading it, and putting what it says before the workers. */
#ifndef AKIN_KEYS_H
#define AKIN_KEYS_H

#include "settings.h"
#include "../shm/board.h"

/* Lines "name key"; blank ones and those that begin with # do not count. place is the file's name, for the fault, which
 * never has a part of a line in it: a name that is none may be a key. */
bool keys_parse(struct key_list *l, const char *place, const char *text, size_t len, struct fault *why);
/* The same of a file, which must be a regular one that others than its owner and group can't use. */
bool keys_read(struct key_list *l, const char *path, struct fault *why);

/* -t: would the start be content with the file? Without the setting it is. */
bool keys_check(const struct settings *s, struct fault *why);
/* Master, at the start. */
bool keys_open(const struct settings *s, struct board *b, struct fault *why);
/* Master, at SIGHUP: read the file again. When that fails, the old keys go on, and log and metrics say so. */
void keys_renew(const struct settings *s, struct board *b);

#endif
