/* test_settings.c - every way a setting can be given, and every way it can be wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../server/monitoring.h"
#include "../../server/settings.h"

static struct fault why;

static bool read_text(struct settings *s, const char *text, size_t len)
{
	char path[] = "/tmp/akin-settings-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
	settings_default(s);
	why.text[0] = '\0';
	bool ok = settings_file(s, path, true, &why);

	unlink(path);
	return ok;
}

static void test_defaults(void **state)
{
	struct settings s;

	(void)state;
	settings_default(&s);
	assert_string_equal(s.model, "/var/lib/akin/model.akin");
	assert_string_equal(s.address, "0.0.0.0");
	assert_string_equal(s.log, "stderr");
	assert_string_equal(s.pid_file, "");
	assert_int_equal(s.port, 8000);
	assert_int_equal(s.threads, 0);
	assert_int_equal(s.backlog, 4096);
	assert_int_equal(s.max_waiting, 2048);
	assert_int_equal(s.defer_accept_s, 1);
	assert_int_equal(s.request_timeout_ms, 5000);
	assert_int_equal(s.give_way_ms, 1000);
	assert_string_equal(s.ops_listen, "");
	assert_int_equal(s.max_n, 100);
	assert_int_equal(s.fill, FILL_POPULAR);
	assert_int_equal(s.log_level, LOG_INFO);
	assert_int_equal(s.metrics, METRICS_ON);
	assert_int_equal(s.metrics_status, METRICS_GROUPED);
	assert_string_equal(s.metrics_namespace, "");
	assert_string_equal(s.metrics_exclude, "");
	assert_true(settings_check(&s, &why));
}

static void test_a_file(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# a comment\r\n"
		"; another\n"
		"\n"
		"  workers   =  7  \n"
		"\tthreads=9\n"
		"    max_n = 50\n"		/* indented: a key, not more of the line above */
		"model = /a b/c=d:e.akin ; the shop\n"
		"default-n = 3\n"
		"fill = none\n"
		"pid_file =";			/* no line break at the end */
	struct settings s;

	(void)state;
	assert_true(read_text(&s, text, sizeof text - 1));
	assert_int_equal(s.workers, 7);
	assert_int_equal(s.threads, 9);
	assert_int_equal(s.max_n, 50);
	assert_int_equal(s.default_n, 3);
	assert_int_equal(s.fill, FILL_NONE);
	assert_string_equal(s.model, "/a b/c=d:e.akin");
	assert_string_equal(s.pid_file, "");
}

static const struct {
	const char *text, *says;
} bad_files[] = {
	{"\n\nworkers = many\n", ":3: workers must be 0 to 64, not 'many'"},
	{"workers = 65\n", ":1: workers must be 0 to 64, not '65'"},
	{"workers = -1\n", ":1: workers must be 0 to 64, not '-1'"},
	{"workers = +1\n", ":1: workers must be 0 to 64, not '+1'"},
	{"workers = 1 2\n", ":1: workers must be 0 to 64, not '1 2'"},
	{"workers = 0x1\n", ":1: workers must be 0 to 64, not '0x1'"},
	{"workers = 18446744073709551617\n", ":1: workers must be 0 to 64, not '18446744073709551617'"},
	{"workers =\n", ":1: workers must be 0 to 64, not ''"},
	{"max_n = 0\n", ":1: max_n must be 1 to 10000, not '0'"},
	{"model =\n", ":1: model must have 1 to 4095 bytes, not 0"},
	{"fill = popul\n", ":1: fill must be one of popular|recent|none, not 'popul'"},
	{"fill = \n", ":1: fill must be one of popular|recent|none, not ''"},
	{"address = localhost\n", ":1: address must be an IPv4 or IPv6 address, not 'localhost'"},
	{"address = 1.2.3\n", ":1: address must be an IPv4 or IPv6 address, not '1.2.3'"},
	{"ops_listen = 9100\n", ":1: ops_listen must be ADDRESS:PORT, as 127.0.0.1:9100 or [::1]:9100 are, not '9100'"},
	{"ops_listen = ::1:9100\n", ":1: ops_listen must be ADDRESS:PORT, as 127.0.0.1:9100 or [::1]:9100 are, not '::1:9100'"},
	{"threads = 1\nworker = 2\n", ":2: there is no setting 'worker'; is it 'workers'?"},
	{"prot = 2\n", ":1: there is no setting 'prot'; is it 'port'?"},
	{"elephant = 2\n", ":1: there is no setting 'elephant'"},
	{"port = 1\nthreads = 2\n  port = 3\n", ":3: port was already set in line 1"},
	{"max_n = 1\nmax-n = 1\n", ":2: max_n was already set in line 1"},
	{"metrics = yes\n", ":1: metrics must be one of on|off, not 'yes'"},
	{"metrics_status = 4xx\n", ":1: metrics_status must be one of grouped|exact, not '4xx'"},
	{"metrics_namespace = a-b\n",
	 ":1: metrics_namespace must be at most 48 letters, digits and _, no digit first, not 'a-b'"},
	{"metrics_namespace = a:b\n",
	 ":1: metrics_namespace must be at most 48 letters, digits and _, no digit first, not 'a:b'"},
	{"metrics_subsystem = 9a\n",
	 ":1: metrics_subsystem must be at most 48 letters, digits and _, no digit first, not '9a'"},
	{"metrics_subsystem = a123456789b123456789c123456789d123456789e12345678\n",
	 ":1: metrics_subsystem must be at most 48 letters, digits and _, no digit first, not "
	 "'a123456789b123456789c123456789d123456789e12345678'"},
	{"metrics_exclude = /metrics, /nope\n",
	 ":1: metrics_exclude must list handlers as /metrics shows them, and none is '/nope'"},
	{"port = 1\nnonsense\n", ":2: a line must be 'key = value'"},
	{"port = 1\n[akin]\n", ":2: there are no sections here, only 'key = value'"},
	{"port = 1\n  [akin]\nthreads = x\n", ":2: there are no sections here, only 'key = value'"},
	{"port = 1\n\x1b[2J = 1\n", ":2: there is no setting '\\x1b[2J'"},
};

