/* test_input.c - the bytes of an input, plain, packed, piped or not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <xxhash.h>

#include "../../prep/input.h"

#define MANY 700000

static char folder[] = "/tmp/akin-test-input-XXXXXX";
static char many[MANY];			/* bytes that pack, but not to nothing */

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *write_file(const char *name, const void *bytes, size_t len)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* One frame of bytes, checksums on. Free it. */
static char *pack(const char *bytes, size_t len, size_t *packed)
{
	LZ4F_preferences_t how = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
						.blockChecksumFlag = LZ4F_blockChecksumEnabled}};
	size_t cap = LZ4F_compressFrameBound(len, &how);
	char *out = malloc(cap);

	assert_non_null(out);
	*packed = LZ4F_compressFrame(out, cap, bytes, len, &how);
	assert_false(LZ4F_isError(*packed));
	return out;
}

/* Read all, `step` bytes at a time. -1: it failed, *why. */
static ssize_t read_all(const char *path, char *to, size_t cap, size_t step, uint64_t *digest, struct fault *why)
{
	struct input in;
	size_t len = 0, got;

	why->text[0] = '\0';
	if (!input_open(&in, path, why))
		return -1;
	for (;;) {
		if (!input_read(&in, to + len, step < cap - len ? step : cap - len, &got, why)) {
			input_close(&in);
			return -1;
		}
		if (got == 0)
			break;
		len += got;
		assert_true(len < cap);
	}
	assert_int_equal(in.bytes_out, len);
	if (digest)
		*digest = input_digest(&in);
	input_close(&in);
	return (ssize_t)len;
}

static char room[2 * MANY + 1];

static void assert_reads(const char *path, const char *want, size_t len, uint64_t want_digest)
{
	static const size_t steps[] = {1, 7, 4096, 262144};
	struct fault why;
	uint64_t digest;

	for (size_t i = len > 10000 ? 2 : 0; i < sizeof steps / sizeof *steps; i++) {
		ssize_t got = read_all(path, room, sizeof room, steps[i], &digest, &why);

		assert_string_equal(why.text, "");
		assert_int_equal(got, len);
		assert_memory_equal(room, want, len);
		assert_true(digest == want_digest);
	}
}

static void test_plain(void **state)
{
	static const size_t sizes[] = {0, 1, 3, 4, 7, 8, 9, 5000, MANY};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_reads(write_file("plain", many, sizes[i]), many, sizes[i], XXH3_64bits(many, sizes[i]));
	assert_int_equal(input_size(path_of("plain")), MANY);
	assert_int_equal(input_size("-"), 0);
	assert_int_equal(input_size(folder), 0);
	assert_int_equal(input_size(path_of("nothing")), 0);
}

static void test_packed(void **state)
{
	static const size_t sizes[] = {0, 1, 5000, MANY};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t len;
		char *frame = pack(many, sizes[i], &len);

		assert_reads(write_file("packed", frame, len), many, sizes[i], XXH3_64bits(frame, len));
		free(frame);
	}
}

static void test_frames_one_after_the_other(void **state)
{
	size_t len, second;
	char *frame = pack(many, 1000, &len), *more = pack(many + 1000, 500, &second);

	(void)state;
	frame = realloc(frame, len + second);
	assert_non_null(frame);
	memcpy(frame + len, more, second);
	assert_reads(write_file("frames", frame, len + second), many, 1500, XXH3_64bits(frame, len + second));
	free(frame);
	free(more);
}

/* Frames that carry no data may stand anywhere, first of all. */
static void test_skippable_frames(void **state)
{
	enum { SKIPPED = 8 + 300 };
	struct fault why;
	size_t len;
	char *frame = pack(many, 5000, &len), *both = malloc(SKIPPED + len + SKIPPED);

	(void)state;
	assert_non_null(both);
	for (unsigned kind = 0x50; kind <= 0x5f; kind++) {
		char skipped[SKIPPED] = {(char)kind, 0x2a, 0x4d, 0x18, (char)(300 & 0xff), 300 >> 8, 0, 0, 'x', ',', '\n'};

		memcpy(both, skipped, SKIPPED);
		memcpy(both + SKIPPED, frame, len);
		memcpy(both + SKIPPED + len, skipped, SKIPPED);
		assert_reads(write_file("frames", both, SKIPPED + len + SKIPPED), many, 5000,
			     XXH3_64bits(both, SKIPPED + len + SKIPPED));
	}
	for (size_t cut = 4; cut < SKIPPED; cut++) {
		assert_int_equal(read_all(write_file("cut", both, cut), room, sizeof room, 4096, NULL, &why), -1);
		assert_non_null(strstr(why.text, "cut short"));
	}
	both[0] = 0x60;			/* the next magic is no frame's */
	assert_reads(write_file("plain", both, SKIPPED), both, SKIPPED, XXH3_64bits(both, SKIPPED));
	free(both);
	free(frame);
}

