/* test_endpoint.c - places as people write them, and as sockets want them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "../../server/endpoint.h"

static const struct {
	const char *text, *address;	/* address NULL: refused */
	uint32_t port;
} cases[] = {
	{"127.0.0.1:9100", "127.0.0.1", 9100},
	{"0.0.0.0:0", "0.0.0.0", 0},
	{"[::1]:9100", "::1", 9100},
	{"[::]:65535", "::", 65535},
	{"[2001:db8:ffff:ffff:ffff:ffff:255.255.255.255]:1", "2001:db8:ffff:ffff:ffff:ffff:255.255.255.255", 1},

	{"", NULL, 0},
	{":", NULL, 0},
	{":9100", NULL, 0},
	{"9100", NULL, 0},
	{"127.0.0.1", NULL, 0},
	{"127.0.0.1:", NULL, 0},
	{"127.0.0.1:65536", NULL, 0},
	{"127.0.0.1:99999999999", NULL, 0},
	{"127.0.0.1:-1", NULL, 0},
	{"127.0.0.1:+1", NULL, 0},
	{"127.0.0.1: 1", NULL, 0},
	{"127.0.0.1:1 ", NULL, 0},
	{"127.0.0.1:1:2", NULL, 0},
	{"127.0.0.1:0x1", NULL, 0},
	{"127.1:1", NULL, 0},
	{"localhost:1", NULL, 0},
	{"[127.0.0.1]:1", NULL, 0},
	{"::1:9100", NULL, 0},
	{"[::1]", NULL, 0},
	{"[::1]9100", NULL, 0},
	{"[::1:9100", NULL, 0},
	{"[::1%lo]:9100", NULL, 0},
	{"[]:1", NULL, 0},
	{"[", NULL, 0},
	{"[1234567890123456789012345678901234567890123456789012345678901234567890]:1", NULL, 0},
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct endpoint e;
		bool ok = endpoint_read(&e, cases[i].text);

		if (ok != (cases[i].address != NULL))
			fail_msg("'%s' was %s", cases[i].text, ok ? "read" : "refused");
		if (ok) {
			assert_string_equal(e.address, cases[i].address);
			assert_int_equal(e.port, cases[i].port);
		}
	}
}

static void test_for_sockets(void **state)
{
	static const uint8_t one[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, four[] = {10, 1, 2, 3};
	union endpoint_address a;
	struct endpoint e;
	char text[ENDPOINT_TEXT];

	(void)state;
	assert_true(endpoint_read(&e, "10.1.2.3:258"));
	assert_int_equal(endpoint_address(&e, &a), sizeof a.v4);
	assert_int_equal(a.v4.sin_family, AF_INET);
	assert_memory_equal(&a.v4.sin_addr, four, sizeof four);
	assert_memory_equal(&a.v4.sin_port, "\1\2", 2);
	endpoint_write(&a, text);
	assert_string_equal(text, "10.1.2.3:258");
	assert_true(endpoint_read(&e, "[0:0::1]:258"));
	assert_int_equal(endpoint_address(&e, &a), sizeof a.v6);
	assert_int_equal(a.v6.sin6_family, AF_INET6);
	assert_memory_equal(&a.v6.sin6_addr, one, sizeof one);
	assert_memory_equal(&a.v6.sin6_port, "\1\2", 2);
	endpoint_write(&a, text);
	assert_string_equal(text, "[::1]:258");
}

static void test_of_settings(void **state)
{
	struct settings s;
	struct endpoint e;
	struct fault why = {""};

	(void)state;
	settings_default(&s);
	endpoint_of_service(&e, &s);
	assert_string_equal(e.address, "0.0.0.0");
	assert_int_equal(e.port, 8000);
	assert_false(endpoint_of_operations(&e, &s));
	assert_true(settings_set(&s, "ops_listen", "[::1]:9100", "here", &why));
	assert_true(endpoint_of_operations(&e, &s));
	assert_string_equal(e.address, "::1");
	assert_int_equal(e.port, 9100);
	assert_true(settings_check(&s, &why));
	assert_true(settings_set(&s, "ops_listen", "0.0.0.0:8000", "here", &why));
	assert_false(settings_check(&s, &why));
	assert_string_equal(why.text, "ops_listen must be another place than address and port, not '0.0.0.0:8000'");
	s.port = 0;
	assert_true(settings_check(&s, &why));
	assert_true(settings_set(&s, "ops_listen", "", "here", &why));
	assert_false(endpoint_of_operations(&e, &s));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_for_sockets),
		cmocka_unit_test(test_of_settings),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
