/* feedback_json.h - a JSON value read whole or not at all, however short memory is.
 *
 * jansson (2.14) goes on when a buffer of its scanner can't grow: a byte is left out, and what follows reads on to find the
 * quote that was it; or it fails without saying that it was memory. So while it reads, its memory comes from here, and the
 * first piece that is not to be had ends the reading at once. All pieces are one value's, and go together. */
#ifndef AKIN_FEEDBACK_JSON_H
#define AKIN_FEEDBACK_JSON_H

#include <jansson.h>

#include "../shm/model.h"

struct feedback_piece;

struct feedback_json {
	json_t *value;			/* never to be given to json_decref() */
	struct feedback_piece *pieces;
	bool short_of_memory;
};

/* Before a process has threads: from now on jansson asks here for memory. Another call changes nothing. */
void feedback_json_open(void);

/* False: *error says why, or j->short_of_memory is set; there is nothing to free. */
bool feedback_json_load(struct feedback_json *j, struct text body, json_error_t *error);

/* j may be zeroed. */
void feedback_json_free(struct feedback_json *j);

#endif
