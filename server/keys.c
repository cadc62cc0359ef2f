/* keys.c - who may ask for predictions, from a file that the operator keeps.
 *
 * Called by the master, at its start and at SIGHUP, and by -t. What can go wrong is the operator's: a file that is not
 * there, that anybody may read, or that breaks a rule. At the start that is the end; later the keys in use stay in use.
 *
 * No fault and no line of the log holds a part of the file. Who mixes up the two columns would find the key in the log
 * otherwise, as a bad name. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define FILE_MAX 65536			/* bytes; four times what all keys and names can have */
#define BLANKS	 " \t\r"

struct line {
	const char *place;
	unsigned number;
	struct fault *why;
};

static bool refuse(const struct line *at, const char *rule)
{
	return fault_set(at->why, "%s:%u: %s", at->place, at->number, rule);
}

static bool is_name(const char *s, size_t len)
{
	return len >= 1 && len <= KEY_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static bool is_key(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return false;
	}
	return len >= KEY_MIN && len <= KEY_MAX;
}

/* Two names with one key could not be told apart. */
static bool is_new(const struct key_list *l, const char *key)
{
	for (uint32_t i = 0; i < l->count; i++) {
		if (strcmp(l->entry[i].key, key) == 0)
			return false;
	}
	return true;
}

static uint32_t count_names(const struct key_list *l)
{
	uint32_t names = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		uint32_t j = 0;

		while (strcmp(l->entry[j].name, l->entry[i].name) != 0)
			j++;
		names += j == i;
	}
	return names;
}

/* line has no line break and ends in NUL; it is cut up. */
static bool take_line(struct key_list *l, char *line, const struct line *at)
{
	char *name = line + strspn(line, BLANKS), *key = name + strcspn(name, BLANKS);
	size_t name_len = (size_t)(key - name);

	key += strspn(key, BLANKS);
	size_t key_len = strcspn(key, BLANKS);

	if (!*name || *name == '#')
		return true;
	if (!key_len || key[key_len + strspn(key + key_len, BLANKS)])
		return refuse(at, "a line must be 'name key'");
	name[name_len] = key[key_len] = '\0';
	if (!is_name(name, name_len))
		return refuse(at, "a name must be 1 to 32 of a-z, 0-9, '_' and '-'");
	if (!is_key(key, key_len))
		return refuse(at, "a key must be 16 to 128 printable characters of ASCII");
	if (!is_new(l, key))
		return refuse(at, "this key stands in a line above, too");
	if (l->count == KEYS_MAX)
		return refuse(at, "there can be at most 128 keys");
	memcpy(l->entry[l->count].name, name, name_len + 1);
	memcpy(l->entry[l->count++].key, key, key_len + 1);
	return count_names(l) <= KEY_NAMES || refuse(at, "there can be at most 64 names");
}

bool keys_parse(struct key_list *l, const char *place, const char *text, size_t len, struct fault *why)
{
	struct line at = {.place = place, .why = why};
	char line[512];
	bool ok = true;

	_Static_assert(sizeof line > KEY_NAME_MAX + KEY_MAX + 64, "a good line with some blanks");
	memset(l, 0, sizeof *l);
	for (size_t from = 0; ok && from < len;) {
		const char *end = memchr(text + from, '\n', len - from);
		size_t n = end ? (size_t)(end - text) - from : len - from;

		at.number++;
		ok = (n < sizeof line && !memchr(text + from, '\0', n)) || refuse(&at, "a line must be text of at most 511 bytes");
		if (ok) {
			memcpy(line, text + from, n);
			line[n] = '\0';
			ok = take_line(l, line, &at);
		}
		from += n + 1;
	}
	explicit_bzero(line, sizeof line);
	return ok && (l->count || fault_set(why, "%s: there is no key in it", place));
}

/* O_NONBLOCK: a FIFO in the file's place must not make anybody wait for its other end. */
static int open_file(const char *path, struct fault *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	bool ok = false;

	if (fd < 0 || fstat(fd, &st) != 0)
		fault_errno(why, "%s: can't read the API keys", path);
	else if (!S_ISREG(st.st_mode))
		fault_set(why, "%s: the file of API keys must be a regular file", path);
	else if (st.st_mode & (S_IRWXO | S_IWGRP))
		fault_set(why, "%s: the file of API keys must not be open to others: chmod 640, not %03o", path,
			  (unsigned)st.st_mode & 0777);
	else
		ok = true;
	if (!ok && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Bytes read, at most cap; -1: it can't be. */
static ssize_t read_all(int fd, char *into, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, into + len, cap - len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

bool keys_read(struct key_list *l, const char *path, struct fault *why)
{
	int fd = open_file(path, why);
	char *text = fd < 0 ? NULL : malloc(FILE_MAX + 1);
	bool ok = false;

	if (fd < 0)
		return false;
	ssize_t len = text ? read_all(fd, text, FILE_MAX + 1) : -1;

	if (len < 0)
		fault_errno(why, "%s: can't read the API keys", path);
	else if (len > FILE_MAX)
		fault_set(why, "%s: the file of API keys must have at most %d bytes", path, FILE_MAX);
	else
		ok = keys_parse(l, path, text, (size_t)len, why);
	close(fd);
	if (text)
		explicit_bzero(text, FILE_MAX + 1);
	free(text);
	return ok;
}

bool keys_check(const struct settings *s, struct fault *why)
{
	struct key_list l;
	bool ok = !*s->api_keys || keys_read(&l, s->api_keys, why);

	explicit_bzero(&l, sizeof l);
	return ok;
}

bool keys_open(const struct settings *s, struct board *b, struct fault *why)
{
	struct key_list l = {.count = 0};

	if (!*s->api_keys)
		return true;
	bool ok = keys_read(&l, s->api_keys, why) && key_table_publish(&b->head->keys, &l, why);

	if (ok)
		log_line(LOG_INFO, "%s: %u API keys of %u names", s->api_keys, l.count, count_names(&l));
	explicit_bzero(&l, sizeof l);
	return ok;
}

void keys_renew(const struct settings *s, struct board *b)
{
	struct fault why;
	bool ok = keys_open(s, b, &why);

	if (!*s->api_keys)
		return;
	atomic_fetch_add(&b->head->keys.renewals[ok], 1);
	atomic_store(&b->head->keys.failed, !ok);
	if (!ok)
		log_line(LOG_ERROR, "the API keys stay as they were: %s", why.text);
}
