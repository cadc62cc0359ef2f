/* fuzz_model.c - model files. A made-up file may be refused, in one line; one that is accepted must be safe in all that
 * is done with it: packed, asked for neighbours and recommendations, shown. If its rows are also true, then every answer
 * beyond them must be what the lists of customers and items give.
 *
 * A checksum and eighteen sections that must fit each other would keep a blind fuzzer outside for ever. So the mutator
 * here knows the layout: it changes a number of a section to one that stands near it, or lets a section grow or shrink and
 * lays the others out anew, and sums up again in the end. */
#include "prep.h"

#include <xxhash.h>

#include "../../prep/show.h"
#include "../../prep/verify.h"
#include "../../server/predict.h"
#include "../../shm/recommend.h"
#include "../../shm/cooccur.h"
#include "../../shm/packed.h"

#define MOST	300			/* entries of an axis that are asked for anything: packing takes n * n */
#define LONGEST 65536

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (random_state >> 33) % n;
}

static void sum_up(uint8_t *data, size_t size)
{
	struct model_head h;
	const size_t from = offsetof(struct model_head, items);

	if (size < sizeof h)
		return;
	memcpy(&h, data, sizeof h);
	h.size = size;
	h.checksum = XXH3_64bits(data + from, size - from);
	memcpy(data, &h, sizeof h);
}

/* Do all sections lie inside? Then they can be taken apart. */
static bool has_sections(const uint8_t *data, size_t size)
{
	struct model_head h;

	if (size < sizeof h)
		return false;
	memcpy(&h, data, sizeof h);
	for (int s = 0; s < SECTIONS; s++)
		if (h.section[s].offset > size || h.section[s].length > size - h.section[s].offset)
			return false;
	return true;
}

/* Bytes of one number in a section. */
static size_t width(int s)
{
	switch (s) {
	case SECTION_ITEM_ID_STARTS: case SECTION_ITEM_MEMBER_STARTS: case SECTION_ITEM_ROW_STARTS:
	case SECTION_CUSTOMER_ID_STARTS: case SECTION_CUSTOMER_MEMBER_STARTS: case SECTION_CUSTOMER_ROW_STARTS:
	case SECTION_DESCRIPTION_STARTS: case SECTION_BACKTEST:
		return 8;
	case SECTION_ITEM_IDS: case SECTION_CUSTOMER_IDS: case SECTION_DESCRIPTIONS: case SECTION_PROVENANCE:
		return 1;
	default:
		return 4;
	}
}

/* One number of a section to another: a little more or less, another one of it, or an end of its range. */
static void change_number(uint8_t *data)
{
	struct model_head h;

	memcpy(&h, data, sizeof h);
	int s = (int)random_below(SECTIONS);
	size_t w = width(s);
	uint64_t n = h.section[s].length / w, value = 0, other = 0;

	if (n == 0)
		return;
	uint8_t *at = data + h.section[s].offset + random_below(n) * w;

	memcpy(&value, at, w);
	memcpy(&other, data + h.section[s].offset + random_below(n) * w, w);
	switch (random_below(8)) {
	case 0: value++; break;
	case 1: value--; break;
	case 2: value ^= UINT64_C(1) << random_below(8 * w); break;
	case 3: value = 0; break;
	case 4: value = random_below(2) ? h.items : h.customers; break;
	case 5: value = UINT64_MAX; break;
	default: value = other; break;
	}
	memcpy(at, &value, w);
}

static void change_head(uint8_t *data)
{
	struct model_head h;
	uint32_t *const fields[] = {&h.items, &h.customers, &h.row_limit[0], &h.row_limit[1], &h.whole[0], &h.whole[1]};

	memcpy(&h, data, sizeof h);
	uint32_t *field = fields[random_below(6)];

	switch (random_below(5)) {
	case 0: ++*field; break;
	case 1: --*field; break;
	case 2: *field = (uint32_t)random_below(4); break;
	case 3: *field = UINT32_MAX - (uint32_t)random_below(3); break;
	default: h.interactions += random_below(3) - 1; break;
	}
	memcpy(data, &h, sizeof h);
}

