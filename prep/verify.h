/* verify.h - akin-prep verify, and a model file opened with the same distrust for akin-prep show. */
#ifndef AKIN_VERIFY_H
#define AKIN_VERIFY_H

#include "../shm/model.h"

struct opened {
	struct model model;		/* points into image */
	void *image;
	size_t size;
};

/* Load and verify the model at path, all but the counts of its rows. False: *why begins with path, nothing is to be
 * closed. */
bool verify_open(struct opened *o, const char *path, struct fault *why);
void verify_close(struct opened *o);

/* The subcommand. Returns what to exit with. */
int verify_main(int argc, char **argv);

#endif
