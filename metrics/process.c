/* process.c - the process tree as the kernel sees it: CPU clocks, /proc/PID/stat, /proc/PID/fd.
 *
 * Called by the worker that answers a scrape, for the pids on the board. For 65 processes that is 0.3 ms; the two dearer
 * ways to the same numbers are avoided: CPU time is asked of the process's clock instead of /proc, which rounds it to
 * 10 ms, and descriptors are counted by one stat() where the kernel tells their number so (Linux 6.2), else by reading
 * the directory. PSS would be 0.3 ms for each process, so each asks for its own now and then.
 *
 * CPU time must never go back, though workers die. The master keeps, slot by slot and for the monitor, what the dead ones have
 * used, and changes account before it reaps: the clock of the dead is read for the last time, then pid becomes
 * BOARD_ACCOUNTING, then the sum grows, then pid is 0. So whoever finds the same pid and the same sum before and after
 * reading the clock has counted each worker once, and otherwise looks again. */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 1000			/* at a slot that is just changing; a change is a matter of two stores */

bool process_cpu(int32_t pid, uint64_t *ns)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return false;
	*ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	return true;
}

/* The start of a file, as a string. False: there is none, or it is not ours to read. */
static bool read_text(const char *path, char *text, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, cap - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

uint64_t process_proportional(void)
{
	char text[1024];
	const char *at;

	if (!read_text("/proc/self/smaps_rollup", text, sizeof text))
		return 0;
	at = strstr(text, "\nPss:");
	return at ? strtoull(at + 5, NULL, 10) * 1024 : 0;
}

/* Some numbers of /proc/PID/stat, by their places behind the name, which may hold anything. (sscanf() would take as long
 * as the kernel.) */
static bool add_stat(struct process_tree *t, int32_t pid)
{
	enum { THREADS = 18, VIRTUAL = 21, PAGES = 22 };
	uint64_t field[PAGES + 1];
	char path[40], text[1024];
	int n = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (!read_text(path, text, sizeof text))
		return false;
	for (const char *at = strrchr(text, ')'); at && n < PAGES; ) {
		at = strchr(at + 1, ' ');
		if (at)
			field[++n] = strtoull(at, NULL, 10);
	}
	if (n < PAGES)
		return false;
	t->threads += field[THREADS];
	t->virtual += field[VIRTUAL];
	t->resident += field[PAGES] * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static bool add_fds(struct process_tree *t, int32_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0) {
		t->fds += (uint64_t)st.st_size;
		return true;
	}
	DIR *d = opendir(path);

	if (!d)
		return false;
	for (struct dirent *e; (e = readdir(d)); )
		t->fds += e->d_name[0] != '.';
	closedir(d);
	return true;
}

/* What is read of a process counts only if it is still there; one that is gone has nothing any more. */
static void add_process(struct process_tree *t, int32_t pid, const _Atomic int32_t *still)
{
	bool memory = add_stat(t, pid), fds = add_fds(t, pid);

	if ((memory && fds) || (still && atomic_load(still) != pid))
		return;
	t->memory_known = t->memory_known && memory;
	t->fds_known = t->fds_known && fds;
}

/* CPU time of all that have ever had a post, a slot or the monitor's. False: it changed for as long as anybody looked. */
static bool post_cpu(const _Atomic int32_t *who, const _Atomic uint64_t *dead, uint64_t *cpu)
{
	for (int i = 0; i < LOOKS; i++) {
		uint64_t ended = atomic_load(dead);
		int32_t pid = atomic_load(who);
		uint64_t alive = 0;
		bool read = pid == 0 || (pid != BOARD_ACCOUNTING && process_cpu(pid, &alive));

		if (read && atomic_load(who) == pid && atomic_load(dead) == ended) {
			*cpu = ended + alive;
			return true;
		}
		sched_yield();
	}
	return false;
}

/* Is /proc the one of the namespace in which our process ids are ids? Another one's would tell of somebody else. */
static bool proc_is_ours(void)
{
	char own[16], link[16];
	ssize_t n = readlink("/proc/self", link, sizeof link);
	int len = snprintf(own, sizeof own, "%d", (int)getpid());

	return n == len && memcmp(own, link, (size_t)n) == 0;
}

static void add_post(struct process_tree *t, const _Atomic int32_t *who, const _Atomic uint64_t *dead, bool readable)
{
	int32_t pid = atomic_load(who);
	uint64_t cpu = 0;

	if (readable && pid > 0)
		add_process(t, pid, who);
	t->cpu_known = t->cpu_known && post_cpu(who, dead, &cpu);
	t->cpu += cpu;
}

void process_look(const struct board *b, struct process_tree *t)
{
	int32_t master = b->head->master_pid;

	bool readable = proc_is_ours();

	*t = (struct process_tree){.memory_known = readable, .fds_known = readable};
	t->cpu_known = process_cpu(master, &t->cpu);
	t->cpu += atomic_load(&b->head->loader_cpu);
	if (readable)
		add_process(t, master, NULL);
	add_post(t, &b->head->monitor, &b->head->monitor_cpu, readable);
	for (uint32_t i = 0; i < board_slots(b); i++) {
		const struct board_slot *s = board_slot(b, i);

		add_post(t, &s->pid, &s->ended_cpu, readable);
	}
}
