/* reading.h - for tests of whole readings: files in a folder of their own, and what transactions_read() makes of
 * them. Included once by each such test. */
#ifndef AKIN_TESTS_READING_H
#define AKIN_TESTS_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../prep/transactions.h"
#include "../../shm/model.h"

static char folder[] = "/tmp/akin-test-transactions-XXXXXX";
static char paths[4][64];
static char notes[8192];		/* what note() got, one a line */

static inline void note(void *of, const char *line)
{
	size_t at = strlen(notes);

	assert_ptr_equal(of, notes);
	assert_null(strchr(line, '\n'));
	snprintf(notes + at, sizeof notes - at, "%s\n", line);
}

/* Write text to file number i. */
static inline void put_bytes(unsigned i, const char *text, size_t len)
{
	FILE *f = fopen(paths[i], "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void put(unsigned i, const char *text)
{
	put_bytes(i, text, strlen(text));
}

/* Default reading of the first n files. */
static inline struct reading reading_of(unsigned n)
{
	static const char *const all[4] = {paths[0], paths[1], paths[2], paths[3]};

	notes[0] = '\0';
	return (struct reading){.paths = all, .path_count = n, .max_bad = 0.10, .examples = 5, .note = note, .of = notes};
}

static inline void assert_sums_up(const struct transactions *t)
{
	uint64_t sum = t->rows;

	for (unsigned r = 0; r < DROPS; r++)
		sum += t->dropped[r];
	assert_int_equal(sum, t->rows_read);
}

static inline struct transactions taken(const struct reading *how)
{
	struct transactions t;
	struct fault why = {{0}};

	if (!transactions_read(&t, how, &why))
		fail_msg("refused: %s", why.text);
	assert_sums_up(&t);
	return t;
}

static inline struct transactions take(const char *text)
{
	struct reading how = reading_of(1);

	how.max_bad = 1;
	put(0, text);
	return taken(&how);
}

static inline void refused(const struct reading *how, const char *says)
{
	struct transactions t;
	struct fault why = {{0}};

	assert_false(transactions_read(&t, how, &why));
	assert_null(t.customer);
	assert_null(strchr(why.text, '\n'));
	if (!strstr(why.text, says))
		fail_msg("'%s' does not say '%s'", why.text, says);
}

static inline void refuse(const char *text, const char *says)
{
	struct reading how = reading_of(1);

	put(0, text);
	refused(&how, says);
}

static inline void assert_text(const struct intern *in, uint32_t i, const char *want)
{
	assert_in_range(i, 0, in->n - 1);
	assert_int_equal(in->start[i + 1] - in->start[i], strlen(want));
	assert_memory_equal(in->bytes + in->start[i], want, strlen(want));
}

static inline void assert_row(const struct transactions *t, uint64_t row, const char *customer, const char *item)
{
	assert_in_range(row, 0, t->rows - 1);
	assert_text(&t->customers, t->customer[row], customer);
	assert_text(&t->items, t->item[row], item);
}

static inline int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (unsigned i = 0; i < 4; i++)
		snprintf(paths[i], sizeof paths[i], "%s/%u.csv", folder, i);
	return 0;
}

static inline int remove_folder(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		unlink(paths[i]);
	return rmdir(folder);
}

#endif
