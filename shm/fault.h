/* fault.h - why something failed, in one line.
 *
 * A fault carries the place, the rule and the value seen, ready for a log line or a terminal, for a reader who
 * does not know our source: "shop.csv:12: quantity must be a number, not 'six'". The callee fills it, the caller
 * prints it; nothing in shm/ prints or exits by itself. */
#ifndef AKIN_FAULT_H
#define AKIN_FAULT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct fault {
	char text[512];		/* NUL-terminated; "" while nothing failed */
};

/* Say why. Always returns false, so that `return fault_set(f, ...)` fails in one line. Overlong text is cut.
 * f may be NULL (the caller does not want to know). errno is kept. */
bool fault_set(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": " and the text of errno behind it. */
bool fault_errno(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "place: " before what a deeper function said. Returns false. */
bool fault_at(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Make bytes from a file or a client safe to print: UTF-8 is kept, but for control characters, line ends and what
 * changes the direction of text; these and all other bytes become \xNN. Cut to the buffer with "..." at the end.
 * Returns out, NUL-terminated. cap must be at least 8. */
const char *fault_quote(char *out, size_t cap, const char *bytes, size_t len);

#endif
