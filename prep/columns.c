/* columns.c - header names to roles. One table: a new alias is one word here. */
#include "columns.h"

#include <string.h>

static const struct {
	const char *role;
	bool needed;
	const char *const aliases[16];	/* folded, NULL behind the last */
} roles[ROLES] = {
	[ROLE_CUSTOMER] = {"customer", true,
			   {"customerid", "customer", "customerno", "customernumber", "customercode", "user",
			    "userid", "client", "clientid", "buyer", "buyerid", "visitorid"}},
	[ROLE_ITEM] = {"item", true,
		       {"stockcode", "item", "itemid", "itemcode", "itemno", "product", "productid", "productcode",
			"sku", "article", "articleid"}},
	[ROLE_QUANTITY] = {"quantity", false, {"quantity", "qty", "units"}},
	[ROLE_DATE] = {"date", false,
		       {"invoicedate", "date", "datetime", "timestamp", "orderdate", "purchasedate",
			"transactiondate", "eventtime"}},
	[ROLE_DESCRIPTION] = {"description", false,
			      {"description", "name", "title", "itemname", "itemdescription", "productname",
			       "productdescription"}},
};

const char *columns_role(enum role r)
{
	return roles[r].role;
}

static bool ignored(char c)
{
	return c == ' ' || c == '_' || c == '\t' || c == '\r' || c == '\n';
}

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (uint8_t)c;
}

/* The same name once folded? */
static bool same_name(struct text a, struct text b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.len && ignored(a.at[i]))
			i++;
		while (j < b.len && ignored(b.at[j]))
			j++;
		if (i == a.len || j == b.len)
			return i == a.len && j == b.len;
		if (lower(a.at[i++]) != lower(b.at[j++]))
			return false;
	}
}

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

static bool wish(struct column_wishes *w, struct text part, struct fault *why)
{
	char shown[64];
	const char *equals = memchr(part.at, '=', part.len);
	struct text role = {part.at, equals ? (size_t)(equals - part.at) : part.len};

	for (unsigned r = 0; r < ROLES; r++) {
		if (!same_name(role, text_of(roles[r].role)))
			continue;
		if (w->name[r].at)
			return fault_set(why, "--columns: %s must be named once, not twice", roles[r].role);
		if (!equals || same_name((struct text){equals + 1, part.len - role.len - 1}, text_of("")))
			return fault_set(why, "--columns: %s must be followed by = and the name of a column",
					 roles[r].role);
		w->name[r] = (struct text){equals + 1, part.len - role.len - 1};
		return true;
	}
	return fault_set(why, "--columns: must name customer, item, quantity, date or description, not '%s'",
			 fault_quote(shown, sizeof shown, role.at, role.len));
}

bool columns_wish(struct column_wishes *w, const char *spec, struct fault *why)
{
	*w = (struct column_wishes){0};
	while (spec) {
		const char *comma = strchr(spec, ',');

		if (!wish(w, (struct text){spec, comma ? (size_t)(comma - spec) : strlen(spec)}, why))
			return false;
		spec = comma ? comma + 1 : NULL;
	}
	return true;
}

static const char *show_name(char *out, size_t cap, struct text name)
{
	return fault_quote(out, cap, name.at, name.len);
}

/* The header's names, as many as fit, for an error line. */
static const char *show_names(char *out, size_t cap, const struct text *names, uint32_t n)
{
	size_t at = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		char one[48];
		size_t len;

		len = strlen(show_name(one, sizeof one, names[i]));
		if (at + len + 8 > cap) {
			memcpy(out + at, ", ...", 6);
			break;
		}
		if (at) {
			memcpy(out + at, ", ", 2);
			at += 2;
		}
		memcpy(out + at, one, len + 1);
		at += len;
	}
	return out;
}

static bool goes_by(enum role r, struct text name, const struct column_wishes *w)
{
	if (w->name[r].at)
		return same_name(name, w->name[r]);
	for (unsigned i = 0; i < sizeof roles[r].aliases / sizeof *roles[r].aliases && roles[r].aliases[i]; i++)
		if (same_name(name, text_of(roles[r].aliases[i])))
			return true;
	return false;
}

/* Is this column spoken for by a wish for another role? */
static bool wished_elsewhere(enum role r, struct text name, const struct column_wishes *w)
{
	for (unsigned other = 0; other < ROLES; other++)
		if (other != r && w->name[other].at && same_name(name, w->name[other]))
			return true;
	return false;
}

static bool find_role(struct columns *c, enum role r, const struct text *names, const struct column_wishes *w,
		      struct fault *why)
{
	char one[48], two[48], all[300];
	const struct text *wished = &w->name[r];

	c->at[r] = COLUMNS_NONE;
	for (uint32_t i = 0; i < c->count; i++) {
		if (!goes_by(r, names[i], w) || (!wished->at && wished_elsewhere(r, names[i], w)))
			continue;
		if (c->at[r] != COLUMNS_NONE)
			return fault_set(why,
					 "the %s must be one column, but columns %u '%s' and %u '%s' both fit; "
					 "say which with --columns %s=NAME",
					 roles[r].role, c->at[r] + 1, show_name(one, sizeof one, names[c->at[r]]), i + 1,
					 show_name(two, sizeof two, names[i]), roles[r].role);
		c->at[r] = i;
	}
	if (c->at[r] != COLUMNS_NONE || (!roles[r].needed && !wished->at))
		return true;
	show_names(all, sizeof all, names, c->count);
	if (wished->at)
		return fault_set(why, "no column is named '%s', which --columns wants as the %s; the header has: %s",
				 show_name(one, sizeof one, *wished), roles[r].role, all);
	return fault_set(why,
			 "no column is known as the %s; say which with --columns %s=NAME; the header has: %s",
			 roles[r].role, roles[r].role, all);
}

bool columns_find(struct columns *c, const struct text *names, uint32_t n, const struct column_wishes *w,
		  struct fault *why)
{
	c->count = n;
	for (unsigned r = 0; r < ROLES; r++) {
		if (!find_role(c, (enum role)r, names, w, why))
			return false;
		for (unsigned before = 0; before < r; before++)
			if (c->at[r] != COLUMNS_NONE && c->at[r] == c->at[before])
				return fault_set(why, "column %u cannot be both the %s and the %s", c->at[r] + 1,
						 roles[before].role, roles[r].role);
	}
	return true;
}
