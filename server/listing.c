/* listing.c - the two ways in which --status says what it says.
 *
 * Text goes out line by line; JSON is put together in memory and goes out at the end, so that a program never reads half
 * an object that looks whole. Fails when memory is short or standard output is closed or full. Called by status.c. */
#include "listing.h"

#include <jansson.h>
#include <string.h>

void listing_open(struct listing *r, FILE *to, bool json)
{
	memset(r, 0, sizeof *r);
	r->to = to;
	r->root = json ? json_object() : NULL;
	r->at = r->root;
	r->ok = !json || r->root;
}

/* The object that the key's last part goes into, made if need be. *key becomes that part. */
static json_t *inside(json_t *in, const char **key)
{
	const char *dot;
	char part[40];

	while (in && (dot = strchr(*key, '.'))) {
		snprintf(part, sizeof part, "%.*s", (int)(dot - *key), *key);
		json_t *next = json_object_get(in, part);

		if (!json_is_object(next)) {	/* nothing, or a value that becomes the total */
			json_t *made = json_object();

			if (next && json_object_set(made, "total", next) != 0)
				return NULL;
			next = json_object_set_new(in, part, made) == 0 ? made : NULL;
		}
		in = next;
		*key = dot + 1;
	}
	return in;
}

/* Takes value over. */
static void put(struct listing *r, const char *key, json_t *value)
{
	json_t *in = inside(r->at, &key);

	if (!in) {
		json_decref(value);
		r->ok = false;
	} else if (json_object_set_new(in, key, value) != 0) {
		r->ok = false;
	}
}

void listing_text(struct listing *r, const char *key, const char *value)
{
	if (r->root)
		put(r, key, json_string(value));
	else
		fprintf(r->to, "%s%s%s%s\n", r->prefix, key, *value ? " " : "", value);
}

void listing_number(struct listing *r, const char *key, int64_t value)
{
	if (r->root)
		put(r, key, json_integer(value));
	else
		fprintf(r->to, "%s%s %lld\n", r->prefix, key, (long long)value);
}

void listing_count(struct listing *r, const char *key, uint64_t value)
{
	listing_number(r, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void listing_workers(struct listing *r, uint32_t count)
{
	if (!r->root) {
		listing_count(r, "workers", count);
		return;
	}
	r->workers = json_array();
	put(r, "workers", r->workers);
}

void listing_worker(struct listing *r, uint32_t i)
{
	if (!r->root) {
		snprintf(r->prefix, sizeof r->prefix, "worker.%u.", i);
		return;
	}
	r->at = json_object();
	r->ok = json_array_append_new(r->workers, r->at) == 0 && r->ok;
}

bool listing_close(struct listing *r, struct fault *why)
{
	bool written = true;

	if (r->root) {
		written = r->ok && json_dumpf(r->root, r->to, JSON_COMPACT | JSON_PRESERVE_ORDER) == 0 && fputc('\n', r->to) != EOF;
		json_decref(r->root);
		r->root = NULL;
	}
	if (!r->ok)
		return fault_set(why, "there is not enough memory for the status");
	return (written && fflush(r->to) == 0 && !ferror(r->to)) || fault_errno(why, "can't write the status");
}
