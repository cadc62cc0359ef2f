/* feedback_log.c - one log of events for all threads of a worker: who writes, who syncs, who waits.
 *
 * Rows are written under a lock. With feedback_sync = always a thread then waits until its rows are on the disk: whoever finds
 * nobody syncing does it, for all who have written until then, without the lock, while others write on. A file is left, at
 * midnight or when it was renamed, only when nobody syncs it, and after it was synced for all who wait.
 *
 * After a failed fdatasync() nobody can know what is on the disk, and the kernel may say of the next one that all is well: so
 * those who waited for it are told that they failed, whatever comes later. */
#include "feedback_log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "feedback_file.h"
#include "log.h"
#include "privilege.h"

struct waiter {				/* on the stack of a thread whose rows are written and not yet synced */
	struct waiter *next;
	bool over, ok;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a waiter is over, syncing has ended, there is something to sync, closing */
	struct feedback_file file;
	enum feedback_sync sync;
	struct waiter *waiting;
	bool syncing;			/* somebody is in fdatasync(), without the lock */
	bool dirty;			/* SYNC_SECOND: rows were written since the last sync */
	bool closing, ticking;		/* SYNC_SECOND: its thread is to end; is there */
	_Atomic uint64_t *errors;	/* counts what could not be written; NULL: nobody does */
	bool failing;			/* it was told that rows can't be written */
	pthread_t ticker;
} events = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .file = {.fd = -1}};
static _Atomic bool renamed;

/* Before there are events */

bool feedback_log_check(const struct settings *s, struct fault *why)
{
	return !*s->feedback_log || privilege_folder(s->feedback_log, false, "log of events", why);
}

bool feedback_log_make(const struct settings *s, struct fault *why)
{
	return !*s->feedback_log || privilege_folder(s->feedback_log, true, "log of events", why);
}

/* Syncing */

static void end_wait(struct waiter *w, bool ok)
{
	while (w) {
		struct waiter *next = w->next;	/* once it is over, w is no more */

		w->ok = ok;
		w->over = true;
		w = next;
	}
	pthread_cond_broadcast(&events.changed);
}

static void tell(bool ok, const char *why)
{
	if (!ok && events.errors)
		counters_more(events.errors, 1);
	if (!ok && !events.failing)
		log_line(LOG_ERROR, "%s; events are answered not_logged until it can be", why);
	else if (ok && events.failing)
		log_line(LOG_INFO, "%s: the log of events is written again", events.file.path);
	events.failing = !ok;
}

static bool sync_told(int fd)
{
	struct fault why;
	bool ok = fdatasync(fd) == 0 || fault_errno(&why, "%s: can't sync the log of events", events.file.path);

	if (!ok)
		tell(false, why.text);
	return ok;
}

/* With the lock, which is given up meanwhile; nobody else is syncing. For all who wait now. */
static void sync_for_all(void)
{
	struct waiter *list = events.waiting;
	int fd = events.file.fd;

	events.waiting = NULL;
	events.syncing = true;
	events.dirty = false;
	pthread_mutex_unlock(&events.lock);
	int failed = fdatasync(fd), error = errno;

	pthread_mutex_lock(&events.lock);
	events.syncing = false;
	if (failed) {
		struct fault why;

		errno = error;
		fault_errno(&why, "%s: can't sync the log of events", events.file.path);
		tell(false, why.text);
	}
	end_wait(list, !failed);
}

static bool wait_for_sync(void)
{
	struct waiter me = {.next = events.waiting};

	events.waiting = &me;
	while (!me.over) {
		if (events.syncing)
			pthread_cond_wait(&events.changed, &events.lock);
		else
			sync_for_all();
	}
	return me.ok;
}

/* feedback_sync = second: a thread of its own, since a disk may be slow, and the main thread gives signs of life. */
static void *tick(void *nothing)
{
	struct timespec until;

	(void)nothing;
	pthread_mutex_lock(&events.lock);
	while (!events.closing) {
		if (!events.dirty) {
			pthread_cond_wait(&events.changed, &events.lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		while (!events.closing &&
		       pthread_cond_clockwait(&events.changed, &events.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
			;
		if (events.dirty && events.file.fd >= 0)
			sync_for_all();
	}
	pthread_mutex_unlock(&events.lock);
	return NULL;
}

bool feedback_log_open(const struct settings *s, const struct board *b, struct fault *why)
{
	struct counters *c = board_own_counters(b);

	events.errors = s->metrics == METRICS_ON ? &c->feedback_log_errors : NULL;
	events.file.folder = s->feedback_log;
	events.file.durable = s->feedback_sync != SYNC_NEVER;
	events.sync = s->feedback_sync;
	if (feedback_log_is_on())
		feedback_file_sweep(events.file.folder);
	if (!feedback_log_is_on() || events.sync != SYNC_SECOND)
		return true;
	errno = pthread_create(&events.ticker, NULL, tick, NULL);
	events.ticking = errno == 0;
	return events.ticking || fault_errno(why, "no thread to sync the log of events");
}

bool feedback_log_is_on(void) { return events.file.folder && *events.file.folder; }

void feedback_log_reopen(void) { atomic_store(&renamed, true); }

void feedback_log_close(void)
{
	pthread_mutex_lock(&events.lock);
	events.closing = true;
	pthread_cond_broadcast(&events.changed);
	pthread_mutex_unlock(&events.lock);
	if (events.ticking)
		pthread_join(events.ticker, NULL);
	events.ticking = events.closing = false;
	pthread_mutex_lock(&events.lock);
	if (events.dirty && events.file.fd >= 0)
		sync_told(events.file.fd);
	events.dirty = false;
	feedback_file_close(&events.file);
	pthread_mutex_unlock(&events.lock);
}

/* Appending */

/* Today's file, by its name. Leaves the one in use only when nobody needs it any more. */
static bool use_todays(struct fault *why)
{
	while (atomic_load(&renamed) || !feedback_file_is_todays(&events.file)) {
		if (events.syncing) {
			pthread_cond_wait(&events.changed, &events.lock);
			continue;
		}
		bool needed = events.file.fd >= 0 && (events.waiting || events.dirty);

		if (needed) {
			struct waiter *list = events.waiting;

			events.waiting = NULL;
			events.dirty = false;
			end_wait(list, sync_told(events.file.fd));
		}
		atomic_store(&renamed, false);
		if (!feedback_file_open(&events.file, why))
			return false;
	}
	return true;
}

bool feedback_log_append(const struct feedback_rows *r)
{
	struct fault why = {""};

	pthread_mutex_lock(&events.lock);
	bool ok = use_todays(&why) && feedback_file_append(&events.file, r->at, r->len, &why);

	if (!ok)
		tell(false, why.text);
	else if (events.sync == SYNC_SECOND && !events.dirty) {
		events.dirty = true;
		pthread_cond_broadcast(&events.changed);
	}
	if (ok && events.sync == SYNC_ALWAYS)
		ok = wait_for_sync();
	if (ok)
		tell(true, NULL);
	pthread_mutex_unlock(&events.lock);
	return ok;
}
