/* fuzz_access.c - lists of networks, and files of API keys. The first byte says which, and an address to ask for.
 *
 * A list that is taken says the same when it is written down in full and read again, and holds just the addresses whose
 * first bits are those of a network of it. A file of keys that is taken gives the same keys when it is written anew; one
 * that is refused is refused in one line, which has no key in it. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "../../server/cidr.h"
#include "../../server/keys.h"

static bool bit(const struct cidr *c, unsigned i) { return c->at[i / 8] >> (7 - i % 8) & 1; }

/* Bit by bit. */
static bool holds(const struct cidr_list *l, const struct cidr *a)
{
	for (uint32_t k = 0; k < l->count; k++) {
		const struct cidr *net = &l->network[k];
		unsigned i = 0;

		while (i < net->bits && bit(net, i) == bit(a, i))
			i++;
		if (net->bytes == a->bytes && i == net->bits)
			return true;
	}
	return false;
}

static void check_address(const struct cidr_list *l, const struct cidr *net, uint8_t salt)
{
	struct cidr a = *net;

	a.bits = (uint8_t)(8 * a.bytes);
	REQUIRE(cidr_holds(l, &a) && holds(l, &a));
	for (unsigned i = 0; i < a.bits; i++) {
		a.at[i / 8] ^= (uint8_t)(1 << (7 - i % 8));
		REQUIRE(cidr_holds(l, &a) == holds(l, &a));
		REQUIRE(i < net->bits || cidr_holds(l, &a));
		if (i < net->bits || !(salt >> i % 7 & 1))	/* else from here on with another address of the network */
			a.at[i / 8] ^= (uint8_t)(1 << (7 - i % 8));
	}
}

static void check_networks(const char *text, uint8_t salt)
{
	struct cidr_list l, again;
	struct fault why = {""};
	static char written[CIDR_MAX * 64];
	size_t len = 0;

	if (!cidr_read_list(&l, text, &why)) {
		const char *proposed = strstr(why.text, "; the network is ");

		fuzz_is_line(why.text);
		if (proposed)
			REQUIRE(cidr_read_list(&l, proposed + 17, &why) && l.count == 1);
		return;
	}
	REQUIRE(l.count <= CIDR_MAX);
	written[0] = '\0';
	for (uint32_t i = 0; i < l.count; i++) {
		const struct cidr *net = &l.network[i];
		char address[INET6_ADDRSTRLEN];

		REQUIRE((net->bytes == 4 || net->bytes == 16) && net->bits <= 8 * net->bytes);
		inet_ntop(net->bytes == 4 ? AF_INET : AF_INET6, net->at, address, sizeof address);
		len += (size_t)snprintf(written + len, sizeof written - len, i % 2 ? ", %s/%u" : " %s/%u", address, net->bits);
		check_address(&l, net, salt);
	}
	REQUIRE(cidr_read_list(&again, written, &why) && again.count == l.count);
	REQUIRE(memcmp(again.network, l.network, l.count * sizeof *l.network) == 0);
}

/* No word of the file that could be a key is in the line. */
static void check_secrets(const char *line, const char *text, size_t len)
{
	for (size_t at = 0, end; at < len; at = end + 1) {
		for (end = at; end < len && !isspace((uint8_t)text[end]) && text[end];)
			end++;
		REQUIRE(end - at < KEY_MIN || !memmem(line, strlen(line), text + at, end - at));
	}
}

static void check_keys(const char *text, size_t len)
{
	static struct key_list l, again;
	static char written[KEYS_MAX * (KEY_NAME_MAX + KEY_MAX + 2) + 1];
	struct fault why = {""};
	size_t n = 0;

	if (!keys_parse(&l, "keys", text, len, &why)) {
		fuzz_is_line(why.text);
		REQUIRE(strncmp(why.text, "keys:", 5) == 0);
		check_secrets(why.text, text, len);
		return;
	}
	REQUIRE(l.count >= 1 && l.count <= KEYS_MAX);
	for (uint32_t i = 0; i < l.count; i++) {
		size_t name = strlen(l.entry[i].name), key = strlen(l.entry[i].key);

		REQUIRE(name >= 1 && name <= KEY_NAME_MAX && key >= KEY_MIN && key <= KEY_MAX);
		REQUIRE(memmem(text, len, l.entry[i].key, key) && memmem(text, len, l.entry[i].name, name));
		for (uint32_t j = 0; j < i; j++)
			REQUIRE(strcmp(l.entry[i].key, l.entry[j].key) != 0);
		n += (size_t)snprintf(written + n, sizeof written - n, "%s %s\n", l.entry[i].name, l.entry[i].key);
	}
	REQUIRE(keys_parse(&again, "keys", written, n, &why) && memcmp(&l, &again, sizeof l) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return -1;
	char *text = malloc(size);	/* the last byte is the NUL of a string, and is no more of a file */

	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1)
		check_networks(text, data[0] >> 1);
	else
		check_keys(text, size - 1);
	free(text);
	return 0;
}
