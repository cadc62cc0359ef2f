/* segment.h - POSIX shared memory with names that tell whose it is.
 *
 * Every master has a token, eight hex digits drawn at start. Its segments are /akin.TOKEN.board and
 * /akin.TOKEN.model.N. The board's first byte is locked by the master (fcntl, which dies with its process and is
 * not inherited by its children), so anyone can tell a living master's segments from a dead one's. N is the number of
 * the generation that is served from it, or was, or 0 while it is being made.
 *
 * Space is taken with posix_fallocate() before a byte is touched: a full /dev/shm is an error with a number in it,
 * never a SIGBUS. */
#ifndef AKIN_SEGMENT_H
#define AKIN_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

#define SEGMENT_NAME_MAX 48
#define SEGMENT_TOKEN	 8		/* hex digits, without the NUL */

struct segment {
	char name[SEGMENT_NAME_MAX];	/* "/akin.…" */
	uint8_t *at;			/* NULL: not mapped */
	size_t size;			/* bytes allocated */
	size_t mapped;			/* bytes of address space, >= size */
	int fd;				/* -1: closed */
};

/* "/akin.TOKEN.board", "/akin.TOKEN.model.N" */
void segment_board_name(char name[SEGMENT_NAME_MAX], const char *token);
void segment_model_name(char name[SEGMENT_NAME_MAX], const char *token, uint64_t generation);

/* Make a new segment, mode 0600, of size bytes, writable, able to grow in place up to reserve bytes (0: as size). */
bool segment_create(struct segment *s, const char *name, size_t size, size_t reserve, struct fault *why);
/* Make the reserve at least this large. May move s->at: views into it must be made again. */
bool segment_reserve(struct segment *s, size_t reserve, struct fault *why);
/* Take more space, up to the reserve. */
bool segment_grow(struct segment *s, size_t size, struct fault *why);
/* Give back what lies behind size, and make the mapping read-only for this process too. */
bool segment_seal(struct segment *s, size_t size, struct fault *why);

/* Map an existing one read-only, whole. False with errno ENOENT when there is none of that name. */
bool segment_open(struct segment *s, const char *name, struct fault *why);

/* The same, through a descriptor that stays the caller's: it needs no name. name is for what is said of it. */
bool segment_map(struct segment *s, int fd, const char *name, struct fault *why);
/* A descriptor that can only read, for segment_map(), or -1. */
int segment_reader(const char *name, struct fault *why);

/* Give an existing one another name, in place of any that has it. False with errno ENOENT when its own name is gone. */
bool segment_rename(const char *from, const char *to, struct fault *why);

/* Unmap and close. The name stays. Fine on a zeroed or closed segment. */
void segment_close(struct segment *s);
/* Remove the name. Who has it mapped keeps it until they unmap. Fine when it is gone already. */
void segment_unlink(const char *name);

/* Bytes that new segments can have now; UINT64_MAX when nobody says. */
uint64_t segment_room(void);

/* Become an owner: draw a token nobody uses, create and lock its board of size bytes. */
bool segment_own(struct segment *board, char token[SEGMENT_TOKEN + 1], size_t size, struct fault *why);

/* The tokens of all boards there are, of living and dead masters: at most cap. Returns how many. */
unsigned segment_boards(char tokens[][SEGMENT_TOKEN + 1], unsigned cap);

/* Remove the segments of every dead master, and only those. Returns how many were removed. */
unsigned segment_sweep(void);

#endif
