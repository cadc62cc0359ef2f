/* spelling.h - how far a word that is none is from one that is, for who has misspelt a key. */
#ifndef AKIN_SPELLING_H
#define AKIN_SPELLING_H

#include <stddef.h>

/* Changes that make one of the other, where it pays to ask. Levenshtein, over words of at most 31 bytes; b's case is its own. */
size_t spelling_distance(const char *a, const char *b);

#endif
