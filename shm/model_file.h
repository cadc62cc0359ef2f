/* model_file.h - a model image on disk: written whole or not at all, read without trusting it. */
#ifndef AKIN_MODEL_FILE_H
#define AKIN_MODEL_FILE_H

#include "model.h"

/* What a writer hands over, one entry a section: borrowed, only read. */
struct model_part {
	const void *at;
	uint64_t length;		/* bytes */
};

/* Write an image to path: aside in the same folder, fsynced, renamed over path, the folder fsynced. Sets magic,
 * byte order, version, size, checksum, section_count and section[] of *head; the caller has set the rest. On
 * failure path is as it was and nothing is left aside. Neither is when SIGHUP, SIGINT, SIGQUIT or SIGTERM comes: they
 * wait until this returns, which they make soon. */
bool model_file_write(const char *path, struct model_head *head, const struct model_part part[SECTIONS],
		      struct fault *why);

/* Open path and learn its size. Refuses what is no regular file and what is smaller than a head or larger than
 * limit bytes (0: no limit) without blocking on it. Returns a descriptor to close, or -1. */
int model_file_open(const char *path, size_t limit, size_t *size, struct fault *why);

/* Could it be a model, by its head? To be asked before memory is taken for size bytes of it. */
bool model_file_check(int fd, size_t size, struct fault *why);

/* Read exactly size bytes. False when the file got shorter meanwhile. */
bool model_file_read(int fd, void *image, size_t size, struct fault *why);

/* The three above, into memory of its own. *image is aligned; free with model_file_free(). */
bool model_file_load(const char *path, void **image, size_t *size, struct fault *why);
void model_file_free(void *image, size_t size);

#endif
