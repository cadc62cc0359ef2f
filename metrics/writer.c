/* writer.c - samples as lines of text, in either format.
 *
 * Each line is put together in memory of its own and handed over in one piece: a page has some hundreds of them, and
 * is written while somebody waits for it. Called by exposition.c. Nothing can fail; what puts the pieces together may
 * run out of memory, and says so itself. */
#include "writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	size_t len;
	char text[1024];		/* longer than a name, labels, le and a number can be */
};

static void add(struct line *l, const char *bytes, size_t len)
{
	if (len > sizeof l->text - l->len)
		len = sizeof l->text - l->len;
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void add_text(struct line *l, const char *s) { add(l, s, strlen(s)); }

static void put(struct writer *w, const char *s) { w->put(w->of, s, strlen(s)); }

/* Decimal digits of v, at least `least` of them, up to end[-1]. Returns the first. */
static char *digits(char *end, uint64_t v, int least)
{
	for (; v || least > 0; v /= 10, least--)
		*--end = (char)('0' + v % 10);
	return end;
}

static void add_number(struct line *l, uint64_t v)
{
	char number[20], *end = number + sizeof number, *at = digits(end, v, 1);

	add(l, at, (size_t)(end - at));
}

/* Nanoseconds as seconds, exactly, without zeros at the end. */
static void add_seconds(struct line *l, uint64_t ns)
{
	char number[9], *end = number + sizeof number;

	add_number(l, ns / 1000000000);
	ns %= 1000000000;
	if (!ns)
		return;
	digits(end, ns, 9);
	while (end[-1] == '0')
		end--;
	add(l, ".", 1);
	add(l, number, (size_t)(end - number));
}

const char *family_type_name(enum family_type type)
{
	static const char *const name[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [SUMMARY] = "summary", [HISTOGRAM] = "histogram",
	};

	return name[type];
}

void write_family(struct writer *w, const struct family *f, const char *prefix)
{
	size_t prefix_len = strnlen(prefix, 127), len = strlen(f->name);

	if (f->type == COUNTER)
		len -= sizeof "_total" - 1;
	if (len > sizeof w->name - prefix_len)
		len = sizeof w->name - prefix_len;
	memcpy(w->name, prefix, prefix_len);
	memcpy(w->name + prefix_len, f->name, len);
	w->base_len = prefix_len + len;
	w->family = f;
	w->begun = false;
}

static void head_line(struct writer *w, const char *what, const char *text)
{
	put(w, what);
	w->put(w->of, w->name, w->base_len);
	if (w->family->type == COUNTER && !w->openmetrics)
		put(w, "_total");
	put(w, " ");
	put(w, text);
	put(w, "\n");
}

/* Help is a literal without a backslash or an end of line, so it needs no escapes; a test looks. */
static void begin(struct writer *w)
{
	if (w->begun)
		return;
	w->begun = true;
	head_line(w, "# HELP ", w->family->help);
	head_line(w, "# TYPE ", family_type_name(w->family->type));
	if (w->openmetrics && *w->family->unit)
		head_line(w, "# UNIT ", w->family->unit);
}

void labels_add(struct labels *l, const char *name, const char *value)
{
	size_t name_len = strlen(name), at = l->len;

	if (name_len + 2 * strlen(value) + 4 > sizeof l->text - at)
		return;
	if (at)
		l->text[at++] = ',';
	memcpy(l->text + at, name, name_len);
	at += name_len;
	l->text[at++] = '=';
	l->text[at++] = '"';
	for (; *value; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			l->text[at++] = '\\';
		l->text[at++] = *value == '\n' ? 'n' : *value;
	}
	l->text[at++] = '"';
	l->len = at;
}

void labels_add_number(struct labels *l, const char *name, uint64_t value)
{
	char number[21], *end = number + 20;

	*end = '\0';
	labels_add(l, name, digits(end, value, 1));
}

/* name_suffix{labels,le="…"} and a space. */
static void start(struct writer *w, struct line *line, const char *suffix, const struct labels *l, const char *le)
{
	begin(w);
	line->len = 0;
	add(line, w->name, w->base_len);
	add_text(line, suffix);
	if ((l && l->len) || le) {
		add(line, "{", 1);
		if (l)
			add(line, l->text, l->len);
		if (le) {
			add_text(line, l && l->len ? ",le=\"" : "le=\"");
			add_text(line, le);
			add(line, "\"", 1);
		}
		add(line, "}", 1);
	}
	add(line, " ", 1);
}

static void finish(struct writer *w, struct line *line)
{
	add(line, "\n", 1);
	w->put(w->of, line->text, line->len);
}

static void whole(struct writer *w, const char *suffix, const struct labels *l, const char *le, uint64_t v)
{
	struct line line;

	start(w, &line, suffix, l, le);
	add_number(&line, v);
	finish(w, &line);
}

static void seconds(struct writer *w, const char *suffix, const struct labels *l, uint64_t ns)
{
	struct line line;

	start(w, &line, suffix, l, NULL);
	add_seconds(&line, ns);
	finish(w, &line);
}

static const char *suffix_of(const struct writer *w) { return w->family->type == COUNTER ? "_total" : ""; }

void write_value(struct writer *w, const struct labels *l, uint64_t v) { whole(w, suffix_of(w), l, NULL, v); }

void write_signed(struct writer *w, const struct labels *l, int64_t v)
{
	struct line line;

	start(w, &line, suffix_of(w), l, NULL);
	if (v < 0)
		add(&line, "-", 1);
	add_number(&line, v < 0 ? -(uint64_t)v : (uint64_t)v);
	finish(w, &line);
}

void write_seconds(struct writer *w, const struct labels *l, uint64_t ns) { seconds(w, suffix_of(w), l, ns); }

void write_real(struct writer *w, const struct labels *l, double v)
{
	struct line line;
	char text[32];

	if (isnan(v))
		return;
	for (int digits_n = 15; digits_n <= 17; digits_n++) {
		snprintf(text, sizeof text, "%.*g", digits_n, v);
		if (strtod(text, NULL) == v)	/* the locale is C: nobody sets another */
			break;
	}
	start(w, &line, suffix_of(w), l, NULL);
	add_text(&line, isinf(v) ? v > 0 ? "+Inf" : "-Inf" : text);
	finish(w, &line);
}

void write_bucket(struct writer *w, const struct labels *l, const char *le, uint64_t v)
{
	whole(w, "_bucket", l, le, v);
}

void write_count(struct writer *w, const struct labels *l, uint64_t v) { whole(w, "_count", l, NULL, v); }

void write_sum(struct writer *w, const struct labels *l, uint64_t v) { whole(w, "_sum", l, NULL, v); }

void write_sum_seconds(struct writer *w, const struct labels *l, uint64_t ns) { seconds(w, "_sum", l, ns); }

void write_created(struct writer *w, const struct labels *l)
{
	struct line line;

	if (!w->openmetrics || w->family->type == GAUGE)
		return;
	start(w, &line, "_created", l, NULL);
	add_number(&line, (uint64_t)w->created);
	finish(w, &line);
}

void write_end(struct writer *w)
{
	if (w->openmetrics)
		put(w, "# EOF\n");
}
