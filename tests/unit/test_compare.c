/* test_compare.c - two models side by side, small enough to compare by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_model.h"
#include "../../shm/compare.h"

struct loaded {
	struct model m;
	void *image;
	size_t size;
};

/* "0 1,0 1 2,2 3": the items of each customer. */
static void make(struct loaded *l, const char *baskets, uint32_t items, uint32_t row_limit)
{
	static struct small s;
	struct fault why;
	uint32_t customer = 0;

	memset(&s, 0, sizeof s);
	for (const char *at = baskets; *at; at++) {
		if (*at == ',')
			customer++;
		else if (*at != ' ')
			s.bought[customer][*at - '0'] = 1;
	}
	s.customers = customer + 1;
	s.items = items;
	s.row_limit = row_limit;
	for (uint32_t i = 0; i < items; i++)
		s.first_seen[i] = i;
	assert_true(small_image(&s, &l->image, &l->size));
	assert_true(model_view(&l->m, l->image, l->size, &why));
	assert_true(model_verify(&l->m, &why));
}

static void compare(struct comparison *c, const char *before, uint32_t items_before, const char *after,
		    uint32_t items_after, uint32_t limit_after)
{
	struct loaded old, new;
	struct fault why;

	make(&old, before, items_before, 50);
	make(&new, after, items_after, limit_after);
	assert_true(compare_models(c, &old.m, &new.m, &why));
	assert_ptr_equal(c->before, old.m.head);
	assert_ptr_equal(c->after, new.m.head);
	model_file_free(old.image, old.size);
	model_file_free(new.image, new.size);
}

static void expect(const struct compare_axis *a, uint32_t before, uint32_t after, uint32_t lost, uint32_t gained)
{
	assert_int_equal(a->before, before);
	assert_int_equal(a->after, after);
	assert_int_equal(a->lost, lost);
	assert_int_equal(a->gained, gained);
}

static void expect_answers(const struct compare_axis *a, uint32_t asked, uint32_t answered, uint32_t kept)
{
	assert_int_equal(a->asked, asked);
	assert_int_equal(a->answered, answered);
	assert_int_equal(a->kept, kept);
}

/* Answers before: 0 has 1 2, 1 has 0 2, 2 has 3 0 1. After: 0 has 1 2, 1 has 0, 2 has 0. The first customer was and is told
 * 2; the second was told nothing, since the most similar one has nothing more; the third is gone. */
static void less(void **state)
{
	struct comparison c;

	(void)state;
	compare(&c, "0 1,0 1 2,2 3", 4, "0 1,0 2", 3, 50);
	expect(&c.axis[AXIS_ITEM], 4, 3, 1, 0);
	expect_answers(&c.axis[AXIS_ITEM], 3, 7, 4);
	expect(&c.axis[AXIS_CUSTOMER], 3, 2, 1, 0);
	expect_answers(&c.axis[AXIS_CUSTOMER], 1, 1, 1);
}

/* The other way round nothing is lost. Before: 0 has 1 2, 1 has 0, 2 has 0; first customer: 2, second: 1. After, the first
 * is told 2, and the second, whose like is the first, nothing. */
static void more(void **state)
{
	struct comparison c;

	(void)state;
	compare(&c, "0 1,0 2", 3, "0 1,0 1 2,2 3", 4, 50);
	expect(&c.axis[AXIS_ITEM], 3, 4, 0, 1);
	expect_answers(&c.axis[AXIS_ITEM], 3, 4, 4);
	expect(&c.axis[AXIS_CUSTOMER], 2, 3, 0, 1);
	expect_answers(&c.axis[AXIS_CUSTOMER], 2, 2, 1);
}

/* One model stores a single neighbour, so one is asked of both: before 1, 0, 3, 2; after the same. */
static void as_far_as_both_store(void **state)
{
	struct comparison c;

	(void)state;
	compare(&c, "0 1,0 1 2,2 3", 4, "0 1,0 1 2,2 3", 4, 1);
	expect_answers(&c.axis[AXIS_ITEM], 4, 4, 4);
	expect_answers(&c.axis[AXIS_CUSTOMER], 2, 3, 3);
}

static void no_answers(void **state)
{
	struct comparison c;

	(void)state;
	compare(&c, "0,1", 2, "0,1", 2, 50);
	expect(&c.axis[AXIS_ITEM], 2, 2, 0, 0);
	expect_answers(&c.axis[AXIS_ITEM], 0, 0, 0);
	expect_answers(&c.axis[AXIS_CUSTOMER], 0, 0, 0);
}

/* Twelve items that everybody has: of eleven neighbours ten are asked for. */
static void ten_at_most(void **state)
{
	struct comparison c;
	static const char all[] = "0 1 2 3 4 5 6 7 8 9 : ;,0 1 2 3 4 5 6 7 8 9 : ;";

	(void)state;
	compare(&c, all, 12, all, 12, 50);
	expect_answers(&c.axis[AXIS_ITEM], 12, 120, 120);
}

static enum data_age age(int64_t data_before, int64_t data_after, int64_t built_before, int64_t built_after)
{
	struct model_head before = {.data_until = data_before, .created = built_before};
	struct model_head after = {.data_until = data_after, .created = built_after};

	return compare_age(&before, &after);
}

static void whose_data_end_later(void **state)
{
	(void)state;
	assert_int_equal(age(100, 100, 7, 5), DATA_SAME);	/* built earlier, of the same data */
	assert_int_equal(age(100, 101, 7, 5), DATA_NEWER);
	assert_int_equal(age(100, 99, 5, 7), DATA_OLDER);
	assert_int_equal(age(100, INT64_MIN, 5, 7), DATA_OLDER);
	assert_int_equal(age(INT64_MIN, -100, 7, 5), DATA_NEWER);
	assert_int_equal(age(INT64_MIN, INT64_MIN, 7, 5), DATA_OLDER);
	assert_int_equal(age(INT64_MIN, INT64_MIN, 5, 7), DATA_NEWER);
	assert_int_equal(age(INT64_MIN, INT64_MIN, 5, 5), DATA_SAME);
}

static void percents(void **state)
{
	(void)state;
	assert_true(compare_percent(1, 4) == 25.0);
	assert_true(compare_percent(0, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(less),
		cmocka_unit_test(more),
		cmocka_unit_test(as_far_as_both_store),
		cmocka_unit_test(no_answers),
		cmocka_unit_test(ten_at_most),
		cmocka_unit_test(whose_data_end_later),
		cmocka_unit_test(percents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
