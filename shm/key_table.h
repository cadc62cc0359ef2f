/* key_table.h - API keys in shared memory: the master puts them there, every worker finds a key by comparing them all.
 *
 * A name has a place, which stays its own until the master ends, so that what is counted at that place keeps its
 * meaning; of the keys themselves there are two banks, and the one that readers do not use is written. A reader that was
 * overtaken by two renewals looks again; nobody locks or waits.
 *
 * Finding a key takes the same steps whatever the key is: each one is compared in full, and none ends the search. */
#ifndef AKIN_KEY_TABLE_H
#define AKIN_KEY_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

#define KEY_NAMES    64			/* names, over the life of a master */
#define KEY_NAME_MAX 32			/* bytes */
#define KEY_MIN	     16			/* bytes of a key */
#define KEY_MAX	     128
#define KEYS_MAX     128		/* keys at a time, of all names */
#define KEY_WORDS    (KEY_MAX / 8)

/* What a file of keys says. Wipe it after use. */
struct key_list {
	uint32_t count;
	struct {
		char name[KEY_NAME_MAX + 1];
		char key[KEY_MAX + 1];
	} entry[KEYS_MAX];
};

struct key_bank {
	_Atomic uint32_t count;
	_Atomic uint32_t place[KEYS_MAX];	/* of the key's name */
	_Atomic uint64_t word[KEYS_MAX][KEY_WORDS]; /* the key, zeroes behind it */
};

struct key_table {				/* master writes all of it */
	_Atomic uint64_t edition;		/* the bank edition % 2 is used; 0: no keys yet. Published with release */
	_Atomic uint64_t renewals[2];		/* asked for by SIGHUP: failed, done */
	_Atomic uint32_t failed;		/* 1: the last renewal failed, and older keys are used */
	_Atomic uint32_t names;			/* places taken. Published with release, after the name is there */
	char name[KEY_NAMES][KEY_NAME_MAX + 1];
	struct key_bank bank[2];
};

/* Master: use these keys from now on, and no others. False: there is no place for a name, and nothing has changed. */
bool key_table_publish(struct key_table *t, const struct key_list *l, struct fault *why);

/* Any process, any thread: the place of the name that has this key, or -1. */
int key_table_find(const struct key_table *t, const char *key, size_t len);

/* How many places are taken, and whose a place is. */
uint32_t key_table_names(const struct key_table *t);
const char *key_table_name(const struct key_table *t, uint32_t place);

#endif
