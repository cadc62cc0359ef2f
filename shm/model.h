/* model.h - the model image: what akin-prep writes, the master loads, the workers read. akin-model(5) has the
 * byte layout.
 *
 * An image is one block of bytes with no pointer in it: a head, a table of sections, the sections. The same bytes
 * are the file and the first part of a shared-memory segment. `struct model` is a view: pointers into an image
 * that somebody else owns and that must outlive it.
 *
 * The interactions are a 0/1 matrix, customers by items. It has two axes, and everything about them is alike: ids,
 * lists of members (an item's members are its customers, a customer's are its items), rows of nearest neighbours.
 *
 * Invariants of every verified image, which all code above may rely on:
 *   - on either axis, index order is the byte order of the ids: "the smaller id wins" is "the smaller index wins";
 *   - an item's customers ascend by index; a customer's items ascend by first appearance (`first_seen`);
 *   - the two list sets are transposes of each other, and no list is empty;
 *   - a row is in rank order (rank.h), holds no zero count and never its own index; a row shorter than
 *     `row_limit` holds every neighbour there is;
 *   - all text is well-formed UTF-8; every id is what model_is_id() asks for;
 *   - the references are what feature.h gives for the entities of this very model. */
#ifndef AKIN_MODEL_H
#define AKIN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fault.h"

#define MODEL_MAGIC	  "AKINMODL"
#define MODEL_VERSION	  2
#define MODEL_BYTE_ORDER  UINT32_C(0x01020304)
#define MODEL_ALIGN	  8	      /* every section starts on a multiple of this */
#define MODEL_NONE	  UINT32_MAX  /* no such customer or item */
#define MODEL_MAX_ENTRIES (UINT32_MAX - 1)
#define MODEL_MAX_ID	  1024	      /* bytes of an id; longer ones are refused by akin-prep */

enum axis_kind { AXIS_ITEM, AXIS_CUSTOMER, AXES };

static inline enum axis_kind axis_other(enum axis_kind k)
{
	return k == AXIS_ITEM ? AXIS_CUSTOMER : AXIS_ITEM;
}

enum model_section {
	SECTION_ITEM_ID_STARTS,		/* u64[items + 1]: where each id starts in the text below */
	SECTION_ITEM_IDS,		/* UTF-8, back to back, no terminators */
	SECTION_ITEM_MEMBER_STARTS,	/* u64[items + 1] */
	SECTION_ITEM_MEMBERS,		/* u32[interactions]: customers */
	SECTION_ITEM_ROW_STARTS,	/* u64[items + 1] */
	SECTION_ITEM_ROWS,		/* struct neighbour[] */
	SECTION_CUSTOMER_ID_STARTS,	/* the same six for customers */
	SECTION_CUSTOMER_IDS,
	SECTION_CUSTOMER_MEMBER_STARTS,
	SECTION_CUSTOMER_MEMBERS,
	SECTION_CUSTOMER_ROW_STARTS,
	SECTION_CUSTOMER_ROWS,
	SECTION_DESCRIPTION_STARTS,	/* u64[items + 1] */
	SECTION_DESCRIPTIONS,		/* UTF-8; may be empty for an item */
	SECTION_FIRST_SEEN,		/* u32[items]: rank of the item's first kept row, a permutation */
	SECTION_POPULAR,		/* struct popular[items]: over all time, most customers first */
	SECTION_RECENT,			/* struct popular[]: over the last 30 days of the data */
	SECTION_VISITS,			/* u32[customers]: distinct times of the customer's kept rows, at least 1 */
	SECTION_LINES,			/* u32[items]: the item's kept rows */
	SECTION_REFERENCES,		/* struct reference[FEATURE_BINNED] (reference.h) */
	SECTION_BACKTEST,		/* one struct backtest (reference.h) */
	SECTION_PROVENANCE,		/* JSON object, UTF-8 */
	SECTIONS
};

struct model_extent {
	uint64_t offset;		/* bytes from the start of the image */
	uint64_t length;		/* bytes; padding to MODEL_ALIGN not counted */
};

