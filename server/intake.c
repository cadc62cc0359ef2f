/* intake.c - reading requests: the recv() that civetweb calls.
 *
 * As with accept.c, the program defines the symbol and the dynamic linker binds libcivetweb's calls to it. A thread
 * that has not called intake_as() gets the system's, unchanged. How long a read may wait is waiting.c's.
 *
 * civetweb reads HTTP leniently, refuses what it should not, and gives neither the bytes nor its reasons away. So it
 * gets none of them: recv() returns when a whole head has come, and hands civetweb the shortest request there is, the
 * same for each. What the client really sent stays here, judged by head.c, for exchange.c to answer. So civetweb's
 * read_message() finds a whole head in its first read, get_request() no field and no body, should_keep_alive()
 * an HTTP/1.1 request without Connection, to keep unless mg_disable_keep_alive() was called, and
 * process_new_connection() nothing left in its buffer. A head that is refused is handed on in the same way.
 *
 * A connection that ends, or is idle for too long, before a request has begun ends for civetweb, too, without a word. */
#undef _FORTIFY_SOURCE		/* its inline recv() would stand in the way of this one */
#include "intake.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BODY_ROOM 4096			/* for reading chunks behind the longest head */
#define LINGER_MS 1000
#define LINGER_BYTES (1 << 20)

static const char stand_in[] = "GET / HTTP/1.1\r\n\r\n";

static _Thread_local struct intake *mine;

