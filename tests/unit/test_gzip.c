/* test_gzip.c - bodies compressed and read again by zlib's own reader. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../../server/gzip.h"

static void unpack(const struct answer *a, char *to, size_t want)
{
	z_stream z = {.next_in = (unsigned char *)a->memory + ANSWER_HEAD, .avail_in = (unsigned)a->body_len,
		      .next_out = (unsigned char *)to, .avail_out = (unsigned)want + 1};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);	/* gzip only */
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, want);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
}

/* Many lengths with one struct gzip, as a thread has; text, noise and nothing. */
static void what_goes_in_comes_out(void **state)
{
	static char from[200000], to[sizeof from + 1];
	static const size_t lengths[] = {40000, 0, 1, 199999, 7, 65536, 30};
	struct answer a = {.status = 200}, b = {.status = 200};
	struct gzip g = {.cap = 0};

	(void)state;
	srand(1);
	for (int noise = 0; noise < 2; noise++) {
		for (size_t i = 0; i < sizeof from; i++)
			from[i] = noise ? (char)rand() : "a_metric{label=\"value\"} 1\n"[i % 26];
		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			answer_reset(&a);
			answer_bytes(&a, from, lengths[i]);
			answer_reset(&b);
			assert_true(gzip_body(&g, &a, &b));
			unpack(&b, to, lengths[i]);
			assert_memory_equal(from, to, lengths[i]);
			if (!noise && lengths[i] > 1000)
				assert_true(b.body_len < lengths[i] / 20);
		}
	}
	gzip_free(&g);
	gzip_free(&g);
	answer_free(&a);
	answer_free(&b);
}

/* After the longest, nothing more is taken. */
static void memory_is_kept(void **state)
{
	struct answer a = {.status = 200}, b = {.status = 200};
	struct gzip g = {.cap = 0};

	(void)state;
	answer_reset(&a);
	answer_text(&a, "0123456789 0123456789 0123456789 0123456789");
	assert_true(gzip_body(&g, &a, &b));
	const void *stream = g.stream, *out = g.out;

	answer_reset(&a);
	answer_text(&a, "0123456789");
	assert_true(gzip_body(&g, &a, &b));
	assert_ptr_equal(g.stream, stream);
	assert_ptr_equal(g.out, out);
	gzip_free(&g);
	answer_free(&a);
	answer_free(&b);
}

static void a_failed_answer_stays_one(void **state)
{
	struct answer a = {.status = 200, .failed = true}, b = {.status = 200};
	struct gzip g = {.cap = 0};

	(void)state;
	assert_false(gzip_body(&g, &a, &b));
	assert_int_equal(b.body_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(memory_is_kept),
		cmocka_unit_test(a_failed_answer_stays_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
