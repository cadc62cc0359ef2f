/* report.c - the lines people read after a build, and the objects scripts read. The provenance may come from a file
 * somebody else made: it is JSON, but any member may be missing or of another kind. */
#include "report.h"

#include <errno.h>
#include <string.h>

#include "backtest.h"
#include "provenance.h"
#include "transactions.h"
#include "../shm/compare.h"

static const char *const axis_name[AXES] = {[AXIS_ITEM] = "item", [AXIS_CUSTOMER] = "customer"};

static uint64_t stored_neighbours(const struct model_head *h, enum axis_kind kind)
{
	enum model_section s = kind == AXIS_ITEM ? SECTION_ITEM_ROWS : SECTION_CUSTOMER_ROWS;

	return h->section[s].length / sizeof(struct neighbour);
}

static double density(const struct model_head *h)
{
	return (double)h->interactions / ((double)h->items * h->customers);
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Text from the provenance, safe to print; NULL when there is none. */
static const char *words(char *out, size_t cap, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? fault_quote(out, cap, json_string_value(value), json_string_length(value)) : NULL;
}

static void print_read(FILE *to, const json_t *p)
{
	const json_t *source, *all = json_object_get(p, "sources");
	long long transcoded = number(p, "fields_transcoded");
	size_t i;

	fprintf(to, "read      %lld rows, %.1f MB:", number(p, "rows_read"), (double)number(p, "bytes_read") * 1e-6);
	json_array_foreach(all, i, source) {
		char name[300];

		fprintf(to, "%s %s", i ? "," : "", words(name, sizeof name, source, "name") ? name : "?");
	}
	if (number(p, "source_count") > (long long)json_array_size(all))
		fprintf(to, " and %lld more", number(p, "source_count") - (long long)json_array_size(all));
	fputc('\n', to);
	if (transcoded > 0)
		fprintf(to, "          %lld texts were not UTF-8 and were taken as Windows-1252\n", transcoded);
}

static void print_kept(FILE *to, const json_t *p)
{
	char format[64], until[64], off[200];
	const char *label = "dropped";

	fprintf(to, "kept      %lld rows", number(p, "rows_kept"));
	if (words(until, sizeof until, p, "data_until"))
		fprintf(to, ", dates %s until %s",
			words(format, sizeof format, p, "date_format") ? format : "of unknown form", until);
	fputc('\n', to);
	if (number(p, "rows_undated") > 0)
		fprintf(to, "          %lld of them without a date, which never count as recent\n",
			number(p, "rows_undated"));
	if (words(off, sizeof off, p, "recency_off"))
		fprintf(to, "          no recent popularity: %s\n", off);
	for (int r = 0; r < DROPS; r++) {
		long long rows = number(json_object_get(p, "dropped"), transactions_reason_key(r));

		if (rows == 0)
			continue;
		fprintf(to, "%-9s %lld %s%s\n", label, rows, transactions_reason(r),
			transactions_reason_malformed(r) ? " (malformed)" : "");
		label = "";
	}
}

static void print_backtest(FILE *to, const struct backtest *b, const json_t *p)
{
	char since[TIME_TEXT], off[200];

	if (b->split == INT64_MIN) {
		fprintf(to, "backtest  none: %s\n", words(off, sizeof off, p, "backtest_off") ? off : "nobody says why");
		return;
	}
	fprintf(to, "backtest  from %s on: of %llu items bought anew, 5 recommendations had %.2f %%, 10 had %.2f %%\n",
		time_of_data(since, b->split), (unsigned long long)b->trials, backtest_hit_percent(b, 5),
		backtest_hit_percent(b, 10));
	fprintf(to, "          unknown until then: %.1f %% of customers (%.1f %% of visits), %.1f %% of items (%.1f %% of rows)\n",
		compare_percent(b->unknown_users, b->seen_users), compare_percent(b->unknown_visits, b->visits),
		compare_percent(b->unknown_items, b->seen_items), compare_percent(b->unknown_lines, b->lines));
}

void report_text(FILE *to, const char *path, const struct model_head *h, const struct backtest *b, const json_t *p)
{
	char made[TIME_TEXT], program[100];
	const char *label = "rows";

	print_read(to, p);
	print_kept(to, p);
	fprintf(to, "holds     %u customers, %u items, %llu interactions, %.3g %% of all pairs\n", h->customers, h->items,
		(unsigned long long)h->interactions, 100 * density(h));
	for (int k = 0; k < AXES; k++) {
		fprintf(to, "%-9s %llu %s neighbours, the best %u of each; %s\n", label,
			(unsigned long long)stored_neighbours(h, k), axis_name[k], h->row_limit[k],
			h->whole[k] ? "the server keeps the others too" : "the others are computed when asked for");
		label = "";
	}
	print_backtest(to, b, p);
	fprintf(to, "model     %s, %.1f MB, %s", path, (double)h->size * 1e-6, time_utc(made, h->created));
	if (words(program, sizeof program, p, "program"))
		fprintf(to, ", by %s", program);
	fputc('\n', to);
}

static json_t *rows_json(const struct model_head *h, enum axis_kind kind)
{
	return json_pack("{s:I, s:I, s:b}", "stored", (json_int_t)stored_neighbours(h, kind), "row_limit",
			 (json_int_t)h->row_limit[kind], "whole", h->whole[kind]);
}

static json_t *places_json(const uint64_t hits[BACKTEST_RANKS])
{
	json_t *all = json_array();
	bool ok = all != NULL;

	for (int k = 0; ok && k < BACKTEST_RANKS; k++)
		ok = json_array_append_new(all, json_integer((json_int_t)hits[k])) == 0;
	if (ok)
		return all;
	json_decref(all);
	return NULL;
}

json_t *report_backtest_json(const struct backtest *b)
{
	char since[TIME_TEXT];

	if (b->split == INT64_MIN)
		return json_null();
	return json_pack("{s:s, s:I, s:I, s:f, s:f, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "since", time_of_data(since, b->split),
			 "customers", (json_int_t)b->customers,
			 "trials", (json_int_t)b->trials,
			 "hit_percent_5", backtest_hit_percent(b, 5),
			 "hit_percent_10", backtest_hit_percent(b, 10),
			 "hits_own", places_json(b->hits_own),
			 "hits_popular", places_json(b->hits_popular),
			 "visits", (json_int_t)b->visits,
			 "unknown_visits", (json_int_t)b->unknown_visits,
			 "lines", (json_int_t)b->lines,
			 "unknown_lines", (json_int_t)b->unknown_lines,
			 "seen_users", (json_int_t)b->seen_users,
			 "unknown_users", (json_int_t)b->unknown_users,
			 "seen_items", (json_int_t)b->seen_items,
			 "unknown_items", (json_int_t)b->unknown_items);
}

json_t *report_json(const char *path, const struct model_head *h, const struct backtest *b, json_t *provenance)
{
	char checksum[17], name[1024];

	snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)h->checksum);
	return json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:O}",
			 "model", fault_quote(name, sizeof name, path, strlen(path)),
			 "version", (json_int_t)h->version,
			 "bytes", (json_int_t)h->size,
			 "checksum", checksum,
			 "customers", (json_int_t)h->customers,
			 "items", (json_int_t)h->items,
			 "interactions", (json_int_t)h->interactions,
			 "density", density(h),
			 "item_rows", rows_json(h, AXIS_ITEM),
			 "customer_rows", rows_json(h, AXIS_CUSTOMER),
			 "backtest", report_backtest_json(b),
			 "provenance", provenance);
}

