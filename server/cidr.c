/* cidr.c - reading networks, and comparing the first bits of addresses.
 *
 * Lists are read by settings.c, to check them, and by access.c, to keep them; addresses are compared once a connection.
 * A network with bits set beyond its length ("10.1.2.3/8") is refused: it is either a slip in the address or one in
 * the length, and only its writer knows which. The fault proposes the network that it would be. */
#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define LONGEST 64			/* no address with its length is written with so many bytes */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ::ffff:0:0/96 is the IPv4 addresses. */
static void unmap(struct cidr *c)
{
	if (c->bytes != 16 || c->bits < 96 || memcmp(c->at, mapped, sizeof mapped) != 0)
		return;
	memmove(c->at, c->at + 12, 4);
	memset(c->at + 4, 0, 12);
	c->bytes = 4;
	c->bits -= 96;
}

static bool read_address(struct cidr *c, const char *text)
{
	memset(c, 0, sizeof *c);
	if (inet_pton(AF_INET, text, c->at) == 1)
		c->bytes = 4;
	else if (inet_pton(AF_INET6, text, c->at) == 1)
		c->bytes = 16;
	c->bits = (uint8_t)(8 * c->bytes);
	return c->bytes > 0;
}

/* 1 to 3 digits without a sign, and no more than most. */
static bool read_bits(uint8_t *bits, const char *text, unsigned most)
{
	size_t digits = strspn(text, "0123456789");
	unsigned n = 0;

	if (digits == 0 || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < digits; i++)
		n = 10 * n + (unsigned)(text[i] - '0');
	*bits = (uint8_t)n;
	return n <= most;
}

/* The bits of byte i that belong to the network. */
static uint8_t mask_of(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return bits <= 8 * i ? 0 : (uint8_t)(0xff00 >> (bits - 8 * i));
}

static bool check_rest(const struct cidr *c, const char *shown, struct fault *why)
{
	struct cidr net = *c;
	char text[INET6_ADDRSTRLEN];
	bool fine = true;

	for (unsigned i = 0; i < c->bytes; i++) {
		net.at[i] &= mask_of(c->bits, i);
		fine = fine && net.at[i] == c->at[i];
	}
	if (fine)
		return true;
	inet_ntop(c->bytes == 4 ? AF_INET : AF_INET6, net.at, text, sizeof text);
	return fault_set(why, "'%s' has bits beyond its first %u; the network is %s/%u", shown, c->bits, text, c->bits);
}

bool cidr_read(struct cidr *c, struct text network, struct fault *why)
{
	char text[LONGEST + 1] = "", shown[80];

	fault_quote(shown, sizeof shown, network.at, network.len);
	if (network.len <= LONGEST)
		memcpy(text, network.at, network.len);
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	if (!read_address(c, text))
		return fault_set(why, "a network is like 192.0.2.0/24 or 2001:db8::/32, not '%s'", shown);
	if (slash && !read_bits(&c->bits, slash + 1, 8u * c->bytes))
		return fault_set(why, "a network of this kind has a length of 0 to %u, not '%s'", 8u * c->bytes, shown);
	if (!check_rest(c, shown, why))
		return false;
	unmap(c);
	return true;
}

bool cidr_read_list(struct cidr_list *l, const char *networks, struct fault *why)
{
	static const char between[] = ", \t";

	l->count = 0;
	for (networks += strspn(networks, between); *networks; networks += strspn(networks, between)) {
		size_t len = strcspn(networks, between);

		if (l->count == CIDR_MAX)
			return fault_set(why, "a list has at most %d networks", CIDR_MAX);
		if (!cidr_read(&l->network[l->count++], (struct text){networks, len}, why))
			return false;
		networks += len;
	}
	return true;
}

void cidr_address(struct cidr *c, const struct sockaddr_storage *a)
{
	memset(c, 0, sizeof *c);
	if (a->ss_family == AF_INET) {
		c->bytes = 4;
		memcpy(c->at, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	} else if (a->ss_family == AF_INET6) {
		c->bytes = 16;
		memcpy(c->at, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
	}
	c->bits = (uint8_t)(8 * c->bytes);
	unmap(c);
}

bool cidr_peer(struct cidr *c, int fd)
{
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof a;

	if (getpeername(fd, (struct sockaddr *)&a, &len) != 0)
		a.ss_family = AF_UNSPEC;
	cidr_address(c, &a);
	return c->bytes > 0;
}

static bool is_in(const struct cidr *network, const struct cidr *address)
{
	uint8_t differs = 0;

	if (network->bytes != address->bytes)
		return false;
	for (unsigned i = 0; i < network->bytes; i++)
		differs |= (uint8_t)((network->at[i] ^ address->at[i]) & mask_of(network->bits, i));
	return differs == 0;
}

bool cidr_holds(const struct cidr_list *l, const struct cidr *address)
{
	for (uint32_t i = 0; i < l->count && address->bytes; i++) {
		if (is_in(&l->network[i], address))
			return true;
	}
	return false;
}
