/* negotiate.c - reading Accept and Accept-Encoding.
 *
 * Called where there is a choice. Both fields are lists of ranges with weights: "a/b;version=1;q=0.5, *;q=0.1". Nothing
 * in them is an error: a weight that can't be read is 1, other parameters mean nothing, and the caller has an answer
 * for a client that takes nothing. */
#include "negotiate.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct part {
	const char *at;
	size_t len;
};

static bool blank(char c) { return c == ' ' || c == '\t'; }

static struct part trimmed(struct part p)
{
	while (p.len && blank(*p.at))
		p.at++, p.len--;
	while (p.len && blank(p.at[p.len - 1]))
		p.len--;
	return p;
}

/* Take the piece up to the next `end` outside quotes off *rest. False: nothing is left. */
static bool cut(struct part *rest, char end, struct part *piece)
{
	bool quoted = false;
	size_t n = 0;

	if (!rest->len)
		return false;
	for (; n < rest->len && (quoted || rest->at[n] != end); n++) {
		if (rest->at[n] == '"')
			quoted = !quoted;
		else if (quoted && rest->at[n] == '\\' && n + 1 < rest->len)
			n++;
	}
	*piece = trimmed((struct part){rest->at, n});
	n += n < rest->len;
	rest->at += n;
	rest->len -= n;
	return true;
}

static bool is(struct part p, const char *word)
{
	return strlen(word) == p.len && strncasecmp(p.at, word, p.len) == 0;
}

static struct part unquoted(struct part p)
{
	return p.len >= 2 && p.at[0] == '"' && p.at[p.len - 1] == '"' ? (struct part){p.at + 1, p.len - 2} : p;
}

/* 0 to 1 with at most three decimals, in thousandths. */
static unsigned weight(struct part p)
{
	unsigned q = 0, place = 1000;

	if (!p.len || p.len > 5 || p.at[0] > '1' || (p.len > 1 && p.at[1] != '.'))
		return 1000;
	for (size_t i = 0; i < p.len; i++) {
		if (i == 1)
			continue;
		if (!isdigit((unsigned char)p.at[i]))
			return 1000;
		q += (unsigned)(p.at[i] - '0') * place;
		place /= 10;
	}
	return q < 1000 ? q : 1000;
}

struct range {
	struct part name, version;	/* version.at is NULL when none is named */
	unsigned q;
};

/* Take the next range off a field. False: there is none any more. */
static bool next_range(struct part *field, struct range *r)
{
	struct part whole, parameter, key;

	if (!cut(field, ',', &whole))
		return false;
	*r = (struct range){.q = 1000};
	cut(&whole, ';', &r->name);
	while (cut(&whole, ';', &parameter)) {
		if (!cut(&parameter, '=', &key))
			continue;
		if (is(key, "q"))
			r->q = weight(trimmed(parameter));
		else if (is(key, "version"))
			r->version = unquoted(trimmed(parameter));
	}
	return true;
}

/* How closely the range names this type: 0 not at all, 1 "*" and such, 2 "text" and such, 3 the type, 4 its version. */
static unsigned closeness(const struct range *r, const char *type, const char *version)
{
	size_t major = strcspn(type, "/") + 1;

	if (is(r->name, "*/*"))
		return 1;
	if (r->name.len == major + 1 && r->name.at[major] == '*' && strncasecmp(r->name.at, type, major) == 0)
		return 2;
	if (!is(r->name, type) || (r->version.at && !is(r->version, version)))
		return 0;
	return r->version.at ? 4 : 3;
}

unsigned negotiate_media(const char *accept, const char *type, const char *version)
{
	struct part field = {accept, accept ? strlen(accept) : 0};
	struct range r;
	unsigned best = 0, q = 0;

	if (!accept)
		return 1000;
	while (next_range(&field, &r)) {
		unsigned close = closeness(&r, type, version);

		if (close && close >= best) {
			q = close > best || r.q > q ? r.q : q;
			best = close;
		}
	}
	return q;
}

bool negotiate_gzip(const char *accept_encoding)
{
	struct part field = {accept_encoding, accept_encoding ? strlen(accept_encoding) : 0};
	int gzip = -1, plain = -1, any = -1;
	struct range r;

	while (next_range(&field, &r)) {
		if (is(r.name, "gzip") || is(r.name, "x-gzip"))
			gzip = (int)r.q;
		else if (is(r.name, "identity"))
			plain = (int)r.q;
		else if (is(r.name, "*"))
			any = (int)r.q;
	}
	if (gzip < 0)
		gzip = any;
	return gzip > 0 && gzip >= plain;
}
