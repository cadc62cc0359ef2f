/* queue.c - reading the kernel's table of sockets.
 *
 * Who holds the listening socket asks it (metrics/samples_workers.c). A command has no such descriptor, but of a
 * listening socket the kernel tells the length of its queue in /proc/PID/net/tcp, too, in the column of the bytes
 * that others have yet to read. A line begins
 *
 *   0: 0100007F:1F40 00000000:0000 0A 00000000:00000005
 *   #  address:port  peer         state  ...:received
 *
 * with the address as the machine's own 32-bit words. Called by status.c. Whatever can't be read or understood is
 * "not known". */
#include "queue.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTENING "0A"

/* "127.0.0.1:8000" as the table has it, "0100007F:1F40". Returns the table's name, or NULL. */
static const char *key_of(const char *where, char key[48])
{
	const char *colon = strrchr(where, ':');
	uint32_t word[4];
	struct in_addr v4;
	struct in6_addr v6;
	char address[80];
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;

	if (!colon || (size_t)(colon - where) >= sizeof address)
		return NULL;
	snprintf(address, sizeof address, "%.*s", (int)(colon - where), where);
	if (inet_pton(AF_INET, address, &v4) == 1) {
		snprintf(key, 48, "%08X:%04lX", v4.s_addr, port);
		return "tcp";
	}
	size_t len = strlen(address);

	if (len < 2 || address[0] != '[' || address[len - 1] != ']')
		return NULL;
	address[len - 1] = '\0';
	if (inet_pton(AF_INET6, address + 1, &v6) != 1)
		return NULL;
	memcpy(word, &v6, sizeof word);
	snprintf(key, 48, "%08X%08X%08X%08X:%04lX", word[0], word[1], word[2], word[3], port);
	return "tcp6";
}

/* The queue of this line's socket, if it is the one that is looked for and listens; else -1. */
static int64_t read_line(const char *line, const char *key)
{
	char local[48], state[4];
	unsigned received;

	if (sscanf(line, " %*[0-9]: %47s %*s %3s %*8[0-9A-Fa-f]:%8x", local, state, &received) != 3 ||
	    strcmp(state, LISTENING) != 0 || strcmp(local, key) != 0)
		return -1;
	return received;
}

int64_t queue_length(pid_t pid, const char *where)
{
	char key[48], path[48], line[256];
	const char *table = key_of(where, key);
	int64_t found = -1;

	if (!table || pid <= 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, table);
	FILE *from = fopen(path, "re");

	while (from && found < 0 && fgets(line, sizeof line, from))
		found = read_line(line, key);
	if (from)
		fclose(from);
	return found;
}
