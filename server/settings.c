/* settings.c - one table of settings, and what each may be. Where values come from: settings_file.c, settings_environment.c,
 * options.c.
 *
 * Called by options.c before anything has a side effect. Every failure is a line "place: rule, value" in a fault. */
#include "settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "../metrics/counters.h"
#include "endpoint.h"
#include "spelling.h"

enum type { NUMBER, TEXT, ADDRESS, LISTEN, WORD, NAME, HANDLERS_LIST, NETWORKS };

struct row {
	const char *key;
	enum type type;
	size_t offset;
	const char *standard;		/* the default, as a user would write it */
	uint32_t min, max;		/* NUMBER: the range; others but WORD: fewest and most bytes */
	const char *words;		/* WORD: the values, in the order of their enum */
	const char *meaning;
};

#define ROW(field, type, standard, min, max, words, meaning) \
	{ #field, type, offsetof(struct settings, field), standard, min, max, words, meaning }
#define N(field, standard, min, max, meaning) ROW(field, NUMBER, standard, min, max, NULL, meaning)
#define T(field, standard, min, meaning)      ROW(field, TEXT, standard, min, PATH_MAX - 1, NULL, meaning)
#define A(field, standard, meaning)	      ROW(field, ADDRESS, standard, 2, 63, NULL, meaning)
#define L(field, standard, meaning)	      ROW(field, LISTEN, standard, 0, 71, NULL, meaning)
#define I(field, standard, meaning)	      ROW(field, NAME, standard, 0, 48, NULL, meaning)
#define H(field, standard, meaning)	      ROW(field, HANDLERS_LIST, standard, 0, 511, NULL, meaning)
#define C(field, standard, meaning)	      ROW(field, NETWORKS, standard, 0, 1023, NULL, meaning)
#define W(field, standard, words, meaning)    ROW(field, WORD, standard, 0, 0, words, meaning)

static const struct row rows[] = {
	T(model,		"/var/lib/akin/model.akin", 1,	"model file to serve"),
	N(default_n,		"5", 1, 10000,			"ids in an answer when the client names no n"),
	N(max_n,		"100", 1, 10000,		"largest n a client may ask for"),
	W(fill,			"popular", "popular|recent|none", "what fills short answers for users"),
	W(gate,			"on", "on|off",			"whether a reload compares the model with the one served"),
	N(gate_lost_items,	"10", 0, 100,			"percent of the items a reload may lose"),
	N(gate_lost_customers,	"25", 0, 100,			"percent of the customers a reload may lose"),
	N(gate_overlap,		"30", 0, 100,			"percent of answered ids a reload must keep"),
	W(gate_older,		"refuse", "refuse|take",	"what a reload does with data that end earlier"),
	A(address,		"0.0.0.0",			"IPv4 or IPv6 address to listen on"),
	N(port,			"8000", 0, 65535,		"TCP port; 0: any free one"),
	N(backlog,		"4096", 1, 65535,		"connections that may wait to be accepted"),
	N(max_waiting,		"2048", 1, 65535,		"connections that may wait for a thread; more get 503"),
	N(defer_accept_s,	"1", 0, 60,			"seconds a connection that says nothing is kept away; 0: none"),
	L(ops_listen,		"",				"ADDRESS:PORT for /metrics, /model and health; empty: none"),
	C(allow,		"",				"networks that may ask for predictions; empty: all"),
	C(ops_allow,		"",				"networks that may see /metrics and /model; empty: all"),
	T(api_keys,		"", 0,				"file of API keys for predictions; empty: none are asked for"),
	ROW(user, TEXT, "", 0, 71, NULL,			"user[:group] to become after binding; empty: nobody else"),
	N(workers,		"0", 0, 64,			"worker processes; 0: one a core"),
	N(threads,		"0", 0, 4096,			"threads, and connections served, per worker; 0: 1024 in all"),
	N(ops_threads,		"8", 1, 64,			"threads per worker for ops_listen"),
	N(respawn_max_ms,	"10000", 100, 600000,		"longest wait before a failing worker is replaced"),
	N(worker_hung_ms,	"10000", 0, 600000,		"silence after which a worker is replaced; 0: never"),
	N(open_files,		"0", 0, 1048576,		"open descriptors per process; 0: the hard limit"),
	N(keep_alive_ms,	"5000", 0, 3600000,		"idle time of a kept connection; 0: none are kept"),
	N(request_timeout_ms,	"5000", 100, 3600000,		"time for a request to arrive"),
	N(give_way_ms,		"1000", 100, 3600000,		"time for a slow client while others wait for a thread"),
	N(max_head_bytes,	"16384", 1024, 65536,		"longest request line with its header fields"),
	N(max_target_bytes,	"8192", 64, 65536,		"longest target in a request line"),
	N(max_fields,		"100", 8, 1000,			"header fields of a request"),
	N(max_body_bytes,	"65536", 0, 1048576,		"longest request body that is read"),
	N(stop_timeout_ms,	"8000", 0, 3600000,		"longest drain after SIGTERM"),
	N(drain_timeout_ms,	"30000", 0, 3600000,		"longest drain after SIGQUIT"),
	N(upgrade_timeout_ms,	"60000", 100, 3600000,		"time for a new master to serve after SIGUSR2"),
	T(transactions,		"", 0,				"files and folders of CSV that akinctl retrain builds from"),
	T(retrain_options,	"", 0,				"options of akin-prep build for akinctl retrain"),
	N(retrain_hold_off_s,	"3600", 0, 31536000,		"seconds between two starts of akinctl retrain"),
	N(retrain_max_per_day,	"4", 1, 1000,			"most starts of akinctl retrain in 24 hours"),
	W(metrics,		"on", "on|off",			"whether requests are counted and /metrics is served"),
	I(metrics_namespace,	"",				"first part of the names of the http_ families"),
	I(metrics_subsystem,	"",				"second part of the names of the http_ families"),
	W(metrics_status,	"grouped", "grouped|exact",	"status labels of http_requests_total: 4xx or 404"),
	H(metrics_exclude,	"",				"handlers left out of the http_ families"),
	N(window_requests,	"1000", 100, 1000000,		"predictions that close a window"),
	N(window_seconds,	"3600", 1, 2592000,		"age that closes a window"),
	N(window_min,		"200", 30, 100000,		"predictions a window needs for a verdict on drift"),
	N(baseline_windows,	"8", 1, 1000,			"windows after a reload that later ones are compared with"),
	N(drift_effect_percent,	"10", 1, 100,			"least difference that is drift"),
	N(drift_alpha_permille,	"10", 1, 500,			"chance of a false alarm in a window, over all features"),
	N(drift_windows,	"2", 1, 100,			"windows running that it takes to change a verdict"),
	N(hit_drop_percent,	"50", 1, 100,			"fall of the hit rate that is looked for"),
	N(hit_lambda,		"20", 1, 10000,			"missing hits that are concept drift"),
	W(feedback,		"on", "on|off",			"whether answers have a recommendation_id, for feedback"),
	N(feedback_ring,	"16384", 64, 1048576,		"answers a worker remembers for feedback"),
	N(feedback_max_events,	"1000", 1, 100000,		"events in the body of one POST /feedback"),
	T(feedback_log,		"", 0,				"folder for the log of events; empty: none"),
	W(feedback_sync,	"always", "always|second|never", "when a row of that log is on the disk"),
	N(feedback_future_s,	"300", 0, 86400,		"seconds an event's time may be ahead"),
	T(log,			"stderr", 1,			"'stderr' or a file"),
	W(log_level,		"info", "error|warn|info|debug", "least weighty lines written"),
	T(pid_file,		"", 0,				"file for the master's process id; empty: none"),
};
#define ROWS (sizeof rows / sizeof *rows)

_Static_assert(FILL_POPULAR == 0 && FILL_RECENT == 1 && FILL_NONE == 2, "the order of the words");
_Static_assert(GATE_ON == 0 && GATE_OFF == 1 && OLDER_REFUSE == 0 && OLDER_TAKE == 1, "the order of the words");
_Static_assert(METRICS_ON == 0 && METRICS_OFF == 1 && METRICS_GROUPED == 0 && METRICS_EXACT == 1, "the order of the words");
_Static_assert(FEEDBACK_ON == 0 && FEEDBACK_OFF == 1, "the order of the words");
_Static_assert(SYNC_ALWAYS == 0 && SYNC_SECOND == 1 && SYNC_NEVER == 2, "the order of the words");
_Static_assert(LOG_ERROR == 0 && LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3, "the order of the words");

/* One value, without the place it came from */

static const struct row *find_row(const char *key)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *a = rows[i].key, *b = key;

		while (*a && (*a == *b || (*a == '_' && *b == '-')))
			a++, b++;
		if (!*a && !*b)
			return &rows[i];
	}
	return NULL;
}

