/* options.c - reading the command line, and then the settings in their order: file, environment, flags.
 *
 * The first thing main() calls, and with main() the only place that prints: nothing is open yet. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../metrics/exposition.h"

#define STANDARD_FILE AKIN_CONF	/* where it is installed: the Makefile knows */

struct line {
	const char *file;		/* -c, or NULL */
	bool print;			/* -T */
	bool version, help;
	bool table;			/* --metrics-table */
};

static void help(void)
{
	puts("usage: akin-server [-tTVh] [--healthcheck] [--gate=model] [--status[=json]] [-c file] [--key=value ...]\n\n"
	     "  -c file   read settings from file instead of " STANDARD_FILE "\n"
	     "  -t        check the settings and the model, and exit\n"
	     "  -T        print the settings in force, and exit\n"
	     "  -V        print the version, and exit\n"
	     "  --healthcheck\n"
	     "            ask the server that has these settings whether it is ready, and exit\n"
	     "  --gate=model\n"
	     "            say whether the running server would take this model file, and exit\n"
	     "  --status, --status=json\n"
	     "            print what the running server says of itself in shared memory, and exit\n"
	     "  --metrics-table\n"
	     "            print what /metrics tells, as a table, and exit\n"
	     "  -h        print this, and exit\n\nSettings, with their defaults and ranges; see akin.conf(5):");
	settings_usage(stdout);
}

static void print(void *of, const char *bytes, size_t len) { fwrite(bytes, 1, len, of); }

/* "--key=value" at argv[*i], or "--key" there and "value" next. Sets it when s is not NULL. */
static bool long_flag(struct settings *s, int argc, char **argv, int *i, struct fault *why)
{
	const char *flag = argv[*i], *value = strchr(flag, '=');
	char key[64], place[72];
	int len = (int)(value ? value - flag : (int)strlen(flag));

	snprintf(place, sizeof place, "%.*s", len, flag);
	snprintf(key, sizeof key, "%.*s", len - 2, flag + 2);
	if (value)
		value++;
	else if (*i + 1 < argc)
		value = argv[++*i];
	else if (settings_key(key))
		return fault_set(why, "%s wants a value", place);
	if (!s) {	/* first pass: only whether there is such a flag */
		struct settings nowhere;

		return settings_key(key) || settings_set(&nowhere, key, "", place, why);
	}
	return settings_set(s, key, value, place, why);
}

static bool short_flags(struct options *o, struct line *l, int argc, char **argv, int *i, struct fault *why)
{
	for (const char *f = argv[*i] + 1; *f; f++) {
		switch (*f) {
		case 't':
			o->check_only = true;
			continue;
		case 'T':
			l->print = true;
			continue;
		case 'V':
			l->version = true;
			continue;
		case 'h':
			l->help = true;
			continue;
		case 'c':
			l->file = f[1] ? f + 1 : *i + 1 < argc ? argv[++*i] : NULL;
			return l->file || fault_set(why, "-c wants a file");
		default:
			return fault_set(why, "there is no flag -%c", *f);
		}
	}
	return true;
}

/* Behind "--status". */
static bool status_flag(struct options *o, const char *form, struct fault *why)
{
	char shown[80];

	o->status = *form ? STATUS_JSON : STATUS_TEXT;
	if (!*form || strcmp(form, "=json") == 0)
		return true;
	fault_quote(shown, sizeof shown, form + 1, strlen(form + 1));
	return fault_set(why, "--status may be =json, not '%s'", shown);
}

/* "--gate=FILE" asks; "--gate=on" and "--gate=off" are flags of a setting. */
static bool asks_gate(const char *flag)
{
	return strncmp(flag, "--gate=", 7) == 0 && strcmp(flag + 7, "on") != 0 && strcmp(flag + 7, "off") != 0;
}

/* Once without settings, to learn which file to read; once with, since flags are stronger than the file. */
static bool read_line(struct options *o, struct line *l, struct settings *s, int argc, char **argv, struct fault *why)
{
	for (int i = 1; i < argc; i++) {
		bool ok;

		if (strcmp(argv[i], "--help") == 0)
			ok = l->help = true;
		else if (strcmp(argv[i], "--version") == 0)
			ok = l->version = true;
		else if (strcmp(argv[i], "--metrics-table") == 0)
			ok = l->table = true;
		else if (strcmp(argv[i], "--healthcheck") == 0)
			ok = o->healthcheck = true;
		else if (strncmp(argv[i], "--status", 8) == 0 && (!argv[i][8] || argv[i][8] == '='))
			ok = status_flag(o, argv[i] + 8, why);
		else if (asks_gate(argv[i]))
			ok = (o->gate = argv[i] + 7)[0] || fault_set(why, "--gate= wants a file, or on or off");
		else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2])
			ok = long_flag(s, argc, argv, &i, why);
		else if (argv[i][0] == '-' && argv[i][1] && argv[i][1] != '-')
			ok = short_flags(o, l, argc, argv, &i, why);
		else
			ok = fault_set(why, "there are no arguments but flags, and this is none: '%.60s'", argv[i]);
		if (!ok)
			return false;
	}
	return true;
}

/* The exit status: 0, or 64 when it is the command line that is wrong, or 1. */
static int read_settings(struct options *o, struct line *l, int argc, char **argv, struct fault *why)
{
	struct settings *s = &o->settings;

	settings_default(s);
	if (!settings_file(s, l->file ? l->file : STANDARD_FILE, l->file != NULL, why) || !settings_environment(s, why))
		return 1;
	if (!read_line(o, l, s, argc, argv, why))
		return EXIT_USAGE;
	return settings_check(s, why) ? 0 : 1;
}

bool options_parse(struct options *o, int argc, char **argv, int *status)
{
	struct line l = {.file = NULL};
	struct fault why = {""};

	memset(o, 0, sizeof *o);
	*status = 0;
	if (!read_line(o, &l, NULL, argc, argv, &why))
		*status = EXIT_USAGE;
	else if (!l.help && !l.version && !l.table)
		*status = read_settings(o, &l, argc, argv, &why);
	if (*status != 0) {
		fprintf(stderr, "akin-server: %s%s\n", why.text, *status == EXIT_USAGE ? "; -h lists the flags" : "");
		return false;
	}
	if (l.help)
		help();
	else if (l.version)
		puts("akin-server " AKIN_VERSION);
	else if (l.table)
		exposition_table(print, stdout);
	else if (l.print)
		settings_print(&o->settings, stdout);
	bool over = l.help || l.version || l.table || (l.print && !o->check_only);

	if ((over || l.print) && fflush(stdout) != 0) {
		*status = 1;
		over = true;
	}
	settings_environment_unknown(o->foreign, sizeof o->foreign);
	return !over;
}
