/* options.h - the command line: which of its jobs akin-server does, and with which settings. */
#ifndef AKIN_OPTIONS_H
#define AKIN_OPTIONS_H

#include "settings.h"

#define EXIT_USAGE 64

struct options {
	struct settings settings;
	bool check_only;		/* -t */
	bool healthcheck;		/* --healthcheck */
	const char *gate;		/* --gate=FILE; NULL: not asked for */
	enum { STATUS_NOT_ASKED, STATUS_TEXT, STATUS_JSON } status; /* --status, --status=json */
	char foreign[256];		/* AKIN_* variables that name no setting, to be warned of; "": none */
};

/* Read flags, file and environment. False: there is nothing left to do but to exit with *status; what there was to
 * say (a usage, the version, the settings, a fault) has been said. */
bool options_parse(struct options *o, int argc, char **argv, int *status);

#endif
