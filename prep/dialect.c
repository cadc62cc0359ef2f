/* dialect.c - a look at the head of an input before it is read as records: refuses what is no delimited text, with
 * a line that says what it seems to be, since people do hand over a workbook or a packed file by mistake. */
#include "dialect.h"

#include <string.h>

#include "csv.h"

static bool starts_with(struct text head, const char *bytes, size_t len)
{
	return head.len >= len && memcmp(head.at, bytes, len) == 0;
}

/* Files with a mark of their own that are no CSV. */
static bool refuse_other_kinds(struct text head, struct fault *why)
{
#define MARK(bytes, what) {bytes, sizeof(bytes) - 1, what}
	static const struct {
		const char *bytes;
		size_t len;
		const char *what;
	} kinds[] = {
		MARK("\xff\xfe", "UTF-16 text; save it as UTF-8"),
		MARK("\xfe\xff", "UTF-16 text; save it as UTF-8"),
		MARK("\0\0\xfe\xff", "UTF-32 text; save it as UTF-8"),
		MARK("PK\3\4", "a ZIP file or an Excel workbook; save it as CSV"),
		MARK("\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
		MARK("\x1f\x8b", "a gzip file; unpack it first, or pack it with lz4"),
		MARK("\x28\xb5\x2f\xfd", "a Zstandard file; unpack it first, or pack it with lz4"),
		MARK("\xfd" "7zXZ", "an xz file; unpack it first, or pack it with lz4"),
		MARK("BZh", "a bzip2 file; unpack it first, or pack it with lz4"),
		MARK("PAR1", "a Parquet file; write it as CSV"),
		MARK(MODEL_MAGIC, "an Akin model, which is made from CSV and not the other way round"),
	};
#undef MARK

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (starts_with(head, kinds[i].bytes, kinds[i].len))
			return fault_set(why, "must be CSV text, but looks like %s", kinds[i].what);
	return true;
}

/* The header record: all up to the first line feed outside quotes. */
static struct text first_record(struct text head)
{
	bool quoted = false;

	for (size_t i = 0; i < head.len; i++) {
		if (head.at[i] == '"')
			quoted = !quoted;
		else if (head.at[i] == '\n' && !quoted)
			return (struct text){head.at, i};
	}
	return head;
}

static bool check_header(struct text header, struct fault *why)
{
	if (header.len > CSV_FIELD_MAX)
		return fault_set(why,
				 "the header line must be at most %d bytes; this is no CSV text, or a quote in it "
				 "never ends",
				 CSV_FIELD_MAX);
	for (size_t i = 0; i < header.len; i++) {
		uint8_t c = (uint8_t)header.at[i];

		if (c == '\r' && i + 1 < header.len && header.at[i + 1] != '\n')
			return fault_set(why, "lines must end in LF or CR LF, but byte %zu is a CR alone", i);
		if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return fault_set(why, "must be CSV text with a header, but byte %zu is 0x%02x: binary data",
					 i, c);
	}
	return true;
}

static char most_frequent(struct text header)
{
	static const char candidates[] = ",;\t|";
	size_t count[sizeof candidates - 1] = {0}, best = 0;
	bool quoted = false;

	for (size_t i = 0; i < header.len; i++) {
		const char *hit;

		if (header.at[i] == '"')
			quoted = !quoted;
		else if (!quoted && (hit = memchr(candidates, header.at[i], sizeof candidates - 1)))
			count[hit - candidates]++;
	}
	for (size_t i = 1; i < sizeof candidates - 1; i++)
		if (count[i] > count[best])
			best = i;
	return candidates[best];
}

bool dialect_find(struct dialect *d, struct text head, char delimiter, struct fault *why)
{
	if (!refuse_other_kinds(head, why))
		return false;
	d->skip = starts_with(head, "\xef\xbb\xbf", 3) ? 3 : 0;

	struct text header = first_record((struct text){head.at + d->skip, head.len - d->skip});
	if (!check_header(header, why))
		return false;
	if (delimiter == '"' || delimiter == '\n' || delimiter == '\r' || (delimiter & 0x80))
		return fault_set(why, "the delimiter must be ASCII and neither quote nor line end, not 0x%02x",
				 (unsigned)(uint8_t)delimiter);
	d->delimiter = delimiter ? delimiter : most_frequent(header);
	return true;
}
