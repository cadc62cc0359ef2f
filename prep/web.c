/* web.c - libcurl, as far as akin-prep replay needs it.
 *
 * A request that got no answer on a connection that was made is sent again, and so is one that got 503: the server was
 * full, or a worker has died, and its successor is there at once. What can't be connected to at all is not there, and
 * that is said. Redirections are not followed, proxies not used, and names like ".." in a path are sent as they are, since
 * they may be ids. An answer may be long, but not endless. */
#include "web.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX	(16u << 20)	/* bytes */
#define PAUSE_FIRST_MS	100
#define PAUSE_MAX_MS	5000
#define RETRY_AFTER_MAX 60		/* seconds */
#define KEY_MAX		1024		/* bytes */

struct web {
	CURL *curl;
	struct curl_slist *headers;	/* of all requests */
	struct web_options options;
	char base[WEB_URL_MAX / 4];	/* without a slash at its end */
	char url[WEB_URL_MAX];		/* of the request at hand */
	char error[CURL_ERROR_SIZE];
	char *body;
	size_t length, cap;
	bool too_long;
	uint64_t generation;
	long status;
	uint64_t requests, retried;
};

static bool refuse(const struct web *w, struct fault *why, const char *rule, const char *seen)
{
	char url[200], text[200];

	return fault_set(why, "%s: %s, %s", fault_quote(url, sizeof url, w->url, strlen(w->url)), rule,
			 fault_quote(text, sizeof text, seen, strlen(seen)));
}

bool web_refuse(const struct web *w, const char *rule, struct fault *why)
{
	char seen[128];

	snprintf(seen, sizeof seen, "not %ld: %.100s", w->status, w->body);
	return refuse(w, why, rule, seen);
}

/* A longer answer is no answer of ours. */
static size_t take_body(char *bytes, size_t one, size_t n, void *of)
{
	struct web *w = of;

	if (n > ANSWER_MAX - w->length) {
		w->too_long = true;
		return 0;
	}
	if (w->length + n + 1 > w->cap) {
		size_t cap = (w->length + n + 1) * 2;
		char *body = realloc(w->body, cap);

		if (!body)
			return 0;
		w->body = body;
		w->cap = cap;
	}
	memcpy(w->body + w->length, bytes, n);
	w->length += n;
	w->body[w->length] = '\0';
	return n * one;
}

static size_t take_header(char *line, size_t one, size_t n, void *of)
{
	static const char name[] = "akin-generation:";
	struct web *w = of;
	char value[24] = "";

	if (n > sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0) {
		size_t len = n - (sizeof name - 1);

		memcpy(value, line + sizeof name - 1, len < sizeof value ? len : sizeof value - 1);
		w->generation = strtoull(value, NULL, 10);
	}
	return n * one;
}

/* The first line of a file that others can't read. No fault has a part of it. */
static bool read_key(struct web *w, struct fault *why)
{
	static const char name[] = "X-API-Key: ";
	const char *path = w->options.key_file;
	char line[sizeof name + KEY_MAX + 2];
	char *key = line + sizeof name - 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat s;

	if (fd < 0)
		return fault_errno(why, "%s", path);
	ssize_t got = fstat(fd, &s) == 0 && S_ISREG(s.st_mode) ? read(fd, key, KEY_MAX + 1) : -1;

	close(fd);
	if (got < 0)
		return fault_set(why, "%s: must be a file with a key in its first line", path);
	if (s.st_mode & (S_IRWXO | S_IWGRP))
		return fault_set(why, "%s: must be closed to others and unwritable for its group, not of mode %03o", path,
				 (unsigned)s.st_mode & 0777);
	key[got] = '\0';
	key[strcspn(key, "\r\n")] = '\0';
	for (const char *c = key; *c; c++)
		if (*c <= ' ' || *c > '~')
			return fault_set(why, "%s: a key must be printable ASCII without spaces", path);
	if (!*key || strlen(key) > KEY_MAX)
		return fault_set(why, "%s: a key must have 1 to %d characters", path, KEY_MAX);
	memcpy(line, name, sizeof name - 1);

	struct curl_slist *more = curl_slist_append(w->headers, line);

	explicit_bzero(line, sizeof line);
	if (!more)
		return fault_set(why, "no memory for a key");
	w->headers = more;
	return true;
}

/* Is it an address of a server, and nothing more? */
static bool check_url(struct web *w, struct fault *why)
{
	static const CURLUPart absent[] = {CURLUPART_QUERY, CURLUPART_FRAGMENT, CURLUPART_USER, CURLUPART_PASSWORD};
	const char *url = w->options.url;
	CURLU *parts = curl_url();
	size_t len = strlen(url);
	char *part;

	while (len > 0 && url[len - 1] == '/')
		len--;
	snprintf(w->url, sizeof w->url, "%s", url);	/* what faults name */
	snprintf(w->base, sizeof w->base, "%.*s", (int)len, url);

	bool ok = len < sizeof w->base && parts && curl_url_set(parts, CURLUPART_URL, w->base, 0) == CURLUE_OK;

	for (size_t i = 0; ok && i < sizeof absent / sizeof *absent; i++) {
		if (curl_url_get(parts, absent[i], &part, 0) == CURLUE_OK) {
			curl_free(part);
			ok = false;
		}
	}
	curl_url_cleanup(parts);
	/* It is not repeated: there may be a password in it. */
	return ok || fault_set(why, "an address must be http://HOST[:PORT][/PATH], or https, without a user, a password, a query");
}

