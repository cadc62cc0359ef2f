/* main.c - akin-server(8): a table of contents. */
#include <stdio.h>

#include "capacity.h"
#include "check.h"
#include "feedback_log.h"
#include "generation.h"
#include "healthcheck.h"
#include "keys.h"
#include "log.h"
#include "master.h"
#include "options.h"
#include "privilege.h"
#include "standard.h"
#include "status.h"
#include "trial.h"
#include "upgrade.h"

static int refuse(const struct fault *why)
{
	fprintf(stderr, "akin-server: %s\n", why->text);
	return 1;
}

/* -t: the settings have been read; would the rest of a start succeed? */
static int check(const struct settings *s)
{
	struct generation g;
	struct fault why;

	if (!privilege_prepare(s->user, &why) || !check_files(s, &why) || !feedback_log_check(s, &why) ||
	    !privilege_drop(&why) || !keys_check(s, &why) ||
	    !generation_check(s->model, &g, &why))
		return refuse(&why);
	fprintf(stderr, "akin-server: the settings are fine, and so is %s: %u items, %u customers, %llu interactions\n",
		s->model, g.items, g.customers, (unsigned long long)g.interactions);
	return 0;
}

/* --healthcheck: does the server that runs with these settings say that it is ready? */
static int ask(const struct settings *s)
{
	struct fault why;
	char said[256];

	if (!healthcheck(s, said, sizeof said, &why))
		return refuse(&why);
	return puts(said) < 0 || fflush(stdout) != 0;
}

/* --status: what does its board say? */
static int tell(const struct settings *s, bool json)
{
	struct fault why = {""};
	int status = status_print(s, json, &why);

	if (status != 0)
		fprintf(stderr, "akin-server: %s\n", why.text[0] ? why.text : "no server runs with these settings");
	return status;
}

/* --gate: would the server that runs with these settings take this model? */
static int try_model(const struct settings *s, const char *path)
{
	struct fault why = {""};
	int status = trial(s, path, &why);

	if (why.text[0])
		refuse(&why);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct master master;
	struct fault why = {""};
	int status;

	if (!standard_open())
		return 1;
	upgrade_remember(argv);
	if (!options_parse(&options, argc, argv, &status))	/* it has said what there was to say */
		return status;
	if (options.check_only && options.foreign[0])
		fprintf(stderr, "akin-server: these variables name no setting and were not used: %s\n", options.foreign);
	if (options.check_only)
		return check(&options.settings);
	if (options.healthcheck)
		return ask(&options.settings);
	if (options.gate)
		return try_model(&options.settings, options.gate);
	if (options.status != STATUS_NOT_ASKED)
		return tell(&options.settings, options.status == STATUS_JSON);
	capacity_resolve(&options.settings, capacity_cores());
	if (!master_open(&master, &options.settings, &why)) {	/* log, pid file, socket, shared memory, model */
		if (log_is_file())
			log_line(LOG_ERROR, "%s", why.text);
		return refuse(&why);
	}
	if (options.foreign[0])
		log_line(LOG_WARN, "these variables name no setting and were not used: %s", options.foreign);
	status = master_run(&master);				/* until a signal ends it */
	master_close(&master);
	return status;
}
