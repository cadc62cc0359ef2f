/* test_negotiate.c - which of two formats and codings a client takes, by RFC 9110's rules and what clients really send. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../server/negotiate.h"

#define OPENMETRICS "application/openmetrics-text"

static const struct {
	const char *accept;
	unsigned openmetrics, text;
} media[] = {
	{NULL, 1000, 1000},
	{"", 0, 0},
	{"*/*", 1000, 1000},
	/* Prometheus 2.42, and 3 */
	{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
	 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", 1000, 500},
	{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	 "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
	 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", 600, 300},
	/* a browser */
	{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 800, 800},
	/* the most specific range decides, whatever its place or its weight */
	{"text/plain;q=0.2,*/*;q=0.9", 900, 200},
	{"*/*;q=0.9,text/*;q=0.5,text/plain;q=0.2", 900, 200},
	{"text/plain;version=0.0.4;q=0,text/plain,text/*", 0, 0},
	{"application/*", 1000, 0},
	{"application/*;q=0.3, text/*;q=0.4", 300, 400},
	{"application/openmetrics-text", 1000, 0},
	{"application/openmetrics-text; version=0.0.1", 0, 0},
	{"application/openmetrics-text; version=0.0.1, */*;q=0.1", 100, 100},
	{"application/openmetrics-text; version=\"1.0.0\" ; q=0.7", 700, 0},
	{"APPLICATION/OpenMetrics-Text;VERSION=1.0.0;Q=0.25 , Text/Plain", 250, 1000},
	{"text/plain;q=0", 0, 0},
	{"text/plain;q=0.0004", 0, 1000},		/* no weight has four decimals */
	{"text/plain;q=0.001", 0, 1},
	{"text/plain;q=1.000", 0, 1000},
	{"text/plain;q=1.5", 0, 1000},
	{"text/plain;q=2", 0, 1000},
	{"text/plain;q=", 0, 1000},
	{"text/plain;q=x", 0, 1000},
	{"text/plain;q=-1", 0, 1000},
	{"text/plain;q=.5", 0, 1000},
	{"text/plain;a=\"x,y;q=0\";q=0.5", 0, 500},	/* commas and semicolons in quotes are text */
	{"text/plain;a=\"x\\\",\";q=0.5", 0, 500},
	{"text/plain;a=\"never closed, text/plain;q=0.5", 0, 1000},
	{",,, text/plain ,;q=1,", 0, 1000},
	{"text", 0, 0},
	{"text/", 0, 0},
	{"te*/plain", 0, 0},
	{"text/plainer", 0, 0},
};

static void media_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof media / sizeof *media; i++) {
		unsigned openmetrics = negotiate_media(media[i].accept, OPENMETRICS, "1.0.0");
		unsigned text = negotiate_media(media[i].accept, "text/plain", "0.0.4");

		if (openmetrics != media[i].openmetrics || text != media[i].text)
			fail_msg("'%s': %u and %u", media[i].accept ? media[i].accept : "(none)", openmetrics, text);
	}
}

static const struct {
	const char *accept;
	bool gzip;
} codings[] = {
	{NULL, false},
	{"", false},
	{"gzip", true},
	{"GZIP", true},
	{"x-gzip", true},
	{"deflate", false},
	{"br, deflate", false},
	{"gzip, deflate, br", true},
	{"deflate;q=1.0, gzip;q=0.5", true},
	{"gzip;q=0", false},
	{"gzip;q=0.000", false},
	{"gzip ; q=0.001", true},
	{"gzip;q=0, *", false},
	{"*", true},
	{"*;q=0", false},
	{"identity", false},
	{"identity, *;q=0", false},
	{"identity;q=1, gzip;q=0.5", false},
	{"identity;q=0.5, gzip;q=0.5", true},
	{"identity;q=0", false},
	{"identity;q=0, gzip", true},
	{"gzipped", false},
	{"not gzip", false},
};

static void content_codings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
		if (negotiate_gzip(codings[i].accept) != codings[i].gzip)
			fail_msg("'%s'", codings[i].accept ? codings[i].accept : "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_types),
		cmocka_unit_test(content_codings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
