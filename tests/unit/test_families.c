/* test_families.c - the list of families against the page and the table it makes, and the page's form. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>

#include "page.h"
#include "../../metrics/monitored.h"

#define SLOTS 3

/* Something of everything that the monitor can find. */
static void fill(struct monitored *m)
{
	*m = (struct monitored){.generation = 4, .hit_baseline = 0.5, .retrain = {.known = 1, .last = 1234567900}};
	m->rate[0] = (struct monitored_rate){.generation = 4, .trials = 8, .hits = 2};
	for (unsigned i = 0; i < WINDOW_KIND_COUNT; i++) {
		m->window[i] = (struct monitored_window){.closed = 1, .end = 1234567890, .seconds = 1.5, .catalogue = 4};
		for (unsigned k = 0; k < WINDOW_VALUE_COUNT; k++)
			m->window[i].value[k].n = 1;
	}
}

static int setup(void **state)
{
	static struct board b;
	static struct monitored m;
	struct fault why = {""};

	if (!board_create(&b, SLOTS, counters_size(), monitored_size(), &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	b.head->started = 1234567890;
	b.head->counting = 1;
	fill(&m);
	monitored_write(&b, &m);
	if (!key_table_publish(&b.head->keys, &(struct key_list){1, {{"shop", "0123456789abcdef"}}}, &why))
		return -1;
	*state = &b;
	return 0;
}

static const struct {
	const char *name, *labels, *help;
} families[] = {
#define X(symbol, type, shape, unit, family, label_names, text) {family, label_names, text},
	FAMILIES(X)
#undef X
};

/* The names of the labels in a line, as the list has them: "a, b". le is not of the family but of its type. */
static void label_names(const char *line, char *names)
{
	*names = '\0';
	for (const char *at = strchr(line, '{'); at && *at != '}'; ) {
		size_t n = strcspn(++at, "=");

		if (strncmp(at, "le=", 3) != 0)
			sprintf(names + strlen(names), "%s%.*s", *names ? ", " : "", (int)n, at);
		for (at += n + 2; *at != '"'; at++)
			at += *at == '\\';
		at++;
	}
}

/* The list's word on labels is true, its help needs no escapes, and with all there is to tell each family is told. */
static void the_list_is_right(void **state)
{
	struct board *b = *state;
	struct small s;
	struct packed p;
	char names[256], start[128];

	small_random(&s, 5, 5, 30, 1);
	void *memory = small_packed(&s, 4, 555, &p);

	assert_non_null(memory);
	atomic_store(&b->head->proportional, 1024);
	struct exposition e = {.board = b, .packed = &p, .prefix = "", .listener = listen_with(NULL, 0)};

	write_as(&e);
	close(e.listener);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		assert_null(strpbrk(families[i].help, "\\\n"));
		snprintf(start, sizeof start, "# HELP %s %s\n# TYPE %s ", families[i].name, families[i].help,
			 families[i].name);
		const char *at = strstr(page, start);

		if (!at)
			fail_msg("%s is not in\n%s", families[i].name, page);
		at = strchr(at + strlen(start), '\n');
		for (; at[1] && at[1] != '#'; at = strchr(at + 1, '\n')) {
			char line[512];

			snprintf(line, sizeof line, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
			label_names(line, names);
			assert_string_equal(names, families[i].labels);
		}
	}
	free(memory);
}

static void the_table_is_the_list(void **state)
{
	(void)state;
	page_len = 0;
	exposition_table(append, page);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		char start[128];

		snprintf(start, sizeof start, "| `%s` | ", families[i].name);
		assert_int_equal(lines_with(start), 1);
		assert_non_null(strstr(page, families[i].help));
	}
}

static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(isalpha(s[i]) || s[i] == '_' || (i && isdigit(s[i]))))
			return false;
	return len > 0;
}

static bool ends(const char *s, size_t len, const char *with)
{
	return len > strlen(with) && memcmp(s + len - strlen(with), with, strlen(with)) == 0;
}

/* Of a summary or histogram: what its parts may be called. */
static bool is_part(const char *line, size_t n, const char *name, const char *type)
{
	size_t len = strlen(name);
	bool histogram = strcmp(type, "histogram") == 0;

	if (!histogram && strcmp(type, "summary") != 0)
		return n == len;
	return (ends(line, n, "_sum") && n == len + 4) || (ends(line, n, "_count") && n == len + 6) ||
	       (histogram && ends(line, n, "_bucket") && n == len + 7);
}

/* HELP, TYPE, samples; one block a family; a value after the last space; counters end in _total, others do not. */
static void the_form_is_right(void **state)
{
	static char seen[sizeof families / sizeof *families][64];
	size_t blocks = 0;
	char name[64] = "", type[16] = "";

	request(board_dead_counters(*state, 1), HANDLER_NONE, METHOD_POST, STATUS_404, 123456789);
	request(board_dead_counters(*state, 2), HANDLER_ITEM, METHOD_GET, STATUS_503, 1);
	write_page(*state, NULL);
	assert_int_equal(page[page_len - 1], '\n');
	for (char *line = page, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		if (strncmp(line, "# HELP ", 7) == 0) {
			size_t n = strcspn(line + 7, " ");

			assert_true(n < sizeof name && is_name(line + 7, n));
			memcpy(name, line + 7, n);
			name[n] = '\0';
			assert_true(strlen(line) > 7 + n + 10);
			for (size_t i = 0; i < blocks; i++)
				assert_string_not_equal(seen[i], name);
			assert_true(blocks < sizeof seen / sizeof *seen);
			strcpy(seen[blocks++], name);
			char want[128];

			end[0] = '\n';
			line = end + 1;
			end = strchr(line, '\n');
			*end = '\0';
			assert_int_equal(sscanf(line, "# TYPE %99s %15s", want, type), 2);
			assert_string_equal(want, name);
			size_t len = strlen(name);
			bool total = len > 6 && strcmp(name + len - 6, "_total") == 0;

			assert_int_equal(total, strcmp(type, "counter") == 0);
			assert_true(total || strcmp(type, "gauge") == 0 || strcmp(type, "summary") == 0 ||
				    strcmp(type, "histogram") == 0);
		} else {
			size_t n = strcspn(line, "{ ");
			const char *value = strrchr(line, ' ');

			assert_true(is_part(line, n, name, type));
			assert_memory_equal(line, name, strlen(name));
			assert_non_null(value);
			assert_int_equal(strspn(value + 1, "0123456789."), strlen(value + 1));
			if (line[n] == '{')
				assert_int_equal(value[-1], '}');
		}
		*end = '\n';
	}
	assert_true(blocks >= 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_right),
		cmocka_unit_test(the_table_is_the_list),
		cmocka_unit_test(the_form_is_right),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
