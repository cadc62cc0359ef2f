/* similarity.c - rows of nearest neighbours. akin-prep build calls it for each side.
 *
 * A row is counted into a dense accumulator and the best of it are ranked, as shm/ does it for everybody. Rows cost
 * very different amounts (an item bought by half the customers meets everything), so threads take a few at a time
 * from one counter. Each row has its place in the answer from the start: no thread waits for another, and the
 * result is the same whatever their number. All memory is taken before a thread is started; they can't fail. */
#include "similarity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../shm/cooccur.h"
#include "../shm/rank.h"

#define CHUNK 8			/* rows taken at a time */

/* Shared by the threads; written before they start but for next. */
struct job {
	const struct axis *own, *other;
	uint32_t width;			/* places a row has */
	const uint8_t *only;		/* [n] whose rows are wanted; NULL: all */
	struct neighbour *rows;		/* [n * width] */
	uint32_t *length;		/* [n] neighbours found */
	const struct similarity_progress *progress;
	_Atomic uint32_t next;		/* the first row nobody has taken */
};

struct helper {
	struct job *job;
	struct ranker ranker;
	uint32_t *co;			/* [n] */
	pthread_t thread;
	bool caller;			/* runs on the calling thread: may show progress */
};

static void *helper_run(void *of)
{
	struct helper *h = of;
	struct job *job = h->job;
	uint32_t n = job->own->n;

	for (;;) {
		uint32_t from = atomic_load_explicit(&job->next, memory_order_relaxed);
		uint32_t to;

		do {				/* never past n: a plain addition could wrap */
			to = n - from < CHUNK ? n : from + CHUNK;
		} while (from < n && !atomic_compare_exchange_weak_explicit(&job->next, &from, to, memory_order_relaxed,
									    memory_order_relaxed));
		if (from >= n)
			return NULL;
		for (uint32_t i = from; i < to; i++) {
			if (job->only && !job->only[i])
				continue;
			memset(h->co, 0, n * sizeof *h->co);
			cooccur_row(job->own, job->other, i, h->co);
			job->length[i] = (uint32_t)ranker_top(&h->ranker, h->co, i,
							      job->rows + (size_t)i * job->width, job->width);
		}
		if (h->caller && job->progress)
			job->progress->step(job->progress->of, to, n);
	}
}

static bool helper_open(struct helper *h, struct job *job)
{
	h->job = job;
	h->co = malloc(job->own->n * sizeof *h->co);
	return h->co && ranker_open(&h->ranker, job->own);
}

static void helper_close(struct helper *h)
{
	free(h->co);
	ranker_close(&h->ranker);
}

/* Helper 0 is the calling thread. One that can't have memory or a thread is done without, but for the first. */
static bool run(struct job *job, unsigned threads, struct fault *why)
{
	struct helper helper[SIMILARITY_MAX_THREADS] = {0};
	unsigned started = 1;

	if (!helper_open(&helper[0], job)) {
		helper_close(&helper[0]);
		return fault_set(why, "no memory to rank rows of %u", job->own->n);
	}
	helper[0].caller = true;
	for (; started < threads && (uint64_t)started * CHUNK < job->own->n; started++) {
		struct helper *h = &helper[started];

		if (!helper_open(h, job) || pthread_create(&h->thread, NULL, helper_run, h) != 0) {
			helper_close(h);
			break;
		}
	}
	helper_run(&helper[0]);
	for (unsigned i = 0; i < started; i++) {
		if (i > 0)
			pthread_join(helper[i].thread, NULL);
		helper_close(&helper[i]);
	}
	return true;
}

/* Close the gaps that short rows leave, and give back what is then free. */
static void compact(struct similarity *s, const struct job *job)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < job->own->n; i++) {
		const struct neighbour *row = job->rows + (size_t)i * job->width;

		s->row_start[i] = end;
		if (job->rows + end != row)
			memmove(job->rows + end, row, job->length[i] * sizeof *row);
		end += job->length[i];
	}
	s->row_start[job->own->n] = end;

	struct neighbour *smaller = realloc(job->rows, end ? end * sizeof *smaller : 1);

	s->rows = smaller ? smaller : job->rows;
}

bool similarity_build(struct similarity *s, const struct axis *own, const struct axis *other, uint32_t row_limit,
		      const uint8_t *only, unsigned threads, const struct similarity_progress *progress, struct fault *why)
{
	uint32_t n = own->n, width = row_limit < n - 1 ? row_limit : n - 1;
	struct job job = {.own = own, .other = other, .width = width, .only = only, .progress = progress};
	size_t bytes;

	*s = (struct similarity){0};
	if (__builtin_mul_overflow((size_t)n * sizeof *job.rows, width, &bytes))
		return fault_set(why, "rows of %u neighbours for %u entries do not fit any memory", width, n);
	job.rows = malloc(bytes ? bytes : 1);
	job.length = calloc(n, sizeof *job.length);
	s->row_start = malloc(((size_t)n + 1) * sizeof *s->row_start);
	if (!job.rows || !job.length || !s->row_start)
		fault_set(why, "no memory for rows of %u neighbours for %u entries, %zu bytes", width, n, bytes);
	else if (run(&job, threads, why))
		compact(s, &job);
	if (!s->rows) {
		free(job.rows);
		similarity_free(s);
	}
	free(job.length);
	return s->rows != NULL;
}

void similarity_free(struct similarity *s)
{
	free(s->row_start);
	free(s->rows);
	*s = (struct similarity){0};
}
