/* test_reference.c - features and their histograms: against the table they come from, and what is refused of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_model.h"
#include "../../prep/references.h"

#define SUM_FROM 32

static struct model model;		/* of the test at hand */
static void *image;
static size_t size;

static void open_model(const struct small *s)
{
	struct fault why;

	assert_true(small_image(s, &image, &size));
	assert_true(model_view(&model, image, size, &why));
	if (!model_verify(&model, &why))
		fail_msg("%s", why.text);
}

static int close_model(void **state)
{
	(void)state;
	if (image)
		model_file_free(image, size);
	image = NULL;
	return 0;
}

static void features_are_what_the_table_says(void **state)
{
	static const char *const names[] = {"user_top_score", "user_results", "user_history", "item_top_score", "item_results",
					    "item_rank", "item_mix", "user_unknown", "item_unknown"};
	uint32_t rank[SMALL_MAX];

	(void)state;
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct small s;

		small_random(&s, 5 + seed * 7, 3 + seed * 5, seed * 9, seed);
		s.row_limit = 1 + seed;
		open_model(&s);
		feature_ranks(&model, rank);
		for (int f = 0; f < FEATURE_BINNED; f++)
			for (uint32_t i = 0; i < model.axis[feature_axis(f)].n; i++)
				assert_true(feature_value(&model, f, i, rank) == small_feature(&s, f, i));
		close_model(NULL);
	}
	for (int f = 0; f < FEATURE_COUNT; f++) {
		assert_string_equal(feature_name(f), names[f]);
		assert_int_equal(feature_axis(f), names[f][0] == 'u' ? AXIS_CUSTOMER : AXIS_ITEM);
	}
}

static void who_has_no_neighbour_has_no_score(void **state)
{
	struct small s = {.items = 2, .customers = 2, .bought = {{1, 0}, {0, 1}}, .first_seen = {0, 1}, .row_limit = 3};
	uint32_t rank[2];

	(void)state;
	open_model(&s);
	feature_ranks(&model, rank);
	for (int i = 0; i < 2; i++) {
		assert_true(feature_value(&model, FEATURE_USER_TOP_SCORE, i, rank) == 0);
		assert_true(feature_value(&model, FEATURE_USER_RESULTS, i, rank) == 0);
		assert_true(feature_value(&model, FEATURE_ITEM_TOP_SCORE, i, rank) == 0);
		assert_true(feature_value(&model, FEATURE_ITEM_RESULTS, i, rank) == 0);
	}
}

