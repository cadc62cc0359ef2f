/* find.c - looking through /dev/shm for the board of a living master.
 *
 * Called by the commands that tell of a server or compare with it (server/running.c), each in a process of its own.
 * A board can vanish between its being listed and its being opened, and can be one that is just being made: such ones
 * are not there. What is mapped has been written by a program that may be older or newer than this one, so its layout
 * is checked before anything in it is believed.
 *
 * While a master hands over to the one that it has started (its successor names it on its board), both live. Then the
 * successor is the one that is meant. */
#include "find.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BOARDS 256			/* that are looked at */

struct board_seen {
	char token[SEGMENT_TOKEN + 1];
	pid_t pid;			/* of its master; 0: of a namespace that we don't see */
	int32_t self, predecessor;	/* as the board says */
};

/* Does somebody hold the lock on it? One that this user may not read is nobody's here. */
static bool lives(struct board_seen *s)
{
	struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct board_head head = {.version = 0};
	char name[SEGMENT_NAME_MAX];

	segment_board_name(name, s->token);
	int fd = shm_open(name, O_RDONLY, 0);

	if (fd < 0)
		return false;
	bool locked = fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
	bool known = pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head && head.version == BOARD_VERSION;

	close(fd);
	s->pid = held.l_pid > 0 ? held.l_pid : 0;
	s->self = known ? head.master_pid : 0;
	s->predecessor = known ? head.predecessor : 0;
	return locked;
}

static bool replaced(const struct board_seen *seen, unsigned n, unsigned i)
{
	for (unsigned k = 0; k < n; k++) {
		if (k != i && seen[k].predecessor > 0 && seen[k].predecessor == seen[i].self)
			return true;
	}
	return false;
}

/* Its magic is written last. */
static bool made(const struct board *b)
{
	bool is = b->segment.size >= offsetof(struct board_head, slots) &&
		  memcmp(b->head->magic, BOARD_MAGIC, sizeof b->head->magic) == 0;

	atomic_thread_fence(memory_order_acquire);
	return is;
}

static bool readable(const struct board *b, struct fault *why)
{
	const struct board_head *h = b->head;
	size_t size = b->segment.size;

	if (h->version != BOARD_VERSION)
		return fault_set(why, "shared memory %s has layout %u, this program reads %u: the server is of another "
				 "version", b->segment.name, h->version, BOARD_VERSION);
	if (size < sizeof *h || h->slots < 1 || h->slots > BOARD_MAX_SLOTS || h->slots_offset > size ||
	    h->slot_size > (size - h->slots_offset) / h->slots)
		return fault_set(why, "shared memory %s: %u slots of %llu bytes do not fit into %zu", b->segment.name,
				 h->slots, (unsigned long long)h->slot_size, size);
	return true;
}

static enum find open_board(struct board *b, const struct board_seen *s, struct fault *why)
{
	char name[SEGMENT_NAME_MAX];

	memset(b, 0, sizeof *b);
	b->model = -1;
	segment_board_name(name, s->token);
	if (!segment_open(&b->segment, name, why))
		return errno == ENOENT ? FIND_NONE : FIND_UNCLEAR;
	b->head = (struct board_head *)(void *)b->segment.at;
	enum find found = !made(b) ? FIND_NONE : readable(b, why) ? FIND_ONE : FIND_UNCLEAR;

	if (found != FIND_ONE)
		board_close(b);
	return found;
}

/* The living ones, first in `seen`; with pid only the one of that master. */
static unsigned choose(struct board_seen *seen, pid_t pid)
{
	static char tokens[BOARDS][SEGMENT_TOKEN + 1];
	unsigned n = segment_boards(tokens, BOARDS), kept = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(seen[kept].token, tokens[i], sizeof tokens[i]);
		kept += lives(&seen[kept]) && (pid == 0 || seen[kept].pid == pid);
	}
	for (unsigned i = 0; i < kept;) {
		if (replaced(seen, kept, i))
			seen[i] = seen[--kept];
		else
			i++;
	}
	return kept;
}

enum find find_board(struct board *b, pid_t pid, pid_t *found, struct fault *why)
{
	static struct board_seen seen[BOARDS];
	unsigned n = choose(seen, pid);

	if (n == 0)
		return FIND_NONE;
	if (n > 1)
		return fault_set(why, "%u servers run here whose boards this user may read (one is process %d); name the "
				 "one that is meant by its pid_file", n, (int)seen[0].pid), FIND_UNCLEAR;
	*found = seen[0].pid;
	return open_board(b, &seen[0], why);
}