static bool set_up(struct web *w)
{
	CURL *c = w->curl;

	return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOPROXY, "*") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)w->options.timeout) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)w->options.timeout) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_ERRORBUFFER, w->error) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, "akin-prep/" AKIN_VERSION) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTPHEADER, w->headers) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEDATA, w) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERDATA, w) == CURLE_OK;
}

struct web *web_open(const struct web_options *o, struct fault *why)
{
	struct web *w = calloc(1, sizeof *w);

	if (!w || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(w);
		fault_set(why, "%s: no memory to ask", o->url);
		return NULL;
	}
	w->options = *o;
	w->curl = curl_easy_init();
	w->cap = 4096;
	w->body = calloc(1, w->cap);
	if (!check_url(w, why) || (o->key_file && !read_key(w, why))) {
		web_close(w);
		return NULL;
	}
	w->headers = curl_slist_append(w->headers, "Content-Type: application/json");
	w->headers = curl_slist_append(w->headers, "Expect:");	/* no 100-continue for a few kilobytes */
	if (w->curl && w->body && w->headers && set_up(w))
		return w;
	web_close(w);
	fault_set(why, "%s: no memory to ask", o->url);
	return NULL;
}

void web_close(struct web *w)
{
	if (!w)
		return;
	curl_easy_cleanup(w->curl);
	curl_slist_free_all(w->headers);
	curl_global_cleanup();
	free(w->body);
	free(w);
}

/* Did the server have the connection, and nothing came of it? */
static bool broke(CURLcode got)
{
	return got == CURLE_GOT_NOTHING || got == CURLE_SEND_ERROR || got == CURLE_RECV_ERROR || got == CURLE_PARTIAL_FILE;
}

/* Before the request is sent again. */
static void wait_a_little(const struct web *w, unsigned tried)
{
	long ms = PAUSE_FIRST_MS;
	curl_off_t asked = 0;

	for (unsigned i = 0; i < tried && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	if (curl_easy_getinfo(w->curl, CURLINFO_RETRY_AFTER, &asked) == CURLE_OK && asked > 0)
		ms = 1000 * (long)(asked < RETRY_AFTER_MAX ? asked : RETRY_AFTER_MAX);
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Send what is set up, again if need be. */
static bool perform(struct web *w, struct web_answer *a, struct fault *why)
{
	if (curl_easy_setopt(w->curl, CURLOPT_URL, w->url) != CURLE_OK)
		return refuse(w, why, "must be asked", "but memory is short");
	for (unsigned tried = 0;; tried++) {
		w->length = 0;
		w->body[0] = '\0';
		w->generation = 0;
		w->status = 0;
		w->too_long = false;
		w->error[0] = '\0';
		w->requests++;
		w->retried += tried > 0;
		CURLcode got = curl_easy_perform(w->curl);

		curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &w->status);
		if (got == CURLE_OK && w->status != 503) {
			*a = (struct web_answer){w->status, w->generation, w->body, w->length};
			return true;
		}
		if ((got == CURLE_OK && w->status == 503) || broke(got)) {
			if (tried < w->options.retries) {
				wait_a_little(w, tried);
				continue;
			}
		}
		if (got == CURLE_OK)
			return web_refuse(w, "must answer", why);
		if (w->too_long)
			return refuse(w, why, "an answer must have at most 16 MiB", "this one has more");
		return refuse(w, why, "must answer", w->error[0] ? w->error : curl_easy_strerror(got));
	}
}

bool web_get(struct web *w, const char *path, struct web_answer *a, struct fault *why)
{
	return web_get_id(w, path, "", 0, "", a, why);
}

bool web_get_id(struct web *w, const char *path, const char *id, size_t len, const char *query, struct web_answer *a,
		struct fault *why)
{
	char *escaped = len > 0 ? curl_easy_escape(w->curl, id, (int)len) : NULL;

	if (len > 0 && !escaped)
		return refuse(w, why, "must be asked", "but memory is short");
	int n = snprintf(w->url, sizeof w->url, "%s%s%s%s", w->base, path, escaped ? escaped : "", query);

	curl_free(escaped);
	if (n < 0 || (size_t)n >= sizeof w->url)
		return refuse(w, why, "an address that is asked must be shorter", "this one is cut here");
	curl_easy_setopt(w->curl, CURLOPT_HTTPGET, 1L);
	return perform(w, a, why);
}

bool web_post(struct web *w, const char *path, const char *body, size_t len, struct web_answer *a, struct fault *why)
{
	snprintf(w->url, sizeof w->url, "%s%s", w->base, path);
	curl_easy_setopt(w->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body);
	return perform(w, a, why);
}

uint64_t web_requests(const struct web *w) { return w->requests; }

uint64_t web_retried(const struct web *w) { return w->retried; }