static void test_bad_files(void **state)
{
	struct settings s;

	(void)state;
	for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
		assert_false(read_text(&s, bad_files[i].text, strlen(bad_files[i].text)));
		const char *from = strstr(why.text, ":");

		assert_non_null(from);
		assert_string_equal(from, bad_files[i].says);
	}
}

/* A line that inih would cut is refused; the longest that it would not cut is taken whole. */
static void test_long_lines(void **state)
{
	struct settings s;
	char text[400];

	(void)state;
	for (int bytes = 190; bytes < 205; bytes++) {
		int path = bytes - (int)strlen("model = ");

		memset(text, 0, sizeof text);
		memcpy(text, "model = ", 8);
		memset(text + 8, 'x', (size_t)path);
		strcat(text, "\nport = 99\n");
		bool ok = read_text(&s, text, strlen(text));

		assert_int_equal(ok, bytes <= 197);
		if (ok) {
			assert_int_equal(strlen(s.model), path);
			assert_int_equal(s.port, 99);
		} else {
			assert_non_null(strstr(why.text, ":1: a line must have at most 197 bytes"));
		}
	}
}

static void test_no_text(void **state)
{
	struct settings s;

	(void)state;
	assert_false(read_text(&s, "port = 1\nthreads = 4\0 5\n", 24));
	assert_non_null(strstr(why.text, ":2: a line must be text"));
	settings_default(&s);
	assert_false(settings_file(&s, "/tmp", true, &why));
	assert_string_equal(why.text, "/tmp: the settings must be a regular file");
	assert_false(settings_file(&s, "/tmp/akin-not-there", true, &why));
	assert_string_equal(why.text, "/tmp/akin-not-there: can't read the settings: No such file or directory");
	assert_true(settings_file(&s, "/tmp/akin-not-there", false, &why));
}

static void test_environment(void **state)
{
	struct settings s;
	char names[64];

	(void)state;
	settings_default(&s);
	setenv("AKIN_MAX_N", "77", 1);
	setenv("AKIN_ADDRESS", "::1", 1);
	assert_true(settings_environment(&s, &why));
	assert_int_equal(s.max_n, 77);
	assert_string_equal(s.address, "::1");
	assert_int_equal(settings_environment_unknown(names, sizeof names), 0);
	setenv("AKIN_SERVICE_HOST", "10.0.0.1", 1);
	assert_true(settings_environment(&s, &why));
	assert_int_equal(settings_environment_unknown(names, sizeof names), 1);
	assert_string_equal(names, "AKIN_SERVICE_HOST");
	setenv("AKIN_PORT", "tcp://10.0.0.1:8000", 1);
	assert_false(settings_environment(&s, &why));
	assert_string_equal(why.text, "AKIN_PORT: port must be 0 to 65535, not 'tcp://10.0.0.1:8000'");
	unsetenv("AKIN_MAX_N");
	unsetenv("AKIN_ADDRESS");
	unsetenv("AKIN_PORT");
	unsetenv("AKIN_SERVICE_HOST");
}

