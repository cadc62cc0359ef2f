/* options.c - argv to structs. Whatever is wrong is said in one line before anything else happens. The usage texts stand
 * in the order of akin-prep(1). */

#include "options_shared.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backtest.h"
#include "columns.h"
#include "dates.h"
#include "similarity.h"

#define SHOWN_DEFAULT 10
#define SHOWN_MAX     1000000

static const char build_usage[] =
	"usage: akin-prep build [options] [-o MODEL] [FILE...]\n"
	"  -o, --output MODEL       where to write (model.akin)\n"
	"  -j, --threads N          threads, 1 to 256 (processors online)\n"
	"      --neighbours N|all|auto\n"
	"                           ranked neighbours a row stores, and whether the server keeps the rest (auto)\n"
	"      --columns FIELD=NAME,...\n"
	"                           columns of another schema; FIELD: customer item quantity date description\n"
	"      --date-format FORMAT mdy, dmy, iso or none (found out)\n"
	"      --delimiter CHAR     or comma, semicolon, tab, pipe (found out)\n"
	"      --backtest-days N    how much of the newest data to try a model of the older on (30)\n"
	"      --no-backtest        leave that out\n"
	"      --max-bad SHARE      refuse input with more malformed rows (0.1)\n"
	"      --strict             refuse the first malformed row\n"
	"  -q, --quiet              say only what fails\n"
	"  -v, --verbose            phases and more examples\n"
	"      --json               the summary as JSON\n"
	"FILE is CSV, plain or LZ4; standard input when none is given, or for -.\n";
static const char verify_usage[] =
	"usage: akin-prep verify [options] MODEL\n"
	"      --quick              do not count the rows again\n"
	"  -q, --quiet              say only what is wrong\n"
	"      --json               the verdict as JSON\n";
static const char show_usage[] =
	"usage: akin-prep show [options] MODEL\n"
	"      --item ID            one item and what is like it\n"
	"      --customer ID        one customer and who is like them\n"
	"  -n COUNT                 entries of a list, at most (10)\n"
	"      --json               the same as JSON\n";
static const char diff_usage[] =
	"usage: akin-prep diff [options] OLD NEW\n"
	"      --json               the differences as JSON\n";

enum { OPT_NEIGHBOURS = OPTIONS_OWN, OPT_QUICK, OPT_ITEM, OPT_CUSTOMER, OPT_BACKTEST_DAYS, OPT_NO_BACKTEST };

void options_usage(FILE *to)
{
	fputs("usage: akin-prep build [options] [-o MODEL] [FILE...]\n"
	      "       akin-prep verify [options] MODEL\n"
	      "       akin-prep show [--item ID | --customer ID] [options] MODEL\n"
	      "       akin-prep diff [--json] OLD NEW\n"
	      "       akin-prep replay --server URL|MODEL [options] [FILE...]\n"
	      "       akin-prep --help | --version\n"
	      "akin-prep COMMAND --help shows the options; akin-prep(1) explains them.\n",
	      to);
}

bool options_helped(const char *usage, int *status)
{
	fputs(usage, stdout);
	*status = 0;
	return false;
}

bool options_wrong(int *status, const struct fault *why)
{
	if (why->text[0])
		fprintf(stderr, "akin-prep: %s\n", why->text);
	*status = EXIT_WRONG_USAGE;
	return false;
}

bool options_must(struct fault *why, const char *rule)
{
	char seen[200];

	return fault_set(why, "%s, not '%s'", rule, fault_quote(seen, sizeof seen, optarg, strlen(optarg)));
}

bool options_count(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

/* A decimal fraction. strtod() alone would take 0x1p-1 and nan, too. */
static bool parse_share(const char *text, double *value)
{
	char *end;

	if (text[strspn(text, "0123456789.")] != '\0')
		return false;
	*value = strtod(text, &end);
	return end != text && *end == '\0' && *value >= 0 && *value <= 1;
}

static bool parse_delimiter(const char *text, char *value)
{
	static const struct {
		const char *name;
		char is;
	} names[] = {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"pipe", '|'}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(text, names[i].name) == 0) {
			*value = names[i].is;
			return true;
		}
	}
	*value = text[0];
	return text[0] != '\0' && text[1] == '\0' && !strchr("\"\r\n", text[0]) && (unsigned char)text[0] < 0x80;
}

