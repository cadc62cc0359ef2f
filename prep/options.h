/* options.h - the command line of akin-prep, as akin-prep(1) has it. */
#ifndef AKIN_OPTIONS_H
#define AKIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "transactions.h"
#include "../shm/recommend.h"

#define EXIT_WRONG_USAGE  64		/* sysexits.h's EX_USAGE */
#define ROW_LIMIT_DEFAULT 100
#define ROW_LIMIT_MAX	  100000
#define WHOLE_CELLS_MAX	  (UINT64_C(64) << 20) /* a matrix of more cells is not kept whole by itself */

enum neighbours { NEIGHBOURS_AUTO, NEIGHBOURS_ALL, NEIGHBOURS_SOME };

struct build_options {
	struct reading reading;		/* paths borrowed from argv */
	const char *output;
	unsigned threads;
	enum neighbours neighbours;
	uint32_t row_limit;
	uint32_t backtest_days;		/* 0: none */
	bool quiet, verbose, json;
};

struct verify_options {
	const char *model;
	bool quick, quiet, json;
};

struct show_options {
	const char *model;
	const char *item, *customer;	/* at most one is not NULL */
	size_t n;
	bool json;
};

struct diff_options {
	const char *before, *after;
	bool json;
};

enum period { PERIOD_NONE, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };

struct replay_options {
	struct reading reading;
	const char *server, *model;	/* an address, or NULL; a file, or NULL: at least one is there */
	const char *key_file;		/* or NULL */
	uint32_t n;			/* places */
	enum fill fill;			/* of a model file that is asked */
	enum period by;
	unsigned batch, timeout, retries;
	bool feedback, quiet, json;
};

/* Each fills *o from argv, argv[0] being the subcommand. True: go on. False: *status is what to exit with, and help
 * or the reason has been printed. */
bool options_build(struct build_options *o, int argc, char **argv, int *status);
bool options_verify(struct verify_options *o, int argc, char **argv, int *status);
bool options_show(struct show_options *o, int argc, char **argv, int *status);
bool options_diff(struct diff_options *o, int argc, char **argv, int *status);
bool options_replay(struct replay_options *o, int argc, char **argv, int *status);

/* The usage of the program. */
void options_usage(FILE *to);

#endif
