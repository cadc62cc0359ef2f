/* options_replay.c - the command line of akin-prep replay. Who is asked is settled here: --server takes an address or a
 * file, and from here on there is an address in `server`, a file in `model`, or both. */
#include "options_shared.h"

#include <getopt.h>
#include <string.h>

#define PLACES_DEFAULT 5
#define PLACES_MAX     1000

static const char usage[] =
	"usage: akin-prep replay --server URL|MODEL [options] [FILE...]\n"
	"      --server URL|MODEL   who is asked: a running akin-server, or a model file\n"
	"      --model MODEL        the file that is asked; with a URL, a copy of what is served there\n"
	"  -n COUNT                 places of an answer, 1 to 1000 (5)\n"
	"      --fill popular|recent|none\n"
	"                           what a model file's answers are filled with (popular)\n"
	"      --by day|week|month  a table over time\n"
	"      --feedback           tell the server what was bought\n"
	"      --key-file FILE      its first line is a key for the server\n"
	"      --batch COUNT        events in one request, at most (400)\n"
	"      --timeout SECONDS    for one answer (30)\n"
	"      --retries COUNT      after 503 or a broken connection (5)\n"
	"      --columns, --date-format, --delimiter, --max-bad, --strict\n"
	"                           as build has them\n"
	"  -q, --quiet              no warnings\n"
	"      --json               the result as JSON\n"
	"FILE is CSV, plain or LZ4; standard input when none is given, or for -.\n";

enum { OPT_SERVER = OPTIONS_OWN, OPT_MODEL, OPT_FILL, OPT_BY, OPT_FEEDBACK, OPT_KEY_FILE, OPT_BATCH, OPT_TIMEOUT,
       OPT_RETRIES };

static const struct option longs[] = {
	{"server", required_argument, NULL, OPT_SERVER},
	{"model", required_argument, NULL, OPT_MODEL},
	{"fill", required_argument, NULL, OPT_FILL},
	{"by", required_argument, NULL, OPT_BY},
	{"feedback", no_argument, NULL, OPT_FEEDBACK},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{"batch", required_argument, NULL, OPT_BATCH},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"retries", required_argument, NULL, OPT_RETRIES},
	OPTIONS_READING,
	{"quiet", no_argument, NULL, 'q'},
	{"json", no_argument, NULL, OPTIONS_JSON},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* Which of these words is in optarg; -1: none. */
static int one_of(const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(optarg, words[i]) == 0)
			return i;
	return -1;
}

static bool is_address(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

/* What is given on the command line; *fill: --fill was. */
static bool take(struct replay_options *o, int option, bool *fill, struct fault *why)
{
	static const char *const fills[] = {[FILL_POPULAR] = "popular", [FILL_RECENT] = "recent", [FILL_NONE] = "none"};
	static const char *const periods[] = {"day", "week", "month"};
	unsigned long n;
	int word;

	switch (option) {
	case OPT_SERVER:
		o->server = optarg;
		return *optarg || options_must(why, "--server must be a URL or the path of a model");
	case OPT_MODEL:
		o->model = optarg;
		return (*optarg && !is_address(optarg)) || options_must(why, "--model must be the path of a model");
	case 'n':
		if (!options_count(optarg, 1, PLACES_MAX, &n))
			return options_must(why, "-n must be 1 to 1000");
		o->n = (uint32_t)n;
		return true;
	case OPT_FILL:
		*fill = true;
		if ((word = one_of(fills, 3)) < 0)
			return options_must(why, "--fill must be popular, recent or none");
		o->fill = (enum fill)word;
		return true;
	case OPT_BY:
		if ((word = one_of(periods, 3)) < 0)
			return options_must(why, "--by must be day, week or month");
		o->by = (enum period)(PERIOD_DAY + word);
		return true;
	case OPT_FEEDBACK:
		o->feedback = true;
		return true;
	case OPT_KEY_FILE:
		o->key_file = optarg;
		return *optarg || options_must(why, "--key-file must be a path");
	case OPT_BATCH:
		if (!options_count(optarg, 1, 100000, &n))
			return options_must(why, "--batch must be 1 to 100000");
		o->batch = (unsigned)n;
		return true;
	case OPT_TIMEOUT:
		if (!options_count(optarg, 1, 3600, &n))
			return options_must(why, "--timeout must be 1 to 3600 seconds");
		o->timeout = (unsigned)n;
		return true;
	case OPT_RETRIES:
		if (!options_count(optarg, 0, 1000, &n))
			return options_must(why, "--retries must be 0 to 1000");
		o->retries = (unsigned)n;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case OPTIONS_JSON:
		o->json = true;
		return true;
	default:
		return options_reading(&o->reading, option, why);
	}
}

/* Does what is given fit together? */
static bool settle(struct replay_options *o, bool fill, struct fault *why)
{
	if (!o->server && !o->model)
		return fault_set(why, "replay must have --server, a URL or a model");
	if (o->server && !is_address(o->server)) {
		if (o->model)
			return fault_set(why, "replay must have one model: --server is no URL, and there is --model, too");
		o->model = o->server;
		o->server = NULL;
	}
	if (o->server && fill)
		return fault_set(why, "--fill is for a model file; a server fills as it is set");
	if (!o->server && (o->feedback || o->key_file))
		return fault_set(why, "%s is for a server, and --server is no URL", o->feedback ? "--feedback" : "--key-file");
	return true;
}

bool options_replay(struct replay_options *o, int argc, char **argv, int *status)
{
	struct fault why = {""};
	bool fill = false;
	int option;

	*o = (struct replay_options){.n = PLACES_DEFAULT, .fill = FILL_POPULAR, .batch = 400, .timeout = 30, .retries = 5,
				     .reading = {.max_bad = 0.10, .examples = OPTIONS_EXAMPLES}};
	while ((option = getopt_long(argc, argv, "n:qh", longs, NULL)) != -1) {
		if (option == 'h')
			return options_helped(usage, status);
		if (!take(o, option, &fill, &why))
			return options_wrong(status, &why);
	}
	if (!settle(o, fill, &why))
		return options_wrong(status, &why);
	o->reading.quiet = o->quiet;
	return options_inputs(&o->reading, "replay", argc, argv, status);
}
