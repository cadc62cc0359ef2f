/* test_cidr.c - networks as people write them, right and wrong, and who is in them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../../server/cidr.h"

static struct fault why;

static struct cidr peer(const char *text)
{
	struct sockaddr_storage a = {.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET};
	struct cidr c;
	void *at = a.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr
					  : (void *)&((struct sockaddr_in6 *)&a)->sin6_addr;

	assert_int_equal(inet_pton(a.ss_family, text, at), 1);
	cidr_address(&c, &a);
	return c;
}

static const struct {
	const char *list, *address;
	bool in;
} members[] = {
	{"10.0.0.0/8", "10.0.0.0", true},
	{"10.0.0.0/8", "10.255.255.255", true},
	{"10.0.0.0/8", "11.0.0.0", false},
	{"10.0.0.0/8", "9.255.255.255", false},
	{"192.0.2.7", "192.0.2.7", true},
	{"192.0.2.7", "192.0.2.6", false},
	{"192.0.2.7/32", "192.0.2.7", true},
	{"192.0.2.0/25", "192.0.2.127", true},
	{"192.0.2.0/25", "192.0.2.128", false},
	{"192.0.2.64/26", "192.0.2.63", false},
	{"192.0.2.128/31", "192.0.2.129", true},
	{"192.0.2.128/31", "192.0.2.130", false},
	{"172.16.0.0/12", "172.31.255.255", true},
	{"172.16.0.0/12", "172.32.0.0", false},
	{"0.0.0.0/0", "203.0.113.9", true},
	{"0.0.0.0/0", "2001:db8::1", false},		/* that is all of IPv4 */
	{"::/0", "2001:db8::1", true},
	{"::/0", "203.0.113.9", false},
	{"::/0", "::ffff:203.0.113.9", false},		/* an IPv4 client, by whatever socket */
	{"2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
	{"2001:db8::/32", "2001:db9::", false},
	{"2001:db8::/33", "2001:db8:8000::", false},
	{"2001:db8::1", "2001:db8::1", true},
	{"2001:db8::1", "2001:db8::2", false},
	{"2001:db8::/127", "2001:db8::1", true},
	{"10.0.0.0/8", "::ffff:10.1.2.3", true},
	{"10.0.0.0/8", "::10.1.2.3", false},		/* not how they are mapped */
	{"10.0.0.0/8", "a01:203::", false},		/* the same first bytes */
	{"::ffff:10.0.0.0/104", "10.1.2.3", true},
	{"::ffff:10.0.0.0/104", "11.1.2.3", false},
	{"::ffff:192.0.2.7", "192.0.2.7", true},
	{"10.0.0.0/8, 2001:db8::/32, 192.0.2.7", "2001:db8::7", true},
	{"10.0.0.0/8, 2001:db8::/32, 192.0.2.7", "192.0.2.7", true},
	{"10.0.0.0/8, 2001:db8::/32, 192.0.2.7", "192.0.2.8", false},
	{"10.0.0.0/8\t192.0.2.7 ,,", "192.0.2.7", true},
	{"", "192.0.2.7", false},			/* what an empty list means is the caller's business */
};

static void who_is_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		struct cidr address = peer(members[i].address);
		struct cidr_list l;

		if (!cidr_read_list(&l, members[i].list, &why))
			fail_msg("'%s': %s", members[i].list, why.text);
		if (cidr_holds(&l, &address) != members[i].in)
			fail_msg("%s in '%s'", members[i].address, members[i].list);
	}
}

static const struct {
	const char *list, *says;
} bad[] = {
	{"10.1.2.3/8", "'10.1.2.3/8' has bits beyond its first 8; the network is 10.0.0.0/8"},
	{"192.0.2.129/25", "'192.0.2.129/25' has bits beyond its first 25; the network is 192.0.2.128/25"},
	{"0.0.0.1/0", "'0.0.0.1/0' has bits beyond its first 0; the network is 0.0.0.0/0"},
	{"2001:db8::1/64", "'2001:db8::1/64' has bits beyond its first 64; the network is 2001:db8::/64"},
	{"10.0.0.0/33", "a network of this kind has a length of 0 to 32, not '10.0.0.0/33'"},
	{"10.0.0.0/256", "a network of this kind has a length of 0 to 32, not '10.0.0.0/256'"},
	{"10.0.0.0/", "a network of this kind has a length of 0 to 32, not '10.0.0.0/'"},
	{"10.0.0.0/+8", "a network of this kind has a length of 0 to 32, not '10.0.0.0/+8'"},
	{"10.0.0.0/08", "a network of this kind has a length of 0 to 32, not '10.0.0.0/08'"},
	{"10.0.0.0/8/8", "a network of this kind has a length of 0 to 32, not '10.0.0.0/8/8'"},
	{"2001:db8::/129", "a network of this kind has a length of 0 to 128, not '2001:db8::/129'"},
	{"2001:db8::/300", "a network of this kind has a length of 0 to 128, not '2001:db8::/300'"},
	{"10.0.0/8", "a network is like 192.0.2.0/24 or 2001:db8::/32, not '10.0.0/8'"},
	{"010.0.0.0/8", "a network is like 192.0.2.0/24 or 2001:db8::/32, not '010.0.0.0/8'"},
	{"localhost", "a network is like 192.0.2.0/24 or 2001:db8::/32, not 'localhost'"},
	{"10.0.0.0/8;", "a network of this kind has a length of 0 to 32, not '10.0.0.0/8;'"},
	{"fe80::1%lo", "a network is like 192.0.2.0/24 or 2001:db8::/32, not 'fe80::1%lo'"},
	{"/8", "a network is like 192.0.2.0/24 or 2001:db8::/32, not '/8'"},
	{"1.1.1.1, all", "a network is like 192.0.2.0/24 or 2001:db8::/32, not 'all'"},
	{"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
	 "a network is like 192.0.2.0/24 or 2001:db8::/32, not "
	 "'0000000000000000000000000000000000000000000000000000000000000000000000000000...'"},
};

static void what_is_refused(void **state)
{
	struct cidr_list l;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (cidr_read_list(&l, bad[i].list, &why))
			fail_msg("'%s' was taken", bad[i].list);
		assert_string_equal(why.text, bad[i].says);
	}
}

static void how_many(void **state)
{
	char text[CIDR_MAX * 12 + 12] = "";
	struct cidr_list l;

	(void)state;
	for (int i = 0; i < CIDR_MAX; i++)
		sprintf(text + strlen(text), "10.0.0.%d ", i);
	assert_true(cidr_read_list(&l, text, &why));
	assert_int_equal(l.count, CIDR_MAX);
	strcat(text, "10.0.1.0");
	assert_false(cidr_read_list(&l, text, &why));
	assert_string_equal(why.text, "a list has at most 64 networks");
}

/* A descriptor that is no connection, and an address of another kind, are in no network at all. */
static void strangers(void **state)
{
	struct sockaddr_storage local = {.ss_family = AF_UNIX};
	struct cidr_list l;
	struct cidr c;

	(void)state;
	assert_true(cidr_read_list(&l, "0.0.0.0/0 ::/0", &why));
	assert_false(cidr_peer(&c, -1));
	assert_false(cidr_holds(&l, &c));
	cidr_address(&c, &local);
	assert_false(cidr_holds(&l, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_in),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(how_many),
		cmocka_unit_test(strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
