/* chunks.c - the reader of chunked bodies: one state a byte, and the bytes of a chunk at once.
 *
 * Called by intake.c for what follows a head that says so. Stricter than it has to be: a size is hexadecimal digits, at
 * most 16, and then a CR or a semicolon, without a space before it. */
#include "chunks.h"

#include "fields.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, NAME, VALUE, LINE_LF, END_LF, OVER, BROKEN };

#define MOST_DIGITS 16

static unsigned hex(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10; }

static int read_size(struct chunks *c, char byte)
{
	if (byte_is(byte, BYTE_HEX) && c->digits < MOST_DIGITS) {
		c->digits++;
		c->left = c->left << 4 | hex(byte);
		return SIZE;
	}
	if (c->digits == 0)
		return BROKEN;
	return byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : BROKEN;
}

/* The first byte of a line behind the last chunk. */
static int begin_line(char byte)
{
	return byte == '\r' ? END_LF : byte_is(byte, BYTE_TOKEN) ? NAME : BROKEN;
}

static int after_size(struct chunks *c, char byte)
{
	c->digits = 0;
	return byte != '\n' ? BROKEN : c->left > 0 ? DATA : LINE;
}

static int next_state(struct chunks *c, char byte)
{
	switch (c->state) {
	case SIZE:
		return read_size(c, byte);
	case EXTENSION:
		return byte == '\r' ? SIZE_LF : byte_is(byte, BYTE_TEXT) ? EXTENSION : BROKEN;
	case SIZE_LF:
		return after_size(c, byte);
	case DATA_CR:
		return byte == '\r' ? DATA_LF : BROKEN;
	case DATA_LF:
		return byte == '\n' ? SIZE : BROKEN;
	case LINE:
		return begin_line(byte);
	case NAME:
		return byte == ':' ? VALUE : byte_is(byte, BYTE_TOKEN) ? NAME : BROKEN;
	case VALUE:
		return byte == '\r' ? LINE_LF : byte_is(byte, BYTE_TEXT) ? VALUE : BROKEN;
	case LINE_LF:
		return byte == '\n' ? LINE : BROKEN;
	case END_LF:
		return byte == '\n' ? OVER : BROKEN;
	default:
		return BROKEN;
	}
}

static enum chunks_result give(struct chunks *c, const char *bytes, size_t len, size_t *used, struct text *data)
{
	size_t n = len < c->left ? len : (size_t)c->left;

	*data = (struct text){bytes, n};
	*used += n;
	c->left -= n;
	if (c->left == 0)
		c->state = DATA_CR;
	return CHUNKS_DATA;
}

enum chunks_result chunks_read(struct chunks *c, uint64_t besides, const char *bytes, size_t len, size_t *used,
			       struct text *data)
{
	*used = 0;
	while (c->state != OVER && c->state != BROKEN && *used < len) {
		if (c->state == DATA)
			return give(c, bytes + *used, len - *used, used, data);
		c->state = next_state(c, bytes[(*used)++]);
		if ((c->state == EXTENSION || c->state == NAME || c->state == VALUE) && ++c->besides > besides)
			return CHUNKS_LONG;
	}
	return c->state == OVER ? CHUNKS_END : c->state == BROKEN ? CHUNKS_BAD : CHUNKS_MORE;
}