static void *field(struct settings *s, const struct row *r) { return (char *)s + r->offset; }

static const void *const_field(const struct settings *s, const struct row *r) { return (const char *)s + r->offset; }

/* Nothing but digits, and few enough that they can't overflow. */
static bool read_number(const char *value, uint32_t *out)
{
	size_t digits = strspn(value, "0123456789");

	if (digits == 0 || digits > 9 || value[digits])
		return false;
	*out = (uint32_t)strtoul(value, NULL, 10);
	return true;
}

/* Position of value among "a|b|c", or -1. */
static int find_word(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (int i = 0;; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && memcmp(words, value, n) == 0)
			return i;
		if (!words[n])
			return -1;
		words += n + 1;
	}
}

static bool is_address(const char *value)
{
	struct in6_addr any;

	return inet_pton(AF_INET, value, &any) == 1 || inet_pton(AF_INET6, value, &any) == 1;
}

static bool is_endpoint(const char *value)
{
	struct endpoint e;

	return endpoint_read(&e, value);
}

/* What may stand in the name of a metric, but for the colon, which is for recording rules. */
static bool is_name(const char *value)
{
	return !isdigit((unsigned char)*value) &&
	       !value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static bool check_handlers(const char *value, const char *place, const struct row *r, struct fault *why)
{
	const char *bad;
	size_t len;
	uint32_t set;
	char shown[80];

	if (counters_handlers(value, &set, &bad, &len))
		return true;
	fault_quote(shown, sizeof shown, bad, len);
	return fault_set(why, "%s: %s must list handlers as /metrics shows them, and none is '%s'", place, r->key, shown);
}

static bool check_networks(const char *value, size_t len, const char *place, const struct row *r, struct fault *why)
{
	struct cidr_list list;

	if (len > r->max)
		return fault_set(why, "%s: %s must have at most %u bytes, not %zu", place, r->key, r->max, len);
	return cidr_read_list(&list, value, why) || fault_at(why, "%s: %s", place, r->key);
}

static bool set_row(struct settings *s, const struct row *r, const char *value, const char *place, struct fault *why)
{
	char shown[80];
	size_t len = strlen(value);
	uint32_t number;
	int word;

	fault_quote(shown, sizeof shown, value, len);
	switch (r->type) {
	case NUMBER:
		if (!read_number(value, &number) || number < r->min || number > r->max)
			return fault_set(why, "%s: %s must be %u to %u, not '%s'", place, r->key, r->min, r->max,
					 shown);
		memcpy(field(s, r), &number, sizeof number);
		return true;
	case WORD:
		word = find_word(r->words, value);
		if (word < 0)
			return fault_set(why, "%s: %s must be one of %s, not '%s'", place, r->key, r->words, shown);
		_Static_assert(sizeof(enum fill) == sizeof word && sizeof(enum log_level) == sizeof word, "copied as int");
		memcpy(field(s, r), &word, sizeof word);
		return true;
	case ADDRESS:
		if (len > r->max || !is_address(value))
			return fault_set(why, "%s: %s must be an IPv4 or IPv6 address, not '%s'", place, r->key, shown);
		break;
	case LISTEN:
		if (len > r->max || (len > 0 && !is_endpoint(value)))
			return fault_set(why, "%s: %s must be ADDRESS:PORT, as 127.0.0.1:9100 or [::1]:9100 are, not '%s'", place,
					 r->key, shown);
		break;
	case TEXT:
		if (len < r->min || len > r->max)
			return fault_set(why, "%s: %s must have %u to %u bytes, not %zu", place, r->key, r->min, r->max, len);
		break;
	case NAME:
		if (len > r->max || !is_name(value))
			return fault_set(why, "%s: %s must be at most %u letters, digits and _, no digit first, not '%s'", place,
					 r->key, r->max, shown);
		break;
	case NETWORKS:
		if (!check_networks(value, len, place, r, why))
			return false;
		break;
	case HANDLERS_LIST:
		if (len > r->max)
			return fault_set(why, "%s: %s must have at most %u bytes, not %zu", place, r->key, r->max, len);
		if (!check_handlers(value, place, r, why))
			return false;
		break;
	}
	memcpy(field(s, r), value, len + 1);
	return true;
}

void settings_default(struct settings *s)
{
	memset(s, 0, sizeof *s);
	for (size_t i = 0; i < ROWS; i++) {
		if (!set_row(s, &rows[i], rows[i].standard, "default", NULL))
			abort();	/* a mistake in the table above */
	}
}

static bool unknown_key(const char *key, const char *place, struct fault *why)
{
	const struct row *near = NULL;
	size_t best = 4;	/* three changes are still a slip */
	char shown[80];

	for (size_t i = 0; i < ROWS && strlen(key) < 32; i++) {
		size_t d = spelling_distance(key, rows[i].key);

		if (d < best && d < strlen(rows[i].key)) {
			best = d;
			near = &rows[i];
		}
	}
	fault_quote(shown, sizeof shown, key, strlen(key));
	if (near)
		return fault_set(why, "%s: there is no setting '%s'; is it '%s'?", place, shown, near->key);
	return fault_set(why, "%s: there is no setting '%s'", place, shown);
}

bool settings_set(struct settings *s, const char *key, const char *value, const char *place, struct fault *why)
{
	const struct row *r = find_row(key);

	return r ? set_row(s, r, value, place, why) : unknown_key(key, place, why);
}

const char *settings_key(const char *key)
{
	const struct row *r = find_row(key);

	return r ? r->key : NULL;
}

/* Two listeners at one place; what only overlaps, 0.0.0.0 and 127.0.0.1, the kernel refuses by itself. */
static bool doors_differ(const struct settings *s, struct fault *why)
{
	struct endpoint ops;

	if (!endpoint_read(&ops, s->ops_listen) || ops.port == 0 || ops.port != s->port || strcmp(ops.address, s->address) != 0)
		return true;
	return fault_set(why, "ops_listen must be another place than address and port, not '%s'", s->ops_listen);
}

bool settings_check(const struct settings *s, struct fault *why)
{
	if (s->default_n > s->max_n)
		return fault_set(why, "default_n must be at most max_n, %u, not %u", s->max_n, s->default_n);
	if (s->window_min > s->window_requests)
		return fault_set(why, "window_min must be at most window_requests, %u, not %u: no window would have a verdict",
				 s->window_requests, s->window_min);
	if (s->worker_hung_ms > 0 && s->worker_hung_ms < 1000)
		return fault_set(why, "worker_hung_ms must be 0 or at least 1000, not %u", s->worker_hung_ms);
	return doors_differ(s, why);
}

/* Telling */

static void print_value(const struct settings *s, const struct row *r, FILE *to)
{
	uint32_t number;

	switch (r->type) {
	case NUMBER:
		memcpy(&number, const_field(s, r), sizeof number);
		fprintf(to, "%u", number);
		return;
	case WORD: {
		const char *word = r->words;

		memcpy(&number, const_field(s, r), sizeof number);
		while (number-- > 0)
			word += strcspn(word, "|") + 1;
		fprintf(to, "%.*s", (int)strcspn(word, "|"), word);
		return;
	}
	default:
		fputs(const_field(s, r), to);
	}
}

void settings_print(const struct settings *s, FILE *to)
{
	for (size_t i = 0; i < ROWS; i++) {
		fprintf(to, "%s = ", rows[i].key);
		print_value(s, &rows[i], to);
		fputc('\n', to);
	}
}

void settings_usage(FILE *to)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];

		fprintf(to, "  --%-20s %s (", r->key, r->meaning);
		if (r->type == NUMBER)
			fprintf(to, "%s; %u to %u)\n", r->standard, r->min, r->max);
		else if (r->type == WORD)
			fprintf(to, "%s; %s)\n", r->standard, r->words);
		else
			fprintf(to, "%s)\n", *r->standard ? r->standard : "none");
	}
}
