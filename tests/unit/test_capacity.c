/* test_capacity.c - what "as many as fit" comes to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../server/capacity.h"

static const struct {
	uint32_t workers, threads, cores;	/* as set, as set, as there are */
	uint32_t want_workers, want_threads;
} cases[] = {
	{0, 0, 1, 1, 1024},
	{0, 0, 2, 2, 512},
	{0, 0, 3, 3, 342},
	{0, 0, 16, 16, 64},
	{0, 0, 64, 64, 64},
	{0, 0, 500, 64, 64},
	{4, 0, 2, 4, 256},
	{0, 7, 2, 2, 7},
	{5, 1, 2, 5, 1},
};

static void test_resolve(void **state)
{
	struct settings s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		settings_default(&s);
		s.workers = cases[i].workers;
		s.threads = cases[i].threads;
		capacity_resolve(&s, cases[i].cores);
		assert_int_equal(s.workers, cases[i].want_workers);
		assert_int_equal(s.threads, cases[i].want_threads);
	}
	assert_true(capacity_cores() >= 1);
}

static void test_files(void **state)
{
	struct settings s;
	struct fault why;

	(void)state;
	settings_default(&s);
	s.threads = 100;
	s.ops_threads = 8;
	unsigned long alone = capacity_files(&s);

	assert_in_range(alone, 120, 130);
	assert_true(settings_set(&s, "ops_listen", "127.0.0.1:1", "here", &why));
	assert_int_equal(capacity_files(&s), alone + 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
