/* test_scan.c - the special bytes of a block, by either way to find them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../prep/scan.h"

static uint32_t dice(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Both ways to find the special bytes agree with a look at each. */
static void test_scan(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		char block[SCAN_BYTES], delimiter = ",;\t|"[round % 4];
		struct scan s;
		uint64_t want = 0;

		for (unsigned i = 0; i < SCAN_BYTES; i++) {
			block[i] = round % 2 ? (char)dice(&seed) : "a,;\t|\"\n\r"[dice(&seed) % 8];
			if (block[i] == delimiter || block[i] == '"' || block[i] == '\n')
				want |= UINT64_C(1) << i;
		}
		scan_init(&s, delimiter);
		assert_true(scan_block(&s, block) == want);
		assert_true(scan_portable(&s, block) == want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
