/* endpoint.h - an address and a port: how they are written, and how sockets want them. */
#ifndef AKIN_ENDPOINT_H
#define AKIN_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "settings.h"

struct endpoint {
	char address[64];		/* IPv4 or IPv6 literal */
	uint32_t port;			/* 0: any free one */
};

union endpoint_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* "127.0.0.1:9100", "[::1]:9100". False: it is neither. */
bool endpoint_read(struct endpoint *e, const char *text);

/* Where the settings say that the service is, and operations: of the latter, false when nowhere. */
void endpoint_of_service(struct endpoint *e, const struct settings *s);
bool endpoint_of_operations(struct endpoint *e, const struct settings *s);

/* For bind() and connect(). Returns its length. e's address must be one. */
socklen_t endpoint_address(const struct endpoint *e, union endpoint_address *a);

/* As a URL has it, with the port of a: "[::1]:8000". */
#define ENDPOINT_TEXT 80
void endpoint_write(const union endpoint_address *a, char text[ENDPOINT_TEXT]);

#endif
