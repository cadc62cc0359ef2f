/* test_exposition.c - the text of /metrics: its form after the rules of both formats, and known numbers in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "small_packed.h"
#include "../../metrics/counters.h"
#include "../../metrics/exposition.h"

#define SLOTS 3

static char page[1 << 18];
static size_t page_len;

static void append(void *of, const char *bytes, size_t len)
{
	assert_ptr_equal(of, page);
	assert_true(page_len + len < sizeof page);
	memcpy(page + page_len, bytes, len);
	page_len += len;
	page[page_len] = '\0';
}

static void write_as(const struct exposition *e)
{
	page_len = 0;
	exposition_write(e, append, page);
}

static int listening = -1;		/* a socket that nobody connects to */

static void write_page(const struct board *b, const struct packed *p)
{
	write_as(&(struct exposition){.board = b, .packed = p, .prefix = "", .listener = listening});
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
	b.head->started = 1234567890;
	*state = &b;
	return 0;
}

static void request(struct counters *c, enum handler h, enum method m, enum status s, uint64_t ns)
{
	const struct counted r = {h, m, s};

	counters_begin(c);
	counters_answered(c, r, 10, 100);
	counters_sent(c, r, ns);
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
			request(c, HANDLER_ITEM, METHOD_GET, STATUS_200, 60000);
			request(c, HANDLER_NONE, METHOD_POST, STATUS_404, 50000);
			request(c, HANDLER_USER, METHOD_GET, STATUS_404, 1500000000);
			request(c, HANDLER_USER, METHOD_GET, STATUS_422, 61000000000);
			request(c, HANDLER_METRICS, METHOD_OTHER, STATUS_503, 75000000);
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
	assert_line("http_request_size_bytes_count{handler=\"/predict/user/{user_id}\"} 12");
	assert_line("http_request_size_bytes_sum{handler=\"/predict/user/{user_id}\"} 120");
	assert_line("http_response_size_bytes_sum{handler=\"none\"} 600");
	assert_line("http_response_size_bytes_count{handler=\"/model\"} 0");
}

#define USER4 "handler=\"/predict/user/{user_id}\",method=\"GET\",status=\"4xx\""
#define ITEM2 "handler=\"/predict/item/{item_id}\",method=\"GET\",status=\"2xx\""

/* From the counts of the test above: six each of 60 us, 50 us, 1.5 s, 61 s and 75 ms. */
static void durations_are_cumulated(void **state)
{
	write_page(*state, NULL);
	assert_line("http_request_duration_seconds_bucket{" ITEM2 ",le=\"5e-05\"} 0");
	assert_line("http_request_duration_seconds_bucket{" ITEM2 ",le=\"0.0001\"} 6");
	assert_line("http_request_duration_seconds_bucket{" ITEM2 ",le=\"1.0\"} 6");
	assert_line("http_request_duration_seconds_bucket{" ITEM2 ",le=\"+Inf\"} 6");
	assert_line("http_request_duration_seconds_sum{" ITEM2 "} 0.00036");
	assert_line("http_request_duration_seconds_count{" ITEM2 "} 6");
	assert_line("http_request_duration_seconds_bucket{" USER4 ",le=\"1.0\"} 0");
	assert_line("http_request_duration_seconds_bucket{" USER4 ",le=\"+Inf\"} 12");
	assert_line("http_request_duration_seconds_sum{" USER4 "} 375");
	assert_line("http_request_duration_seconds_bucket{handler=\"none\",method=\"other\",status=\"4xx\",le=\"5e-05\"} 6");
	assert_line("http_request_duration_seconds_bucket{handler=\"/metrics\",method=\"other\",status=\"5xx\",le=\"0.05\"} 0");
	assert_line("http_request_duration_seconds_bucket{handler=\"/metrics\",method=\"other\",status=\"5xx\",le=\"0.1\"} 6");
	assert_line("http_request_duration_seconds_count{handler=\"/\",method=\"GET\",status=\"2xx\"} 0");
	assert_null(strstr(page, "http_request_duration_seconds_bucket{" ITEM2 ",le=\"0.075\"}"));
	assert_null(strstr(page, "http_request_duration_seconds_bucket{" ITEM2 ",le=\"1.5\"}"));
	assert_null(strstr(page, "http_request_duration_highr_seconds_bucket{le=\"0.005\"}"));
	assert_line("http_request_duration_highr_seconds_bucket{le=\"0.01\"} 12");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"0.05\"} 12");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"0.075\"} 18");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"1.0\"} 18");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"1.5\"} 24");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"60.0\"} 24");
	assert_line("http_request_duration_highr_seconds_bucket{le=\"+Inf\"} 30");
	assert_line("http_request_duration_highr_seconds_count 30");
	assert_line("http_request_duration_highr_seconds_sum 375.45066");
}

