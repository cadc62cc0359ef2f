/* key_table.c - the only place where a key of a client meets a key of ours.
 *
 * What an attacker could measure is how long a comparison takes. So there is no branch and no index in it that depends
 * on a key: differences are gathered by OR over all bytes of all keys, and the place of the one that has none is picked
 * by a mask. How many keys there are does show, and how long the client's own is; neither is a secret.
 *
 * Why two banks suffice: a bank is written only while the other one's edition is published. A reader that still finds
 * its edition after it has compared has therefore read a bank that nobody was writing; one that doesn't, asks again. It
 * can be overtaken only by renewals, of which there are as many as somebody sends signals. */
#include "key_table.h"

#include <string.h>

#define LOAD(word)     atomic_load_explicit(&(word), memory_order_relaxed)
#define STORE(word, v) atomic_store_explicit(&(word), v, memory_order_relaxed)

/* Publishing */

static int find_name(const struct key_table *t, uint32_t names, const char *name)
{
	for (uint32_t i = 0; i < names; i++) {
		if (strcmp(t->name[i], name) == 0)
			return (int)i;
	}
	return -1;
}

/* Give every name a place. Those given here become visible with `names`, so that a failure leaves nothing behind. */
static bool take_places(struct key_table *t, const struct key_list *l, uint8_t place[KEYS_MAX], struct fault *why)
{
	uint32_t names = LOAD(t->names);

	for (uint32_t i = 0; i < l->count; i++) {
		int at = find_name(t, names, l->entry[i].name);

		if (at < 0 && names == KEY_NAMES)
			return fault_set(why, "there can be at most %d names of API keys between two starts, those that have "
					 "gone included; '%s' is one too many", KEY_NAMES, l->entry[i].name);
		if (at < 0) {
			at = (int)names++;
			memcpy(t->name[at], l->entry[i].name, sizeof t->name[at]);
		}
		place[i] = (uint8_t)at;
	}
	atomic_store_explicit(&t->names, names, memory_order_release);
	return true;
}

static void to_words(uint64_t words[KEY_WORDS], const char *key, size_t len)
{
	memset(words, 0, KEY_WORDS * sizeof *words);
	memcpy(words, key, len <= KEY_MAX ? len : 0);	/* one that is too long is no key, and compared like one */
}

static void fill(struct key_bank *b, const struct key_list *l, const uint8_t place[KEYS_MAX])
{
	uint64_t words[KEY_WORDS];

	STORE(b->count, l->count);
	for (uint32_t i = 0; i < l->count; i++) {
		to_words(words, l->entry[i].key, strlen(l->entry[i].key));
		STORE(b->place[i], place[i]);
		for (size_t w = 0; w < KEY_WORDS; w++)
			STORE(b->word[i][w], words[w]);
	}
	explicit_bzero(words, sizeof words);
}

/* What was revoked shall not lie about. */
static void wipe(struct key_bank *b)
{
	STORE(b->count, 0);
	for (uint32_t i = 0; i < KEYS_MAX; i++)
		for (size_t w = 0; w < KEY_WORDS; w++)
			STORE(b->word[i][w], 0);
}

bool key_table_publish(struct key_table *t, const struct key_list *l, struct fault *why)
{
	uint64_t next = LOAD(t->edition) + 1;
	uint8_t place[KEYS_MAX];

	if (!take_places(t, l, place, why))
		return false;
	fill(&t->bank[next % 2], l, place);
	atomic_store_explicit(&t->edition, next, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);	/* nobody sees the wiping, or the next filling, before this */
	wipe(&t->bank[(next + 1) % 2]);
	return true;
}

/* Finding */

/* All ones when none of a key's words differs, else 0. */
static uint64_t same(const _Atomic uint64_t ours[KEY_WORDS], const uint64_t theirs[KEY_WORDS])
{
	uint64_t differs = 0;

	for (size_t w = 0; w < KEY_WORDS; w++)
		differs |= LOAD(ours[w]) ^ theirs[w];
	__asm__("" : "+r"(differs));	/* the compiler is not to know that this is about being 0 */
	return ((differs | -differs) >> 63) - 1;
}

/* The place plus 1, or 0. */
static uint64_t find_in(const struct key_bank *b, const uint64_t theirs[KEY_WORDS])
{
	uint32_t count = LOAD(b->count);
	uint64_t found = 0;

	for (uint32_t i = 0; i < count && i < KEYS_MAX; i++)
		found |= same(b->word[i], theirs) & (LOAD(b->place[i]) + UINT64_C(1));
	return found;
}

int key_table_find(const struct key_table *t, const char *key, size_t len)
{
	uint64_t theirs[KEY_WORDS], edition, found;

	to_words(theirs, key, len);
	do {
		edition = atomic_load_explicit(&t->edition, memory_order_acquire);
		found = find_in(&t->bank[edition % 2], theirs);
		atomic_thread_fence(memory_order_acquire);
	} while (LOAD(t->edition) != edition);
	return (int)(found % (KEY_NAMES + 1)) - 1;	/* 0 is none; the remainder is for a table gone mad */
}

uint32_t key_table_names(const struct key_table *t)
{
	uint32_t names = atomic_load_explicit(&t->names, memory_order_acquire);

	return names < KEY_NAMES ? names : KEY_NAMES;
}

const char *key_table_name(const struct key_table *t, uint32_t place) { return t->name[place]; }
