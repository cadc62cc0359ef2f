/* test_exposition.c - the text of /metrics: its form after the rules of format 0.0.4, and known numbers in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>

#include "small_packed.h"
#include "../../metrics/counters.h"
#include "../../metrics/exposition.h"

#define SLOTS 3

static char page[1 << 16];
static size_t page_len;

static void append(void *of, const char *bytes, size_t len)
{
	assert_ptr_equal(of, page);
	assert_true(page_len + len < sizeof page);
	memcpy(page + page_len, bytes, len);
	page_len += len;
	page[page_len] = '\0';
}

static void write_page(const struct board *b, const struct packed *p)
{
	page_len = 0;
	exposition_write(b, p, append, page);
}

static bool has_line(const char *line)
{
	const char *at = page;
	size_t n = strlen(line);

	while ((at = strstr(at, line))) {
		if ((at == page || at[-1] == '\n') && at[n] == '\n')
			return true;
		at += n;
	}
	return false;
}

static void assert_line(const char *line)
{
	if (!has_line(line))
		fail_msg("no line '%s' in\n%s", line, page);
}

static int setup(void **state)
{
	static struct board b;
	struct fault why = {""};

	if (!board_create(&b, SLOTS, counters_size(), &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	board_remove(*state);
	return 0;
}

static void slots_are_summed(void **state)
{
	struct board *b = *state;

	for (uint32_t i = 0; i < SLOTS; i++) {
		struct counters *c = board_dead_counters(b, i);

		for (uint32_t k = 0; k <= i; k++) {
			counters_answered(c, HANDLER_ITEM, METHOD_GET, STATUS_200);
			counters_answered(c, HANDLER_NONE, METHOD_POST, STATUS_404);
			counters_answered(c, HANDLER_USER, METHOD_GET, STATUS_404);
			counters_answered(c, HANDLER_USER, METHOD_GET, STATUS_422);
			counters_answered(c, HANDLER_METRICS, METHOD_OTHER, STATUS_503);
			counters_begin(c);
		}
	}
	write_page(b, NULL);
	assert_line("http_requests_total{handler=\"/predict/item/{item_id}\",method=\"GET\",status=\"2xx\"} 6");
	assert_line("http_requests_total{handler=\"/predict/user/{user_id}\",method=\"GET\",status=\"4xx\"} 12");
	assert_line("http_requests_total{handler=\"none\",method=\"POST\",status=\"4xx\"} 6");
	assert_line("http_requests_total{handler=\"/metrics\",method=\"other\",status=\"5xx\"} 6");
	assert_line("http_requests_inprogress 6");
	/* those that are expected are there from the start, the others are not */
	assert_line("http_requests_total{handler=\"/\",method=\"GET\",status=\"2xx\"} 0");
	assert_line("http_requests_total{handler=\"/predict/item/{item_id}\",method=\"GET\",status=\"4xx\"} 0");
	assert_null(strstr(page, "\"HEAD\""));
	assert_null(strstr(page, "handler=\"none\",method=\"GET\""));
}

static void the_board_is_told(void **state)
{
	struct board *b = *state;
	char line[128];

	atomic_store(&b->head->generation, 4);
	atomic_store(&b->head->segment_bytes, 123456789);
	atomic_store(&b->head->reloads[RELOAD_OK], 3);
	atomic_store(&b->head->reloads[RELOAD_INVALID], 2);
	atomic_store(&b->head->last_reload_ok, 0);
	atomic_store(&b->head->deaths[END_SIGNAL], 7);
	atomic_store(&b->head->unanswered, 5);
	atomic_store(&board_slot(b, 0)->state, WORKER_SERVING);
	atomic_store(&board_slot(b, 1)->state, WORKER_SERVING);
	atomic_store(&board_slot(b, 2)->state, 4000000000u);	/* a spoilt slot */
	write_page(b, NULL);
	assert_line("akin_model_generation 4");
	assert_line("akin_shared_memory_bytes{segment=\"model\"} 123456789");
	snprintf(line, sizeof line, "akin_shared_memory_bytes{segment=\"board\"} %zu", b->segment.size);
	assert_line(line);
	assert_line("akin_reloads_total{result=\"success\"} 3");
	assert_line("akin_reloads_total{result=\"unreadable\"} 0");
	assert_line("akin_reloads_total{result=\"invalid\"} 2");
	assert_line("akin_reloads_total{result=\"no_memory\"} 0");
	assert_line("akin_last_reload_successful 0");
	assert_line("akin_worker_deaths_total{reason=\"signal\"} 7");
	assert_line("akin_worker_deaths_total{reason=\"killed\"} 0");
	assert_line("akin_requests_unanswered_total 5");
	assert_line("akin_workers{state=\"serving\"} 2");
	assert_line("akin_workers{state=\"starting\"} 0");
	/* what only a model knows is left out with its HELP */
	assert_null(strstr(page, "akin_model_info"));
	assert_null(strstr(page, "akin_model_created"));
	assert_non_null(strstr(page, "akin_build_info{version=\"" AKIN_VERSION "\",compiler=\""));
}

static void the_model_is_told(void **state)
{
	struct board *b = *state;
	struct small s;
	struct packed p;

	small_random(&s, 11, 13, 30, 1);
	void *memory = small_packed(&s, 4, 555, &p);

	assert_non_null(memory);
	write_page(b, &p);
	assert_line("akin_model_created_timestamp_seconds 1000");	/* small_model.h says so */
	assert_line("akin_model_data_timestamp_seconds 2000");
	assert_line("akin_model_published_timestamp_seconds 555");
	assert_non_null(strstr(page, "akin_model_info{generation=\"4\",checksum=\""));
	assert_non_null(strstr(page, "\",items=\"11\",customers=\"13\",interactions=\""));
	/* data without dates */
	struct model_head *head = (struct model_head *)((char *)memory + packed_model_offset());

	head->data_until = INT64_MIN;
	write_page(b, &p);
	assert_null(strstr(page, "akin_model_data_timestamp_seconds"));
	free(memory);
}

static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(isalpha(s[i]) || s[i] == '_' || (i && isdigit(s[i]))))
			return false;
	return len > 0;
}

/* HELP, TYPE, samples; one block a family; a value after the last space; counters end in _total, others do not. */
static void the_form_is_right(void **state)
{
	char seen[64][64];
	size_t families = 0;
	char name[64] = "", type[16] = "";

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
			for (size_t i = 0; i < families; i++)
				assert_string_not_equal(seen[i], name);
			strcpy(seen[families++], name);
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
			assert_true(total || strcmp(type, "gauge") == 0);
		} else {
			size_t n = strcspn(line, "{ ");
			const char *value = strrchr(line, ' ');

			assert_int_equal(n, strlen(name));
			assert_memory_equal(line, name, n);
			assert_non_null(value);
			assert_int_equal(strspn(value + 1, "0123456789"), strlen(value + 1));
			if (line[n] == '{')
				assert_int_equal(value[-1], '}');
		}
		*end = '\n';
	}
	assert_true(families >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_summed),
		cmocka_unit_test(the_board_is_told),
		cmocka_unit_test(the_model_is_told),
		cmocka_unit_test(the_form_is_right),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
