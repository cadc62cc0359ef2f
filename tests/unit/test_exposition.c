/* test_exposition.c - known numbers, and where /metrics shows them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "page.h"

#define SLOTS 3

static int setup(void **state)
{
	static struct board b;
	struct fault why = {""};

	if (!board_create(&b, SLOTS, counters_size(), 0, &why)) {
		fprintf(stderr, "%s\n", why.text);
		return -1;
	}
	b.head->started = 1234567890;
	*state = &b;
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

static void settings_change_the_http_families(void **state)
{
	struct exposition e = {.board = *state, .prefix = "shop_web_", .exact = true,
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
	write_as(&(struct exposition){.board = *state, .prefix = "", .openmetrics = true});
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
	c->in_progress = 2;
	c->unheard = 2;
	c->connections_active = 5;
	c->connections_accepted = 21;
	c->connections_refused[REFUSAL_DESCRIPTORS] = 2;
	c->connections_refused[REFUSAL_OVERLOAD] = 31;
	c->connections_ended[ENDING_IDLE] = 7;
	c->connections_ended[ENDING_SLOW] = 8;
	c->connections_ended[ENDING_BUSY] = 9;
	c->ops_in_progress = 1;
	c->proportional = 4096;
	atomic_store(&b->head->proportional, 1024);
	write_page(b, NULL);
	assert_line("akin_threads{worker=\"1\"} 8");
	assert_line("akin_threads{worker=\"2\"} 0");
	assert_line("akin_threads_busy{worker=\"1\"} 3");
	assert_line("akin_connections_active{worker=\"1\"} 5");
	assert_line("akin_connections_accepted_total{worker=\"1\"} 21");
	assert_line("akin_connections_refused_total{reason=\"descriptors\"} 2");
	assert_line("akin_connections_refused_total{reason=\"overload\"} 31");
	assert_line("akin_connections_ended_total{reason=\"idle\"} 7");
	assert_line("akin_connections_ended_total{reason=\"slow\"} 8");
	assert_line("akin_connections_ended_total{reason=\"busy\"} 9");
	assert_line("akin_process_proportional_memory_bytes 5120");
	atomic_store(&b->head->proportional, 0);
	write_page(b, NULL);
	assert_null(strstr(page, "akin_process_proportional_memory_bytes"));
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

static void the_queue_is_told(void **state)
{
	struct exposition e = {.board = *state, .prefix = ""};
	int clients[3];

	e.listener = listen_with(clients, 3);
	write_as(&e);
	assert_line("akin_connections_waiting 3");
	close(clients[0]);		/* it waits all the same */
	write_as(&e);
	assert_line("akin_connections_waiting 3");
	close(clients[1]);
	close(clients[2]);
	close(e.listener);
	write_as(&e);			/* no socket any more */
	assert_null(strstr(page, "akin_connections_waiting"));
}

static void predictions_are_told(void **state)
{
	struct predicted *user = &((struct counters *)board_dead_counters(*state, 0))->predictions[AXIS_CUSTOMER];
	struct predicted *item = &((struct counters *)board_dead_counters(*state, 2))->predictions[AXIS_ITEM];

	user->outcome[DELIVERY_FILLED] = 3;
	user->outcome[DELIVERY_UNKNOWN] = 4;
	user->own_ids = 6;
	user->fill_ids = 9;
	user->score = 1234500000;
	user->top_score[0] = 1;
	user->top_score[9] = 1;
	user->top_score[SCORE_BOUND_COUNT] = 1;
	user->own_results[2] = 3;
	item->outcome[DELIVERY_FULL] = 5;
	item->outcome[DELIVERY_SHORT] = 2;
	item->own_ids = 70;
	item->own_results[0] = 2;
	item->own_results[RESULT_BOUND_COUNT] = 5;
	((struct counters *)board_dead_counters(*state, 1))->predictions[AXIS_ITEM].outcome[DELIVERY_FULL] = 6;
	write_page(*state, NULL);
	assert_line("akin_predictions_total{kind=\"user\",outcome=\"full\"} 0");
	assert_line("akin_predictions_total{kind=\"user\",outcome=\"filled\"} 3");
	assert_line("akin_predictions_total{kind=\"user\",outcome=\"unknown\"} 4");
	assert_line("akin_predictions_total{kind=\"item\",outcome=\"full\"} 11");
	assert_line("akin_predictions_total{kind=\"item\",outcome=\"short\"} 2");
	assert_line("akin_predicted_ids_total{source=\"user\"} 6");
	assert_line("akin_predicted_ids_total{source=\"item\"} 70");
	assert_line("akin_predicted_ids_total{source=\"popular\"} 9");
	assert_line("akin_prediction_top_score_bucket{kind=\"user\",le=\"0.1\"} 1");
	assert_line("akin_prediction_top_score_bucket{kind=\"user\",le=\"0.9\"} 1");
	assert_line("akin_prediction_top_score_bucket{kind=\"user\",le=\"1.0\"} 2");
	assert_line("akin_prediction_top_score_bucket{kind=\"user\",le=\"+Inf\"} 3");
	assert_line("akin_prediction_top_score_count{kind=\"user\"} 3");
	assert_line("akin_prediction_top_score_sum{kind=\"user\"} 1.2345");
	assert_line("akin_prediction_top_score_count{kind=\"item\"} 0");
	assert_line("akin_prediction_own_results_bucket{kind=\"user\",le=\"1.0\"} 0");
	assert_line("akin_prediction_own_results_bucket{kind=\"user\",le=\"2.0\"} 3");
	assert_line("akin_prediction_own_results_sum{kind=\"user\"} 6");
	assert_line("akin_prediction_own_results_bucket{kind=\"item\",le=\"0.0\"} 2");
	assert_line("akin_prediction_own_results_bucket{kind=\"item\",le=\"100.0\"} 2");
	assert_line("akin_prediction_own_results_bucket{kind=\"item\",le=\"+Inf\"} 7");
	assert_line("akin_prediction_own_results_count{kind=\"item\"} 7");
	assert_line("akin_prediction_own_results_sum{kind=\"item\"} 70");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_summed),
		cmocka_unit_test(durations_are_cumulated),
		cmocka_unit_test(settings_change_the_http_families),
		cmocka_unit_test(openmetrics),
		cmocka_unit_test(workers_are_told_one_by_one),
		cmocka_unit_test(predictions_are_told),
		cmocka_unit_test(the_board_is_told),
		cmocka_unit_test(the_model_is_told),
		cmocka_unit_test(the_queue_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
