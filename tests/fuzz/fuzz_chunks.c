/* fuzz_chunks.c - bodies in chunks. The first byte chooses how much may stand beside the chunks. A reader that has all
 * bytes says what the body is and where it ends; in whatever pieces they come, it must be so. And any bytes, put into
 * chunks, must come out again. */
#include "fuzz.h"

#include "../../server/chunks.h"

#define LONGEST 4096

struct got {
	enum chunks_result result;
	size_t used, len;
	char body[LONGEST];
};

static void read_in_pieces(struct got *g, uint64_t besides, const char *bytes, size_t size, size_t piece)
{
	struct chunks c = {.left = 0};
	struct text data;
	size_t used;

	*g = (struct got){.result = CHUNKS_MORE};
	for (size_t have = 0; have < size && (g->result == CHUNKS_MORE || g->result == CHUNKS_DATA);) {
		have = have + piece < size ? have + piece : size;
		do {
			g->result = chunks_read(&c, besides, bytes + g->used, have - g->used, &used, &data);
			REQUIRE(used <= have - g->used);
			REQUIRE(g->result != CHUNKS_MORE || used == have - g->used);
			g->used += used;
			if (g->result == CHUNKS_DATA) {
				REQUIRE(data.len > 0 && data.at + data.len == bytes + g->used);
				memcpy(g->body + g->len, data.at, data.len);
				g->len += data.len;
			}
		} while (g->result == CHUNKS_DATA && g->used < have);
	}
	if (g->result == CHUNKS_DATA)	/* its last byte was the last there is */
		g->result = CHUNKS_MORE;
}

static bool is_text(const char *at, const char *end)
{
	for (; at < end; at++)
		if (((uint8_t)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/* A line with its CR LF, which must be there. NULL: it is not. */
static const char *line_end(const char *at, const char *end)
{
	const char *feed = memchr(at, '\n', (size_t)(end - at));

	return feed && feed > at && feed[-1] == '\r' && is_text(at, feed - 1) ? feed + 1 : NULL;
}

/* All of a body that is whole and sound, with little beside it. Else false. */
static bool read_whole(struct got *g, const char *bytes, size_t size)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = bytes, *end = bytes + size, *next;
	unsigned long long left;
	size_t digits;

	*g = (struct got){.result = CHUNKS_END};
	do {
		char number[17] = "";

		for (digits = 0; at + digits < end && at[digits] && strchr("0123456789abcdefABCDEF", at[digits]);)
			digits++;
		next = line_end(at, end);
		if (!next || digits == 0 || digits > 16 || (at[digits] != '\r' && at[digits] != ';'))
			return false;
		memcpy(number, at, digits);
		left = strtoull(number, NULL, 16);
		at = next;
		if (left == 0)
			break;
		if (left > (size_t)(end - at) || (size_t)(end - at) - left < 2 || memcmp(at + left, "\r\n", 2) != 0)
			return false;
		memcpy(g->body + g->len, at, left);
		g->len += left;
		at += left + 2;
	} while (at < end);
	if (left > 0)
		return false;
	while ((next = line_end(at, end)) && next - at > 2) {
		size_t name = 0;

		while (at[name] && strchr(token, at[name]))
			name++;
		if (name == 0 || at[name] != ':')
			return false;
		at = next;
	}
	g->used = next ? (size_t)(next - bytes) : 0;
	return next != NULL;
}

static void check_round_trip(const char *bytes, size_t size)
{
	static char sent[LONGEST * 16];
	static struct got g;
	size_t len = 0;

	for (size_t at = 0, n; at < size; at += n) {
		n = 1 + (uint8_t)bytes[at] % 40;
		n = n < size - at ? n : size - at;
		len += (size_t)snprintf(sent + len, 32, n % 2 ? "%zx\r\n" : "00%zX;x=y\r\n", n);
		memcpy(sent + len, bytes + at, n);
		len += n;
		sent[len++] = '\r';
		sent[len++] = '\n';
	}
	len += (size_t)snprintf(sent + len, 32, "0\r\nA: b\r\n\r\n");
	memcpy(sent + len, "GET", 3);
	read_in_pieces(&g, UINT64_MAX, sent, len + 3, 1 + size % 50);
	REQUIRE(g.result == CHUNKS_END && g.used == len && g.len == size && memcmp(g.body, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct got whole, pieces, expected;

	if (size < 2 || size > LONGEST)
		return -1;
	uint64_t besides = data[0] & 1 ? data[0] : UINT64_MAX;
	char *bytes = malloc(--size);

	memcpy(bytes, data + 1, size);
	read_in_pieces(&whole, besides, bytes, size, size);
	for (unsigned k = 0; k < 2; k++) {
		read_in_pieces(&pieces, besides, bytes, size, k ? 1 : 2 + data[0] % 30);
		REQUIRE(pieces.result == whole.result && pieces.used == whole.used && pieces.len == whole.len);
		REQUIRE(memcmp(pieces.body, whole.body, whole.len) == 0);
	}
	bool sound = read_whole(&expected, bytes, size);

	if (whole.result == CHUNKS_END)
		REQUIRE(sound);
	if (sound && whole.result != CHUNKS_LONG)
		REQUIRE(whole.result == CHUNKS_END && whole.used == expected.used && whole.len == expected.len &&
			memcmp(whole.body, expected.body, whole.len) == 0);
	if (besides == UINT64_MAX)
		REQUIRE(whole.result != CHUNKS_LONG);
	check_round_trip(bytes, size);
	free(bytes);
	return 0;
}
