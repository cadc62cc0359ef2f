/* test_rows.c - what becomes of each row: kept as which numbers, or dropped for which reason. */
#include "reading.h"

#include <xxhash.h>

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"

static void test_first_uci_edition(void **state)
{
	static const char text[] = HEADER
		"536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom\r\n"
		"536365,71053,\"LANTERN, \"\"METAL\"\"\",6,12/1/2010 8:26,3.39,17850,United Kingdom\r\n"
		"C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom\r\n"
		"536414,22139,,56,12/1/2010 11:52,0,,United Kingdom\r\n"
		"536370,85123A,other text,24,12/13/2010 8:45,2.55,12583,France\r\n"
		"536371,22139,,1,12/13/2010 8:45,2.55,17850,France\r\n"
		"536372,22139, AMELIE ,1,12/13/2010 8:45,2.55,17850,France\r\n";

	(void)state;
	struct transactions t = take(text);
	assert_int_equal(t.rows_read, 7);
	assert_int_equal(t.rows, 5);
	assert_int_equal(t.dropped[DROP_not_bought], 1);
	assert_int_equal(t.dropped[DROP_no_customer], 1);
	assert_int_equal(t.bytes_read, sizeof text - 1);
	assert_int_equal(t.customers.n, 2);
	assert_int_equal(t.items.n, 3);
	assert_row(&t, 0, "17850", "85123A");
	assert_row(&t, 1, "17850", "71053");
	assert_row(&t, 2, "12583", "85123A");
	assert_row(&t, 3, "17850", "22139");
	assert_int_equal(t.item[0], 0);			/* numbers are ranks of first appearance */
	assert_int_equal(t.item[1], 1);
	assert_int_equal(t.item[3], 2);
	assert_text(&t.descriptions, t.description_of[0], "WHITE HANGING HEART T-LIGHT HOLDER");
	assert_text(&t.descriptions, t.description_of[1], "LANTERN, \"METAL\"");
	assert_text(&t.descriptions, t.description_of[2], "AMELIE");
	assert_int_equal(t.time[0], 1291191960);	/* 2010-12-01 08:26 */
	assert_int_equal(t.time[2], 1292229900);	/* 2010-12-13 08:45 */
	assert_string_equal(t.date_format, "m/d/Y");
	assert_null(t.recency_off);
	assert_int_equal(t.source_count, 1);
	assert_string_equal(t.sources[0], paths[0]);
	assert_true(t.source_digest[0] == XXH3_64bits(text, sizeof text - 1));
	transactions_free(&t);
}

static void test_second_uci_edition(void **state)
{
	(void)state;
	struct transactions t = take("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
				     "489434,85048,15CM BALL,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom\n"
				     "489434,79323P,PINK,12,2009-12-01 07:45:00,6.75,nan,United Kingdom\n");
	assert_int_equal(t.rows, 1);
	assert_row(&t, 0, "13085", "85048");
	assert_int_equal(t.time[0], 1259653500);
	assert_string_equal(t.date_format, "ISO 8601");
	transactions_free(&t);
}

static void test_only_customer_and_item(void **state)
{
	(void)state;
	struct transactions t = take("item;user\n5;\"a;b\"\nBANK CHARGES; \xc3\xa9 \n007.0;1.0");
	assert_int_equal(t.rows, 3);
	assert_row(&t, 0, "a;b", "5");
	assert_row(&t, 1, "\xc3\xa9", "BANK CHARGES");
	assert_row(&t, 2, "1", "007.0");		/* only customers lose their .0 */
	assert_null(t.time);
	assert_null(t.date_format);
	assert_string_equal(t.recency_off, "no date column");
	assert_int_equal(t.descriptions.n, 0);
	assert_int_equal(t.description_of[2], UINT32_MAX);
	assert_non_null(strstr(notes, "no quantity column"));
	assert_non_null(strstr(notes, "recency is off: no date column"));
	transactions_free(&t);
}

