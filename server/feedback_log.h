/* feedback_log.h - the log of events: a CSV file a day in the folder that the setting feedback_log names, from which
 * akin-prep learns. Nothing is acknowledged that is not in it.
 *
 * All workers append to the same file, each batch of rows in one write under a lock of the file, which dies with whoever holds
 * it. What somebody has left half written, since it was killed or the disk was full, is cut off by the next writer; so a file
 * is whole lines, and an acknowledged row is never damaged by another one's end. The setting feedback_sync says what
 * "in it" means: on the disk (always; threads that wait at the same time share one fdatasync()), on the disk within a second
 * (second), or with the kernel (never), which outlasts the death of any process and not that of the machine. */
#ifndef AKIN_FEEDBACK_LOG_H
#define AKIN_FEEDBACK_LOG_H

#include "feedback_rows.h"
#include "settings.h"
#include "../shm/board.h"

/* -t and the master, before it gives up root: the folder is there, or could be made, and can be written to by the setting
 * `user`. The master makes it. Without the setting there is nothing to do. */
bool feedback_log_check(const struct settings *s, struct fault *why);
bool feedback_log_make(const struct settings *s, struct fault *why);

/* A worker's, once, before its first request. Both are borrowed. False: no thread for feedback_sync = second. */
bool feedback_log_open(const struct settings *s, const struct board *b, struct fault *why);

/* Is there a log? */
bool feedback_log_is_on(void);

/* Append rows; any thread. True: they are in the log, as feedback_sync has it. False: none of them counts as logged, and why
 * not was told to the server's log, once until it works again. */
bool feedback_log_append(const struct feedback_rows *r);

/* The file may have been renamed: the next rows go to the one that has its name. Any thread; does not wait. */
void feedback_log_reopen(void);

/* A worker's, at its end: what feedback_sync = second has not yet synced. */
void feedback_log_close(void);

#endif
