/* fuzz.h - what the fuzz targets share. A target is a file fuzz_NAME.c; libFuzzer calls its LLVMFuzzerTestOneInput() with
 * bytes it makes up. "It does not crash" is the least of what is asked there: REQUIRE() says what else holds for any
 * bytes, and a broken one ends the program as a crash does, so that libFuzzer keeps the input. */
#ifndef AKIN_FUZZ_H
#define AKIN_FUZZ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../server/http.h"
#include "../../shm/fault.h"
#include "../../shm/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			dprintf(2, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* A file in memory with these bytes, the same one each time; a path that opens it at its start. */
static inline const char *fuzz_file(const void *bytes, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		REQUIRE(fd >= 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	REQUIRE(ftruncate(fd, 0) == 0);
	REQUIRE(pwrite(fd, bytes, size, 0) == (ssize_t)size);
	return path;
}

/* What somebody reads on a terminal or in a log: one line of UTF-8, without controls and without what turns the
 * direction of text. */
static inline void fuzz_is_line(const char *text)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t len = strlen(text), n;

	REQUIRE(len > 0);
	for (; len > 0; at += n, len -= n) {
		uint32_t point = at[0];

		n = utf8_length((const char *)at, len);
		REQUIRE(n > 0);
		for (size_t i = 1; i < n; i++)
			point = (i == 1 ? point & (0x7fu >> n) : point) << 6 | (at[i] & 0x3fu);
		REQUIRE(point >= 0x20 && !(point >= 0x7f && point < 0xa0) && point != 0x61c && point != 0x200e && point != 0x200f);
		REQUIRE(!(point >= 0x2028 && point <= 0x202e) && !(point >= 0x2066 && point <= 0x2069));
	}
}

/* The body of an answer as JSON; it must be some. The caller frees it. */
static inline json_t *fuzz_body(const struct answer *a)
{
	json_error_t error;

	REQUIRE(!a->failed);
	json_t *all = json_loadb(a->memory + ANSWER_HEAD, a->body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	REQUIRE(json_is_object(all));
	return all;
}

/* The body is {"detail": text}, and the text a line. */
static inline void fuzz_is_detail(const struct answer *a)
{
	json_t *all = fuzz_body(a);

	REQUIRE(json_object_size(all) == 1 && json_is_string(json_object_get(all, "detail")));
	fuzz_is_line(json_string_value(json_object_get(all, "detail")));
	json_decref(all);
}

#endif