bool options_reading(struct reading *r, int option, struct fault *why)
{
	struct column_wishes wishes;
	struct dates dates;

	switch (option) {
	case OPTIONS_COLUMNS:
		r->columns = optarg;
		return columns_wish(&wishes, optarg, why);	/* whether there are such columns is seen later */
	case OPTIONS_DATE_FORMAT:
		r->date_format = optarg;
		return strcmp(optarg, "none") == 0 || dates_init(&dates, optarg, why);
	case OPTIONS_DELIMITER:
		return parse_delimiter(optarg, &r->delimiter) ||
		       options_must(why, "--delimiter must be one character, comma, semicolon, tab or pipe");
	case OPTIONS_MAX_BAD:
		return parse_share(optarg, &r->max_bad) || options_must(why, "--max-bad must be 0 to 1");
	case OPTIONS_STRICT:
		r->strict = true;
		return true;
	default:
		return false;
	}
}

bool options_inputs(struct reading *r, const char *command, int argc, char **argv, int *status)
{
	static const char *const standard_input[] = {"-"};
	struct fault why;

	r->paths = optind < argc ? (const char *const *)argv + optind : standard_input;
	r->path_count = optind < argc ? (unsigned)(argc - optind) : 1;
	if (optind < argc || !isatty(STDIN_FILENO))
		return true;
	fault_set(&why, "%s must have a FILE, for standard input is a terminal", command);
	return options_wrong(status, &why);
}

static bool parse_neighbours(const char *text, struct build_options *o)
{
	unsigned long n = ROW_LIMIT_DEFAULT;

	if (strcmp(text, "auto") == 0)
		o->neighbours = NEIGHBOURS_AUTO;
	else if (strcmp(text, "all") == 0)
		o->neighbours = NEIGHBOURS_ALL;
	else if (options_count(text, 1, ROW_LIMIT_MAX, &n))
		o->neighbours = NEIGHBOURS_SOME;
	else
		return false;
	o->row_limit = (uint32_t)n;
	return true;
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > SIMILARITY_MAX_THREADS ? SIMILARITY_MAX_THREADS : (unsigned)n;
}

static const struct option build_longs[] = {
	{"output", required_argument, NULL, 'o'},
	{"threads", required_argument, NULL, 'j'},
	{"neighbours", required_argument, NULL, OPT_NEIGHBOURS},
	OPTIONS_READING,
	{"backtest-days", required_argument, NULL, OPT_BACKTEST_DAYS},
	{"no-backtest", no_argument, NULL, OPT_NO_BACKTEST},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"json", no_argument, NULL, OPTIONS_JSON},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* One option of build. False: *why has the rule it breaks, or is empty when getopt_long() has said it. */
static bool build_option(struct build_options *o, int option, struct fault *why)
{
	unsigned long n;

	switch (option) {
	case 'o':
		o->output = optarg;
		return *optarg || options_must(why, "--output must be a path");
	case 'j':
		if (!options_count(optarg, 1, SIMILARITY_MAX_THREADS, &n))
			return options_must(why, "--threads must be 1 to 256");
		o->threads = (unsigned)n;
		return true;
	case OPT_NEIGHBOURS:
		return parse_neighbours(optarg, o) || options_must(why, "--neighbours must be 1 to 100000, all or auto");
	case OPT_BACKTEST_DAYS:
		if (!options_count(optarg, 1, BACKTEST_DAYS_MAX, &n))
			return options_must(why, "--backtest-days must be 1 to 36500");
		o->backtest_days = (uint32_t)n;
		return true;
	case OPT_NO_BACKTEST:
		o->backtest_days = 0;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case 'v':
		o->verbose = true;
		return true;
	case OPTIONS_JSON:
		o->json = true;
		return true;
	default:
		return options_reading(&o->reading, option, why);
	}
}