/* The variable of the application that Akin replaces: its true and false; ours is stronger. */
static void test_enable_metrics(void **state)
{
	static const struct {
		const char *theirs, *ours;
		enum metrics want;
	} cases[] = {
		{"true", NULL, METRICS_ON}, {"True", NULL, METRICS_ON}, {"false", NULL, METRICS_OFF},
		{"FALSE", NULL, METRICS_OFF}, {"false", "on", METRICS_ON}, {"true", "off", METRICS_OFF},
	};
	struct settings s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		settings_default(&s);
		s.metrics = cases[i].want == METRICS_ON ? METRICS_OFF : METRICS_ON;	/* as a file might say */
		setenv("ENABLE_METRICS", cases[i].theirs, 1);
		if (cases[i].ours)
			setenv("AKIN_METRICS", cases[i].ours, 1);
		assert_true(settings_environment(&s, &why));
		assert_int_equal(s.metrics, cases[i].want);
		unsetenv("AKIN_METRICS");
	}
	settings_default(&s);
	setenv("ENABLE_METRICS", "", 1);		/* as good as none */
	assert_true(settings_environment(&s, &why));
	assert_int_equal(s.metrics, METRICS_ON);
	setenv("ENABLE_METRICS", "1", 1);
	assert_false(settings_environment(&s, &why));
	assert_string_equal(why.text, "ENABLE_METRICS must be true or false, not '1'");
	unsetenv("ENABLE_METRICS");
}

static void test_rules_between(void **state)
{
	struct settings s;

	(void)state;
	settings_default(&s);
	assert_true(settings_set(&s, "default_n", "100", "x", &why));
	assert_true(settings_check(&s, &why));
	assert_true(settings_set(&s, "default_n", "101", "x", &why));
	assert_false(settings_check(&s, &why));
	assert_string_equal(why.text, "default_n must be at most max_n, 100, not 101");
	settings_default(&s);
	assert_true(settings_set(&s, "window_requests", "200", "x", &why));
	assert_true(settings_check(&s, &why));
	assert_true(settings_set(&s, "window_requests", "199", "x", &why));
	assert_false(settings_check(&s, &why));
	assert_string_equal(why.text, "window_min must be at most window_requests, 199, not 200: no window would have a verdict");
}

/* What is printed is what a file would have to hold. */
static void test_print(void **state)
{
	struct settings s, again;
	char text[8192] = "";
	FILE *to = fmemopen(text, sizeof text, "w");

	(void)state;
	settings_default(&s);
	assert_true(settings_set(&s, "fill", "recent", "x", &why));
	assert_true(settings_set(&s, "log_level", "debug", "x", &why));
	assert_true(settings_set(&s, "workers", "64", "x", &why));
	assert_non_null(to);
	settings_print(&s, to);
	fclose(to);
	assert_non_null(strstr(text, "fill = recent\n"));
	assert_non_null(strstr(text, "workers = 64\n"));
	assert_true(read_text(&again, text, strlen(text)));
	assert_memory_equal(&s, &again, sizeof s);
}

/* Each setting that windows and verdicts go by is another number, so that none stands for another. */
static void test_what_the_monitor_goes_by(void **state)
{
	static const char text[] = "window_requests=101\nwindow_seconds=102\nwindow_min=103\nbaseline_windows=104\n"
				   "drift_effect_percent=55\ndrift_alpha_permille=106\ndrift_windows=7\n"
				   "hit_drop_percent=58\nhit_lambda=109\ndefault_n=11\n";
	struct settings s;

	(void)state;
	assert_true(read_text(&s, text, sizeof text - 1));
	struct window_rules r = monitoring_rules(&s);

	assert_int_equal(r.requests, 101);
	assert_int_equal(r.seconds, 102);
	assert_int_equal(r.least, 103);
	assert_int_equal(r.baseline_windows, 104);
	assert_int_equal(r.effect_percent, 55);
	assert_int_equal(r.alpha_permille, 106);
	assert_int_equal(r.running, 7);
	assert_int_equal(r.hit_drop_percent, 58);
	assert_int_equal(r.hit_lambda, 109);
	assert_int_equal(r.default_n, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),	cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_bad_files),	cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_no_text),		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_enable_metrics),
		cmocka_unit_test(test_rules_between),	cmocka_unit_test(test_print),
		cmocka_unit_test(test_what_the_monitor_goes_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
