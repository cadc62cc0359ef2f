/* main.c - akin-prep(1): its subcommands. */
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "diff.h"
#include "options.h"
#include "replay.h"
#include "show.h"
#include "verify.h"

static const struct command {
	const char *name;
	char *as;			/* what getopt puts before its complaints */
	int (*run)(int argc, char **argv);
} commands[] = {
	{"build", "akin-prep build", build_main},
	{"verify", "akin-prep verify", verify_main},
	{"show", "akin-prep show", show_main},
	{"diff", "akin-prep diff", diff_main},
	{"replay", "akin-prep replay", replay_main},
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			argv[1] = commands[i].as;
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	if (strcmp(name, "--version") == 0)
		return puts("akin-prep " AKIN_VERSION) < 0;
	bool asked = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;

	if (!asked && *name)
		fprintf(stderr, "akin-prep: the command must be build, verify, show, diff or replay, not '%.100s'\n", name);
	else
		options_usage(asked ? stdout : stderr);
	return asked ? 0 : EXIT_WRONG_USAGE;
}
