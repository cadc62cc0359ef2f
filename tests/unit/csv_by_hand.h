/* csv_by_hand.h - records written down as text, and a splitter that follows the rules of prep/csv.h in the simplest way:
 * it has the whole text and walks it byte by byte. */
#ifndef AKIN_CSV_BY_HAND_H
#define AKIN_CSV_BY_HAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A growing log of records: "line:field|field|\n", refusals as "line!quote" and "line!long". */
struct record_log {
	char *text;
	size_t len, cap;
};

static void add(struct record_log *l, const char *bytes, size_t len)
{
	if (l->len + len + 1 > l->cap) {
		l->cap = (l->len + len + 1) * 2;
		l->text = realloc(l->text, l->cap);
		assert_non_null(l->text);
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
	l->text[l->len] = '\0';
}

static void add_line(struct record_log *l, uint64_t line, const char *mark)
{
	char number[32];

	add(l, number, (size_t)snprintf(number, sizeof number, "%llu%s", (unsigned long long)line, mark));
}

static size_t blanks(const char *s, size_t at, size_t n)
{
	size_t from = at;

	while (at < n && (s[at] == ' ' || s[at] == '\t'))
		at++;
	return at - from;
}

/* The rules of csv.h but the limits, for a text that is all there. */
static struct record_log naive_log(const char *s, size_t n)
{
	struct record_log l = {0};
	uint64_t line = 1;

	add(&l, "", 0);
	for (size_t pos = 0; pos < n;) {
		struct record_log r = {0};
		uint64_t lines = 0;		/* feeds inside the record so far */
		size_t at = pos;
		bool bad = false, quoted = false;

		add(&r, "", 0);
		for (;;) {
			size_t open = at + blanks(s, at, n);

			if (open < n && s[open] == '"') {
				uint64_t feeds = 0;

				quoted = true;
				at = open + 1;

				for (; at < n; at++) {
					if (s[at] == '"' && (at + 1 == n || s[at + 1] != '"'))
						break;
					at += s[at] == '"';
					feeds += s[at] == '\n';
					add(&r, s + at, 1);
				}
				bad = at == n;
				at++;
				at += bad ? 0 : blanks(s, at, n);
				if (!bad && at < n && s[at] == '\r' && (at + 1 == n || s[at + 1] == '\n'))
					at++;
				bad = bad || (at < n && s[at] != ',' && s[at] != '\n');
				if (bad) {
					at = open;
					break;
				}
				lines += feeds;
			} else {
				size_t from = at;

				while (at < n && s[at] != ',' && s[at] != '\n')
					at++;
				bool cr = at > from && s[at - 1] == '\r' && (at == n || s[at] == '\n');
				add(&r, s + from, at - from - cr);
			}
			add(&r, "|", 1);
			if (at == n || s[at] == '\n')
				break;
			at++;
		}
		if (bad) {
			add_line(&l, line + lines, "!quote\n");
			while (at < n && s[at] != '\n')
				at++;
		} else if (!quoted && r.len == 1 && r.text[0] == '|') {
			/* an empty line */
		} else {
			add_line(&l, line, ":");
			add(&l, r.text, r.len);
			add(&l, "\n", 1);
		}
		line += lines + 1;
		pos = at + 1;
		free(r.text);
	}
	return l;
}

#endif
