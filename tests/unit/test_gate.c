/* test_gate.c - the verdict at its thresholds, and its words. The comparisons are made up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "../../server/gate.h"

#define NOON INT64_C(1323435000)	/* 2011-12-09 12:50:00 */

static struct settings settings;
static struct model_head before, after;
static struct comparison c;

/* A comparison at which nobody can take offence. */
static int set_up(void **state)
{
	(void)state;
	settings_default(&settings);
	before = (struct model_head){.data_until = NOON, .created = 1000};
	after = before;
	c = (struct comparison){.before = &before, .after = &after};
	c.axis[AXIS_ITEM] = (struct compare_axis){.before = 1000, .after = 1000, .asked = 100, .answered = 600, .kept = 600};
	c.axis[AXIS_CUSTOMER] = (struct compare_axis){.before = 400, .after = 400, .asked = 100, .answered = 400, .kept = 400};
	return 0;
}

/* Which check failed, when one alone did; -1: none; -2: several. */
static int failed(void)
{
	struct verdict v;
	int found = -1;

	gate_judge(&v, &settings, &c);
	for (int i = 0; i < GATE_CHECKS; i++) {
		if (!v.check[i].passed)
			found = found == -1 ? i : -2;
	}
	assert_int_equal(v.accepted, found == -1);
	return found;
}

static void lost_items(void **state)
{
	(void)state;
	c.axis[AXIS_ITEM].lost = 100;
	assert_int_equal(failed(), -1);
	c.axis[AXIS_ITEM].lost = 101;
	assert_int_equal(failed(), GATE_LOST_ITEMS);
	settings.gate_lost_items = 0;
	c.axis[AXIS_ITEM].lost = 1;
	assert_int_equal(failed(), GATE_LOST_ITEMS);
	settings.gate_lost_items = 100;
	c.axis[AXIS_ITEM].lost = 1000;
	assert_int_equal(failed(), -1);
}

static void lost_customers(void **state)
{
	(void)state;
	c.axis[AXIS_CUSTOMER].lost = 100;
	assert_int_equal(failed(), -1);
	c.axis[AXIS_CUSTOMER].lost = 101;
	assert_int_equal(failed(), GATE_LOST_CUSTOMERS);
	settings.gate_lost_customers = 26;
	assert_int_equal(failed(), -1);
}

/* Of 1000 ids, by items and customers together. */
static void overlap(void **state)
{
	(void)state;
	c.axis[AXIS_ITEM].kept = 100;
	c.axis[AXIS_CUSTOMER].kept = 200;
	assert_int_equal(failed(), -1);
	c.axis[AXIS_ITEM].kept = 99;
	assert_int_equal(failed(), GATE_OVERLAP);
	settings.gate_overlap = 29;
	assert_int_equal(failed(), -1);
	c.axis[AXIS_ITEM].kept = c.axis[AXIS_CUSTOMER].kept = 0;
	settings.gate_overlap = 0;
	assert_int_equal(failed(), -1);
}

/* No answers before are none that could be lost; but models that have nothing in common are not alike. */
static void nothing_to_ask(void **state)
{
	(void)state;
	for (int k = 0; k < AXES; k++)
		c.axis[k].asked = c.axis[k].answered = c.axis[k].kept = 0;
	assert_int_equal(failed(), -1);
	for (int k = 0; k < AXES; k++)
		c.axis[k].lost = c.axis[k].before;
	settings.gate_lost_items = settings.gate_lost_customers = 100;
	assert_int_equal(failed(), GATE_OVERLAP);
	settings.gate_overlap = 0;
	assert_int_equal(failed(), -1);
}

static void older(void **state)
{
	(void)state;
	after.data_until--;
	assert_int_equal(failed(), GATE_OLDER);
	settings.gate_older = OLDER_TAKE;
	assert_int_equal(failed(), -1);
	settings.gate_older = OLDER_REFUSE;
	after.data_until = NOON + 1;
	assert_int_equal(failed(), -1);
}

/* Products of large counts don't wrap. */
static void large(void **state)
{
	(void)state;
	c.axis[AXIS_ITEM].before = 4000000000;
	c.axis[AXIS_ITEM].lost = 400000000;
	assert_int_equal(failed(), -1);
	c.axis[AXIS_ITEM].lost++;
	assert_int_equal(failed(), GATE_LOST_ITEMS);
}

static void words(void **state)
{
	struct verdict v;
	char text[400];

	(void)state;
	c.axis[AXIS_ITEM].lost = 123;
	c.axis[AXIS_CUSTOMER].kept = 250;
	after.data_until -= 60;
	gate_judge(&v, &settings, &c);
	gate_say(&v, true, text, sizeof text);
	assert_string_equal(text, "lost_items: 12.3 % (123 of 1000), limit 10 %; "
				  "older: data until 2011-12-09 12:49:00, limit 2011-12-09 12:50:00");
	gate_say(&v, false, text, sizeof text);
	assert_string_equal(text, "lost_items: 12.3 % (123 of 1000), limit 10 %; lost_customers: 0.0 % (0 of 400), limit 25 %; "
				  "overlap: 85.0 % (850 of 1000 ids), limit 30 %; "
				  "older: data until 2011-12-09 12:49:00, limit 2011-12-09 12:50:00");
	char little[20];

	gate_say(&v, false, little, sizeof little);
	assert_string_equal(little, "lost_items: 12.3 % ");
	settings.gate_older = OLDER_TAKE;
	before.data_until = after.data_until = INT64_MIN;
	gate_judge(&v, &settings, &c);
	assert_string_equal(v.check[GATE_OLDER].seen, "built 1970-01-01T00:16:40Z");
	assert_string_equal(v.check[GATE_OLDER].limit, "none");
	before.data_until = NOON;
	gate_judge(&v, &settings, &c);
	assert_string_equal(v.check[GATE_OLDER].seen, "no dates");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(lost_items, set_up), cmocka_unit_test_setup(lost_customers, set_up),
		cmocka_unit_test_setup(overlap, set_up), cmocka_unit_test_setup(nothing_to_ask, set_up),
		cmocka_unit_test_setup(older, set_up), cmocka_unit_test_setup(large, set_up),
		cmocka_unit_test_setup(words, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
