/* standard.c - what a careless starter has closed.
 *
 * Called by main.c first of all. The kernel gives the lowest free number to whatever is opened next. Without this the pid
 * file or a listening socket could become descriptor 2, and each line of the log would be written into it. */
#include "standard.h"

#include <fcntl.h>
#include <unistd.h>

bool standard_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	}
	return true;
}
