/* settings_environment.c - settings from AKIN_* variables, and from the one that the application knows which Akin replaces.
 *
 * Called by options.c, after the file and before the flags. A value that breaks a rule is a fault that names its variable. */
#include "settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

/* The variable by which the application that Akin replaces is told; AKIN_METRICS is stronger. */
static bool enable_metrics(struct settings *s, struct fault *why)
{
	const char *value = getenv("ENABLE_METRICS");
	char shown[80];

	if (!value || !*value)		/* a compose file passes on an empty one for none */
		return true;
	if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0) {
		fault_quote(shown, sizeof shown, value, strlen(value));
		return fault_set(why, "ENABLE_METRICS must be true or false, not '%s'", shown);
	}
	s->metrics = tolower((unsigned char)*value) == 't' ? METRICS_ON : METRICS_OFF;
	return true;
}

/* AKIN_MAX_N=7: "max_n" in key, "7" returned. NULL: no variable of ours, as AKIN_max_n is none. */
static const char *our_variable(const char *entry, char *key, size_t cap)
{
	size_t n = 0;

	if (strncmp(entry, "AKIN_", 5) != 0)
		return NULL;
	for (entry += 5; *entry && *entry != '=' && !islower((unsigned char)*entry) && n + 1 < cap; entry++)
		key[n++] = (char)tolower((unsigned char)*entry);
	key[n] = '\0';
	return *entry == '=' ? entry + 1 : NULL;
}

bool settings_environment(struct settings *s, struct fault *why)
{
	char key[64], place[80];

	if (!enable_metrics(s, why))
		return false;
	for (char **e = environ; e && *e; e++) {
		const char *value = our_variable(*e, key, sizeof key);

		snprintf(place, sizeof place, "%.*s", (int)strcspn(*e, "="), *e);
		if (value && settings_key(key) && !settings_set(s, key, value, place, why))
			return false;
	}
	return true;
}

size_t settings_environment_unknown(char *names, size_t cap)
{
	char key[64];
	size_t found = 0, len = 0;

	names[0] = '\0';
	for (char **e = environ; e && *e; e++) {
		if (strncmp(*e, "AKIN_", 5) != 0 || (our_variable(*e, key, sizeof key) && settings_key(key)))
			continue;
		int n = (int)strcspn(*e, "=");

		if (len + (size_t)n + 3 < cap)
			len += (size_t)snprintf(names + len, cap - len, "%s%.*s", found ? ", " : "", n, *e);
		found++;
	}
	return found;
}
