/* retrain.c - reading what a script has written.
 *
 * Called by the monitor once a second. A file that can't be read counts as none. */
#include "retrain.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "models/retrain.state"

static const char *const name[] = {
#define X(symbol, label) [RETRAIN_##symbol] = label,
	RETRAIN_RESULTS_LIST(X)
#undef X
};

const char *retrain_name(enum retrain_result r) { return name[r]; }

bool retrain_path(char *path, size_t cap, const char *model)
{
	const char *slash = strrchr(model, '/');
	int folder = slash ? (int)(slash - model) + 1 : 0;

	return (size_t)snprintf(path, cap, "%.*s%s", folder, model, NAME) < cap;
}

static int find(const char *word)
{
	for (int i = 0; i < RETRAIN_RESULTS; i++) {
		if (strcmp(word, name[i]) == 0)
			return i;
	}
	return -1;
}

void retrain_read(struct monitored_retrain *r, const char *text)
{
	char word[32];
	unsigned long long count;
	long long when;
	int which;

	*r = (struct monitored_retrain){.known = 1};
	for (; text && *text; text = strchr(text, '\n'), text += text ? 1 : 0) {
		if (sscanf(text, "last %lld %31s", &when, word) == 2 && (which = find(word)) >= 0) {
			r->last = when;
			r->last_result = (uint32_t)which;
		} else if (sscanf(text, "%31s %llu", word, &count) == 2 && (which = find(word)) >= 0) {
			r->results[which] = count;
		}
	}
}

/* A file is another one when any of these has changed. */
static int64_t mark(const struct stat *st)
{
	return (int64_t)((uint64_t)st->st_mtim.tv_sec * 1000000007 + (uint64_t)st->st_mtim.tv_nsec + st->st_ino * 31) | 1;
}

bool retrain_look(struct monitored_retrain *r, const char *path, int64_t *seen)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char text[1024];
	int64_t now = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? mark(&st) : 0;
	ssize_t n = 0;

	if (now != *seen && now)
		n = read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (now == *seen)
		return false;
	*seen = now;
	text[n > 0 ? n : 0] = '\0';
	if (now && n >= 0)
		retrain_read(r, text);
	else
		*r = (struct monitored_retrain){.known = 0};
	return true;
}
