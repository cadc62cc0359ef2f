/* page.h - a page of metrics in memory, and what tests ask of it. */
#ifndef AKIN_TEST_PAGE_H
#define AKIN_TEST_PAGE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "small_packed.h"
#include "../../metrics/counters.h"
#include "../../metrics/exposition.h"

static char page[1 << 18];
static size_t page_len;

static void append(void *of, const char *bytes, size_t len)
{
	assert_ptr_equal(of, page);
	assert_true(page_len + len < sizeof page);
	memcpy(page + page_len, bytes, len);
	page_len += len;
	page[page_len] = '\0';
}

static inline void write_as(const struct exposition *e)
{
	static struct counters sum;

	page_len = 0;
	exposition_write(e, &sum, append, page);
}

static inline void write_page(const struct board *b, const struct packed *p)
{
	write_as(&(struct exposition){.board = b, .packed = p, .prefix = ""});
}

static inline bool has_line(const char *line)
{
	const char *at = page;
	size_t n = strlen(line);

	while ((at = strstr(at, line))) {
		if ((at == page || at[-1] == '\n') && at[n] == '\n')
			return true;
		at += n;
	}
	return false;
}

static inline void assert_line(const char *line)
{
	if (!has_line(line))
		fail_msg("no line '%s' in\n%s", line, page);
}

static inline unsigned lines_with(const char *what)
{
	unsigned n = 0;

	for (const char *at = page; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static inline void request(struct counters *c, enum handler h, enum method m, enum status s, uint64_t ns)
{
	const struct counted r = {h, m, s};

	counters_begin(c);
	counters_answered(c, r, 10, 100);
	counters_sent(c, r, ns);
}

static inline int teardown(void **state)
{
	board_remove(*state);
	return 0;
}

/* A socket that listens, with clients in its queue. Its descriptor; theirs are in clients[]. */
static inline int listen_with(int *clients, int n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(s, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(s, 16), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&a, &len), 0);
	for (int i = 0; i < n; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&a, len), 0);
	}
	return s;
}

#endif