/* The low six bits of digests that Python's xxhash gave. */
static void buckets_are_of_the_id_alone(void **state)
{
	static const struct {
		const char *id;
		unsigned bucket;
	} cases[] = {{"85123A", 49}, {"22423", 22}, {"POST", 55}, {"\303\251", 51}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(feature_bucket((struct text){cases[i].id, strlen(cases[i].id)}), cases[i].bucket);
}

static void a_value_falls_between_its_edges(void **state)
{
	struct reference r = {.bins = 5, .edge = {-1, 0, 0.5, 2}};
	static const struct {
		double v;
		unsigned bin;
	} cases[] = {{-INFINITY, 0}, {-1.5, 0}, {-1, 1}, {-1e-300, 1}, {-0.0, 2}, {0, 2}, {0.25, 2}, {0.5, 3}, {1.999, 3},
		     {2, 4}, {1e300, 4}, {INFINITY, 4}, {NAN, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(reference_bin(&r, cases[i].v), cases[i].bin);
	r.bins = 1;
	assert_int_equal(reference_bin(&r, 7), 0);
}

/* The rules of reference.h for any values; shape is how they are distributed. */
static void check_layout(unsigned shape, uint32_t n, unsigned seed)
{
	double *value = malloc(n * sizeof *value), *sorted = malloc(n * sizeof *value);
	static struct reference r;
	uint64_t sum = 0, in_group[REFERENCE_GROUPS] = {0};

	assert_true(value && sorted);
	for (uint32_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		double u = (seed >> 8) / (double)(1 << 24);

		value[i] = shape == 0 ? u : shape == 1 ? floor(u * u * 70) : shape == 2 ? (u < 0.4 ? 0 : u < 0.7 ? 1 : u)
			 : shape == 3 ? i % 64 : shape == 4 ? 7 : shape == 5 ? i % 127 / 2 * (i % 2) : shape == 6 ? floor(u * 3) / 3
			 : u < 0.3 ? 0.5 : u < 0.6 ? nextafter(0.5, 1) : u < 0.605 ? nextafter(nextafter(0.5, 1), 1) : u / 2 + 0.5;
		sorted[i] = value[i];
	}
	reference_lay_out(&r, sorted, n);
	assert_in_range(r.bins, 3, REFERENCE_BINS);
	assert_in_range(r.groups, 1, 10);
	for (uint32_t i = 1; i < r.bins - 1; i++)
		assert_true(r.edge[i - 1] < r.edge[i]);
	for (uint32_t i = 0; i < r.bins; i++) {
		uint32_t inside = 0, distinct = 0, most = 0;
		double last = NAN;

		for (uint32_t k = 0; k < n; k++) {
			if ((i > 0 && sorted[k] < r.edge[i - 1]) || (i < r.bins - 1 && sorted[k] >= r.edge[i]))
				continue;
			inside++;
			distinct += sorted[k] != last;
			last = sorted[k];
			uint32_t ties = 0;

			for (uint32_t j = k; j < n && sorted[j] == last; j++)
				ties++;
			most = ties > most ? ties : most;
		}
		assert_int_equal(inside, r.count[i]);
		if (i == 0 || i == r.bins - 1)
			assert_int_equal(inside, 0);
		if (most * 64 >= n) {			/* many share it: alone, and to the next double */
			assert_int_equal(distinct, 1);
			assert_true(r.edge[i - 1] == last && r.edge[i] == nextafter(last, INFINITY));
		}
		assert_true(inside * 64 < 2 * n + 64 || distinct == 1);
		sum += inside;
		in_group[r.group[i]] += inside;
		assert_in_range(r.group[i], i ? r.group[i - 1] : 0, i ? r.group[i - 1] + 1 : 0);
	}
	assert_int_equal(sum, n);
	assert_int_equal(r.group[r.bins - 1], r.groups - 1);
	for (uint32_t g = 0; g < r.groups; g++) {
		assert_true(in_group[g] > 0);
		if (shape == 0 && n >= 1000)	/* without ties there is no reason for others */
			assert_in_range(in_group[g], n / 10 - n / 64 - 2, n / 10 + n / 64 + 2);
	}
	if (shape == 0 && n >= 1000)
		assert_int_equal(r.groups, 10);
	free(value);
	free(sorted);
}

static void bins_are_quantiles_and_ties_stand_alone(void **state)
{
	static const uint32_t ns[] = {1, 2, 3, 10, 63, 64, 65, 127, 128, 129, 130, 640, 1000, 1777};

	(void)state;
	for (unsigned shape = 0; shape < 8; shape++)
		for (size_t i = 0; i < sizeof ns / sizeof *ns; i++)
			check_layout(shape, ns[i], shape * 100 + (unsigned)i);
}

static void references_of_a_model_pass_for_it(void **state)
{
	static struct reference r[FEATURE_BINNED];
	struct fault why;

	(void)state;
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct small s;

		small_random(&s, 4 + seed * 7, 3 + seed * 7, seed * 8, seed);
		open_model(&s);
		assert_true(references_build(r, &model, &why));
		memcpy((uint8_t *)image + model.head->section[SECTION_REFERENCES].offset, r, sizeof r);
		((struct model_head *)image)->checksum = XXH3_64bits((uint8_t *)image + SUM_FROM, size - SUM_FROM);
		if (!model_verify(&model, &why))
			fail_msg("%s", why.text);
		close_model(NULL);
	}
}

/* The section of the open model, to be spoilt. */
#define OPEN(type, which) ((type *)(void *)((uint8_t *)image + model.head->section[which].offset))

static void expect(bool sound, const char *what)
{
	struct fault why = {""};

	((struct model_head *)image)->checksum = XXH3_64bits((uint8_t *)image + SUM_FROM, size - SUM_FROM);
	if (model_verify(&model, &why) != sound)
		fail_msg("%s: %s", what, sound ? why.text : "nobody saw");
	assert_true(sound || why.text[0]);
}

#define SPOIL(line)                                \
	do {                                       \
		r[f] = was;                        \
		line;                              \
		expect(false, #line);              \
		r[f] = was;                        \
	} while (0)

static void a_false_reference_is_refused(void **state)
{
	struct small s;

	(void)state;
	small_random(&s, 50, 40, 12, 4);
	open_model(&s);
	struct reference *r = OPEN(struct reference, SECTION_REFERENCES);

	for (int f = 0; f < FEATURE_BINNED; f++) {
		struct reference was = r[f];

		SPOIL(r[f].bins = 0);
		SPOIL(r[f].bins = 1);
		SPOIL(r[f].bins = 2);
		SPOIL(r[f].bins = REFERENCE_BINS + 1);
		SPOIL(r[f].bins = UINT32_MAX);
		SPOIL(r[f].groups = 0);
		SPOIL(r[f].groups++);
		SPOIL(r[f].groups = UINT32_MAX);
		SPOIL(r[f].count[0]++);
		SPOIL(r[f].count[1]++; r[f].count[2]--);
		SPOIL(r[f].count[was.bins] = 1);
		SPOIL(r[f].edge[was.bins] = 1);
		SPOIL(r[f].group[sizeof was.group - 1] = 1);
		if (f == FEATURE_ITEM_MIX) {
			SPOIL(r[f].edge[0] = 1);
			SPOIL(r[f].group[1] = 1);
			continue;
		}
		SPOIL(r[f].edge[1] = NAN);
		SPOIL(r[f].edge[0] = -INFINITY);
		SPOIL(r[f].edge[was.bins - 2] = INFINITY);
		SPOIL(r[f].edge[1] = r[f].edge[0]);
		SPOIL(r[f].edge[0] = r[f].edge[1] + 1);
		SPOIL(r[f].group[0] = 1);
		SPOIL(r[f].group[was.bins - 1]++);
		SPOIL(for (uint32_t i = 1; i < was.bins; i++) r[f].group[i]++; r[f].groups++);	/* group 0 is empty */
	}
	expect(true, "as it was");
}

/* True counts, but of bins of which the first or the last has somebody in it. */
static void the_ends_are_for_what_is_not_there(void **state)
{
	struct small s;

	(void)state;
	small_random(&s, 50, 40, 12, 4);
	open_model(&s);
	struct reference *r = OPEN(struct reference, SECTION_REFERENCES);

	for (int f = 0; f < FEATURE_ITEM_MIX; f++) {
		struct reference was = r[f];
		uint32_t last = was.bins - 1;

		r[f].bins--;
		r[f].edge[last - 1] = r[f].group[last] = 0;
		expect(false, "no bin above");
		r[f] = was;
		r[f].bins--;
		memmove(r[f].edge, was.edge + 1, (last - 1) * sizeof *was.edge);
		memmove(r[f].count, was.count + 1, last * sizeof *was.count);
		memmove(r[f].group, was.group + 1, last);
		r[f].edge[last - 1] = r[f].count[last] = r[f].group[last] = 0;
		expect(false, "no bin below");
		r[f] = was;
	}
	expect(true, "as it was");
}

static void what_was_asked_is_no_less_than_possible(void **state)
{
	struct small s;

	(void)state;
	small_random(&s, 20, 10, 30, 4);
	open_model(&s);
	uint32_t *visits = OPEN(uint32_t, SECTION_VISITS), *lines = OPEN(uint32_t, SECTION_LINES), was = visits[3];

	visits[3] = 0;
	expect(false, "a customer who never came");
	visits[3] = 20000;
	expect(false, "more visits than lines");
	visits[3] = was + 1;
	expect(true, "one visit more");
	lines[2] = small_co(&s, AXIS_ITEM, 2, 2) - 1;
	expect(false, "fewer lines than customers");
}

static void a_backtest_stays_within_the_data(void **state)
{
	const struct backtest good = {.split = 1000, .customers = 3, .trials = 20, .hits_own = {2, 0, 1},
				      .hits_popular = {1, 3, 0, [19] = 2}, .visits = 8, .unknown_visits = 2, .lines = 40,
				      .unknown_lines = 3, .seen_users = 6, .unknown_users = 1, .seen_items = 15,
				      .unknown_items = 2};
	const struct {
		const char *what;
		struct backtest b;
	} none[] = {{"a split with nothing", {.split = 1000}},
		    {"something without a split", {.split = INT64_MIN, .visits = 1}},
		    {"trials of nobody", {.split = 1000, .trials = 1, .visits = 1, .lines = 1, .seen_users = 1, .seen_items = 1}},
		    {"more customers than trials",
		     {.split = 1000, .customers = 2, .trials = 1, .visits = 2, .lines = 2, .seen_users = 2, .seen_items = 1}},
		    {"more visits than lines", {.split = 1000, .visits = 3, .lines = 2, .seen_users = 2, .seen_items = 2}},
		    {"more items than lines", {.split = 1000, .visits = 1, .lines = 1, .seen_users = 1, .seen_items = 2}}};
	struct small s;

	(void)state;
	small_random(&s, 20, 10, 60, 4);
	s.backtest = good;
	open_model(&s);			/* it passes */
	struct backtest *b = OPEN(struct backtest, SECTION_BACKTEST);

#define WRONG(line)                       \
	do {                              \
		*b = good;                \
		line;                     \
		expect(false, #line);     \
	} while (0)
	WRONG(b->split = 2000);			/* when the data end */
	WRONG(b->split = INT64_MAX);
	WRONG(b->split = INT64_MIN);
	WRONG(b->customers = 0);
	WRONG(b->customers = 6);		/* 5 were known */
	WRONG(b->customers = 2);		/* 3 hits at places 1 and 2 */
	WRONG(b->trials = 8);			/* 9 hits */
	WRONG(b->trials = 38);			/* 37 lines of known items */
	WRONG(b->trials = UINT64_MAX);
	WRONG(b->trials = 2);
	WRONG(b->hits_own[0] = 3);
	WRONG(b->hits_popular[7] = UINT64_MAX);
	WRONG(b->hits_own[7] = 2; b->hits_popular[7] = UINT64_MAX);
	WRONG(b->visits = 5);			/* of 6 users */
	WRONG(b->visits = 11);			/* the model has 10 */
	WRONG(b->unknown_visits = 9);
	WRONG(b->unknown_visits = 0);
	WRONG(b->lines = 7);
	WRONG(b->lines = 100000);
	WRONG(b->unknown_lines = 41);
	WRONG(b->unknown_lines = 1);
	WRONG(b->seen_users = 9);
	WRONG(b->seen_users = 11);
	WRONG(b->seen_users = 0);
	WRONG(b->unknown_users = 0);
	WRONG(b->unknown_users = 4);		/* 3 users with trials were known */
	WRONG(b->seen_items = 21);
	WRONG(b->seen_items = 0);
	WRONG(b->unknown_items = 0);
	WRONG(b->unknown_items = 16);
	WRONG(b->unknown_users = 7; b->unknown_visits = 8);
	WRONG(b->unknown_items = 16; b->unknown_lines = 20);
	/* who came often, and what was sold often, is no more of them */
	OPEN(uint32_t, SECTION_VISITS)[0] += 4;
	OPEN(uint32_t, SECTION_LINES)[0] += 200;
	WRONG(b->seen_users = 11; b->visits = 12);
	WRONG(b->lines = model.head->interactions + 10; b->trials = model.head->interactions + 1);
	OPEN(uint32_t, SECTION_VISITS)[0] -= 4;
	OPEN(uint32_t, SECTION_LINES)[0] -= 200;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		*b = none[i].b;
		expect(false, none[i].what);
	}
	*b = good;
	expect(true, "as it was");
	*b = (struct backtest){.split = INT64_MIN};
	expect(true, "none");
	*b = (struct backtest){.split = 1999, .visits = 1, .lines = 1, .seen_users = 1, .seen_items = 1};
	expect(true, "one without trials");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(features_are_what_the_table_says, close_model),
		cmocka_unit_test_teardown(who_has_no_neighbour_has_no_score, close_model),
		cmocka_unit_test(buckets_are_of_the_id_alone),
		cmocka_unit_test(a_value_falls_between_its_edges),
		cmocka_unit_test(bins_are_quantiles_and_ties_stand_alone),
		cmocka_unit_test_teardown(references_of_a_model_pass_for_it, close_model),
		cmocka_unit_test_teardown(a_false_reference_is_refused, close_model),
		cmocka_unit_test_teardown(the_ends_are_for_what_is_not_there, close_model),
		cmocka_unit_test_teardown(what_was_asked_is_no_less_than_possible, close_model),
		cmocka_unit_test_teardown(a_backtest_stays_within_the_data, close_model),
	};

	return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
