/* test_columns.c - header names to roles, and the dialect that the header shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../prep/columns.h"
#include "../../prep/csv.h"
#include "../../prep/dialect.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define NONE	 COLUMNS_NONE

/* Split a list of names at '/', which none of them holds. */
static uint32_t split(const char *list, struct text names[16])
{
	uint32_t n = 0;

	for (const char *end; *list; list = *end ? end + 1 : end) {
		end = list + strcspn(list, "/");
		names[n++] = (struct text){list, (size_t)(end - list)};
	}
	return n;
}

static const struct {
	const char *header, *wishes;
	uint32_t customer, item, quantity, date, description;
} found[] = {
	{"InvoiceNo/StockCode/Description/Quantity/InvoiceDate/UnitPrice/CustomerID/Country", NULL, 6, 1, 3, 4, 2},
	{"Invoice/StockCode/Description/Quantity/InvoiceDate/Price/Customer ID/Country", NULL, 6, 1, 3, 4, 2},
	{"customer_id/item_id", NULL, 0, 1, NONE, NONE, NONE},
	{"SKU/ USER /qty/Timestamp/Product Name", NULL, 1, 0, 2, 3, 4},
	{"product/client/date/name", NULL, 1, 0, NONE, 2, 3},
	{"kunde/artikel", "customer=kunde,item=artikel", 0, 1, NONE, NONE, NONE},
	{"kunde/artikel", " Item = Artikel , CUSTOMER=KUNDE", 0, 1, NONE, NONE, NONE},
	{"user/customer/item", "customer=user", 0, 2, NONE, NONE, NONE},
	{"user/item/name", "item=name", 0, 2, NONE, NONE, NONE},	/* name is no description any more */
	{"customer/item/date/day", "date=day", 0, 1, NONE, 3, NONE},
};

static void test_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(found); i++) {
		struct text names[16];
		struct column_wishes w;
		struct columns c;
		struct fault why = {{0}};
		uint32_t n = split(found[i].header, names);

		assert_true(columns_wish(&w, found[i].wishes, &why));
		if (!columns_find(&c, names, n, &w, &why))
			fail_msg("%s: %s", found[i].header, why.text);
		assert_int_equal(c.count, n);
		assert_int_equal(c.at[ROLE_CUSTOMER], found[i].customer);
		assert_int_equal(c.at[ROLE_ITEM], found[i].item);
		assert_int_equal(c.at[ROLE_QUANTITY], found[i].quantity);
		assert_int_equal(c.at[ROLE_DATE], found[i].date);
		assert_int_equal(c.at[ROLE_DESCRIPTION], found[i].description);
	}
}

static const struct {
	const char *header, *wishes, *says, *says_too;
} refused[] = {
	{"a/StockCode/c", NULL, "as the customer", "a, StockCode, c"},
	{"customer/price", NULL, "as the item", "--columns item=NAME"},
	{"user/CustomerID/item", NULL, "columns 1 'user' and 2 'CustomerID'", "--columns customer=NAME"},
	{"customer/item/Item", NULL, "both fit", "'Item'"},
	{"customer/item", "item=thing", "'thing'", "customer, item"},
	{"customer/item", "quantity=n", "'n'", "the quantity"},
	{"customer/item", "customer=item,item=item", "column 2", "both"},
	{"x\x01y/item", NULL, "x\\x01y", "customer"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct text names[16];
		struct column_wishes w;
		struct columns c;
		struct fault why = {{0}};
		uint32_t n = split(refused[i].header, names);

		assert_true(columns_wish(&w, refused[i].wishes, &why));
		assert_false(columns_find(&c, names, n, &w, &why));
		if (!strstr(why.text, refused[i].says) || !strstr(why.text, refused[i].says_too))
			fail_msg("%s: %s", refused[i].header, why.text);
	}
}

static void test_bad_wishes(void **state)
{
	static const char *const bad[] = {"", "customer", "customer=", "customer= _", "price=x", "customer=a,customer=b",
					  "customer=a,,item=b", "customer=a,"};
	struct column_wishes w;
	struct fault why;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		why.text[0] = '\0';
		if (columns_wish(&w, bad[i], &why))
			fail_msg("taken: '%s'", bad[i]);
		assert_non_null(strstr(why.text, "--columns"));
	}
}

static void test_very_wide_header_is_shown_cut(void **state)
{
	enum { WIDE = 1000 };
	static struct text names[WIDE];
	struct column_wishes w = {0};
	struct columns c;
	struct fault why = {{0}};

	(void)state;
	for (unsigned i = 0; i < WIDE; i++)
		names[i] = (struct text){"some name or other", 18};
	assert_false(columns_find(&c, names, WIDE, &w, &why));
	assert_non_null(strstr(why.text, ", ..."));
}

static const struct {
	const char *head;
	char delimiter;
	size_t skip;
} dialects[] = {
	{"a,b,c\n1;2;3;4\n", ',', 0},
	{"a;b;c\r\n", ';', 0},
	{"a\tb\n", '\t', 0},
	{"a|b|c", '|', 0},
	{"\xef\xbb\xbf" "a;b\n", ';', 3},
	{"\"x,y,z\";b;c\n", ';', 0},
	{"\"x\n,,,,\";b\n", ';', 0},
	{"a,b;c\n", ',', 0},
	{"alone\n", ',', 0},
};

static void test_dialects(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialects); i++) {
		struct dialect d;
		struct fault why;
		struct text head = {dialects[i].head, strlen(dialects[i].head)};

		assert_true(dialect_find(&d, head, 0, &why));
		assert_int_equal(d.delimiter, dialects[i].delimiter);
		assert_int_equal(d.skip, dialects[i].skip);
		assert_true(dialect_find(&d, head, ':', &why));
		assert_int_equal(d.delimiter, ':');
	}
}

static void test_no_text(void **state)
{
#define HEAD(bytes, says) {{bytes, sizeof(bytes) - 1}, says}
	static const struct {
		struct text head;
		const char *says;
	} junk[] = {
		HEAD("\xff\xfe" "a\0,\0b\0\n\0", "UTF-16"),
		HEAD("\xfe\xff\0a\0,", "UTF-16"),
		HEAD("a\0,\0b\0\n\0", "binary"),
		HEAD("PK\3\4rest", "Excel"),
		HEAD("\x1f\x8b\x08", "gzip"),
		HEAD("\x28\xb5\x2f\xfd", "Zstandard"),
		HEAD("\xfd" "7zXZ\0", "xz"),
		HEAD(MODEL_MAGIC "\x04\x03", "Akin model"),
		HEAD("\x7f" "ELF\2\1\1", "binary"),
		HEAD("a,b\rc,d\r", "CR alone"),
	};
	static char endless[CSV_FIELD_MAX + 2];
	struct dialect d;
	struct fault why;

	(void)state;
	for (size_t i = 0; i < COUNT(junk); i++) {
		why.text[0] = '\0';
		assert_false(dialect_find(&d, junk[i].head, 0, &why));
		if (!strstr(why.text, junk[i].says))
			fail_msg("%zu: %s", i, why.text);
	}
	memset(endless, 'x', sizeof endless);
	assert_false(dialect_find(&d, (struct text){endless, sizeof endless}, 0, &why));
	assert_non_null(strstr(why.text, "65536"));
	assert_false(dialect_find(&d, (struct text){"a,b\n", 4}, '"', &why));
	assert_false(dialect_find(&d, (struct text){"a,b\n", 4}, '\n', &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_wishes),
		cmocka_unit_test(test_very_wide_header_is_shown_cut),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
