/* news.h - how the service is doing, told to those who wait for it: the supervisor, the predecessor, and the log. */
#ifndef AKIN_NEWS_H
#define AKIN_NEWS_H

#include "master.h"

/* Whatever is new: that workers serve, that all do, that a reload is over; and the supervisor's watchdog is fed when that
 * is due. In each turn of the master's loop. */
void news_tell(struct master *m);

/* A reload or a rollback begins; news_tell() says when it is over. */
void news_reloading(struct master *m);

#endif
