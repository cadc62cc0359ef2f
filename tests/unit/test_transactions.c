/* test_transactions.c - whole readings: several inputs, their examples and limits, and what is refused. */
#include "reading.h"

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
	assert_non_null(strstr(notes, ":3: "));		/* one of each reason, whatever is frequent */
	assert_non_null(strstr(notes, ":4: "));
	assert_non_null(strstr(notes, ":6: "));
	assert_non_null(strstr(notes, ":7: "));
	assert_null(strstr(notes, ":8: "));
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

#define LOG "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

/* Whoever has names and a delimiter of their own has the server's log of events beside them. */
static void test_the_log_of_events_behind_files_of_another_kind(void **state)
{
	static const char *const first[] = {paths[1], paths[0]};
	struct reading how = reading_of(2);

	(void)state;
	put(0, "Kunde;Artikel;Menge;Tag\n7;x;1;24.12.2025\n");
	put(1, LOG "purchase,y,,1,2026-01-02 03:04:05,,8,\nclick,x,,0,2026-01-02 03:04:05,,8,\n");
	how.delimiter = ';';
	how.columns = "customer=Kunde,item=Artikel,quantity=Menge,date=Tag";
	struct transactions t = taken(&how);
	assert_int_equal(t.rows, 2);
	assert_row(&t, 0, "7", "x");
	assert_row(&t, 1, "8", "y");
	assert_true(t.time[1] == 1767323045);
	transactions_free(&t);

	put(1, "Kunde,Artikel,Menge,Tag\n8,y,1,24.12.2025\n");	/* of no other file is the delimiter found out */
	refused(&how, "Kunde,Artikel,Menge,Tag");
	put(1, "customer;item\n8;y\n");				/* and none goes by names of its own */
	refused(&how, "no column is named 'Kunde'");
	put(1, LOG "purchase,y,,1,2026-01-02 03:04:05,,8,\n");
	how.paths = first;		/* with nothing before it, it is a file like any other: the names may be wrong */
	refused(&how, "no column is named 'Kunde'");
}

/* Names that it has mean it, too: so Online Retail's own export is read, which has this header. */
static void test_what_the_log_of_events_has_is_what_was_wished(void **state)
{
	struct reading how = reading_of(2);

	(void)state;
	put(0, LOG "1,a,,1,,,7,France\n");
	put(1, LOG "2,b,,1,,,8,Spain\n");
	how.columns = "customer=Country";
	struct transactions t = taken(&how);
	assert_row(&t, 0, "France", "a");
	assert_row(&t, 1, "Spain", "b");
	transactions_free(&t);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_name_file_line_rule_and_value),
		cmocka_unit_test(test_max_bad_and_strict),
		cmocka_unit_test(test_several_files_of_several_dialects),
		cmocka_unit_test(test_columns_and_delimiter_by_name),
		cmocka_unit_test(test_the_log_of_events_behind_files_of_another_kind),
		cmocka_unit_test(test_what_the_log_of_events_has_is_what_was_wished),
		cmocka_unit_test(test_inputs_that_are_none),
		cmocka_unit_test(test_header_only_beside_others),
		cmocka_unit_test(test_huge_fields_and_endless_quotes),
		cmocka_unit_test(test_progress_counts_all_bytes),
		cmocka_unit_test(test_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
