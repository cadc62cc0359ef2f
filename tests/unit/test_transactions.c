/* test_transactions.c - from files to the rows that count: the row rules, the counts, the refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "../../prep/transactions.h"
#include "../../shm/model.h"

#define HEADER "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"

static char folder[] = "/tmp/akin-test-transactions-XXXXXX";
static char paths[4][64];
static char notes[8192];		/* what note() got, one a line */

static void note(void *of, const char *line)
{
	size_t at = strlen(notes);

	assert_ptr_equal(of, notes);
	assert_null(strchr(line, '\n'));
	snprintf(notes + at, sizeof notes - at, "%s\n", line);
}

/* Write text to file number i. */
static void put_bytes(unsigned i, const char *text, size_t len)
{
	FILE *f = fopen(paths[i], "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put(unsigned i, const char *text)
{
	put_bytes(i, text, strlen(text));
}

/* Default reading of the first n files. */
static struct reading reading_of(unsigned n)
{
	static const char *const all[4] = {paths[0], paths[1], paths[2], paths[3]};

	notes[0] = '\0';
	return (struct reading){.paths = all, .path_count = n, .max_bad = 0.10, .examples = 5, .note = note, .of = notes};
}

static void assert_sums_up(const struct transactions *t)
{
	uint64_t sum = t->rows;

	for (unsigned r = 0; r < DROPS; r++)
		sum += t->dropped[r];
	assert_int_equal(sum, t->rows_read);
}

static struct transactions taken(const struct reading *how)
{
	struct transactions t;
	struct fault why = {{0}};

	if (!transactions_read(&t, how, &why))
		fail_msg("refused: %s", why.text);
	assert_sums_up(&t);
	return t;
}

static struct transactions take(const char *text)
{
	struct reading how = reading_of(1);

	how.max_bad = 1;
	put(0, text);
	return taken(&how);
}

static void refused(const struct reading *how, const char *says)
{
	struct transactions t;
	struct fault why = {{0}};

	assert_false(transactions_read(&t, how, &why));
	assert_null(t.customer);
	assert_null(strchr(why.text, '\n'));
	if (!strstr(why.text, says))
		fail_msg("'%s' does not say '%s'", why.text, says);
}

static void refuse(const char *text, const char *says)
{
	struct reading how = reading_of(1);

	put(0, text);
	refused(&how, says);
}

static void assert_text(const struct intern *in, uint32_t i, const char *want)
{
	assert_in_range(i, 0, in->n - 1);
	assert_int_equal(in->start[i + 1] - in->start[i], strlen(want));
	assert_memory_equal(in->bytes + in->start[i], want, strlen(want));
}

static void assert_row(const struct transactions *t, uint64_t row, const char *customer, const char *item)
{
	assert_in_range(row, 0, t->rows - 1);
	assert_text(&t->customers, t->customer[row], customer);
	assert_text(&t->items, t->item[row], item);
}

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

static void test_examples_name_file_line_rule_and_value(void **state)
{
	static const char text[] = "customer,item,quantity\n1,a,1\n1,a,six\n1,\"x\ny\",-2\n,a,3\n1,a\n1,a,-3\n";
	struct reading how = reading_of(1);
	char want[128];

	(void)state;
	put(0, text);
	how.max_bad = 1;
	struct transactions t = taken(&how);
	transactions_free(&t);
	static const char *const lines[] = {":3: the quantity must be a number, but is 'six'\n",
					    ":4: the quantity must be above 0 to count, but is '-2'\n",
					    ":6: a row must have a customer to count, but has ''\n",
					    ":7: a row must have as many fields as the header, but has '2 of 3'\n",
					    ":8: the quantity must be above 0 to count, but is '-3'\n"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		snprintf(want, sizeof want, "%s%s", paths[0], lines[i]);
		assert_non_null(strstr(notes, want));
	}

	how = reading_of(1);
	how.max_bad = 1;
	how.examples = 1;
	t = taken(&how);
	transactions_free(&t);
	assert_non_null(strstr(notes, ":3: "));
	assert_non_null(strstr(notes, ":4: "));
	assert_null(strstr(notes, ":6: "));
	assert_null(strstr(notes, ":7: "));
}

static void test_max_bad_and_strict(void **state)
{
	struct reading how = reading_of(1);

	(void)state;
	put(0, "customer,item,quantity\n1,a,1\n2,a,1\n3,b,1\n3,b,x\n,b,1\n");	/* 1 of 5 */
	refused(&how, ":5: the quantity must be a number, but is 'x'; 1 of 5 rows");
	how.max_bad = 0.19;
	refused(&how, "19 %");
	how.max_bad = 0.20;
	struct transactions t = taken(&how);
	transactions_free(&t);
	how.strict = true;
	refused(&how, ":5: the quantity must be a number, but is 'x'");

	put(0, "customer,item,quantity\n1,a,1\n,b,1\n2,b,-1\n");	/* sound rows are no reason */
	how.max_bad = 0;
	t = taken(&how);
	assert_int_equal(t.rows, 1);
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

static void test_several_files_of_several_dialects(void **state)
{
	struct reading how = reading_of(3);

	(void)state;
	put(0, "\xef\xbb\xbf" "CustomerID;StockCode;Quantity\r\n1;a;6,0\r\n");
	put(1, "qty\tsku\tuser\tdate\n2\tb\t1\t3/4/2011\n");
	put(2, "date|customer|item\n25/12/2010|2|a");
	struct transactions t = taken(&how);
	assert_int_equal(t.rows, 3);
	assert_int_equal(t.source_count, 3);
	assert_string_equal(t.sources[2], paths[2]);
	assert_row(&t, 0, "1", "a");
	assert_row(&t, 1, "1", "b");
	assert_row(&t, 2, "2", "a");
	assert_true(t.time[0] == TRANSACTIONS_NO_TIME);
	assert_int_equal(t.undated, 1);
	assert_int_equal(t.time[1], 1301788800);	/* 2011-04-03: the third file proves d/m */
	assert_int_equal(t.time[2], 1293235200);
	assert_string_equal(t.date_format, "d/m/Y");
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

	t = take("customer,item,date\n1,a,\n2,a,nan\n");
	assert_null(t.time);
	assert_string_equal(t.recency_off, "no row has a date");
	transactions_free(&t);
}

static void test_columns_and_delimiter_by_name(void **state)
{
	struct reading how = reading_of(1);

	(void)state;
	put(0, "Kunde:Artikel:Menge\n7:x:1\n8:y:0\n");
	how.delimiter = ':';
	how.columns = "customer=kunde,item=artikel,quantity=menge";
	struct transactions t = taken(&how);
	assert_int_equal(t.rows, 1);
	assert_row(&t, 0, "7", "x");
	transactions_free(&t);
	how.columns = "customer=kunde,item=artikel,quantity=anzahl";
	refused(&how, "Kunde, Artikel, Menge");
	how.columns = "kunde";
	refused(&how, "--columns");
}

static void test_inputs_that_are_none(void **state)
{
	struct reading how = reading_of(1);
	static const char *const nowhere[] = {"/nonexistent/shop.csv"}, *const directory[] = {folder};
	static const char junk[] = "\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0>\0", wide[] = "a\0,\0b\0\n\0";

	(void)state;
	refuse("", "is empty");
	refuse("\n\n", "is empty");
	refuse("\xef\xbb\xbf", "is empty");
	refuse("customer,item\n", "no rows behind the header");
	refuse("customer,item", "no rows behind the header");
	refuse("customer,item\n,a\n,b\n", "none of 2 does: 2 without a customer");
	refuse("customer,price\n1,2\n", "customer, price");
	refuse("customer,user,item\n1,1,2\n", "--columns customer=NAME");
	refuse("just one line of prose", "as the customer");
	refuse("customer,\"item\n1,2\n", "quote in it never ends");
	put_bytes(0, junk, sizeof junk - 1);
	refused(&how, "binary");
	put_bytes(0, wide, sizeof wide - 1);
	refused(&how, "binary");
	how.paths = nowhere;
	refused(&how, "/nonexistent/shop.csv: cannot open: No such file");
	how.paths = directory;
	refused(&how, "not a directory");
}

static void test_header_only_beside_others(void **state)
{
	struct reading how = reading_of(2);

	(void)state;
	put(0, "customer,item\n");
	put(1, "customer,item\n1,a\n");
	struct transactions t = taken(&how);
	assert_int_equal(t.rows, 1);
	assert_non_null(strstr(notes, "has a header but no rows"));
	transactions_free(&t);
}

static void test_huge_fields_and_endless_quotes(void **state)
{
	enum { HUGE_FIELD = 1000000 };
	struct reading how = reading_of(1);
	char *text = malloc(HUGE_FIELD + 200);
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "customer,item\n1,a\n2,");
	memset(text + len, 'x', HUGE_FIELD);
	len += HUGE_FIELD;
	len += (size_t)sprintf(text + len, "\n3,b\n4,\"c\n5,d\n");
	put_bytes(0, text, len);
	free(text);
	how.max_bad = 0.5;
	struct transactions t = taken(&how);
	assert_int_equal(t.rows_read, 5);
	assert_int_equal(t.rows, 3);
	assert_int_equal(t.dropped[DROP_long_field], 1);
	assert_int_equal(t.dropped[DROP_bad_quote], 1);
	assert_row(&t, 2, "5", "d");
	assert_non_null(strstr(notes, ":3: a field must be at most"));
	assert_non_null(strstr(notes, ":5: a quoted field must end"));
	assert_non_null(strstr(notes, "'\"c\\x0a5,d\\x0a'"));
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

static uint64_t progress_done, progress_total;

static void progress(void *of, uint64_t done, uint64_t total)
{
	(void)of;
	assert_true(done >= progress_done);
	progress_done = done;
	progress_total = total;
}

static void test_progress_counts_all_bytes(void **state)
{
	struct reading how = reading_of(2);

	(void)state;
	put(0, "customer,item\n1,a\n");
	put(1, "customer,item\n1,b\n");
	how.progress = progress;
	struct transactions t = taken(&how);
	assert_int_equal(progress_done, 36);
	assert_int_equal(progress_total, 36);
	transactions_free(&t);
}

static void test_reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(transactions_reason_key(DROP_no_customer), "no_customer");
	assert_string_equal(transactions_reason(DROP_no_customer), "without a customer");
	assert_false(transactions_reason_malformed(DROP_not_bought));
	assert_true(transactions_reason_malformed(DROP_too_few_fields));
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (unsigned i = 0; i < 4; i++)
		snprintf(paths[i], sizeof paths[i], "%s/%u.csv", folder, i);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		unlink(paths[i]);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_uci_edition),
		cmocka_unit_test(test_second_uci_edition),
		cmocka_unit_test(test_only_customer_and_item),
		cmocka_unit_test(test_reasons_and_their_order),
		cmocka_unit_test(test_examples_name_file_line_rule_and_value),
		cmocka_unit_test(test_max_bad_and_strict),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_windows_1252),
		cmocka_unit_test(test_several_files_of_several_dialects),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_columns_and_delimiter_by_name),
		cmocka_unit_test(test_inputs_that_are_none),
		cmocka_unit_test(test_header_only_beside_others),
		cmocka_unit_test(test_huge_fields_and_endless_quotes),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_progress_counts_all_bytes),
		cmocka_unit_test(test_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
