/* counters.c - the words of a slot: where a request is counted, how slots are summed, what dies with a worker.
 *
 * Nothing here can fail. The layout is the same in every process of a tree, since a worker is a fork of its master;
 * nobody else reads it. */
#include "counters.h"

#include <string.h>

size_t counters_size(void) { return sizeof(struct counters); }

enum method counters_method(const char *method)
{
	if (!method)
		return METHOD_OTHER;
#define X(symbol)                        \
	if (strcmp(method, #symbol) == 0) \
		return METHOD_##symbol;
	METHODS(X)
#undef X
	return METHOD_OTHER;
}

enum status counters_status(int code)
{
	switch (code) {
#define X(listed) case listed: return STATUS_##listed;
	STATUSES(X)
#undef X
	}
	return code < 300 ? STATUS_200 : code < 400 ? STATUS_307 : code < 500 ? STATUS_400 : STATUS_500;
}

void counters_add(struct counters *sum, const void *counters)
{
	const _Atomic uint64_t *from = counters;
	_Atomic uint64_t *to = (_Atomic uint64_t *)sum;

	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) {
		uint64_t more = atomic_load_explicit(&from[i], memory_order_relaxed);

		if (more)		/* most cells of a slot are never used */
			atomic_store_explicit(&to[i], atomic_load_explicit(&to[i], memory_order_relaxed) + more,
					      memory_order_relaxed);
	}
}

uint64_t counters_bury(void *counters)
{
	struct counters *c = counters;

	return atomic_exchange_explicit(&c->in_progress, 0, memory_order_relaxed);
}