/* A section gets other contents, maybe of another length; all are laid out anew behind the head. */
static size_t change_section(uint8_t *data, size_t size, size_t max)
{
	static uint8_t made[LONGEST], part[LONGEST];
	int changed = (int)random_below(SECTIONS);
	struct model_head h;
	size_t end = sizeof h;

	memcpy(&h, data, sizeof h);
	memset(made, 0, sizeof made);
	for (int s = 0; s < SECTIONS; s++) {
		size_t length = (size_t)h.section[s].length;

		if (end >= max)
			return size;
		memcpy(part, data + h.section[s].offset, length);
		if (s == changed)
			length = LLVMFuzzerMutate(part, length, max - end);
		if (s == changed && random_below(4))
			length -= length % width(s);
		if (length > max - end)
			return size;
		memcpy(made + end, part, length);
		h.section[s] = (struct model_extent){end, length};
		end = (end + length + MODEL_ALIGN - 1) / MODEL_ALIGN * MODEL_ALIGN;
		if (end > max)
			return size;
	}
	memcpy(made, &h, sizeof h);
	memcpy(data, made, end);
	return end;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	random_state = seed;
	max = max < LONGEST ? max : LONGEST;
	if (!has_sections(data, size) || size > max || random_below(16) == 0) {
		size = LLVMFuzzerMutate(data, size, max);
	} else {
		for (uint64_t times = 1 + random_below(3); times > 0; times--) {
			uint64_t kind = random_below(8);

			if (!has_sections(data, size))
				break;
			if (kind == 0)
				change_head(data);
			else if (kind < 3)
				size = change_section(data, size, max);
			else
				change_number(data);
		}
	}
	if (random_below(64))
		sum_up(data, size);
	return size;
}

static bool grow(struct packed_room *room, size_t need, struct fault *why)
{
	(void)why;
	REQUIRE(need <= *(const size_t *)room->of);	/* packed_bound() promised it */
	room->size = need;
	return true;
}

/* Within the axis, none twice, not the entry itself; what counts none in common comes from the fill. */
static void check_list(const struct model *m, enum axis_kind kind, const struct neighbour *out, size_t n, uint32_t self)
{
	static uint8_t seen[LONGEST];
	const struct axis *a = &m->axis[kind];

	memset(seen, 0, a->n);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(out[i].id < a->n && out[i].id != self && !seen[out[i].id]);
		seen[out[i].id] = 1;
	}
}

/* Neighbours of entry i for some n. When the rows are true, all of them are known from the lists. */
static void check_top(const struct packed *p, enum axis_kind kind, uint32_t i, bool true_rows, struct scratch *s)
{
	const struct model *m = &p->model;
	const struct axis *a = &m->axis[kind], *other = &m->axis[axis_other(kind)];
	uint32_t co[MOST + 1] = {0};
	size_t whole = 0;

	cooccur_row(a, other, i, co);
	REQUIRE(co[i] == model_degree(a, i));
	for (uint32_t k = 0; k < a->n; k++)
		whole += k != i && co[k] > 0;
	const size_t ns[] = {1, a->row_limit < a->n ? a->row_limit : a->n, a->n};

	for (unsigned k = 0; k < 3; k++) {
		struct neighbour *out = malloc((ns[k] + !ns[k]) * sizeof *out);
		bool ok;
		size_t got = packed_top(p, kind, i, out, ns[k], s, &ok);

		REQUIRE(ok && got <= ns[k]);
		check_list(m, kind, out, got, i);
		if (true_rows) {
			REQUIRE(got == (whole < ns[k] ? whole : ns[k]));
			for (size_t j = 0; j < got; j++)
				REQUIRE(out[j].co == co[out[j].id] && (j == 0 || rank_before(a, out[j - 1], out[j])));
		}
		free(out);
	}
}

static void check_recommendation(const struct packed *p, enum axis_kind kind, uint32_t i, struct scratch *s)
{
	const struct model *m = &p->model;
	struct neighbour out[2 * MOST];
	struct recommendation r;

	for (int fill = FILL_POPULAR; fill <= FILL_NONE; fill++) {
		REQUIRE(kind == AXIS_ITEM ? recommend_by_item(&r, p, i, out, 2 * MOST, s)
					  : recommend_to_customer(&r, p, i, (enum fill)fill, out, 2 * MOST, s));
		REQUIRE(r.near <= r.total && r.total <= m->head->items);
		check_list(m, AXIS_ITEM, out, r.total, kind == AXIS_ITEM ? i : MODEL_NONE);
		for (size_t k = 0; k < r.total; k++) {
			double score = recommend_score(&r, p, kind, i, out, k);

			REQUIRE(score >= 0 && score <= 1 + 1e-12);
		}
	}
}

