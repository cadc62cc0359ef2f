/* signals.c - no handlers: all signals are blocked and waited for.
 *
 * So nothing is interrupted, and each signal is dealt with where the master can. Of signals that come while one is being
 * handled, the kernel keeps each kind once, which is enough: a reload loads what is there by then, and reaping goes on
 * until no dead child is left. The two real-time ones are queued as often as they were sent: two rollbacks lead there and
 * back, and forced reloads that come while one runs become one (reload.c). */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

/* Faults stay unblocked: a blocked one would kill just as well, but past a debugger's or a sanitizer's handler. */
static void all_signals(sigset_t *set)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

	sigfillset(set);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(set, faults[i]);
}

void signals_block(void)
{
	sigset_t signals;

	all_signals(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	/* That it is ignored is inherited, too, and then the kernel reaps children and tells nobody. */
	signal(SIGCHLD, SIG_DFL);
}

int signals_next(int64_t ms)
{
	struct timespec limit = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
	sigset_t signals;

	all_signals(&signals);
	int number = sigtimedwait(&signals, NULL, ms < 0 ? NULL : &limit);

	return number > 0 ? number : 0;
}
