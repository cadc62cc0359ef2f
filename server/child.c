/* child.c - a process that was the master's copy a moment ago, and its last moment.
 *
 * Called by worker.c, monitoring.c and by the loader in reload.c. What fails here is not worth failing for. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "upgrade.h"

#define TURN_NS 100000		/* the shortest that the kernel takes */

/* When memory runs out, a child can be replaced and the master can't. */
static void offer_to_oom_killer(void)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (len > 0) {
		text[len] = '\0';
		int score = atoi(text) + 100;

		len = snprintf(text, sizeof text, "%d", score < 1000 ? score : 1000);
		if (pwrite(fd, text, (size_t)len, 0) != len)
			log_line(LOG_DEBUG, "oom_score_adj stays as it was");
	}
	if (fd >= 0)
		close(fd);
}

void child_become(const char *name)
{
	char shown[16];

	snprintf(shown, sizeof shown, "akin-%s", name);
	log_as(name);
	prctl(PR_SET_NAME, shown);
	upgrade_part();
	offer_to_oom_killer();
}

/* The kernel lets a running thread finish its turn before it looks whether one that was woken should have the core; at some
 * milliseconds a turn, that is what clients wait while a model is loaded. */
void child_yield(int nice)
{
	int before = getpriority(PRIO_PROCESS, 0);
	struct sched_attr a = {.size = sizeof a, .sched_nice = before > nice ? before : nice, .sched_runtime = TURN_NS};

	if (syscall(SYS_sched_setattr, 0, &a, 0) != 0 && setpriority(PRIO_PROCESS, 0, a.sched_nice) != 0)
		log_line(LOG_DEBUG, "can't give way to others: %s", strerror(errno));
}

#pragma weak __lsan_do_leak_check
void __lsan_do_leak_check(void);	/* there in a build with the leak sanitizer */

/* By _exit(), for what runs at exit() is the master's. So leaks are looked for here, or never. */
_Noreturn void child_leave(int status)
{
	if (__lsan_do_leak_check)
		__lsan_do_leak_check();
	_exit(status);
}
