/* access.c - the lists and the keys, asked once a request by serve.c, between its route and its answer.
 *
 * Everything here is set before the first request or lies in shared memory, so nothing locks or allocates. Without
 * lists and keys a request costs one comparison. With lists it costs getpeername() once a connection. Whose address
 * can't be told is in no list.
 *
 * A missing key and a wrong one get the same answer after the same work: both are compared with every key. */
#include "access.h"

#include <string.h>
#include <strings.h>

#include "cidr.h"

enum list { ALLOW, OPS_ALLOW, LISTS, OPEN = LISTS };

/* Which list guards a route; what is not here is open, as / and the two health routes must be for who watches, and as
 * a path that is no route may be. */
static const enum list guard[HANDLER_COUNT] = {
	[HANDLER_USER] = ALLOW, [HANDLER_ITEM] = ALLOW, [HANDLER_FEEDBACK] = ALLOW,
	[HANDLER_OPENAPI] = ALLOW, [HANDLER_DOCS] = ALLOW, [HANDLER_REDOC] = ALLOW, [HANDLER_ASSET] = ALLOW,
	[HANDLER_METRICS] = OPS_ALLOW, [HANDLER_MODEL] = OPS_ALLOW,
	[HANDLER_ROOT] = OPEN, [HANDLER_HEALTHZ] = OPEN, [HANDLER_READYZ] = OPEN, [HANDLER_NONE] = OPEN,
};
_Static_assert(HANDLER_COUNT == 13, "a new route needs a word on who may have it, above");

static struct cidr_list list[LISTS];	/* an empty one lets everybody in */
static const struct key_table *keys;	/* NULL: none are asked for */
static struct counters *counters;
static bool guarded;			/* by anything at all */

static void open_list(enum list which, const char *networks)
{
	/* settings.c has read it before; should that ever not be so, a list of one network that nobody is in is safer
	 * than an empty one */
	if (!cidr_read_list(&list[which], networks, NULL))
		list[which] = (struct cidr_list){.count = 1};
}

void access_open(const struct settings *s, const struct board *b, struct counters *c)
{
	open_list(ALLOW, s->allow);
	open_list(OPS_ALLOW, s->ops_allow);
	keys = *s->api_keys ? &b->head->keys : NULL;
	counters = c;
	guarded = list[ALLOW].count || list[OPS_ALLOW].count || keys;
}

static bool deny(enum denial reason, int status, const char *detail, struct answer *a)
{
	answer_detail(a, status, detail);
	if (status == 401)
		a->extra = "WWW-Authenticate: Bearer realm=\"akin\"\r\n";
	if (counters)
		counters_more(&counters->access_denied[reason], 1);
	return false;
}

static bool is_listed(struct access_peer *p, enum list which, const struct request *q)
{
	struct cidr address;

	if (list[which].count == 0)
		return true;
	if (!p->known) {
		cidr_peer(&address, q->fd);
		for (unsigned i = 0; i < LISTS; i++)
			p->listed[i] = cidr_holds(&list[i], &address);
		p->known = true;
	}
	return p->listed[which];
}

/* X-API-Key, or what follows "Bearer" in Authorization; "": neither is there. */
static const char *key_of(const struct request *q)
{
	const char *key = q->header(q, "X-API-Key");

	if (key)
		return key;
	key = q->header(q, "Authorization");
	if (!key || strncasecmp(key, "Bearer ", 7) != 0)
		return "";
	return key + 7 + strspn(key + 7, " ");
}

static bool has_key(const struct request *q, struct answer *a)
{
	const char *key = key_of(q);
	int place = key_table_find(keys, key, strlen(key));

	if (place < 0)
		return deny(*key ? DENIAL_KEY_WRONG : DENIAL_KEY_MISSING, 401, "a valid API key is needed", a);
	if (counters)
		counters_more(&counters->api_key_requests[place], 1);
	return true;
}

bool access_granted(struct access_peer *p, enum handler h, const struct request *q, struct answer *a)
{
	enum list which = guard[h];

	if (!guarded || which == OPEN)
		return true;
	if (!is_listed(p, which, q))
		return deny(which == ALLOW ? DENIAL_ALLOW : DENIAL_OPS_ALLOW, 403, "this address may not have that", a);
	return !keys || (h != HANDLER_USER && h != HANDLER_ITEM && h != HANDLER_FEEDBACK) || has_key(q, a);
}