/* One row for each reason; the first that applies counts. */
static void test_reasons_and_their_order(void **state)
{
	(void)state;
	struct transactions t = take("customer,item,quantity,date\n"
				     "1,a,1,2011-01-01\n"
				     ",,six\n"			/* too few fields before anything else */
				     "1,a,1,2011-01-01,\n"
				     "1,\"a,1,2011-01-01\n"
				     "1,\"a\"b,1,2011-01-01\n"
				     "NULL,,six,x\n"		/* no customer before no item */
				     "1, nan ,six,x\n"
				     "1,a,six,x\n"
				     "1,a,,x\n"			/* missing, so no number */
				     "1,a,0,x\n"
				     "1,\x01,1,x\n"
				     "\x7f,a,1,x\n"
				     "1,a,1,x\n"
				     "1,a,1,\n");		/* kept, without a time */
	assert_int_equal(t.rows_read, 14);
	assert_int_equal(t.rows, 2);
	assert_int_equal(t.dropped[DROP_too_few_fields], 1);
	assert_int_equal(t.dropped[DROP_too_many_fields], 1);
	assert_int_equal(t.dropped[DROP_bad_quote], 2);
	assert_int_equal(t.dropped[DROP_no_customer], 1);
	assert_int_equal(t.dropped[DROP_no_item], 1);
	assert_int_equal(t.dropped[DROP_bad_quantity], 2);
	assert_int_equal(t.dropped[DROP_not_bought], 1);
	assert_int_equal(t.dropped[DROP_bad_id], 2);
	assert_int_equal(t.dropped[DROP_bad_date], 1);
	assert_int_equal(t.dropped[DROP_long_field], 0);
	assert_int_equal(t.undated, 1);
	assert_int_equal(t.time[0], 1293840000);
	assert_true(t.time[1] == TRANSACTIONS_NO_TIME);
	transactions_free(&t);
}

static void test_ids(void **state)
{
	char text[3200], longest[MODEL_MAX_ID + 1];

	(void)state;
	memset(longest, 'i', sizeof longest);
	longest[MODEL_MAX_ID] = '\0';
	snprintf(text, sizeof text, "customer,item\n1,%s\n2,%sx\n%s,b\n", longest, longest, longest);
	struct transactions t = take(text);
	assert_int_equal(t.rows, 2);
	assert_int_equal(t.dropped[DROP_bad_id], 1);
	assert_row(&t, 0, "1", longest);
	assert_row(&t, 1, longest, "b");
	transactions_free(&t);
	t = take("customer,item\n17850.0,a\n 17850 ,a\n17850,\ta\n");
	assert_int_equal(t.customers.n, 1);
	assert_int_equal(t.items.n, 1);
	assert_int_equal(t.rows, 3);
	transactions_free(&t);
}

/* An id that would outgrow the room for its UTF-8 is refused before it is put there. */
static void test_long_ids_that_are_no_utf8(void **state)
{
	enum { LONG = 65000 };
	static char text[2 * LONG + 64];
	size_t len = (size_t)sprintf(text, "customer,item\n1,a\n2,");

	(void)state;
	memset(text + len, 0x80, LONG);
	len += LONG;
	text[len++] = '\n';
	memset(text + len, 0x80, LONG);
	len += LONG;
	memcpy(text + len, ",b\n", 4);
	struct transactions t = take(text);
	assert_int_equal(t.rows, 1);
	assert_int_equal(t.dropped[DROP_bad_id], 2);
	assert_int_equal(t.transcoded, 0);
	transactions_free(&t);
}

static void test_windows_1252(void **state)
{
	(void)state;
	struct transactions t = take("customer,item,description\nJos\xe9,a,\xa3 40\nJos\xe9,a,\xa3 50\nJos\xc3\xa9,b,\xc2\xa3 60\n"
				     "1,\x80,x\n1,\x80,x\n");
	assert_int_equal(t.rows, 5);
	assert_int_equal(t.customers.n, 2);
	assert_row(&t, 0, "Jos\xc3\xa9", "a");
	assert_row(&t, 2, "Jos\xc3\xa9", "b");
	assert_row(&t, 4, "1", "\xe2\x82\xac");
	assert_text(&t.descriptions, t.description_of[0], "\xc2\xa3 40");
	assert_text(&t.descriptions, t.description_of[1], "\xc2\xa3 60");
	assert_int_equal(t.transcoded, 5);		/* Jose twice, its description, the item twice */
	transactions_free(&t);
}

