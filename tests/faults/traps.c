/* traps.c - makes a worker do what no worker does, for tests/system/test_faults_processes.py.
 *
 * Preloaded into akin-server, it waits for signals that the server leaves alone because they are faults:
 *
 *   SIGTRAP	write into every mapping of a model
 *   SIGSYS	write into the board's first page, which is the master's
 *   SIGFPE	never come back
 *
 * A write that is not stopped is left as it was found wrong: all bits turned over, so that answers or counters show it.
 * The handler reads /proc/self/maps with read() into a buffer of its own: nothing here may allocate. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char maps[1 << 20];

static void read_maps(void)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	for (ssize_t n; fd >= 0 && (n = read(fd, maps + len, sizeof maps - 1 - len)) > 0;)
		len += (size_t)n;
	maps[len] = '\0';
	close(fd);
}

/* The lines whose path has this in it. */
static void spoil(const char *what)
{
	read_maps();
	for (char *line = maps, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!strstr(line, "/dev/shm/akin.") || !strstr(line, what))
			continue;
		char *dash;
		uintptr_t from = strtoul(line, &dash, 16), to = strtoul(dash + 1, NULL, 16);
		volatile uint64_t *word = (volatile uint64_t *)from, *behind = (volatile uint64_t *)to;

		for (; word < behind; word += 8)
			*word = ~*word;
	}
}

static void on_trap(int number)
{
	if (number == SIGTRAP)
		spoil(".model.");
	else if (number == SIGSYS)
		spoil(".board");
	for (; number == SIGFPE;)
		pause();
}

__attribute__((constructor)) static void set(void)
{
	struct sigaction action = {.sa_handler = on_trap};

	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGSYS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
}
