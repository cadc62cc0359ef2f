/* feedback_once.h - the same event twice counts once: within a body, in two requests at a time, and in one that comes later.
 *
 * Two events are the same when their recommendation_id, user, item, event and time are, those that are absent, too. An event is
 * remembered after it was counted, so whoever dies in between may leave one that counts twice, never one that is
 * acknowledged and lost. What another worker has in its hands at this moment is not looked at: two copies that come to two
 * workers at the very same time may both count. */
#ifndef AKIN_FEEDBACK_ONCE_H
#define AKIN_FEEDBACK_ONCE_H

#include "feedback_read.h"
#include "../shm/board.h"

/* Take the undecided events of a body in hand. Those that were taken before become OUTCOME_DUPLICATE; of one that stands in
 * the body twice the second has `first` set, and goes as that one goes. Waits while another thread of this worker has one of
 * them in its hands. */
void feedback_once_take(const struct board *b, struct feedback_body *f);

/* They are out of hand; when they were counted, those that are taken, as OUTCOMES has it, are remembered. */
void feedback_once_give(const struct board *b, struct feedback_body *f, bool counted);

/* Is this outcome that of an event that is taken? */
bool feedback_taken(enum outcome o);

#endif
