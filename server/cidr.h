/* cidr.h - networks as people write them, and whether an address is in one of them. */
#ifndef AKIN_CIDR_H
#define AKIN_CIDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../shm/fault.h"
#include "../shm/model.h"

#define CIDR_MAX 64			/* networks in a list */

/* An address and how many of its first bits are meant; an address of a client is a network of one. IPv4 addresses mapped
 * into IPv6 (::ffff:192.0.2.7) are IPv4 ones from the moment they are read, so that one rule holds for both kinds of
 * listening socket. */
struct cidr {
	uint8_t bytes;			/* 4 or 16; 0: an address that could not be told, which is in no network */
	uint8_t bits;
	uint8_t at[16];
};

struct cidr_list {
	uint32_t count;
	struct cidr network[CIDR_MAX];
};

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. False: *why is a rule and the value, without a place. */
bool cidr_read(struct cidr *c, struct text network, struct fault *why);
/* Networks with commas or blanks between them; an empty list is fine. False as above. */
bool cidr_read_list(struct cidr_list *l, const char *networks, struct fault *why);

/* Whoever is at the other end. False, and in no network: it is gone, or has no such address. */
bool cidr_peer(struct cidr *c, int fd);
void cidr_address(struct cidr *c, const struct sockaddr_storage *a);

bool cidr_holds(const struct cidr_list *l, const struct cidr *address);

#endif
