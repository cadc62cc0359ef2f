/* input.c - where the reader's bytes come from. Called block by block from csv.c's refill; the kernel reads ahead,
 * so there is no thread here. Fails with the name of the input and what the system or the frame said. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define PACKED_BLOCK (128 * 1024)

static const char frame_magic[4] = "\x04\x22\x4d\x18";

struct input_frames {
	LZ4F_dctx *context;
	bool inside;			/* a frame has begun and not ended */
	size_t at, len;			/* of packed, not yet unpacked */
	char packed[PACKED_BLOCK];
};

const char *input_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "stdin" : path;
}

uint64_t input_size(const char *path)
{
	struct stat st;

	return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* read(2), counted and digested. */
static bool read_some(struct input *in, char *to, size_t cap, size_t *got, struct fault *why)
{
	ssize_t n;

	*got = 0;
	if (in->ended)
		return true;
	do
		n = read(in->fd, to, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fault_errno(why, "%s: cannot read", in->name);
	in->ended = n == 0;
	in->bytes_in += (uint64_t)n;
	*got = (size_t)n;
	if (XXH3_64bits_update(in->digest, to, *got) != XXH_OK)
		return fault_set(why, "%s: cannot digest", in->name);
	return true;
}

/* Read enough to tell LZ4 frames from text. */
static bool read_head(struct input *in, struct fault *why)
{
	while (in->head_len < sizeof in->head) {
		size_t got;

		if (!read_some(in, in->head + in->head_len, sizeof in->head - in->head_len, &got, why))
			return false;
		if (got == 0)
			break;
		in->head_len += got;
	}
	if (in->head_len < sizeof frame_magic || memcmp(in->head, frame_magic, sizeof frame_magic) != 0)
		return true;

	in->frames = calloc(1, sizeof *in->frames);
	if (!in->frames)
		return fault_set(why, "%s: out of memory to unpack it", in->name);
	LZ4F_errorCode_t failed = LZ4F_createDecompressionContext(&in->frames->context, LZ4F_VERSION);
	if (LZ4F_isError(failed))
		return fault_set(why, "%s: cannot unpack: %s", in->name, LZ4F_getErrorName(failed));
	memcpy(in->frames->packed, in->head, in->head_len);
	in->frames->len = in->head_len;
	in->head_at = in->head_len;
	return true;
}

static bool open_descriptor(struct input *in, const char *path, struct fault *why)
{
	struct stat st;

	in->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return fault_errno(why, "%s: cannot open", in->name);
	if (fstat(in->fd, &st) < 0)
		return fault_errno(why, "%s: cannot look at", in->name);
	if (S_ISDIR(st.st_mode))
		return fault_set(why, "%s: must be a file, not a directory", in->name);
	if (S_ISREG(st.st_mode))
		(void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);	/* advice only */
	return true;
}

bool input_open(struct input *in, const char *path, struct fault *why)
{
	*in = (struct input){.name = input_name(path), .fd = -1, .digest = XXH3_createState()};
	if (!in->digest || XXH3_64bits_reset(in->digest) != XXH_OK)
		fault_set(why, "%s: out of memory to digest it", in->name);
	else if (open_descriptor(in, path, why) && read_head(in, why))
		return true;
	input_close(in);
	return false;
}

/* Unpack until something comes out. */
static bool read_frames(struct input *in, char *to, size_t cap, size_t *got, struct fault *why)
{
	struct input_frames *f = in->frames;

	for (*got = 0; *got == 0;) {
		if (f->at == f->len) {
			f->at = 0;
			if (!read_some(in, f->packed, sizeof f->packed, &f->len, why))
				return false;
			if (f->len == 0 && f->inside)
				return fault_set(why, "%s: the LZ4 frame is cut short after %llu bytes",
						 in->name, (unsigned long long)in->bytes_in);
			if (f->len == 0)
				return true;
		}
		size_t made = cap, used = f->len - f->at;
		size_t hint = LZ4F_decompress(f->context, to, &made, f->packed + f->at, &used, NULL);

		if (LZ4F_isError(hint))
			return fault_set(why, "%s: the LZ4 frame is damaged near byte %llu: %s", in->name,
					 (unsigned long long)(in->bytes_in - f->len + f->at),
					 LZ4F_getErrorName(hint));
		f->at += used;
		f->inside = hint != 0;
		*got = made;
	}
	return true;
}

bool input_read(struct input *in, char *to, size_t cap, size_t *got, struct fault *why)
{
	if (in->frames) {
		if (!read_frames(in, to, cap, got, why))
			return false;
	} else if (in->head_at < in->head_len) {
		*got = in->head_len - in->head_at < cap ? in->head_len - in->head_at : cap;
		memcpy(to, in->head + in->head_at, *got);
		in->head_at += *got;
	} else if (!read_some(in, to, cap, got, why)) {
		return false;
	}
	in->bytes_out += *got;
	return true;
}

uint64_t input_digest(const struct input *in)
{
	return XXH3_64bits_digest(in->digest);
}

void input_close(struct input *in)
{
	if (in->frames) {
		LZ4F_freeDecompressionContext(in->frames->context);
		free(in->frames);
	}
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	XXH3_freeState(in->digest);
	*in = (struct input){.fd = -1};
}