bool intake_open(struct intake *in, struct waiting *w, const struct settings *s)
{
	void *bytes = mmap(NULL, s->max_head_bytes + BODY_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*in = (struct intake){
		.wait = w,
		.settings = s,
		.limits = {.head = s->max_head_bytes, .target = s->max_target_bytes, .fields = s->max_fields,
			   .body = s->max_body_bytes},
		.bytes = bytes,
	};
	return bytes != MAP_FAILED;
}

void intake_as(struct intake *in) { mine = in; }

void intake_begin(struct intake *in)
{
	in->at = in->len = 0;
	in->body_over = true;
	in->first = true;
	in->handed = false;
}

void intake_seen(struct intake *in) { in->handed = false; }

/* From its first byte on, a request has its own time; the first one's has begun with the connection. */
static void time_request(struct intake *in)
{
	if (!in->timed)
		waiting_allow(in->wait, in->settings->request_timeout_ms);
	in->timed = true;
}

/* Heads */

static void refuse_head(struct intake *in, int status, const char *reason)
{
	in->head.status = status;
	in->head.reason = reason;
	in->head.keep = false;
}

/* No more is to be had. True: there is somebody to be told. */
static bool give_up(struct intake *in, ssize_t got)
{
	bool late = got < 0 ? errno == ETIMEDOUT : in->wait->ended;

	if (in->len <= in->head.line && !in->head.begun)
		return false;		/* nothing, or empty lines */
	if (got < 0 && !late)
		return false;
	refuse_head(in, late ? 408 : 400,
		    late ? "the request did not arrive in time" : "the connection ended in the middle of a request");
	return true;
}

static void next_request(struct intake *in)
{
	in->len -= in->at;
	memmove(in->bytes, in->bytes + in->at, in->len);
	in->at = 0;
	in->head = (struct head){.status = 0};
	in->body_over = false;
	in->body_len = 0;
	in->status = 0;
	in->timed = in->first;
	in->first = false;
}

/* True: there is a request, or somebody to be told why there is none. */
static bool read_head(struct intake *in, int fd)
{
	enum head_state state;

	next_request(in);
	while ((state = head_read(&in->head, &in->limits, in->bytes, in->len)) == HEAD_MORE) {
		if (in->len > 0)
			time_request(in);
		ssize_t n = waiting_recv(in->wait, fd, in->bytes + in->len, in->limits.head - in->len);

		if (n <= 0)
			return give_up(in, n);
		in->len += (size_t)n;
	}
	if (state == HEAD_REFUSED)
		return true;
	in->at = in->head.size;
	in->chunks = (struct chunks){.state = 0};
	in->left = in->head.length;
	in->body_over = !in->head.has_body;
	return true;
}

/* room is at least civetweb's least buffer, 1024 bytes. What civetweb did not pass on, and what had a body that was not
 * read through, is the last of its connection. */
ssize_t recv(int fd, void *into, size_t room, int flags)
{
	struct intake *in = mine;

	if (!in)
		return recvfrom(fd, into, room, flags, NULL, NULL);
	if (in->handed || !in->body_over || !read_head(in, fd))
		return 0;
	in->handed = true;
	memcpy(into, stand_in, sizeof stand_in - 1);
	return sizeof stand_in - 1;
}

/* The end of the value is marked in place, where a CR or a space was. */
const char *intake_field(struct intake *in, const char *name)
{
	struct text value = head_field(&in->head, in->bytes, name);

	if (!value.at)
		return NULL;
	in->bytes[value.at + value.len - in->bytes] = '\0';
	return value.at;
}

/* Bodies */

static int refuse_body(struct intake *in, int status, const char *reason)
{
	in->status = status;
	in->reason = reason;
	return -1;
}

static int body_ended(struct intake *in, ssize_t got)
{
	if ((got < 0 && errno == ETIMEDOUT) || in->wait->ended)
		return refuse_body(in, 408, "the request did not arrive in time");
	return refuse_body(in, 400, "the connection ended in the middle of a request");
}

/* Straight into the caller's memory, and never more than is the body's. */
static int read_counted(struct intake *in, char *into, size_t room)
{
	size_t have = in->len - in->at, want = in->left < room ? (size_t)in->left : room;
	ssize_t n = (ssize_t)(have < want ? have : want);

	if (n > 0) {
		memcpy(into, in->bytes + in->at, (size_t)n);
		in->at += (size_t)n;
	} else {
		time_request(in);
		n = waiting_recv(in->wait, in->wait->fd, into, want);
		if (n <= 0)
			return body_ended(in, n);
	}
	in->left -= (uint64_t)n;
	in->body_len += (uint64_t)n;
	in->body_over = in->left == 0;
	return (int)n;
}

/* More chunks, behind the head, which stays. */
static ssize_t read_on(struct intake *in)
{
	size_t cap = in->limits.head + BODY_ROOM;

	time_request(in);
	in->at = in->len = in->head.size;
	ssize_t n = waiting_recv(in->wait, in->wait->fd, in->bytes + in->len, cap - in->len);

	if (n > 0)
		in->len += (size_t)n;
	return n;
}

static int read_chunked(struct intake *in, char *into, size_t room)
{
	for (;;) {
		struct text data = {NULL, 0};
		size_t have = in->len - in->at, used;
		ssize_t n;

		switch (chunks_read(&in->chunks, in->limits.head, in->bytes + in->at, have < room ? have : room, &used,
				    &data)) {
		case CHUNKS_DATA:
			in->at += used;
			in->body_len += data.len;
			if (in->body_len > in->limits.body)
				return refuse_body(in, 413, "the body is longer than the setting max_body_bytes");
			memcpy(into, data.at, data.len);
			return (int)data.len;
		case CHUNKS_MORE:
			in->at += used;
			if (in->at == in->len && (n = read_on(in)) <= 0)
				return body_ended(in, n);
			break;
		case CHUNKS_END:
			in->at += used;
			in->body_over = true;
			return 0;
		case CHUNKS_LONG:
			return refuse_body(in, 431, "extensions and trailers of chunks are longer than the setting max_head_bytes");
		case CHUNKS_BAD:
			return refuse_body(in, 400, "the chunks of the body can't be read");
		}
	}
}

bool intake_has_some(const struct intake *in) { return in->at < in->len; }

int intake_body(struct intake *in, char *into, size_t room)
{
	if (in->body_over)
		return 0;
	return in->head.chunked ? read_chunked(in, into, room) : read_counted(in, into, room);
}

/* The end */

bool intake_unread(const struct intake *in) { return !in->body_over || in->at < in->len; }

void intake_linger(struct intake *in)
{
	char sink[4096];
	size_t total = 0;
	ssize_t n = 1;

	shutdown(in->wait->fd, SHUT_WR);
	waiting_allow(in->wait, LINGER_MS);
	while (n > 0 && total < LINGER_BYTES) {
		n = waiting_recv(in->wait, in->wait->fd, sink, sizeof sink);
		total += n > 0 ? (size_t)n : 0;
	}
}
