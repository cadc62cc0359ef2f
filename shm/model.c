/* model.c - a view of a model image, and the look-ups everybody does on it.
 *
 * model_view() is the first gate for bytes from outside: after it each section can be indexed within its own
 * bounds. What the sections say of each other is checked in model_verify.c; until then nothing in them may be
 * followed. */
#include "model.h"

#include <math.h>
#include <string.h>

#include "reference.h"
#include "utf8.h"

/* Length of each section in terms of the counts, where the counts fix it. */
static bool section_length_known(const struct model_head *h, enum model_section s, uint64_t *length)
{
	const uint64_t items = h->items, customers = h->customers;

	switch (s) {
	case SECTION_ITEM_ID_STARTS:
	case SECTION_ITEM_MEMBER_STARTS:
	case SECTION_ITEM_ROW_STARTS:
	case SECTION_DESCRIPTION_STARTS:
		*length = (items + 1) * sizeof(uint64_t);
		return true;
	case SECTION_CUSTOMER_ID_STARTS:
	case SECTION_CUSTOMER_MEMBER_STARTS:
	case SECTION_CUSTOMER_ROW_STARTS:
		*length = (customers + 1) * sizeof(uint64_t);
		return true;
	case SECTION_ITEM_MEMBERS:
	case SECTION_CUSTOMER_MEMBERS:
		*length = h->interactions * sizeof(uint32_t);
		return true;
	case SECTION_FIRST_SEEN:
	case SECTION_LINES:
		*length = items * sizeof(uint32_t);
		return true;
	case SECTION_VISITS:
		*length = customers * sizeof(uint32_t);
		return true;
	case SECTION_POPULAR:
		*length = items * sizeof(struct popular);
		return true;
	case SECTION_REFERENCES:
		*length = FEATURE_BINNED * sizeof(struct reference);
		return true;
	case SECTION_BACKTEST:
		*length = sizeof(struct backtest);
		return true;
	default:
		return false;
	}
}

/* Bytes of one element in the sections whose length the counts leave open. */
static uint64_t section_element(enum model_section s)
{
	switch (s) {
	case SECTION_ITEM_ROWS:
	case SECTION_CUSTOMER_ROWS:
		return sizeof(struct neighbour);
	case SECTION_RECENT:
		return sizeof(struct popular);
	default:
		return 1;
	}
}

static bool view_head(const struct model_head *h, size_t size, struct fault *why)
{
	if (memcmp(h->magic, MODEL_MAGIC, sizeof h->magic) != 0)
		return fault_set(why, "this is no Akin model: it does not begin with %s", MODEL_MAGIC);
	if (h->byte_order != MODEL_BYTE_ORDER)
		return fault_set(why, "the model was written on a machine of another byte order");
	if (h->version != MODEL_VERSION)
		return fault_set(why, "model version is %u, this program reads %d; run akin-prep build again", h->version,
				 MODEL_VERSION);
	if (h->size != size)
		return fault_set(why, "the model says it has %llu bytes, %zu are there: cut off or padded",
				 (unsigned long long)h->size, size);
	if (h->section_count != SECTIONS || h->reserved != 0)
		return fault_set(why, "the head names %u sections, must be %d", h->section_count, SECTIONS);
	if (h->items == 0 || h->items > MODEL_MAX_ENTRIES || h->customers == 0 || h->customers > MODEL_MAX_ENTRIES)
		return fault_set(why, "%u items and %u customers: both must be 1 to %u", h->items, h->customers,
				 MODEL_MAX_ENTRIES);
	/* Keeps every product below from wrapping: the image can't be as large as this many pairs anyway. */
	if (h->interactions == 0 || h->interactions > size / sizeof(uint32_t))
		return fault_set(why, "%llu interactions can't stand in %zu bytes",
				 (unsigned long long)h->interactions, size);
	for (int k = 0; k < AXES; k++) {
		if (h->row_limit[k] == 0 || h->whole[k] > 1)
			return fault_set(why, "row limit %u and whole %u of axis %d: must be at least 1, and 0 or 1",
					 h->row_limit[k], h->whole[k], k);
	}
	return true;
}

static bool view_sections(const struct model_head *h, size_t size, struct fault *why)
{
	uint64_t end = sizeof *h;

	for (int s = 0; s < SECTIONS; s++) {
		const struct model_extent *e = &h->section[s];
		uint64_t length;

		if (e->offset % MODEL_ALIGN != 0 || e->offset < end || e->offset > size || e->length > size - e->offset)
			return fault_set(why, "section %d at %llu, %llu bytes, does not fit behind %llu in %zu bytes", s,
					 (unsigned long long)e->offset, (unsigned long long)e->length,
					 (unsigned long long)end, size);
		if (section_length_known(h, s, &length) ? e->length != length : e->length % section_element(s) != 0)
			return fault_set(why, "section %d has %llu bytes, which does not fit %u items and %u customers",
					 s, (unsigned long long)e->length, h->items, h->customers);
		end = e->offset + e->length;
	}
	return true;
}

bool model_view_head(const struct model_head *h, size_t size, struct fault *why)
{
	return view_head(h, size, why) && view_sections(h, size, why);
}

bool model_view(struct model *m, const void *image, size_t size, struct fault *why)
{
	const struct model_head *h = image;
	const uint8_t *bytes = image;

	if (size < sizeof *h)
		return fault_set(why, "%zu bytes are too few for a model, whose head alone has %zu", size, sizeof *h);
	if (!model_view_head(h, size, why))
		return false;

#define AT(s) ((const void *)(bytes + h->section[s].offset))
	*m = (struct model){.head = h};
	for (int k = 0; k < AXES; k++) {
		int first = k == AXIS_ITEM ? SECTION_ITEM_ID_STARTS : SECTION_CUSTOMER_ID_STARTS;

		m->axis[k] = (struct axis){
			.n = k == AXIS_ITEM ? h->items : h->customers,
			.id_start = AT(first),
			.ids = AT(first + 1),
			.member_start = AT(first + 2),
			.members = AT(first + 3),
			.row_start = AT(first + 4),
			.rows = AT(first + 5),
			.row_limit = h->row_limit[k],
			.whole = h->whole[k] == 1,
		};
	}
	m->description_start = AT(SECTION_DESCRIPTION_STARTS);
	m->descriptions = AT(SECTION_DESCRIPTIONS);
	m->first_seen = AT(SECTION_FIRST_SEEN);
	m->popular = AT(SECTION_POPULAR);
	m->recent = AT(SECTION_RECENT);
	m->recent_count = (uint32_t)(h->section[SECTION_RECENT].length / sizeof(struct popular));
	m->visits = AT(SECTION_VISITS);
	m->lines = AT(SECTION_LINES);
	m->references = AT(SECTION_REFERENCES);
	m->backtest = AT(SECTION_BACKTEST);
	m->provenance = (struct text){AT(SECTION_PROVENANCE), (size_t)h->section[SECTION_PROVENANCE].length};
#undef AT
	return true;
}

bool model_is_id(struct text id)
{
	return id.len >= 1 && id.len <= MODEL_MAX_ID && utf8_control(id.at, id.len) == id.len;
}

uint32_t model_find(const struct axis *a, const char *id, size_t len)
{
	uint32_t low = 0, high = a->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = text_order(model_id(a, mid), (struct text){id, len});

		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return MODEL_NONE;
}

double model_similarity(uint32_t co, uint32_t n_a, uint32_t n_b)
{
	return co / sqrt((double)n_a * n_b);
}
