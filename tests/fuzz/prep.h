/* prep.h - subcommands of akin-prep run inside a fuzz target, with what they print caught in memory. */
#ifndef AKIN_FUZZ_PREP_H
#define AKIN_FUZZ_PREP_H

#include <getopt.h>

#include "fuzz.h"

struct said {
	int status;
	char *out, *err;		/* NUL-terminated */
	size_t out_len, err_len;
};

static inline struct said said(int (*main_of)(int argc, char **argv), const char *const *arguments)
{
	struct said s = {.status = -1};
	FILE *own_out = stdout, *own_err = stderr;
	char *argv[16];
	int argc = 0;

	for (; arguments[argc]; argc++) {
		REQUIRE(argc < 15);
		argv[argc] = (char *)(uintptr_t)arguments[argc];	/* getopt_long() may change their order */
	}
	argv[argc] = NULL;
	stdout = open_memstream(&s.out, &s.out_len);
	stderr = open_memstream(&s.err, &s.err_len);
	REQUIRE(stdout && stderr);
	optind = 0;
	s.status = main_of(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = own_out;
	stderr = own_err;
	return s;
}

static inline void said_free(struct said *s)
{
	free(s->out);
	free(s->err);
}

/* It failed, with one line that says why, or it went well, without a word of complaint. */
static inline void said_well(const struct said *s)
{
	if (s->status == 0) {
		REQUIRE(s->err_len == 0);
		return;
	}
	REQUIRE(s->status == 1 && s->out_len == 0 && s->err_len > 11 && strncmp(s->err, "akin-prep: ", 11) == 0);
	REQUIRE(s->err[s->err_len - 1] == '\n');
	s->err[s->err_len - 1] = '\0';
	fuzz_is_line(s->err);
}

#endif
