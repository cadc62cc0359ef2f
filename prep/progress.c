/* progress.c - the bar and the lines above it. Called on the main thread only; what can't be written is let go, for
 * the work matters more than the talk about it. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 1.0		/* seconds without a bar */
#define REDRAW	 0.1		/* seconds between two drawings */
#define WIDTH	 40

double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_open(struct progress *p, bool quiet)
{
	*p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO), .phase = "", .begun = clock_seconds()};
}

void progress_phase(struct progress *p, const char *phase)
{
	p->phase = phase;
	p->drawn_at = 0;
}

void progress_step(void *of, uint64_t done, uint64_t total)
{
	struct progress *p = of;
	char bar[WIDTH + 1];

	if (!p->terminal || p->quiet)
		return;
	double now = clock_seconds();

	if (now - p->begun < PATIENCE || now - p->drawn_at < REDRAW)
		return;
	p->drawn = true;
	p->drawn_at = now;
	if (total == 0) {
		fprintf(stderr, "\r%-24s %.0f MB\033[K", p->phase, (double)done * 1e-6);
		return;
	}
	double share = done < total ? (double)done / (double)total : 1;
	size_t full = (size_t)(share * WIDTH);

	memset(bar, '#', full);
	memset(bar + full, '.', WIDTH - full);
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%-24s [%s] %3.0f %%\033[K", p->phase, bar, share * 100);
}

void progress_note(void *of, const char *line)
{
	struct progress *p = of;

	if (p->quiet)
		return;
	progress_clear(p);
	fprintf(stderr, "%s\n", line);
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
