/* test_verdicts.c - what the monitor's verdicts become in the log: each change once, with its figures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../server/log.h"
#include "../../server/verdicts.h"

static char path[] = "/tmp/akin-test-verdicts-XXXXXX";
static struct monitored m;
static struct verdicts v;

/* What has been logged since the last time, without the times and processes: "warn item_mix ...\n". */
static const char *logged(void)
{
	static char text[4096];
	FILE *f = fopen(path, "r");
	char line[512];
	size_t len = 0;

	assert_non_null(f);
	text[0] = '\0';
	while (fgets(line, sizeof line, f)) {
		char *level = strchr(line, ' ') + 1, *words = strstr(line, "]: ");

		assert_non_null(words);
		len += (size_t)snprintf(text + len, sizeof text - len, "%.4s %s", level, words + 3);
	}
	fclose(f);
	assert_int_equal(truncate(path, 0), 0);
	return text;
}

static const char *told(void)
{
	verdicts_tell(&v, &m);
	return logged();
}

static int begin(void **state)
{
	(void)state;
	m = (struct monitored){.generation = 3, .concept_state = CONCEPT_STABLE, .concept_threshold = 20};
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		for (unsigned ref = 0; ref < DRIFT_REFERENCE_COUNT; ref++)
			m.drift[f][ref] = (struct monitored_drift){.ks_distance = NAN, .share = NAN};
	}
	verdicts_begin(&v, &m);
	return 0;
}

static void test_each_change_once(void **state)
{
	(void)state;
	assert_string_equal(told(), "");
	m.drift[FEATURE_ITEM_RANK][REFERENCE_BASELINE] = (struct monitored_drift){
		.ks_distance = 0.9031, .ks_critical = 0.1906, .psi = 5.92, .psi_critical = 0.2676, .share = NAN, .detected = 1};
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING] = (struct monitored_drift){
		.ks_distance = NAN, .psi = 0.75, .psi_critical = 0.5, .share = NAN, .detected = 1};
	m.drift[FEATURE_USER_UNKNOWN][REFERENCE_TRAINING] = (struct monitored_drift){
		.ks_distance = NAN, .share = 0.352, .reference_share = 0.268, .detected = 1};
	assert_string_equal(told(),
			    "warn item_rank has drifted from baseline: KS distance 0.903, critical 0.191; PSI 5.920, critical "
			    "0.268, in the last window\n"
			    "warn item_mix has drifted from training: PSI 0.750, critical 0.500, in the last window\n"
			    "warn user_unknown has drifted from training: 35.2 % unknown, 26.8 % expected, in the last window\n");
	assert_string_equal(told(), "");
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 0;
	assert_string_equal(told(), "info item_mix has drifted from training no longer\n");
	assert_string_equal(told(), "");
}

static void test_previous_is_no_news(void **state)
{
	(void)state;
	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		m.drift[f][REFERENCE_PREVIOUS].detected = 1;
	assert_string_equal(told(), "");
}

static void test_what_a_monitor_before_has_told(void **state)
{
	(void)state;
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 1;
	m.concept_state = CONCEPT_DRIFTED;
	verdicts_begin(&v, &m);
	assert_string_equal(told(), "");
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 0;
	assert_string_equal(told(), "info item_mix has drifted from training no longer\n");
}

static void test_another_generation(void **state)
{
	(void)state;
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 1;
	m.concept_state = CONCEPT_DRIFTED;
	assert_string_not_equal(told(), "");
	m.generation = 4;
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 0;
	m.concept_state = CONCEPT_UNKNOWN;
	assert_string_equal(told(), "");
	m.drift[FEATURE_ITEM_MIX][REFERENCE_TRAINING].detected = 1;
	assert_string_equal(told(), "warn item_mix has drifted from training: PSI 0.000, critical 0.000, in the last window\n");
}

static void test_concept(void **state)
{
	(void)state;
	m.concept_state = CONCEPT_WARNING;
	m.concept_statistic = 10.25;
	assert_string_equal(told(),
			    "info 10.2 hits are missing among the purchases of generation 3; above 20 it is concept drift\n");
	m.concept_state = CONCEPT_DRIFTED;
	m.concept_statistic = 20.5;
	assert_string_equal(told(), "warn concept drift: 20.5 hits are missing among the purchases of generation 3, more than 20 "
				    "(hit_lambda)\n");
	m.concept_statistic = 25;
	assert_string_equal(told(), "");
	m.concept_state = CONCEPT_STABLE;
	m.concept_statistic = 9.5;
	assert_string_equal(told(), "info concept drift is over: 9.5 hits are missing\n");
	m.concept_state = CONCEPT_WARNING;
	assert_string_not_equal(told(), "");
	m.concept_state = CONCEPT_STABLE;
	assert_string_equal(told(), "");
}

static int open_log(void **state)
{
	struct fault why;
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	log_as("monitor");
	return log_open(path, LOG_INFO, &why) ? 0 : -1;
}

static int remove_log(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_each_change_once, begin),
		cmocka_unit_test_setup(test_previous_is_no_news, begin),
		cmocka_unit_test_setup(test_what_a_monitor_before_has_told, begin),
		cmocka_unit_test_setup(test_another_generation, begin),
		cmocka_unit_test_setup(test_concept, begin),
	};

	return cmocka_run_group_tests(tests, open_log, remove_log);
}
