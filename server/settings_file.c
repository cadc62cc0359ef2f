/* settings_file.c - akin.conf(5), read by inih.
 *
 * Called by options.c before anything has a side effect. The first fault ends the reading and names its line.
 *
 * Of inih, four habits are not wanted: it cuts lines to its buffer and takes the rest for the next line, it takes
 * an indented line for more of the value above, it drops a section's heading unseen, and it takes ':' for '='. So
 * lines are read here, by read_line(), which measures each one and refuses the last two, and the multi-line mode is
 * off. It also counts, since Debian's inih does not tell the handler the line. What inih does is to split a line: key,
 * value, comments. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
	struct settings *settings;
	FILE *file;
	const char *path;
	unsigned line;
	bool failed;			/* the first fault is kept, the rest of the file is not read */
	struct fault *why;
	struct {
		const char *key;
		unsigned line;
	} set[64];			/* what was set where */
	size_t set_count;
};

static bool refuse(struct reading *r, const char *rule)
{
	r->failed = true;
	fault_set(r->why, "%s:%u: %s", r->path, r->line, rule);
	return false;
}

static bool check_line(struct reading *r, const char *line, size_t len, int cap)
{
	size_t blank = strspn(line, " \t");
	char rule[96];

	if (memchr(line, '\0', len))
		return refuse(r, "a line must be text, this one holds a zero byte");
	if (len + 3 > (size_t)cap) {
		snprintf(rule, sizeof rule, "a line must have at most %d bytes, this one has %zu", cap - 3, len);
		return refuse(r, rule);
	}
	if (line[blank + strcspn(line + blank, "=:#;")] == ':')
		return refuse(r, "between key and value stands '=', not ':'");
	if (line[blank] == '[')
		return refuse(r, "there are no sections here, only 'key = value'");
	return true;
}

/* inih's fgets(): a whole line, measured, or NULL at the end or at a fault. */
static char *read_line(char *into, int cap, void *of)
{
	struct reading *r = of;
	char *line = NULL;
	size_t room = 0;
	ssize_t len = r->failed ? -1 : getline(&line, &room, r->file);

	if (len < 0) {
		free(line);
		return NULL;
	}
	r->line++;
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		line[--len] = '\0';
	bool ok = check_line(r, line, (size_t)len, cap);

	if (ok)
		snprintf(into, (size_t)cap, "%s\n", line);
	free(line);
	return ok ? into : NULL;
}

/* The line that has set key already, or 0. */
static unsigned set_before(const struct reading *r, const char *key)
{
	for (size_t i = 0; i < r->set_count; i++) {
		if (r->set[i].key == key)
			return r->set[i].line;
	}
	return 0;
}

/* inih's handler: 0 makes it remember the line; our own fault says more. */
static int take_pair(void *of, const char *section, const char *name, const char *value)
{
	struct reading *r = of;
	const char *key = settings_key(name);
	char place[PATH_MAX + 16], rule[96];

	(void)section;
	if (r->failed)
		return 0;
	if (key && set_before(r, key)) {
		snprintf(rule, sizeof rule, "%s was already set in line %u", key, set_before(r, key));
		return refuse(r, rule);
	}
	snprintf(place, sizeof place, "%s:%u", r->path, r->line);
	r->failed = !settings_set(r->settings, name, value, place, r->why);
	if (!r->failed && r->set_count < sizeof r->set / sizeof *r->set) {
		r->set[r->set_count].key = key;
		r->set[r->set_count++].line = r->line;
	}
	return !r->failed;
}

/* O_NONBLOCK: a FIFO in the file's place must not make anybody wait for its other end. */
static FILE *open_file(const char *path, struct fault *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *f = NULL;

	if (fd < 0 || fstat(fd, &st) != 0)
		fault_errno(why, "%s: can't read the settings", path);
	else if (!S_ISREG(st.st_mode))
		fault_set(why, "%s: the settings must be a regular file", path);
	else if (!(f = fdopen(fd, "r")))
		fault_errno(why, "%s: can't read the settings", path);
	if (!f && fd >= 0)
		close(fd);
	return f;
}

bool settings_file(struct settings *s, const char *path, bool must_exist, struct fault *why)
{
	struct reading r = {.settings = s, .path = path, .why = why};

	if (!must_exist && access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	r.file = open_file(path, why);
	if (!r.file)
		return false;
	ini_allow_multiline = false;
	int bad_line = ini_parse_stream(read_line, &r, take_pair, &r);
	bool broken = ferror(r.file) != 0;

	fclose(r.file);
	if (r.failed)
		return false;
	if (bad_line > 0)
		return fault_set(why, "%s:%d: a line must be 'key = value'", path, bad_line);
	if (broken || bad_line < 0)
		return fault_set(why, "%s: can't read the settings to their end", path);
	return true;
}
