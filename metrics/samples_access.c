/* samples_access.c - who was let in and who was not: refusals by reason, requests by the name of their API key. The names
 * are the operator's, at most KEY_NAMES of them; no client can make one. */
#include "page.h"

void samples_access_denied(struct page *p)
{
	static const char *const reason[] = {
#define X(symbol, label) [DENIAL_##symbol] = label,
		DENIALS(X)
#undef X
	};

	for (unsigned i = 0; i < DENIAL_COUNT; i++)
		page_value_by(p, "reason", reason[i], LOAD(p->sum->access_denied[i]));
}

void samples_api_key_requests(struct page *p)
{
	const struct key_table *keys = &p->board->head->keys;

	for (uint32_t i = 0; i < key_table_names(keys); i++)
		page_value_by(p, "key", key_table_name(keys, i), LOAD(p->sum->api_key_requests[i]));
}

void samples_api_key_renewals(struct page *p)
{
	const struct key_table *keys = &p->board->head->keys;

	page_value_by(p, "result", "success", LOAD(keys->renewals[1]));
	page_value_by(p, "result", "failure", LOAD(keys->renewals[0]));
}

void samples_api_keys_fresh(struct page *p) { page_value(p, !LOAD(p->board->head->keys.failed)); }
