/* replay_server.h - a running akin-server that is asked, and told. */
#ifndef AKIN_REPLAY_SERVER_H
#define AKIN_REPLAY_SERVER_H

#include <jansson.h>

#include "options.h"
#include "reply.h"

struct replay_server;			/* opaque */

/* NULL: *why says which rule the address or the key breaks. Nothing is asked yet. o and t are borrowed. */
struct replay_server *replay_server_open(const struct replay_options *o, const struct transactions *t,
					 struct fault *why);
void replay_server_close(struct replay_server *s);	/* NULL is fine */

/* Does it serve the model of this checksum? False: it does not, or could not be asked. */
bool replay_server_serves(struct replay_server *s, uint64_t checksum, struct fault *why);

/* What it shows customer number `customer` of the transactions, o->n places. False: *why begins with the address. With all that
 * was asked before, the answer comes from one generation. */
bool replay_server_ask(struct replay_server *s, uint32_t customer, struct reply *r, struct fault *why);

/* Does it know an item? */
bool replay_server_knows_item(struct replay_server *s, uint32_t item, bool *known, struct fault *why);

/* Post `count` events, a JSON array. *results: an array of as many objects, each with a text `outcome`; a new reference. */
bool replay_server_post(struct replay_server *s, const char *events, size_t len, size_t count, json_t **results,
			struct fault *why);

/* For the report: {url, generation, requests, retried}; a new reference, NULL when memory is short. */
json_t *replay_server_json(const struct replay_server *s);

#endif
