/* log.h - the log: one sentence a line, one write(2) a line.
 *
 *   2026-11-22T12:00:00.123Z info master[123]: sentence
 *
 * Master and workers append to the same file, each with its own descriptor after a reopening. A line that can't be
 * written at once is dropped and counted; logging never fails and never blocks, on a lock or on a reader. */
#ifndef AKIN_LOG_H
#define AKIN_LOG_H

#include "settings.h"

/* where: "stderr" or a path. Until this is called lines go to stderr. */
bool log_open(const char *where, enum log_level least, struct fault *why);

/* Open the file again, which may have been renamed. On failure the old one goes on. Nothing to do for stderr. */
bool log_reopen(struct fault *why);

/* Does it go to a file, so that a reader of stderr would miss it? */
bool log_is_file(void);

/* Who speaks: "master", "worker-0". Borrowed. */
void log_as(const char *who);

/* Any thread. Line breaks and other control characters become spaces. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