/* The answer a client gets, as JSON; the id and every member of it well-formed. */
static void check_answer(const struct packed *p, enum axis_kind kind, uint32_t i)
{
	static struct serve_thread t;
	static struct settings s;
	static struct counters counters;
	static struct watch watch;
	const struct traces to = {.counters = &counters, .watch = &watch};
	struct text id = model_id(&p->model.axis[kind], i), query = {"n=7&details=1", i % 2 ? 3 : 13};

	if (!s.max_n)
		settings_default(&s);
	answer_reset(&t.answer);
	predict(&t, &s, &to, p, kind, id, query);
	REQUIRE(t.answer.status == 200 && t.answer.generation == p->head->generation);
	json_t *all = fuzz_body(&t.answer), *data = json_object_iter_value(json_object_iter(json_object_get(all, "data")));
	const char *key = json_object_iter_key(json_object_iter(json_object_get(all, "data")));

	REQUIRE(key && strlen(key) == id.len && memcmp(key, id.at, id.len) == 0);
	REQUIRE(json_array_size(data) == (size_t)json_integer_value(json_object_get(all, "total")));
	json_decref(all);
}

static void check_packed(const struct model *m, const void *image, size_t size, bool true_rows)
{
	static uint64_t generation;	/* a thread's memory goes by it, and lives on */
	size_t bound = packed_bound(m), used;
	struct packed_room room = {.at = aligned_alloc(64, (bound + 63) / 64 * 64), .grow = grow, .of = &bound};
	struct scratch scratch = {0};
	struct packed p;
	struct model at_home;
	struct fault why;

	memcpy(room.at + packed_model_offset(), image, size);
	room.size = packed_model_offset() + size;
	REQUIRE(model_view(&at_home, room.at + packed_model_offset(), size, &why));
	REQUIRE(packed_build(&room, &at_home, ++generation, 0, &used, &p, &why) && used <= bound);
	for (int k = 0; k < AXES; k++) {
		const struct axis *a = &p.model.axis[k];

		for (uint32_t i = 0; i < a->n; i += 1 + a->n / 16) {
			struct text id = model_id(a, i);

			REQUIRE(model_is_id(id) && utf8_valid(id.at, id.len) && model_find(a, id.at, id.len) == i);
			check_top(&p, (enum axis_kind)k, i, true_rows, &scratch);
			check_recommendation(&p, (enum axis_kind)k, i, &scratch);
			check_answer(&p, (enum axis_kind)k, i);
		}
	}
	scratch_free(&scratch);
	free(room.at);
}

static void check_show(const struct model *m, const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	char item[MODEL_MAX_ID + 16] = "", customer[MODEL_MAX_ID + 16] = "";
	struct text i = model_id(&m->axis[AXIS_ITEM], m->head->items / 2);
	struct text c = model_id(&m->axis[AXIS_CUSTOMER], m->head->customers / 2);

	snprintf(item, sizeof item, "--item=%.*s", (int)i.len, i.at);
	snprintf(customer, sizeof customer, "--customer=%.*s", (int)c.len, c.at);
	for (unsigned k = 0; k < 6; k++) {
		const char *of = k / 2 == 0 ? "-n5" : k / 2 == 1 ? item : customer;
		struct said s = said(show_main, (const char *[]){"show", of, k % 2 ? "-n3" : "--json", path, NULL});

		said_well(&s);
		REQUIRE(s.status == 0 && utf8_valid(s.out, s.out_len));
		if (k % 2 == 0) {
			json_t *all = json_loadb(s.out, s.out_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

			REQUIRE(json_is_object(all));
			json_decref(all);
		}
		said_free(&s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault why = {""};
	struct model m;

	if (size > LONGEST)
		return -1;
	void *image = malloc(size + !size);	/* as long as it is, so that a byte too far is seen */

	memcpy(image, data, size);
	if (!model_view(&m, image, size, &why) || !model_verify(&m, &why)) {
		fuzz_is_line(why.text);
	} else if (m.head->items <= MOST && m.head->customers <= MOST) {
		bool true_rows = model_verify_rows(&m, &why);

		check_packed(&m, image, size, true_rows);
		check_show(&m, data, size);
	}
	free(image);
	return 0;
}
