/* intake.c - what comes in on a connection: the recv() that civetweb calls.
 *
 * As with accept.c, the program defines the symbol and the dynamic linker binds libcivetweb's calls to it. A thread
 * that has not called waiting_as() gets the system's, unchanged. How long a read may wait is waiting.c's.
 *
 * How much of a read was filled is kept, since civetweb tells a head that is too long from a malformed one to nobody. */
#undef _FORTIFY_SOURCE		/* its inline recv() would stand in the way of this one */
#include <stddef.h>
#include <sys/socket.h>

#include "waiting.h"

ssize_t recv(int fd, void *into, size_t room, int flags)
{
	struct waiting *w = waiting_mine();

	if (!w)
		return recvfrom(fd, into, room, flags, NULL, NULL);
	ssize_t n = waiting_recv(w, fd, into, room);

	w->full = n > 0 && (size_t)n == room;
	return n;
}