static unsigned lines_with(const char *what)
{
	unsigned n = 0;

	for (const char *at = page; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void settings_change_the_http_families(void **state)
{
	struct exposition e = {.board = *state, .prefix = "shop_web_", .listener = -1, .exact = true,
			       .excluded = 1u << HANDLER_USER | 1u << HANDLER_ROOT};

	write_as(&e);
	assert_line("shop_web_http_requests_total{handler=\"/metrics\",method=\"other\",status=\"503\"} 6");
	assert_line("shop_web_http_requests_total{handler=\"none\",method=\"POST\",status=\"404\"} 6");
	assert_line("shop_web_http_requests_total{handler=\"/predict/item/{item_id}\",method=\"GET\",status=\"422\"} 0");
	assert_line("shop_web_http_request_duration_highr_seconds_count 18");
	assert_line("shop_web_http_requests_inprogress 6");
	assert_line("# TYPE shop_web_http_request_size_bytes summary");
	assert_line("akin_worker_requests_total{worker=\"0\"} 5");	/* not an http_ family: all of them */
	assert_line("akin_worker_requests_total{worker=\"2\"} 15");
	assert_int_equal(lines_with("\nhttp_"), 0);
	assert_int_equal(lines_with("user_id"), 0);
	assert_int_equal(lines_with("handler=\"/\""), 0);
	assert_int_equal(lines_with("shop_web_process"), 0);
}

/* What only OpenMetrics has, and what it calls otherwise. */
static void openmetrics(void **state)
{
	write_as(&(struct exposition){.board = *state, .prefix = "", .listener = listening, .openmetrics = true});
	assert_line("# TYPE http_requests counter");
	assert_line("http_requests_total{handler=\"none\",method=\"POST\",status=\"4xx\"} 6");
	assert_line("http_requests_created{handler=\"none\",method=\"POST\",status=\"4xx\"} 1234567890");
	assert_line("# UNIT http_request_duration_seconds seconds");
	assert_line("http_request_duration_seconds_created{" USER4 "} 1234567890");
	assert_line("# UNIT process_cpu_seconds seconds");
	assert_line("# TYPE process_cpu_seconds counter");
	assert_line("http_request_size_bytes_created{handler=\"/\"} 1234567890");
	assert_line("process_start_time_seconds 1234567890");
	assert_line("# UNIT akin_shared_memory_bytes bytes");
	assert_int_equal(lines_with("_total counter"), 0);
	assert_int_equal(lines_with("inprogress_created"), 0);
	assert_int_equal(lines_with("# EOF"), 1);
	assert_string_equal(page + page_len - 7, "\n# EOF\n");
	write_page(*state, NULL);
	assert_int_equal(lines_with("_created{"), 0);
	assert_int_equal(lines_with("# UNIT"), 0);
	assert_int_equal(lines_with("# EOF"), 0);
}

static void workers_are_told_one_by_one(void **state)
{
	struct board *b = *state;
	struct counters *c = board_dead_counters(b, 1);

	c->threads = 8;
	c->threads_busy = 3;
	c->connections_active = 5;
	c->connections_accepted = 21;
	c->connections_refused[REFUSAL_DESCRIPTORS] = 2;
	c->proportional = 4096;
	atomic_store(&b->head->proportional, 1024);
	write_page(b, NULL);
	assert_line("akin_threads{worker=\"1\"} 8");
	assert_line("akin_threads{worker=\"2\"} 0");
	assert_line("akin_threads_busy{worker=\"1\"} 3");
	assert_line("akin_connections_active{worker=\"1\"} 5");
	assert_line("akin_connections_accepted_total{worker=\"1\"} 21");
	assert_line("akin_connections_refused_total{reason=\"descriptors\"} 2");
	assert_line("akin_process_proportional_memory_bytes 5120");
	atomic_store(&b->head->proportional, 0);
	write_page(b, NULL);
	assert_null(strstr(page, "akin_process_proportional_memory_bytes"));
}

/* Three connections that nobody accepts, on a socket of the test's own. */
static void the_queue_of_the_socket_is_told(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int busy = socket(AF_INET, SOCK_STREAM, 0), client[3];

	assert_int_equal(bind(busy, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(busy, 8), 0);
	assert_int_equal(getsockname(busy, (struct sockaddr *)&a, &len), 0);
	for (int i = 0; i < 3; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&a, sizeof a), 0);
	}
	write_as(&(struct exposition){.board = *state, .prefix = "", .listener = busy});
	assert_line("akin_connections_waiting 3");
	close(accept(busy, NULL, NULL));
	write_as(&(struct exposition){.board = *state, .prefix = "", .listener = busy});
	assert_line("akin_connections_waiting 2");
	for (int i = 0; i < 3; i++)
		close(client[i]);
	close(busy);
	write_page(*state, NULL);
	assert_line("akin_connections_waiting 0");
	write_as(&(struct exposition){.board = *state, .prefix = "", .listener = -1});
	assert_null(strstr(page, "akin_connections_waiting"));
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
	atomic_store(&b->head->restarts[END_SIGNAL], 7);
	atomic_store(&b->head->last_load_ns, 1250000000);
	atomic_store(&b->head->unanswered, 5);
	atomic_store(&board_slot(b, 0)->state, WORKER_SERVING);
	atomic_store(&board_slot(b, 1)->state, WORKER_SERVING);
	atomic_store(&board_slot(b, 2)->state, 4000000000u);	/* a spoilt slot */
	write_page(b, NULL);
	assert_line("akin_model_generation 4");
	assert_line("akin_shared_memory_bytes{segment=\"model\"} 123456789");
	snprintf(line, sizeof line, "akin_shared_memory_bytes{segment=\"board\"} %zu", b->segment.size);
	assert_line(line);
	assert_line("akin_reloads_total{result=\"success\",reason=\"none\"} 3");
	assert_line("akin_reloads_total{result=\"failure\",reason=\"unreadable\"} 0");
	assert_line("akin_reloads_total{result=\"failure\",reason=\"invalid\"} 2");
	assert_line("akin_reloads_total{result=\"failure\",reason=\"no_memory\"} 0");
	assert_line("akin_last_reload_duration_seconds 1.25");
	assert_line("akin_last_reload_successful 0");
	assert_line("akin_worker_restarts_total{reason=\"signal\"} 7");
	assert_line("akin_worker_restarts_total{reason=\"killed\"} 0");
	assert_line("akin_requests_unanswered_total 5");
	assert_line("akin_workers{state=\"serving\"} 2");
	assert_line("akin_workers{state=\"starting\"} 0");
	assert_line("akin_workers{state=\"missing\"} 1");
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
	write_page(b, &p);
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
	char seen[64][64];
	size_t blocks = 0;
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
			for (size_t i = 0; i < blocks; i++)
				assert_string_not_equal(seen[i], name);
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
	assert_true(blocks >= 30);
}

int main(void)
{
	listening = socket(AF_INET, SOCK_STREAM, 0);
	if (listen(listening, 1) != 0)
		return 1;

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_summed),
		cmocka_unit_test(durations_are_cumulated),
		cmocka_unit_test(settings_change_the_http_families),
		cmocka_unit_test(openmetrics),
		cmocka_unit_test(workers_are_told_one_by_one),
		cmocka_unit_test(the_queue_of_the_socket_is_told),
		cmocka_unit_test(the_board_is_told),
		cmocka_unit_test(the_model_is_told),
		cmocka_unit_test(the_list_is_right),
		cmocka_unit_test(the_table_is_the_list),
		cmocka_unit_test(the_form_is_right),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
