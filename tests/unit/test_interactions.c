/* test_interactions.c - rows to lists: order of ids, order of members, no pair twice. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_shop.h"
#include "../../prep/interactions.h"

static struct interactions built(struct transactions *t)
{
	struct interactions x;
	struct fault why = {""};

	if (!interactions_build(&x, t, &why))
		fail_msg("%s", why.text);
	transactions_free(t);
	return x;
}

static void assert_ids(const struct axis *a, const char *const *want, uint32_t n)
{
	assert_int_equal(a->n, n);
	for (uint32_t i = 0; i < n; i++) {
		struct text id = model_id(a, i);

		assert_int_equal(id.len, strlen(want[i]));
		assert_memory_equal(id.at, want[i], id.len);
	}
}

static void assert_members(const struct axis *a, uint32_t i, const uint32_t *want, uint32_t n)
{
	assert_int_equal(model_degree(a, i), n);
	assert_memory_equal(a->members + a->member_start[i], want, n * sizeof *want);
}

/* Ids that are prefixes of each other, share eight bytes and more, or begin with bytes above 0x7f. */
static void ids_stand_in_byte_order(void **state)
{
	static const struct sale sales[] = {
		{"\xc3\xa9", "z", 0, NULL},	      {"10", "0 a", 0, NULL},	{"1", "12345678b", 0, NULL},
		{"9", "12345678", 0, NULL},	      {"100", "12345678aa", 0, NULL}, {"Z", "12345678a", 0, NULL},
		{"12345678\xff", "1234567", 0, NULL}, {"12345678", "a", 0, NULL},
	};
	static const char *const customers[] = {"1", "10", "100", "12345678", "12345678\xff", "9", "Z", "\xc3\xa9"};
	static const char *const items[] = {"0 a",	  "1234567",   "12345678", "12345678a",
					    "12345678aa", "12345678b", "a",	   "z"};
	struct transactions t;

	(void)state;
	shop_open(&t, sales, 8, false);
	struct interactions x = built(&t);
	struct axis item = interactions_axis(&x, AXIS_ITEM), customer = interactions_axis(&x, AXIS_CUSTOMER);

	assert_ids(&customer, customers, 8);
	assert_ids(&item, items, 8);
	interactions_free(&x);
}

static void lists_hold_each_pair_once_in_their_orders(void **state)
{
	static const struct sale sales[] = {
		{"b", "pen", 0, NULL},	{"a", "cup", 0, NULL},	   {"b", "pen", 0, "a pen"},
		{"a", "pen", 0, "Pen"}, {"c", "bag", 0, "the bag"}, {"a", "cup", 0, NULL},
		{"c", "pen", 0, NULL},	{"b", "bag", 0, "other"},  {"a", "bag", 0, NULL},
	};
	static const char *const items[] = {"bag", "cup", "pen"};
	static const char *const descriptions[] = {"the bag", "", "a pen"};
	static const uint32_t seen[] = {2, 1, 0};	/* pen is sold first, then cup, then bag */
	static const uint32_t all[] = {0, 1, 2}, a[] = {2, 1, 0}, b[] = {2, 0};
	struct transactions t;

	(void)state;
	shop_open(&t, sales, 9, false);
	struct interactions x = built(&t);
	struct axis item = interactions_axis(&x, AXIS_ITEM), customer = interactions_axis(&x, AXIS_CUSTOMER);

	assert_int_equal(x.pairs, 7);
	assert_ids(&item, items, 3);
	assert_memory_equal(x.first_seen, seen, sizeof seen);
	assert_members(&item, 0, all, 3);
	assert_members(&item, 1, all, 1);
	assert_members(&item, 2, all, 3);
	assert_members(&customer, 0, a, 3);
	assert_members(&customer, 1, b, 2);
	assert_members(&customer, 2, b, 2);
	for (int i = 0; i < 3; i++) {
		uint64_t len = x.description_start[i + 1] - x.description_start[i];

		assert_int_equal(len, strlen(descriptions[i]));
		assert_memory_equal(x.descriptions + x.description_start[i], descriptions[i], len);
	}
	interactions_free(&x);
}

/* 20,000 sales, most of them repetitions, against the matrix. */
static void lists_are_the_matrix(void **state)
{
	static struct shop s;
	struct transactions t;

	(void)state;
	shop_random(&s, 300, 120, 20000, 3);
	shop_open(&t, s.sale, s.sales, false);
	uint32_t first_item = t.item[0];
	struct interactions x = built(&t);
	struct axis item = interactions_axis(&x, AXIS_ITEM), customer = interactions_axis(&x, AXIS_CUSTOMER);
	uint64_t pairs = 0;

	assert_int_equal(first_item, 0);
	for (unsigned c = 0; c < 300; c++)
		for (unsigned i = 0; i < 120; i++)
			pairs += s.bought[c][i];
	assert_int_equal(x.pairs, pairs);
	assert_int_equal(item.member_start[item.n], pairs);
	assert_int_equal(customer.member_start[customer.n], pairs);
	for (uint32_t i = 0; i < item.n; i++) {
		for (uint64_t k = item.member_start[i]; k < item.member_start[i + 1]; k++) {
			assert_true(s.bought[shop_number(&customer, item.members[k])][shop_number(&item, i)]);
			assert_true(k == item.member_start[i] || item.members[k - 1] < item.members[k]);
		}
	}
	for (uint32_t c = 0; c < customer.n; c++) {
		for (uint64_t k = customer.member_start[c]; k < customer.member_start[c + 1]; k++) {
			uint32_t i = customer.members[k];

			assert_true(s.bought[shop_number(&customer, c)][shop_number(&item, i)]);
			assert_true(k == customer.member_start[c] ||
				    x.first_seen[customer.members[k - 1]] < x.first_seen[i]);
		}
	}
	/* An item's rank is how many others were sold before its own first sale. */
	bool met[SHOP_MAX] = {false};
	uint32_t rank = 0;

	for (size_t k = 0; k < s.sales; k++) {
		unsigned i = (unsigned)strtoul(s.sale[k].item + 1, NULL, 10);

		if (met[i])
			continue;
		met[i] = true;
		uint32_t at = model_find(&item, s.sale[k].item, strlen(s.sale[k].item));

		assert_int_not_equal(at, MODEL_NONE);
		assert_int_equal(x.first_seen[at], rank++);
	}
	interactions_free(&x);
}

static void more_rows_than_can_be_counted_are_refused(void **state)
{
	const struct transactions t = {.rows = (uint64_t)UINT32_MAX + 1};	/* none of them there: a look would crash */
	struct interactions x;
	struct fault why = {""};

	(void)state;
	assert_false(interactions_build(&x, &t, &why));
	assert_non_null(strstr(why.text, "4294967295 rows, there are 4294967296"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_stand_in_byte_order),
		cmocka_unit_test(lists_hold_each_pair_once_in_their_orders),
		cmocka_unit_test(lists_are_the_matrix),
		cmocka_unit_test(more_rows_than_can_be_counted_are_refused),
	};

	return cmocka_run_group_tests_name("interactions", tests, NULL, NULL);
}