/* An item that is no UTF-8 is known again when it comes again: its description stays, and so does everybody else's. */
static void test_an_item_in_windows_1252_comes_again(void **state)
{
	enum { OTHERS = 300 };
	static char text[OTHERS * 40];
	size_t len = (size_t)sprintf(text, "customer,item,description\n1,caf\xe9,first\n");

	(void)state;
	for (unsigned i = 0; i < OTHERS; i++)
		len += (size_t)sprintf(text + len, "%u,i%u,of %u\n%s", i, i, i, i % 50 == 49 ? "1,caf\xe9,later\n" : "");
	struct transactions t = take(text);
	assert_int_equal(t.rows, 1 + OTHERS + OTHERS / 50);
	assert_int_equal(t.items.n, 1 + OTHERS);
	assert_text(&t.items, 0, "caf\xc3\xa9");
	assert_text(&t.descriptions, t.description_of[0], "first");
	for (unsigned i = 0; i < OTHERS; i++) {
		char of[16];

		snprintf(of, sizeof of, "of %u", i);
		assert_text(&t.descriptions, t.description_of[1 + i], of);
	}
	transactions_free(&t);
}

static void test_dates(void **state)
{
	struct reading how = reading_of(1);

	(void)state;
	put(0, "customer,item,date\n1,a,3/4/2011\n2,a,4/3/2011\n");
	struct transactions t = taken(&how);
	assert_null(t.time);
	assert_null(t.date_format);
	assert_non_null(strstr(t.recency_off, "ambiguous"));
	assert_non_null(strstr(notes, "ambiguous"));
	transactions_free(&t);
	how.strict = true;
	refused(&how, "ambiguous");
	how.date_format = "dmy";
	t = taken(&how);
	assert_int_equal(t.time[0], 1301788800);
	assert_int_equal(t.time[1], 1299196800);
	transactions_free(&t);
	how.date_format = "none";
	t = taken(&how);
	assert_null(t.time);
	assert_non_null(t.recency_off);
	transactions_free(&t);
	how.date_format = "YMD";
	refused(&how, "--date-format");

	refuse("customer,item,date\n1,a,13/1/2011\n1,b,1/13/2011\n", ":3 '1/13/2011'");
	refuse("customer,item,date\n1,a,13/1/2011\n1,b,1/13/2011\n", ":2 '13/1/2011'");

	/* a row that does not count still says what its date looks like */
	t = take("customer,item,date\n1,a,3/4/2011\n,a,13/4/2011\n");
	assert_string_equal(t.date_format, "d/m/Y");
	assert_int_equal(t.time[0], 1301788800);
	transactions_free(&t);

	/* a file without dates behind one that has them */
	put(0, "customer,item,date\n1,a,2011-01-01\n");
	put(1, "customer,item\n1,b\n");
	how = reading_of(2);
	t = taken(&how);
	assert_int_equal(t.time[0], 1293840000);
	assert_true(t.time[1] == TRANSACTIONS_NO_TIME);
	assert_int_equal(t.undated, 1);
	transactions_free(&t);

	t = take("customer,item,date\n1,a,\n2,a,nan\n");
	assert_null(t.time);
	assert_string_equal(t.recency_off, "no row has a date");
	transactions_free(&t);
}

/* Numbers and memory grow: many rows, many ids. Row i is customer i % 5003 and item i % 70001. */
static void test_many_rows(void **state)
{
	enum { ROWS = 300000, CUSTOMERS = 5003, ITEMS = 70001 };
	struct reading how = reading_of(1);
	FILE *f = fopen(paths[0], "wb");

	(void)state;
	assert_non_null(f);
	fputs("item,customer,description,date\n", f);
	for (unsigned i = 0; i < ROWS; i++)
		fprintf(f, "i%u,c%u,text %u,%u\n", i % ITEMS, i % CUSTOMERS, i % ITEMS / 2, 1000000000 + i);
	assert_int_equal(fclose(f), 0);
	struct transactions t = taken(&how);
	assert_int_equal(t.rows, ROWS);
	assert_int_equal(t.customers.n, CUSTOMERS);
	assert_int_equal(t.items.n, ITEMS);
	assert_int_equal(t.descriptions.n, (ITEMS + 1) / 2);
	for (unsigned i = 0; i < ROWS; i++)
		if (t.customer[i] != i % CUSTOMERS || t.item[i] != i % ITEMS || t.time[i] != 1000000000 + (int64_t)i ||
		    t.description_of[t.item[i]] != i % ITEMS / 2)
			fail_msg("row %u", i);
	transactions_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_uci_edition),
		cmocka_unit_test(test_second_uci_edition),
		cmocka_unit_test(test_only_customer_and_item),
		cmocka_unit_test(test_reasons_and_their_order),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_long_ids_that_are_no_utf8),
		cmocka_unit_test(test_windows_1252),
		cmocka_unit_test(test_an_item_in_windows_1252_comes_again),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_many_rows),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
