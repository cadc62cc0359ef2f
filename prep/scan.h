/* scan.h - where the delimiters, quotes and line feeds are in the next 64 bytes.
 *
 * The reader's innermost step: one bit a byte, so that ordinary bytes are passed over without a branch. SSE2 is in
 * every x86-64; elsewhere a table does the same, some times slower. */
#ifndef AKIN_SCAN_H
#define AKIN_SCAN_H

#include <stdint.h>

#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>
#define SCAN_SSE2 1
#else
#define SCAN_SSE2 0
#endif

#define SCAN_BYTES 64

struct scan {
	char delimiter;
	uint8_t special[256];		/* 1: delimiter, quote or line feed */
};

static inline void scan_init(struct scan *s, char delimiter)
{
	*s = (struct scan){.delimiter = delimiter};
	s->special[(uint8_t)delimiter] = s->special['"'] = s->special['\n'] = 1;
}

static inline uint64_t scan_portable(const struct scan *s, const char *p)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < SCAN_BYTES; i++)
		mask |= (uint64_t)s->special[(uint8_t)p[i]] << i;
	return mask;
}

#if SCAN_SSE2
static inline uint64_t scan_sse2(const struct scan *s, const char *p)
{
	const __m128i delimiter = _mm_set1_epi8(s->delimiter);
	const __m128i quote = _mm_set1_epi8('"'), feed = _mm_set1_epi8('\n');
	uint64_t mask = 0;

	for (unsigned i = 0; i < SCAN_BYTES / 16; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, delimiter), _mm_cmpeq_epi8(v, feed)),
					   _mm_cmpeq_epi8(v, quote));

		mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * i);
	}
	return mask;
}
#endif

/* Bit i is set when p[i] is the delimiter, a quote or a line feed. Reads SCAN_BYTES bytes. */
static inline uint64_t scan_block(const struct scan *s, const char *p)
{
#if SCAN_SSE2
	return scan_sse2(s, p);
#else
	return scan_portable(s, p);
#endif
}

#endif
