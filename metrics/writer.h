/* writer.h - how a sample is written: the text format 0.0.4 of Prometheus, or OpenMetrics 1.0.0. exposition.c says what
 * is written.
 *
 * A family is begun, then its samples follow; its head is written before the first one, so that a family without
 * samples leaves no trace. Labels are built once and used for as many samples as there are. */
#ifndef AKIN_WRITER_H
#define AKIN_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family_type { COUNTER, GAUGE, SUMMARY, HISTOGRAM };

struct family {
	const char *name;		/* a counter's ends in _total */
	enum family_type type;
	const char *unit;		/* what the name ends in, _total left aside, or "" */
	const char *help;
};

struct writer {
	void (*put)(void *of, const char *bytes, size_t len);
	void *of;
	bool openmetrics;
	int64_t created;		/* seconds since 1970; when all counters began */
	const struct family *family;
	bool begun;			/* its head is out */
	size_t base_len;		/* of name[]: the family's, prefixed, without _total */
	char name[256];
};

struct labels {
	size_t len;
	char text[384];			/* a="b",c="d", escaped; what does not fit is left out whole */
};

const char *family_type_name(enum family_type type);

/* prefix: put before the name, "" for none; at most 127 bytes. */
void write_family(struct writer *w, const struct family *f, const char *prefix);

void labels_add(struct labels *l, const char *name, const char *value);
void labels_add_number(struct labels *l, const char *name, uint64_t value);

/* Samples; labels may be NULL. Seconds are given in nanoseconds. */
void write_value(struct writer *w, const struct labels *l, uint64_t v);
void write_signed(struct writer *w, const struct labels *l, int64_t v);
void write_seconds(struct writer *w, const struct labels *l, uint64_t ns);
/* A gauge that is no whole number, in as few digits as give the same number again. NaN: nothing is written, not even a head. */
void write_real(struct writer *w, const struct labels *l, double v);
/* Parts of a summary or histogram, in this order. */
void write_bucket(struct writer *w, const struct labels *l, const char *le, uint64_t v);
void write_count(struct writer *w, const struct labels *l, uint64_t v);
void write_sum(struct writer *w, const struct labels *l, uint64_t v);
void write_sum_seconds(struct writer *w, const struct labels *l, uint64_t ns);
/* Last of what has one set of labels, but for gauges: in OpenMetrics, when it began. */
void write_created(struct writer *w, const struct labels *l);

/* After the last family. */
void write_end(struct writer *w);

#endif
