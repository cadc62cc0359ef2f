/* test_periods.c - days, weeks and months of the calendar, before and after 1970, over leap years. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../../prep/replay_score.h"

#define DAY INT64_C(86400)

/* Days since 1970 are GNU date's: `date -ud DAY +%s`, by 86400. */
static const struct {
	int64_t day, week, month;
} known[] = {
	{0, -3, 0},			/* 1970-01-01, a Thursday; 1969-12-29; 1970-01-01 */
	{-1, -3, -31},			/* 1969-12-31; 1969-12-01 */
	{-4, -10, -31},			/* 1969-12-28, a Sunday; 1969-12-22 */
	{11016, 11015, 10988},		/* 2000-02-29, a Tuesday; 2000-02-28; 2000-02-01 */
	{11017, 11015, 11017},		/* 2000-03-01 */
	{15287, 15285, 15279},		/* 2011-11-09, a Wednesday; 2011-11-07; 2011-11-01 */
	{15291, 15285, 15279},		/* 2011-11-13, a Sunday */
	{15292, 15292, 15279},		/* 2011-11-14, a Monday */
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		for (int64_t second = 0; second < DAY; second += DAY - 1) {
			int64_t time = known[i].day * DAY + second;

			assert_true(replay_score_period_begin(PERIOD_DAY, time) == known[i].day * DAY);
			assert_true(replay_score_period_begin(PERIOD_WEEK, time) == known[i].week * DAY);
			assert_true(replay_score_period_begin(PERIOD_MONTH, time) == known[i].month * DAY);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_known)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
