/* endpoint.c - places to listen on, and to ask: settings.c checks them, bind.c and healthcheck.c make sockets of them.
 *
 * An IPv6 address stands in brackets, as in a URL, so that its colons are not the port's. Names are not looked up: what a
 * server listens on should not depend on who answers that. Nothing here has a side effect. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_port(const char *text, uint32_t *port)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits])
		return false;
	*port = (uint32_t)strtoul(text, NULL, 10);
	return *port <= 65535;
}

bool endpoint_read(struct endpoint *e, const char *text)
{
	bool bracket = *text == '[';
	const char *end = strchr(text, bracket ? ']' : ':');
	union endpoint_address room;

	text += bracket;
	if (!end || (size_t)(end - text) >= sizeof e->address)
		return false;
	memset(e, 0, sizeof *e);
	memcpy(e->address, text, (size_t)(end - text));
	end += bracket;
	return inet_pton(bracket ? AF_INET6 : AF_INET, e->address, &room) == 1 && *end == ':' && read_port(end + 1, &e->port);
}

void endpoint_of_service(struct endpoint *e, const struct settings *s)
{
	memset(e, 0, sizeof *e);
	memcpy(e->address, s->address, sizeof e->address);
	e->port = s->port;
}

/* settings.c has made sure that it can be read. */
bool endpoint_of_operations(struct endpoint *e, const struct settings *s)
{
	return *s->ops_listen && endpoint_read(e, s->ops_listen);
}

socklen_t endpoint_address(const struct endpoint *e, union endpoint_address *a)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, e->address, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)e->port);
		return sizeof a->v4;
	}
	inet_pton(AF_INET6, e->address, &a->v6.sin6_addr);
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)e->port);
	return sizeof a->v6;
}

void endpoint_write(const union endpoint_address *a, char text[ENDPOINT_TEXT])
{
	char name[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, name, sizeof name);
		snprintf(text, ENDPOINT_TEXT, "%s:%u", name, ntohs(a->v4.sin_port));
	} else {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, name, sizeof name);
		snprintf(text, ENDPOINT_TEXT, "[%s]:%u", name, ntohs(a->v6.sin6_port));
	}
}
