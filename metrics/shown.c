/* shown.c - the rings of answers given, and the names that clients get for them.
 *
 * Called by predict.c for each answer, and by whoever is told what a customer did then. Any number of threads write one
 * ring, and a thread that is kept waiting between its number and its last store may find that the ring has come round
 * and another thread is at the same entry. Neither waits for the other: what they leave has the checksum of neither,
 * but by a chance of 2^-32, and is an entry that is lost. So nothing here can fail or hang.
 *
 * The hash is SipHash-1-3 of a name's other digits, with the master's number as key: short, and whoever has many names
 * cannot make another. */
#include "shown.h"

#include <endian.h>
#include <string.h>
#include <time.h>

#include "slot.h"

#define LOAD(field)	atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, v) atomic_store_explicit(&(field), v, memory_order_relaxed)

#define NUMBER_BITS 56
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)

uint32_t shown_ring(uint32_t answers)
{
	uint32_t size = 1;

	while (size < answers)
		size *= 2;
	return size;
}

size_t shown_size(uint32_t size)
{
	return sizeof(struct shown) + size * (sizeof(struct shown_entry) + sizeof(_Atomic uint64_t));
}

void shown_make(struct shown *s, uint32_t size) { s->size = size; }

/* s->latest, so to say. */
static _Atomic uint64_t *latest(struct shown *s) { return (_Atomic uint64_t *)(void *)&s->entry[s->size]; }

static const _Atomic uint64_t *latest_of(const struct shown *s)
{
	return (const _Atomic uint64_t *)(const void *)&s->entry[s->size];
}

/* Names */

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t v, int bits) { return v << bits | v >> (64 - bits); }

static inline void sip_round(struct sip *v)
{
	v->a += v->b;
	v->c += v->d;
	v->b = rotate(v->b, 13) ^ v->a;
	v->d = rotate(v->d, 16) ^ v->c;
	v->a = rotate(v->a, 32);
	v->c += v->b;
	v->a += v->d;
	v->b = rotate(v->b, 17) ^ v->c;
	v->d = rotate(v->d, 21) ^ v->a;
	v->c = rotate(v->c, 32);
}

/* SipHash-1-3 of eight bytes, of which the low half; the key's second half is 0. */
static uint32_t keyed(uint64_t key, uint64_t word)
{
	const uint64_t length = UINT64_C(8) << 56;
	struct sip v = {
		key ^ UINT64_C(0x736f6d6570736575), UINT64_C(0x646f72616e646f6d),
		key ^ UINT64_C(0x6c7967656e657261), UINT64_C(0x7465646279746573),
	};

	v.d ^= word;
	sip_round(&v);
	v.a ^= word;
	v.d ^= length;
	sip_round(&v);
	v.a ^= length;
	v.c ^= 0xff;
	sip_round(&v);
	sip_round(&v);
	sip_round(&v);
	return (uint32_t)(v.a ^ v.b ^ v.c ^ v.d);
}

/* Eight digits at a time: a half-byte in each byte of a word, the first of them in the highest. */
static void write_hex(char to[8], uint32_t v)
{
	uint64_t x = v;

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);

	x = htobe64(x + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10));
	memcpy(to, &x, sizeof x);
}

