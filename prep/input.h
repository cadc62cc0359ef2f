/* input.h - the bytes of one input: a file or stdin, plain or in LZ4 frames.
 *
 * Only what starts with the magic of an LZ4 frame is unpacked; the frames' own checksums are checked where they have
 * them, and an input that ends inside a frame is an error. */
#ifndef AKIN_INPUT_H
#define AKIN_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shm/fault.h"

struct input {
	uint64_t bytes_in;		/* read so far */
	uint64_t bytes_out;		/* handed out so far: more when packed */
	/* the rest belongs to input.c */
	const char *name;
	int fd;
	bool ended;			/* the file has */
	char head[8];			/* read to see what it is, not yet handed out */
	size_t head_at, head_len;
	void *digest;
	struct input_frames *frames;	/* NULL: plain */
};

/* Name of a path for messages: the path, or "stdin" for "-". */
const char *input_name(const char *path);

/* Bytes of a regular file, else 0: for a progress bar. */
uint64_t input_size(const char *path);

/* Open path; "-" is stdin. path is borrowed. False: *why starts with its name; nothing to close. */
bool input_open(struct input *in, const char *path, struct fault *why);

/* Put 1 to cap bytes at to, *got how many; 0 is the end. Blocks for as long as a pipe has nothing. */
bool input_read(struct input *in, char *to, size_t cap, size_t *got, struct fault *why);

/* XXH3-64 of the bytes read so far, as they were read. */
uint64_t input_digest(const struct input *in);

void input_close(struct input *in);

#endif
