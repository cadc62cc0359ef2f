/* replay_text.c - the object of replay_report.c for people: aligned lines, safe for a terminal. */
#include "replay_text.h"

#include <stdio.h>
#include <string.h>

#include "../shm/fault.h"

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static double percent(const json_t *object, const char *key)
{
	return 100 * json_number_value(json_object_get(object, key));
}

static void print_asked(const json_t *all)
{
	const json_t *server = json_object_get(all, "server");
	char shown[300];

	printf("%-10s", "asked");
	if (json_is_object(server)) {
		fault_quote(shown, sizeof shown, text(server, "url"), json_string_length(json_object_get(server, "url")));
		printf("%s, generation %lld, %lld places, %lld requests", shown, number(server, "generation"),
		       number(all, "n"), number(server, "requests"));
		if (number(server, "retried") > 0)
			printf(", %lld of them again", number(server, "retried"));
	} else {
		printf("%s, %lld places, fill %s", text(all, "model"), number(all, "n"), text(all, "fill"));
	}
	putchar('\n');
}

static void print_rows(const json_t *rows)
{
	printf("%-10s%lld kept of %lld", "rows", number(rows, "kept"), number(rows, "read"));
	if (text(rows, "from"))
		printf(", %s until %s", text(rows, "from"), text(rows, "until"));
	putchar('\n');
	if (text(rows, "no_dates"))
		printf("%10sin the order of the input: %s\n", "", text(rows, "no_dates"));
	if (number(rows, "undated") > 0)
		printf("%10s%lld of them without a date, which come last\n", "", number(rows, "undated"));
	if (number(rows, "not_newer") > 0)
		printf("%10s%lld of them not newer than the data of the model\n", "", number(rows, "not_newer"));
}

static void print_purchases(const json_t *all)
{
	static const struct {
		const char *key, *what;
	} asides[] = {{"unknown_customer", "of unknown customers"},
		      {"unknown_item", "of unknown items"},
		      {"repeat", "of what the customer had already"},
		      {"not_judged", "not judged by the server"}};
	const json_t *aside = json_object_get(all, "aside");
	const char *label = "aside";

	printf("%-10s%lld, each a customer's first of an item\n", "purchases", number(all, "purchases"));
	for (size_t i = 0; i < sizeof asides / sizeof *asides; i++) {
		if (number(aside, asides[i].key) == 0)
			continue;
		printf("%-10s%lld %s\n", label, number(aside, asides[i].key), asides[i].what);
		label = "";
	}
	printf("%-10s%lld by %lld customers\n", "trials", number(all, "trials"), number(all, "trial_customers"));
	if (json_is_null(json_object_get(aside, "repeat")))
		printf("%10swith what customers had already, for a server does not say so: see --model, --feedback\n", "");
	printf("%-10s%lld, %.3f %% of the trials\n", "hits", number(all, "hits"), percent(all, "hit_rate"));
}

static void print_unknown(const json_t *unknown)
{
	static const char *const kinds[] = {"visits", "lines", "customers", "items"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const json_t *share = json_object_get(unknown, kinds[i]);

		printf("%-10s%.2f %% of %lld %s\n", i == 0 ? "unknown" : "", percent(share, "share"), number(share, "all"),
		       kinds[i]);
	}
}

static void print_cuts(const json_t *all)
{
	const json_t *one, *list = json_object_get(all, "first");
	bool promised = json_is_object(json_object_get(all, "backtest"));
	size_t i;

	printf("\n%6s  %9s  %9s  %9s  %9s%s\n", "first", "hits", "user", "popular", "rate", promised ? "   promised" : "");
	json_array_foreach(list, i, one) {
		printf("%6lld  %9lld  %9lld  %9lld  %7.3f %%", number(one, "n"), number(one, "hits"), number(one, "user"),
		       number(one, "popular"), percent(one, "rate"));
		if (json_is_real(json_object_get(one, "promised")))
			printf("  %7.3f %%", percent(one, "promised"));
		putchar('\n');
	}
}

static void print_periods(const json_t *all)
{
	const json_t *one, *list = json_object_get(all, "periods");
	size_t i;

	printf("\n%-10s  %9s  %9s  %9s  %9s  %9s  %15s  %14s\n", text(all, "by"), "rows", "purchases", "trials", "hits", "rate",
	       "unknown visits", "unknown lines");
	json_array_foreach(list, i, one) {
		printf("%-10s  %9lld  %9lld  %9lld  %9lld  %7.3f %%  %13.2f %%  %12.2f %%\n",
		       text(one, "begin") ? text(one, "begin") : "no date", number(one, "rows"), number(one, "purchases"),
		       number(one, "trials"), number(one, "hits"), percent(one, "rate"),
		       percent(json_object_get(one, "visits"), "share"), percent(json_object_get(one, "lines"), "share"));
	}
}

static void print_feedback(const json_t *feedback)
{
	json_t *outcomes = json_object_get(feedback, "outcomes"), *count;
	const char *outcome, *label = ":";
	char shown[100];

	printf("%-10s%lld events", "feedback", number(feedback, "posted"));
	json_object_foreach(outcomes, outcome, count) {
		printf("%s %lld %s", label, (long long)json_integer_value(count),
		       fault_quote(shown, sizeof shown, outcome, strlen(outcome)));
		label = ",";
	}
	putchar('\n');
	if (number(feedback, "contradicted") > 0)
		printf("%10s%lld of them judged by the server otherwise than here\n", "", number(feedback, "contradicted"));
}

void replay_text_report(const json_t *all)
{
	print_asked(all);
	print_rows(json_object_get(all, "rows"));
	print_purchases(all);
	print_unknown(json_object_get(all, "unknown"));
	if (json_object_get(all, "feedback"))
		print_feedback(json_object_get(all, "feedback"));
	print_cuts(all);
	if (json_object_get(all, "by"))
		print_periods(all);
}
