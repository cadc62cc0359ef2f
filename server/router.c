/* router.c - the routes are the label values of metrics/families.h; a path is compared with each template, part by
 * part. Called once a request by serve.c. Does not allocate and cannot fail: whatever fits nothing is MATCH_NONE. */
#include "router.h"

#include <string.h>

#include "query.h"

static const struct text templates[] = {
#define X(symbol, label) [HANDLER_##symbol] = {label, sizeof(label) - 1},
	HANDLERS(X)
#undef X
};

/* The bytes up to the next slash; *at moves behind it. */
static struct text part_of(struct text s, size_t *at)
{
	const char *slash = memchr(s.at + *at, '/', s.len - *at);
	struct text part = {s.at + *at, slash ? (size_t)(slash - s.at) - *at : s.len - *at};

	*at += part.len + (slash != NULL);
	return part;
}

/* Decoded once when it has a percent sign, into memory; what does not fit is cut. */
static struct text decoded(struct text part, char *memory, size_t cap)
{
	if (!memchr(part.at, '%', part.len))
		return part;
	return (struct text){memory, query_unescape(memory, cap, part, false)};
}

/* Does the literal part of a template stand here, maybe percent-encoded? */
static bool same(struct text want, struct text part)
{
	char memory[16];		/* longer than any literal part, so that a cut one differs */

	if (part.len == want.len && memcmp(part.at, want.at, want.len) == 0)
		return true;
	part = decoded(part, memory, sizeof memory);
	return part.len == want.len && memcmp(part.at, want.at, want.len) == 0;
}

static bool fits(struct route *r, struct text template, struct text path)
{
	size_t t = 1, p = 1;		/* behind the first slash, which both have */

	r->id = (struct text){"", 0};
	for (;;) {
		struct text want = part_of(template, &t), part = part_of(path, &p);

		if (want.len && want.at[0] == '{') {
			if (part.len == 0)
				return false;
			r->id = decoded(part, r->id_memory, sizeof r->id_memory);
		} else if (!same(want, part)) {
			return false;
		}
		bool template_ends = want.at + want.len == template.at + template.len;
		bool path_ends = part.at + part.len == path.at + path.len;

		if (template_ends || path_ends)
			return template_ends && path_ends;
	}
}

static bool find(struct route *r, struct text path)
{
	if (path.len == 0 || path.at[0] != '/')
		return false;
	for (unsigned h = 0; h < HANDLER_NONE; h++) {
		if (fits(r, templates[h], path)) {
			r->handler = (enum handler)h;
			return true;
		}
	}
	return false;
}

enum match router_match(struct route *r, struct text path)
{
	r->handler = HANDLER_NONE;
	r->path = path;
	if (memmem(path.at, path.len, "%00", 3))
		return MATCH_NUL;
	if (find(r, path))
		return MATCH_ROUTE;
	while (r->path.len && r->path.at[r->path.len - 1] == '/')
		r->path.len--;
	if (r->path.len < path.len && find(r, r->path)) {
		r->handler = HANDLER_NONE;
		return MATCH_SLASH;
	}
	return MATCH_NONE;
}
