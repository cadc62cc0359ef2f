/* fields.h - which bytes may stand where in a head, and what single values mean: RFC 9110, 5.5, 5.6 and RFC 9112, 2 to
 * 3. Pure; head.c and chunks.c use it. */
#ifndef AKIN_FIELDS_H
#define AKIN_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shm/model.h"

/* What a byte is. Its lowest bits say where it may stand. */
enum {
	BYTE_TOKEN = 1,			/* in a name */
	BYTE_TEXT = 2,			/* in a value: visible, space, tab, beyond ASCII */
	BYTE_TARGET = 4,		/* in a target: visible ASCII but '#' */
	BYTE_HOST = 8,			/* in a host name, '%' for escapes included */
	BYTE_DIGIT = 16,
	BYTE_HEX = 32,
};
extern const uint8_t byte_kinds[256];

static inline bool byte_is(char c, uint8_t kind) { return (byte_kinds[(uint8_t)c] & kind) != 0; }

/* Bytes at the beginning of s that are of this kind. */
size_t span_of(struct text s, uint8_t kind);

/* s without the spaces and tabs around it. */
struct text trimmed(struct text s);

/* Is s this word, in any case? word is in lower case. */
bool text_is(struct text s, const char *word);

/* The next element of "a, b ,,c": false when there is none. *list moves behind it. */
bool next_element(struct text *list, struct text *element);

/* A whole number in decimal. VALUE_BAD: it is none; VALUE_HUGE: more than 64 bits. */
enum value { VALUE_FINE, VALUE_BAD, VALUE_HUGE };
enum value read_length(struct text s, uint64_t *length);

/* "name", "name:port", "[address]:port"; empty_allowed: or nothing at all. No user, no other byte. */
bool is_authority(struct text s, bool empty_allowed);

/* A method that HTTP knows, as a literal; NULL: another token. */
const char *known_method(struct text s);

/* What a target asks for. */
struct target {
	struct text path, query;	/* see struct head */
	const char *reason;		/* when it is refused: why */
};
/* method as known_method() has it. False: refuse it with 400. */
bool read_target(struct target *t, const char *method, struct text s);

#endif
