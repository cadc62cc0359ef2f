/* fuzz_path.c - paths. What the router says is compared with a plain splitting of the decoded parts; an id is decoded
 * once; a redirect leads to this server and fits a header; what a 404 repeats of an id is text. */
#include "fuzz.h"

#include "../../server/query.h"
#include "../../server/router.h"

#define LONGEST 4096
#define PARTS	8

static const char *const labels[] = {
#define X(symbol, label) [HANDLER_##symbol] = label,
	HANDLERS(X)
#undef X
};

struct parts {				/* what stands between the slashes */
	unsigned n;
	struct text part[PARTS];
};

static struct parts split(const char *s, size_t len)
{
	struct parts p = {.n = 0};

	for (size_t at = 1, end; at <= len; at = end + 1) {
		for (end = at; end < len && s[end] != '/';)
			end++;
		if (p.n < PARTS)
			p.part[p.n] = (struct text){s + at, end - at};
		p.n++;
	}
	return p;
}

static bool is(struct text part, const char *want, size_t want_len)
{
	char decoded[LONGEST];
	size_t n = query_unescape(decoded, sizeof decoded, part, false);

	return n == want_len && memcmp(decoded, want, n) == 0;
}

/* The handler whose label these parts fit, and the part that is the id. */
static enum handler judge(const char *s, size_t len, struct text *id)
{
	struct parts have = split(s, len);

	for (unsigned h = 0; h < HANDLER_NONE && len > 0 && s[0] == '/'; h++) {
		struct parts want = split(labels[h], strlen(labels[h]));
		bool fits = have.n == want.n;

		*id = (struct text){"", 0};
		for (unsigned i = 0; fits && i < want.n; i++) {
			if (want.part[i].len && want.part[i].at[0] == '{') {
				fits = have.part[i].len > 0;
				*id = have.part[i];
			} else {
				fits = is(have.part[i], want.part[i].at, want.part[i].len);
			}
		}
		if (fits)
			return (enum handler)h;
	}
	return HANDLER_NONE;
}

static void check_id(const struct route *r, struct text raw)
{
	char decoded[LONGEST];
	size_t n = query_unescape(decoded, sizeof decoded, raw, false);

	if (n > sizeof r->id_memory && r->id.at == r->id_memory)
		n = sizeof r->id_memory;	/* cut, and longer than any id there is */
	REQUIRE(r->id.len == n && memcmp(r->id.at, decoded, n) == 0);
	REQUIRE(n == 0 || !memchr(r->id.at, '\0', n) || memchr(raw.at, '\0', raw.len));
}

static void check_redirect(const struct route *r, struct text path)
{
	static struct answer a;

	answer_reset(&a);
	REQUIRE(r->path.at == path.at && r->path.len < path.len && r->handler == HANDLER_NONE);
	if (!answer_redirect(&a, r->path, (struct text){path.at, path.len / 2}))
		return;
	REQUIRE(a.status == 307 && !a.content_type && a.location[0] == '/');
	REQUIRE(a.location[1] != '/' && a.location[1] != '\\');		/* that would be another server */
	for (const char *c = a.location; *c; c++)
		REQUIRE(*c > 0x20 && *c < 0x7f);
}

static void check_404(struct text id)
{
	static struct answer a;
	char shown[96];

	answer_reset(&a);
	fault_quote(shown, sizeof shown, id.at, id.len);
	if (*shown)
		fuzz_is_line(shown);
	answer_detail(&a, 404, *shown ? shown : "?");
	fuzz_is_detail(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text path = {(const char *)data, size}, id = {"", 0};
	struct route r;
	size_t trimmed = size;

	if (size > LONGEST)
		return -1;
	enum match m = router_match(&r, path);
	bool nul = memmem(path.at, size, "%00", 3) != NULL;
	enum handler h = judge(path.at, size, &id);

	REQUIRE((m == MATCH_NUL) == nul);
	if (nul)
		return 0;
	REQUIRE((m == MATCH_ROUTE) == (h != HANDLER_NONE));
	if (m == MATCH_ROUTE) {
		REQUIRE(r.handler == h);
		check_id(&r, id);
		check_404(r.id);
		return 0;
	}
	REQUIRE(r.handler == HANDLER_NONE);
	while (trimmed && path.at[trimmed - 1] == '/')
		trimmed--;
	h = trimmed < size ? judge(path.at, trimmed, &id) : HANDLER_NONE;
	REQUIRE((m == MATCH_SLASH) == (h != HANDLER_NONE));
	if (m == MATCH_SLASH)
		check_redirect(&r, path);
	return 0;
}
