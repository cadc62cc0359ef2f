/* fault.c - one-line reasons. Called everywhere; can't fail: what does not fit is cut. */
#include "fault.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Append ": more" behind n bytes of text. */
static void append(struct fault *f, int n, const char *more)
{
	size_t at = n < 0 ? sizeof f->text : (size_t)n, len = strlen(more);

	if (at + 3 > sizeof f->text)
		return;
	if (len > sizeof f->text - at - 3)
		len = sizeof f->text - at - 3;
	memcpy(f->text + at, ": ", 2);
	memcpy(f->text + at + 2, more, len);
	f->text[at + 2 + len] = '\0';
}

bool fault_set(struct fault *f, const char *fmt, ...)
{
	if (f) {
		int saved = errno;
		va_list ap;

		va_start(ap, fmt);
		vsnprintf(f->text, sizeof f->text, fmt, ap);
		va_end(ap);
		errno = saved;
	}
	return false;
}

bool fault_errno(struct fault *f, const char *fmt, ...)
{
	if (f) {
		int saved = errno;
		va_list ap;

		va_start(ap, fmt);
		int n = vsnprintf(f->text, sizeof f->text, fmt, ap);
		va_end(ap);
		append(f, n, strerror(saved));
		errno = saved;
	}
	return false;
}

bool fault_at(struct fault *f, const char *fmt, ...)
{
	if (f) {
		char inner[sizeof f->text];
		va_list ap;

		memcpy(inner, f->text, sizeof inner);
		va_start(ap, fmt);
		int n = vsnprintf(f->text, sizeof f->text, fmt, ap);
		va_end(ap);
		append(f, n, inner);
	}
	return false;
}

/* Is the sequence of n bytes at u, well-formed UTF-8, safe to show? Not the controls of ASCII and of latin-1, which
 * terminals act on, not what ends a line, and not what turns the direction of the text around it. */
static bool is_printable(const uint8_t *u, size_t n)
{
	switch (n) {
	case 1:
		return u[0] >= 0x20 && u[0] != 0x7f;
	case 2:					/* U+0080 to U+009F; U+061C */
		return !(u[0] == 0xc2 && u[1] < 0xa0) && !(u[0] == 0xd8 && u[1] == 0x9c);
	case 3:					/* U+200E, U+200F, U+2028 to U+202E; U+2066 to U+2069 */
		return !(u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae))) &&
		       !(u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
	default:
		return n == 4;
	}
}

const char *fault_quote(char *out, size_t cap, const char *bytes, size_t len)
{
	size_t at = 0, i = 0;

	while (i < len) {
		size_t n = utf8_length(bytes + i, len - i);
		bool plain = is_printable((const uint8_t *)bytes + i, n);
		size_t need = plain ? n : 4;

		if (at + need + 4 > cap) {	/* room for "..." and the NUL */
			memcpy(out + at, "...", 3);
			at += 3;
			break;
		}
		if (plain) {
			memcpy(out + at, bytes + i, n);
			at += n;
			i += n;
		} else {
			snprintf(out + at, 5, "\\x%02x", (unsigned)(uint8_t)bytes[i]);
			at += 4;
			i++;
		}
	}
	out[at] = '\0';
	return out;
}
