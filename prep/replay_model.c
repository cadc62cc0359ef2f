/* replay_model.c - answers out of a model file, by the functions that the server answers with, and what only the model
 * knows: who has what. Called by replay.c. A file that is no sound model is refused; else only memory can be short.
 *
 * An answer for a customer needs the first neighbour of the customer's row, which every model stores, so nothing is packed. */
#include "replay_model.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../shm/basket.h"

/* Numbers of the transactions to indexes of the model. */
static uint32_t *find_all(const struct axis *a, const struct intern *ids)
{
	uint32_t *index = malloc((ids->n + (size_t)1) * sizeof *index);

	for (uint32_t i = 0; index && i < ids->n; i++)
		index[i] = model_find(a, ids->bytes + ids->start[i], (size_t)(ids->start[i + 1] - ids->start[i]));
	return index;
}

static bool make_tables(struct replay_model *m)
{
	const struct axis *axis = m->opened.model.axis;

	m->index[AXIS_CUSTOMER] = find_all(&axis[AXIS_CUSTOMER], &m->new->customers);
	m->index[AXIS_ITEM] = find_all(&axis[AXIS_ITEM], &m->new->items);
	m->number = malloc(axis[AXIS_ITEM].n * sizeof *m->number);
	m->owner = calloc(m->new->items.n, sizeof *m->owner);
	m->out = malloc(m->n * sizeof *m->out);
	if (!m->index[AXIS_CUSTOMER] || !m->index[AXIS_ITEM] || !m->number || !m->owner || !m->out)
		return false;
	memset(m->number, 0xff, axis[AXIS_ITEM].n * sizeof *m->number);
	for (uint32_t i = 0; i < m->new->items.n; i++)
		if (m->index[AXIS_ITEM][i] != MODEL_NONE)
			m->number[m->index[AXIS_ITEM][i]] = i;
	return true;
}

bool replay_model_open(struct replay_model *m, const char *path, struct fault *why)
{
	*m = (struct replay_model){0};
	if (!verify_open(&m->opened, path, why))
		return false;
	m->packed = (struct packed){.model = m->opened.model, .generation = 1};
	return true;
}

enum dates_order replay_model_dates(const struct replay_model *m)
{
	struct text text = m->opened.model.provenance;
	json_t *provenance = json_loadb(text.at, text.len, 0, NULL);
	const char *format = json_string_value(json_object_get(provenance, "date_format"));
	enum dates_order order = !format			   ? DATES_UNKNOWN
				 : strcmp(format, "m/d/Y") == 0 ? DATES_MDY
				 : strcmp(format, "d/m/Y") == 0 ? DATES_DMY
								   : DATES_UNKNOWN;

	json_decref(provenance);
	return order;
}

bool replay_model_match(struct replay_model *m, const struct transactions *t, uint32_t n, struct fault *why)
{
	m->new = t;
	m->n = n;
	return make_tables(m) || fault_set(why, "no memory to ask a model");
}

void replay_model_close(struct replay_model *m)
{
	for (int k = 0; k < AXES; k++)
		free(m->index[k]);
	free(m->number);
	free(m->owner);
	free(m->out);
	scratch_free(&m->scratch);
	verify_close(&m->opened);
	*m = (struct replay_model){0};
}

bool replay_model_ask(struct replay_model *m, uint32_t customer, enum fill fill, struct reply *r, struct fault *why)
{
	uint32_t a = m->index[AXIS_CUSTOMER][customer];
	struct recommendation found;

	r->known = a != MODEL_NONE;
	r->total = 0;
	r->id[0] = '\0';
	if (!r->known)
		return true;
	if (!recommend_to_customer(&found, &m->packed, a, fill, m->out, m->n, &m->scratch))
		return fault_set(why, "no memory for an answer");
	r->total = (uint32_t)found.total;
	for (uint32_t i = 0; i < r->total; i++)
		r->place[i] = (struct reply_place){m->number[m->out[i].id],
						   recommend_source(&found, AXIS_CUSTOMER, i) == SOURCE_USER};
	return true;
}

bool replay_model_knows_item(const struct replay_model *m, uint32_t item)
{
	return m->index[AXIS_ITEM][item] != MODEL_NONE;
}

void replay_model_look_at(struct replay_model *m, uint32_t customer)
{
	uint32_t a = m->index[AXIS_CUSTOMER][customer];

	if (a == MODEL_NONE)
		return;
	struct basket own = basket_of(&m->opened.model, a);

	for (uint32_t i = 0; i < own.n; i++)
		if (m->number[own.at[i]] != REPLY_NO_ITEM)
			m->owner[m->number[own.at[i]]] = customer + 1;
}

bool replay_model_has(const struct replay_model *m, uint32_t customer, uint32_t item)
{
	return m->owner[item] == customer + 1;
}
