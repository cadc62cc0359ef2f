/* show.c - look into a model file. What is asked for is first gathered as one JSON object, which --json prints as it
 * is and show_text.c lays out for people: both say the same by construction.
 *
 * Neighbours come from the stored row while that reaches and are computed from the interaction lists beyond it. */
#include "show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "provenance.h"
#include "report.h"
#include "show_text.h"
#include "verify.h"
#include "../shm/cooccur.h"
#include "../shm/rank.h"

static json_t *text_json(struct text t) { return json_stringn(t.at, t.len); }

/* A list that memory was too short for must not pass for a short one. */
static json_t *forget(json_t *incomplete)
{
	json_decref(incomplete);
	return NULL;
}

/* The best n neighbours of entry i. *row is either in the model or in *own, to be freed. False: no memory. */
static bool find_neighbours(const struct model *m, enum axis_kind kind, uint32_t i, size_t n,
			    const struct neighbour **row, struct neighbour **own, size_t *count)
{
	const struct axis *a = &m->axis[kind], *other = &m->axis[axis_other(kind)];
	size_t stored = (size_t)(a->row_start[i + 1] - a->row_start[i]);

	*own = NULL;
	*row = a->rows + a->row_start[i];
	*count = n < stored ? n : stored;
	if (n <= stored || stored < a->row_limit)
		return true;
	if (n > a->n)
		n = a->n;

	uint32_t *co = calloc(a->n, sizeof *co);
	struct ranker ranker = {0};
	bool ok = co && ranker_open(&ranker, a);

	*own = ok ? malloc(n * sizeof **own) : NULL;
	if (*own) {
		cooccur_row(a, other, i, co);
		*count = ranker_top(&ranker, co, i, *own, n);
		*row = *own;
	}
	ranker_close(&ranker);
	free(co);
	return *own != NULL;
}

/* An array of {id, [description,] common, of, score}, best first; NULL when memory is short. */
static json_t *neighbours_json(const struct model *m, enum axis_kind kind, uint32_t i, size_t n)
{
	const struct axis *a = &m->axis[kind];
	const struct neighbour *row;
	struct neighbour *own;
	size_t count;

	if (!find_neighbours(m, kind, i, n, &row, &own, &count))
		return NULL;
	json_t *all = json_array();
	bool ok = all != NULL;

	for (size_t k = 0; ok && k < count; k++) {
		uint32_t of = model_degree(a, row[k].id);
		json_t *one = json_pack("{s:o, s:I, s:I, s:f}", "id", text_json(model_id(a, row[k].id)),
					"common", (json_int_t)row[k].co, "of", (json_int_t)of,
					"score", model_similarity(row[k].co, model_degree(a, i), of));

		if (kind == AXIS_ITEM)
			ok = json_object_set_new(one, "description", text_json(model_description(m, row[k].id))) == 0;
		ok = json_array_append_new(all, one) == 0 && ok;
	}
	free(own);
	return ok ? all : forget(all);
}

/* Place of an item in a popularity list, from 1, and its customers there; null when it is not in it. */
static json_t *popular_json(const struct popular *p, uint32_t n, uint32_t item)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i].item == item)
			return json_pack("{s:I, s:I}", "place", (json_int_t)i + 1, "customers", (json_int_t)p[i].customers);
	return json_null();
}

static json_t *item_json(const struct model *m, uint32_t i, size_t n)
{
	const struct axis *items = &m->axis[AXIS_ITEM];

	return json_pack("{s:o, s:o, s:I, s:I, s:o, s:o, s:o}",
			 "item", text_json(model_id(items, i)),
			 "description", text_json(model_description(m, i)),
			 "customers", (json_int_t)model_degree(items, i),
			 "first_seen", (json_int_t)m->first_seen[i],
			 "popular", popular_json(m->popular, items->n, i),
			 "recent", popular_json(m->recent, m->recent_count, i),
			 "neighbours", neighbours_json(m, AXIS_ITEM, i, n));
}

static json_t *customer_json(const struct model *m, uint32_t i, size_t n)
{
	const struct axis *customers = &m->axis[AXIS_CUSTOMER], *items = &m->axis[AXIS_ITEM];
	const uint32_t *member = customers->members + customers->member_start[i];
	json_t *bought = json_array();
	bool ok = bought != NULL;

	for (uint32_t k = 0; ok && k < model_degree(customers, i) && k < n; k++) {
		json_t *one = json_pack("{s:o, s:o}", "id", text_json(model_id(items, member[k])), "description",
					text_json(model_description(m, member[k])));

		ok = json_array_append_new(bought, one) == 0;
	}
	if (!ok)
		return forget(bought);
	return json_pack("{s:o, s:I, s:o, s:o}", "customer", text_json(model_id(customers, i)), "item_count",
			 (json_int_t)model_degree(customers, i), "items", bought, "neighbours",
			 neighbours_json(m, AXIS_CUSTOMER, i, n));
}

static json_t *summary_json(const struct model *m, const char *path)
{
	json_t *provenance = json_loadb(m->provenance.at, m->provenance.len, 0, NULL);
	json_t *all = report_json(path, m->head, m->backtest, provenance);

	json_decref(provenance);
	return all;
}

/* What was asked for, as one object. NULL: *why says why. */
static json_t *gather(const struct show_options *opt, const struct model *m, struct fault *why)
{
	enum axis_kind kind = opt->item ? AXIS_ITEM : AXIS_CUSTOMER;
	const char *id = opt->item ? opt->item : opt->customer;
	json_t *all;

	if (id) {
		uint32_t i = model_find(&m->axis[kind], id, strlen(id));
		char seen[300];

		if (i == MODEL_NONE) {
			fault_set(why, "%s: no %s '%s' is in this model", opt->model, opt->item ? "item" : "customer",
				  fault_quote(seen, sizeof seen, id, strlen(id)));
			return NULL;
		}
		all = opt->item ? item_json(m, i, opt->n) : customer_json(m, i, opt->n);
	} else {
		all = summary_json(m, opt->model);
	}
	if (!all)
		fault_set(why, "%s: no memory to show it", opt->model);
	return all;
}

static void print_text(const struct show_options *opt, const struct model *m, const json_t *all)
{
	if (opt->item)
		show_text_item(all);
	else if (opt->customer)
		show_text_customer(all);
	else
		report_text(stdout, opt->model, m->head, m->backtest, json_object_get(all, "provenance"));
}

int show_main(int argc, char **argv)
{
	struct show_options opt;
	struct opened o;
	struct fault why = {""};
	int status;

	if (!options_show(&opt, argc, argv, &status))
		return status;
	json_t *all = verify_open(&o, opt.model, &why) ? gather(&opt, &o.model, &why) : NULL;
	bool ok = all != NULL;

	if (!ok) {
		fprintf(stderr, "akin-prep: %s\n", why.text);
	} else if (opt.json) {
		ok = report_print_json(json_incref(all));
	} else {
		print_text(&opt, &o.model, all);
		ok = report_flushed();
	}
	json_decref(all);
	verify_close(&o);
	return ok ? 0 : 1;
}
