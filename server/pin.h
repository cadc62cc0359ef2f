/* pin.h - which generation a request reads, in one worker.
 *
 * A request pins the generation that is current when it is read and drops it when its answer is written, to memory of
 * its own; sending it, which may take long, holds no generation. The worker's
 * main thread adopts a new generation by mapping it and making it current; the old one is unmapped when its last
 * pin is dropped. Taking a pin is two atomic operations, no lock. */
#ifndef AKIN_PIN_H
#define AKIN_PIN_H

#include "../shm/board.h"
#include "../shm/packed.h"

struct pin {				/* one mapped generation */
	struct packed packed;
	struct segment segment;
	_Alignas(64) _Atomic uint32_t taken; /* requests that read it now; alone in its cache line, since every
					      * request writes it and reads what is above */
};

/* Any request thread. Never NULL once pin_adopt() has succeeded in this process. */
struct pin *pin_take(void);
void pin_drop(struct pin *p);

/* Main thread: map what the board says is current, if it is not mapped yet; writes this worker's slot fields
 * `generation` and `oldest`. When every place for a mapping is pinned it does nothing, and is to be called again
 * after pin_retire(). False: it could not be mapped (what was current stays). */
bool pin_adopt(struct board *b, struct fault *why);
/* Main thread: unmap old generations nobody pins any more. A descriptor that becomes readable when there may be
 * some is pin_wakeup(). */
void pin_retire(struct board *b);
int pin_wakeup(void);

#endif
