/* assets.c - Swagger UI, ReDoc and the plain page, as server/ui/embed has prepared them: each file as it is and gzipped,
 * put into the program by the assembler, and the table ui.inc. They are part of its read-only memory: no path is
 * configured, no file is opened, nothing is copied, and pages nobody asks for are never read.
 *
 * Called by serve.c. Paths are looked up in a list of a dozen; only 404 can go wrong. */
#include "assets.h"

#include <string.h>

#include "negotiate.h"
#include <ui.inc>		/* made by server/ui/embed */

/* What the pages may do: run our files, ask this server, and no other. The hashes are those of the two style elements
 * that ReDoc makes, an empty one, which it fills through the document, and its scroll bar's; the search runs in a worker
 * made of a blob. */
#define POLICY \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " \
	"style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' " \
	"'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; worker-src blob:; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'\r\n"
#define KIND_PAGE "Cache-Control: no-cache\r\n" POLICY
#define KIND_FILE "Cache-Control: public, max-age=31536000, immutable\r\n"
#define COMMON	  "Vary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n"

_Static_assert(sizeof(KIND_PAGE COMMON "Content-Encoding: gzip\r\nETag: \"0123456789abcdef-gz\"\r\n") <= ANSWER_HEAD / 2,
	       "the rest of the head needs room, too");

#define BYTES(symbol, file) \
	__asm__(".pushsection .rodata\n" \
		#symbol ": .incbin \"" UI_FOLDER "/files/" file "\"\n" \
		#symbol "_end:\n" \
		".popsection"); \
	extern const char symbol[] __attribute__((visibility("hidden"))); \
	extern const char symbol##_end[] __attribute__((visibility("hidden")));
#define X(number, path, kind, type, tag, file) \
	BYTES(asset_##number, file) \
	BYTES(asset_packed_##number, file ".gz")
ASSETS(X)
#undef X
#undef BYTES

struct form {				/* one of the two forms of an asset */
	const char *at, *end;
	const char *tag;
	const char *fields;		/* of the head, CRLF behind each */
};

struct asset {
	const char *path, *type;
	struct form plain, packed;
};

static const struct asset assets[] = {
#define X(number, path, kind, type, tag, file) \
	{ path, type, \
	  { asset_##number, asset_##number##_end, tag, KIND_##kind COMMON "ETag: \"" tag "\"\r\n" }, \
	  { asset_packed_##number, asset_packed_##number##_end, tag "-gz", \
	    KIND_##kind COMMON "Content-Encoding: gzip\r\nETag: \"" tag "-gz\"\r\n" } },
	ASSETS(X)
#undef X
};

static const struct asset *find(const char *folder, struct text name)
{
	size_t len = strlen(folder);

	for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
		const char *path = assets[i].path;

		if (strncmp(path, folder, len) == 0 && strlen(path + len) == name.len &&
		    memcmp(path + len, name.at, name.len) == 0)
			return &assets[i];
	}
	return NULL;
}

/* Is the tag, without its quotes, among those in If-None-Match, weak or strong, or is the field "*"? NULL: no such field. */
static bool has_tag(const char *field, const char *tag)
{
	size_t len = strlen(tag);

	while (field && *field) {
		field += strspn(field, " \t,");
		if (*field == '*')
			return true;
		if (strncmp(field, "W/", 2) == 0)
			field += 2;
		if (*field != '"')
			return false;
		const char *end = strchr(++field, '"');

		if (!end)
			return false;
		if ((size_t)(end - field) == len && memcmp(field, tag, len) == 0)
			return true;
		field = end + 1;
	}
	return false;
}

void assets_answer(struct answer *a, const struct request *q, const char *folder, struct text name)
{
	const struct asset *found = find(folder, name);

	if (!found) {
		answer_detail(a, 404, "Not Found");
		return;
	}
	const struct form *form = negotiate_gzip(q->header(q, "Accept-Encoding")) ? &found->packed : &found->plain;

	a->extra = form->fields;
	if (has_tag(q->header(q, "If-None-Match"), form->tag)) {
		a->status = 304;
		a->content_type = NULL;
		return;
	}
	a->content_type = found->type;
	answer_borrow(a, (struct text){form->at, (size_t)(form->end - form->at)});
}