bool options_build(struct build_options *o, int argc, char **argv, int *status)
{
	struct fault why = {""};
	int option;

	*o = (struct build_options){.output = "model.akin", .threads = processors(), .row_limit = ROW_LIMIT_DEFAULT,
				    .backtest_days = BACKTEST_DAYS, .reading = {.max_bad = 0.10}};
	while ((option = getopt_long(argc, argv, "o:j:qvh", build_longs, NULL)) != -1) {
		if (option == 'h')
			return options_helped(build_usage, status);
		if (!build_option(o, option, &why))
			return options_wrong(status, &why);
	}
	o->reading.quiet = o->quiet;
	o->reading.examples = o->verbose ? 10 * OPTIONS_EXAMPLES : OPTIONS_EXAMPLES;
	return options_inputs(&o->reading, "build", argc, argv, status);
}

/* The one operand that verify and show take. */
static bool one_model(const char **model, int argc, char **argv, int *status)
{
	struct fault why;

	*model = argv[optind];
	if (optind + 1 == argc)
		return true;
	fault_set(&why, "one MODEL must be named, not %d", argc - optind);
	return options_wrong(status, &why);
}

bool options_verify(struct verify_options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {{"quick", no_argument, NULL, OPT_QUICK},
					      {"quiet", no_argument, NULL, 'q'},
					      {"json", no_argument, NULL, OPTIONS_JSON},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	struct fault why = {""};
	int option;

	*o = (struct verify_options){0};
	while ((option = getopt_long(argc, argv, "qh", longs, NULL)) != -1) {
		switch (option) {
		case OPT_QUICK:
			o->quick = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case OPTIONS_JSON:
			o->json = true;
			break;
		case 'h':
			return options_helped(verify_usage, status);
		default:
			return options_wrong(status, &why);
		}
	}
	return one_model(&o->model, argc, argv, status);
}

bool options_show(struct show_options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {{"item", required_argument, NULL, OPT_ITEM},
					      {"customer", required_argument, NULL, OPT_CUSTOMER},
					      {"json", no_argument, NULL, OPTIONS_JSON},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	unsigned long n = SHOWN_DEFAULT;
	struct fault why = {""};
	int option;

	*o = (struct show_options){0};
	while ((option = getopt_long(argc, argv, "n:h", longs, NULL)) != -1) {
		switch (option) {
		case OPT_ITEM:
			o->item = optarg;
			break;
		case OPT_CUSTOMER:
			o->customer = optarg;
			break;
		case 'n':
			if (!options_count(optarg, 1, SHOWN_MAX, &n)) {
				options_must(&why, "-n must be 1 to 1000000");
				return options_wrong(status, &why);
			}
			break;
		case OPTIONS_JSON:
			o->json = true;
			break;
		case 'h':
			return options_helped(show_usage, status);
		default:
			return options_wrong(status, &why);
		}
	}
	o->n = n;
	if (o->item && o->customer) {
		fault_set(&why, "show must have --item or --customer, not both");
		return options_wrong(status, &why);
	}
	return one_model(&o->model, argc, argv, status);
}

bool options_diff(struct diff_options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {{"json", no_argument, NULL, OPTIONS_JSON}, {"help", no_argument, NULL, 'h'}, {0}};
	struct fault why = {""};
	int option;

	*o = (struct diff_options){0};
	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option == 'h')
			return options_helped(diff_usage, status);
		if (option != OPTIONS_JSON)
			return options_wrong(status, &why);
		o->json = true;
	}
	if (optind + 2 != argc) {
		fault_set(&why, "two models must be named, OLD and NEW, not %d", argc - optind);
		return options_wrong(status, &why);
	}
	o->before = argv[optind];
	o->after = argv[optind + 1];
	return true;
}