static bool read_hex(const char *from, unsigned digits, uint64_t *v)
{
	*v = 0;
	for (unsigned i = 0; i < digits; i++) {
		char c = from[i];

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*v = *v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* Entries */

/* Of the fields, each of which changes it. */
static uint32_t checksum(uint64_t number, uint64_t at, uint32_t generation, uint32_t asked, uint32_t n)
{
	uint64_t h = number * UINT64_C(0x9e3779b97f4a7c15) ^ at;

	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h ^= (uint64_t)generation << 32 | asked;
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h ^= n;
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(h >> 32);
}

void shown_soon(const struct shown *s, enum axis_kind kind, uint32_t asked)
{
	__builtin_prefetch(&s->entry[(LOAD(s->last) + 1) & (s->size - 1)], 1);
	__builtin_prefetch(&s->last, 1);
	if (kind == AXIS_CUSTOMER)
		__builtin_prefetch((const uint8_t *)&s->entry[s->size] + (asked & (s->size - 1)) * sizeof s->last, 1);
}

void shown_add(const struct board *b, struct shown *s, const struct shown_what *w, char id[SHOWN_ID])
{
	uint64_t number = atomic_fetch_add_explicit(&s->last, 1, memory_order_relaxed) + 1;
	uint64_t name = (uint64_t)b->own_index << NUMBER_BITS | (number & NUMBER_MASK);
	struct shown_entry *e = &s->entry[number & (s->size - 1)];
	uint32_t n = w->n | (w->kind == AXIS_CUSTOMER ? SHOWN_USER : 0);

	STORE(e->number, number);
	STORE(e->at, w->began);
	STORE(e->generation, (uint32_t)w->generation);
	STORE(e->asked, w->asked);
	STORE(e->n, n);
	STORE(e->check, checksum(number, w->began, (uint32_t)w->generation, w->asked, n));
	if (w->kind == AXIS_CUSTOMER)
		STORE(latest(s)[w->asked & (s->size - 1)], number);
	write_hex(id, (uint32_t)(name >> 32));
	write_hex(id + 8, (uint32_t)name);
	write_hex(id + 16, keyed(b->head->shown_key, name));
}

/* The generation, today or before, that ends with these bits. */
static uint64_t whole_generation(const struct board *b, uint32_t low)
{
	uint64_t now = atomic_load(&b->head->generation);

	return now - (uint32_t)((uint32_t)now - low);
}

/* The entry of that number, if the ring still has it. Its `at` is left for dated(). */
static bool look_up(const struct board *b, const struct shown *s, uint64_t number, struct shown_what *w)
{
	const struct shown_entry *e = &s->entry[number & (s->size - 1)];
	uint64_t at = LOAD(e->at);
	uint32_t generation = LOAD(e->generation), asked = LOAD(e->asked), n = LOAD(e->n);

	if (LOAD(e->number) != number || LOAD(e->check) != checksum(number, at, generation, asked, n))
		return false;
	*w = (struct shown_what){
		.generation = whole_generation(b, generation),
		.kind = n & SHOWN_USER ? AXIS_CUSTOMER : AXIS_ITEM,
		.asked = asked,
		.n = n & ~SHOWN_USER,
		.began = at,
	};
	return true;
}

/* When it was, by today's clock: what that said then does not matter. */
static void dated(struct shown_what *w)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t now = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;

	clock_gettime(CLOCK_REALTIME, &t);
	w->at = (int64_t)t.tv_sec - (now > w->began ? (int64_t)((now - w->began) / 1000000000) : 0);
}

enum shown_found shown_find(const struct board *b, struct text id, struct shown_what *w)
{
	uint64_t name, hash;

	if (id.len != SHOWN_ID || !read_hex(id.at, 16, &name) || !read_hex(id.at + 16, 8, &hash) ||
	    name >> NUMBER_BITS >= board_slots(b) || keyed(b->head->shown_key, name) != hash)
		return SHOWN_FOREIGN;
	const struct shown *s = slot_shown_of(b, (uint32_t)(name >> NUMBER_BITS));
	uint64_t number = name & NUMBER_MASK;

	if (s->size == 0 || number == 0 || number > LOAD(s->last))
		return SHOWN_FOREIGN;
	if (!look_up(b, s, number, w))
		return SHOWN_GONE;
	dated(w);
	return SHOWN_KNOWN;
}

bool shown_latest(const struct board *b, uint64_t generation, uint32_t customer, struct shown_what *w)
{
	struct shown_what one;
	bool found = false;

	for (uint32_t i = 0; i < board_slots(b); i++) {
		const struct shown *s = slot_shown_of(b, i);
		uint64_t number = s->size == 0 ? 0 : LOAD(latest_of(s)[customer & (s->size - 1)]);

		if (number == 0 || !look_up(b, s, number, &one) || one.kind != AXIS_CUSTOMER || one.asked != customer ||
		    one.generation != generation || (found && one.began <= w->began))
			continue;
		*w = one;
		found = true;
	}
	if (found)
		dated(w);
	return found;
}