static void test_cut_frame_wherever_it_is_cut(void **state)
{
	struct fault why;
	size_t len;
	char *frame = pack(many, 3000, &len);

	(void)state;
	for (size_t cut = 4; cut < len; cut++) {
		const char *path = write_file("cut", frame, cut);

		assert_int_equal(read_all(path, room, sizeof room, 4096, NULL, &why), -1);
		assert_non_null(strstr(why.text, "cut short"));
		assert_int_equal(strncmp(why.text, path, strlen(path)), 0);
	}
	free(frame);
}

static void test_any_flipped_bit_is_found(void **state)
{
	struct fault why;
	size_t len;
	char *frame = pack(many, 600, &len);

	(void)state;
	for (size_t bit = 32; bit < len * 8; bit++) {	/* behind the magic */
		frame[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(read_all(write_file("bad", frame, len), room, sizeof room, 65536, NULL, &why), -1);
		assert_non_null(strstr(why.text, "LZ4 frame"));
		frame[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(read_all(write_file("bad", frame, len), room, sizeof room, 65536, NULL, &why), 600);
	frame = realloc(frame, len + 8);
	assert_non_null(frame);
	memcpy(frame + len, "junk,it.", 8);
	assert_int_equal(read_all(write_file("bad", frame, len + 8), room, sizeof room, 65536, NULL, &why), -1);
	assert_non_null(strstr(why.text, "damaged"));
	free(frame);
}

static void test_what_is_no_file(void **state)
{
	struct fault why;

	(void)state;
	assert_int_equal(read_all(path_of("nothing"), room, sizeof room, 10, NULL, &why), -1);
	assert_non_null(strstr(why.text, "nothing: cannot open: No such file"));
	assert_int_equal(read_all(folder, room, sizeof room, 10, NULL, &why), -1);
	assert_non_null(strstr(why.text, "not a directory"));
	assert_int_equal(read_all("/proc/self/mem", room, sizeof room, 10, NULL, &why), -1);
	assert_non_null(strstr(why.text, "/proc/self/mem: cannot read: "));
}

/* Write bytes to fd in another process, in small pieces. */
static pid_t feed(const char *fifo, int fd, const char *bytes, size_t len)
{
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (child)
		return child;
	if (fifo)
		fd = open(fifo, O_WRONLY);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, bytes + at, len - at < 3001 ? len - at : 3001);

		if (n < 0)
			_exit(1);
		at += (size_t)n;
	}
	_exit(0);
}

static void assert_fed(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_fifo(void **state)
{
	struct fault why;
	uint64_t digest;
	const char *path = path_of("fifo");
	size_t len;
	char *frame = pack(many, MANY, &len);

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(input_size(path), 0);

	pid_t child = feed(path, -1, many, MANY);
	assert_int_equal(read_all(path, room, sizeof room, 65536, &digest, &why), MANY);
	assert_fed(child);
	assert_memory_equal(room, many, MANY);
	assert_true(digest == XXH3_64bits(many, MANY));

	child = feed(path, -1, frame, len - 5);		/* ends early */
	assert_int_equal(read_all(path, room, sizeof room, 65536, &digest, &why), -1);
	assert_fed(child);
	assert_non_null(strstr(why.text, "cut short"));
	free(frame);
}

static void test_stdin(void **state)
{
	struct fault why;
	int ends[2], saved = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = feed(NULL, ends[1], many, MANY);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(read_all("-", room, sizeof room, 65536, NULL, &why), MANY);
	assert_fed(child);
	assert_memory_equal(room, many, MANY);
	assert_int_not_equal(fcntl(STDIN_FILENO, F_GETFD), -1);	/* stdin is not ours to close */
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
	assert_string_equal(input_name("-"), "stdin");
}

static int make_folder(void **state)
{
	uint32_t dice = 1;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		dice = dice * 1664525u + 1013904223u;
		many[i] = "abcdefgh"[dice >> 29];
	}
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"plain", "packed", "frames", "cut", "bad", "fifo"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_frames_one_after_the_other),
		cmocka_unit_test(test_skippable_frames),
		cmocka_unit_test(test_cut_frame_wherever_it_is_cut),
		cmocka_unit_test(test_any_flipped_bit_is_found),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_stdin),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
