/* options_shared.h - what the command lines of several subcommands have in common. For options.c and its like only. */
#ifndef AKIN_OPTIONS_SHARED_H
#define AKIN_OPTIONS_SHARED_H

#include "options.h"

#define OPTIONS_EXAMPLES 3		/* rows shown for each reason not to keep them */

/* What getopt_long() returns for long options that more than one subcommand has; each one's own follow. */
enum { OPTIONS_COLUMNS = 256, OPTIONS_DATE_FORMAT, OPTIONS_DELIMITER, OPTIONS_MAX_BAD, OPTIONS_STRICT, OPTIONS_JSON,
       OPTIONS_OWN };
/* Those that say how transactions are read, for an array of struct option. */
#define OPTIONS_READING \
	{"columns", required_argument, NULL, OPTIONS_COLUMNS}, \
	{"date-format", required_argument, NULL, OPTIONS_DATE_FORMAT}, \
	{"delimiter", required_argument, NULL, OPTIONS_DELIMITER}, \
	{"max-bad", required_argument, NULL, OPTIONS_MAX_BAD}, \
	{"strict", no_argument, NULL, OPTIONS_STRICT}

/* One of them, its argument in optarg. False: *why has the rule it breaks, or is empty when it is none of them. */
bool options_reading(struct reading *r, int option, struct fault *why);
/* The operands, from optind on: files, or standard input unless that is a terminal. False: as options_wrong(). */
bool options_inputs(struct reading *r, const char *command, int argc, char **argv, int *status);

/* A whole decimal number from min to max, and nothing else in the text. */
bool options_count(const char *text, unsigned long min, unsigned long max, unsigned long *value);
/* The option at hand, optarg, breaks this rule. Returns false. */
bool options_must(struct fault *why, const char *rule);

/* --help: usage on stdout. Returns false for `return`. */
bool options_helped(const char *usage, int *status);
/* One line on stderr; getopt_long() has written it when why is empty. Returns false for `return`. */
bool options_wrong(int *status, const struct fault *why);

#endif