struct model_head {			/* offset */
	char magic[8];			/*   0 */
	uint32_t byte_order;		/*   8 */
	uint32_t version;		/*  12 */
	uint64_t size;			/*  16 bytes of the whole image */
	uint64_t checksum;		/*  24 XXH3-64 of the bytes from 32 to size */
	uint32_t items;			/*  32 */
	uint32_t customers;		/*  36 */
	uint64_t interactions;		/*  40 distinct customer-item pairs */
	uint32_t row_limit[AXES];	/*  48 most neighbours a stored row holds */
	uint32_t whole[AXES];		/*  56 1: the server keeps the rest of each row too, packed; 0: top only */
	int64_t created;		/*  64 seconds since 1970, UTC */
	int64_t data_until;		/*  72 time of the newest kept row, seconds as in the data; INT64_MIN: no dates */
	uint32_t section_count;		/*  80 SECTIONS */
	uint32_t reserved;		/*  84 zero */
	struct model_extent section[SECTIONS];	/* 88, in file order: ascending, not overlapping */
};
_Static_assert(offsetof(struct model_head, items) == 32, "the checksum starts here");
_Static_assert(sizeof(struct model_head) == 88 + 16 * SECTIONS, "no padding");

struct neighbour {
	uint32_t id;			/* index on the row's own axis */
	uint32_t co;			/* co-occurrence count: members in common, at least 1 */
};

struct popular {
	uint32_t item;
	uint32_t customers;		/* distinct customers in the period, at least 1 */
};

struct text {
	const char *at;			/* not terminated */
	size_t len;
};

/* May this well-formed text be an id? It has 1 to MODEL_MAX_ID bytes, and no control character (utf8.h). The one rule for who
 * makes a model, who verifies it, and who is told of an id. */
bool model_is_id(struct text id);

/* Byte order, a beginning before what it begins: below, at or above 0 as x stands before, is, or stands behind y. */
static inline int text_order(struct text x, struct text y)
{
	int order = memcmp(x.at, y.at, x.len < y.len ? x.len : y.len);

	return order ? order : (x.len > y.len) - (x.len < y.len);
}

struct axis {
	uint32_t n;
	const uint64_t *id_start;	/* [n + 1] into ids */
	const char *ids;
	const uint64_t *member_start;	/* [n + 1] into members */
	const uint32_t *members;	/* indexes on the other axis */
	const uint64_t *row_start;	/* [n + 1] into rows */
	const struct neighbour *rows;
	uint32_t row_limit;
	bool whole;
};

struct reference;		/* reference.h, as the next */
struct backtest;

struct model {
	const struct model_head *head;
	struct axis axis[AXES];
	const uint64_t *description_start; /* [items + 1] */
	const char *descriptions;
	const uint32_t *first_seen;	/* [items] */
	const struct popular *popular;	/* [items] */
	const struct popular *recent;	/* [recent_count] */
	uint32_t recent_count;
	const uint32_t *visits;		/* [customers] */
	const uint32_t *lines;		/* [items] */
	const struct reference *references; /* [FEATURE_BINNED] */
	const struct backtest *backtest;
	struct text provenance;
};

/* Point m into the size bytes at image. Checks the head and that every section lies inside, aligned, in order and
 * of a length that fits the counts: enough to touch any section's own bytes, not enough to follow what they say.
 * False: *why says which rule failed; m must not be used. image must be aligned to MODEL_ALIGN. */
bool model_view(struct model *m, const void *image, size_t size, struct fault *why);

/* What of that the head alone can tell, before there is memory for the rest. */
bool model_view_head(const struct model_head *h, size_t size, struct fault *why);

/* Check everything model.h promises of a viewed image but that the rows' counts are true: checksum, ids, lists,
 * transposition, row order, permutations, references, text. Trusts no number it has not checked. False: *why has the rule and
 * the value. Allocates 8 bytes an entry while it runs. */
bool model_verify(const struct model *m, struct fault *why);

/* Compute every row again from the member lists and compare. Takes as long as a build. */
bool model_verify_rows(const struct model *m, struct fault *why);

/* Index of the entry with exactly this id, or MODEL_NONE. */
uint32_t model_find(const struct axis *a, const char *id, size_t len);

/* Id of entry i < a->n. Borrowed from the image. */
static inline struct text model_id(const struct axis *a, uint32_t i)
{
	return (struct text){a->ids + a->id_start[i], (size_t)(a->id_start[i + 1] - a->id_start[i])};
}

/* Description of an item; may be empty. Borrowed. */
static inline struct text model_description(const struct model *m, uint32_t item)
{
	return (struct text){m->descriptions + m->description_start[item],
			     (size_t)(m->description_start[item + 1] - m->description_start[item])};
}

/* Members of entry i: an item's customers, a customer's items. The n in co/sqrt(n_a*n_b). At least 1. */
static inline uint32_t model_degree(const struct axis *a, uint32_t i)
{
	return (uint32_t)(a->member_start[i + 1] - a->member_start[i]);
}

/* cosine similarity, co / sqrt(n_a * n_b), 0 to 1. To be shown, never to be sorted by: see rank.h. */
double model_similarity(uint32_t co, uint32_t n_a, uint32_t n_b);

#endif