void report_effort_text(FILE *to, const struct effort *e, bool each)
{
	if (each)
		fprintf(to, "%-9s %.3f s to read\n%10s%.3f s for the backtest\n%10s%.3f s for interactions and popularity\n"
			    "%10s%.3f s for similarities\n%10s%.3f s to write\n", "phases", e->read, "", e->backtest, "",
			e->interactions, "", e->similarities, "", e->write);
	fprintf(to, "took      %.3f s", e->total);
	if (!each)
		fprintf(to, ": read %.3f, backtest %.3f, interactions %.3f, similarities %.3f, write %.3f", e->read,
			e->backtest, e->interactions, e->similarities, e->write);
	fprintf(to, "; %u threads, %.1f MB of memory at most\n", e->threads, (double)e->peak_memory * 1e-6);
}

json_t *report_effort_json(const struct effort *e)
{
	return json_pack("{s:{s:f, s:f, s:f, s:f, s:f, s:f}, s:I, s:I}", "seconds", "read", e->read, "backtest", e->backtest,
			 "interactions", e->interactions, "similarities", e->similarities, "write", e->write, "total", e->total,
			 "threads", (json_int_t)e->threads, "peak_memory_bytes", (json_int_t)e->peak_memory);
}

bool report_flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "akin-prep: can't write to standard output: %s\n", strerror(errno));
	return false;
}

bool report_print_json(json_t *object)
{
	bool ok = object && json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0;

	json_decref(object);
	if (ok)
		fputc('\n', stdout);
	if (!report_flushed())
		return false;
	if (!ok)
		fputs("akin-prep: no memory for the JSON\n", stderr);
	return ok;
}
