/* web.h - requests to a running server: one connection that is kept, one request at a time, tried again when the server
 * was too busy or the connection broke. The only part of akin-prep that knows libcurl. */
#ifndef AKIN_WEB_H
#define AKIN_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shm/fault.h"

#define WEB_URL_MAX 8192		/* bytes of an address that is asked, escapes included */

struct web_options {
	const char *url;		/* http:// or https://, without a query; borrowed */
	const char *key_file;		/* NULL: no key; borrowed */
	unsigned timeout;		/* seconds that one answer may take */
	unsigned retries;		/* times that one request is sent again */
};

/* What was answered last. */
struct web_answer {
	long status;
	uint64_t generation;		/* of the model that answered; 0: not told */
	const char *body;		/* NUL-terminated */
	size_t length;
};

struct web;				/* opaque */

/* Nothing is sent yet. False in the form of NULL: *why has the rule that the address or the key breaks; it never has a
 * part of the key. */
struct web *web_open(const struct web_options *o, struct fault *why);
void web_close(struct web *w);		/* NULL is fine */

/* GET url + path, and url + path + id, the id percent-encoded, + query. The answer, whatever its status but 503, is the web's
 * and stands until the next request. False: *why begins with the address. */
bool web_get(struct web *w, const char *path, struct web_answer *a, struct fault *why);
bool web_get_id(struct web *w, const char *path, const char *id, size_t len, const char *query, struct web_answer *a,
		struct fault *why);
/* POST a JSON text. */
bool web_post(struct web *w, const char *path, const char *body, size_t len, struct web_answer *a, struct fault *why);

/* An answer that is not what was hoped for: *why is "address: rule, not STATUS: beginning of the body". Returns false. */
bool web_refuse(const struct web *w, const char *rule, struct fault *why);

/* Requests sent so far, and how many of them again. */
uint64_t web_requests(const struct web *w);
uint64_t web_retried(const struct web *w);

#endif
