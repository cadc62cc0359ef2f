/* small_model.h - models small enough to compute by brute force, for the unit tests.
 *
 * A table says who bought what; everything in the image follows from it by the plainest loops there are, none of
 * them the program's own: counts by comparing columns, order by insertion with fractions of small integers. */
#ifndef AKIN_SMALL_MODEL_H
#define AKIN_SMALL_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <math.h>
#include <xxhash.h>

#include "../../shm/model_file.h"
#include "../../shm/reference.h"

#define SMALL_MAX 64

struct small {
	uint32_t items, customers;		/* at most SMALL_MAX each */
	uint8_t bought[SMALL_MAX][SMALL_MAX];	/* [customer][item] */
	uint32_t first_seen[SMALL_MAX];		/* [item] a permutation */
	uint32_t row_limit, whole;
	struct backtest backtest;		/* with visits of 0: none */
};

/* A reproducible table with that many purchases in a hundred; nobody is left empty-handed, no item unsold. */
static inline void small_random(struct small *s, uint32_t items, uint32_t customers, unsigned percent, unsigned seed)
{
	unsigned x = seed * 2654435761u + 1;

	memset(s, 0, sizeof *s);
	s->items = items;
	s->customers = customers;
	s->row_limit = 5;
	s->whole = 1;
	for (uint32_t c = 0; c < customers; c++) {
		for (uint32_t i = 0; i < items; i++) {
			x = x * 1664525u + 1013904223u;
			s->bought[c][i] = (x >> 16) % 100 < percent;
		}
		s->bought[c][c % items] = 1;
	}
	for (uint32_t i = 0; i < items; i++)
		s->bought[i % customers][i] = 1;
	for (uint32_t i = 0; i < items; i++)	/* any permutation that is not the identity */
		s->first_seen[i] = (i * 7 + 3) % items;
	if (items % 7 == 0)
		for (uint32_t i = 0; i < items; i++)
			s->first_seen[i] = items - 1 - i;
}

static inline int small_has(const struct small *s, int kind, uint32_t entry, uint32_t member)
{
	return kind == AXIS_ITEM ? s->bought[member][entry] : s->bought[entry][member];
}

static inline uint32_t small_n(const struct small *s, int kind)
{
	return kind == AXIS_ITEM ? s->items : s->customers;
}

static inline uint32_t small_co(const struct small *s, int kind, uint32_t x, uint32_t y)
{
	uint32_t co = 0;

	for (uint32_t m = 0; m < small_n(s, !kind); m++)
		co += small_has(s, kind, x, m) && small_has(s, kind, y, m);
	return co;
}

/* All neighbours of one entry, best first. Returns how many. */
static inline uint32_t small_row(const struct small *s, int kind, uint32_t entry, struct neighbour *out)
{
	uint32_t n = 0;

	for (uint32_t j = 0; j < small_n(s, kind); j++) {
		struct neighbour x = {j, small_co(s, kind, entry, j)};
		uint32_t at = n;

		if (j == entry || x.co == 0)
			continue;
		/* the co's squared over the n's: fractions below 2^24, compared crosswise */
		while (at > 0 && (uint64_t)x.co * x.co * small_co(s, kind, out[at - 1].id, out[at - 1].id) >
					 (uint64_t)out[at - 1].co * out[at - 1].co * small_co(s, kind, j, j)) {
			out[at] = out[at - 1];
			at--;
		}
		out[at] = x;
		n++;
	}
	return n;
}

static inline void small_id(int kind, uint32_t i, char id[8])
{
	snprintf(id, 8, "%c%02u", kind == AXIS_ITEM ? 'i' : 'c', i % 100);
}

/* A feature, from the table alone. */
static inline double small_feature(const struct small *s, int f, uint32_t i)
{
	int kind = f <= FEATURE_USER_HISTORY ? AXIS_CUSTOMER : AXIS_ITEM;
	uint32_t own = small_co(s, kind, i, i), before = 0;
	struct neighbour row[SMALL_MAX];
	uint32_t n = small_row(s, kind, i, row), of = n ? small_co(s, kind, row[0].id, row[0].id) : 0;
	char id[8];

	switch (f) {
	case FEATURE_USER_TOP_SCORE:
	case FEATURE_ITEM_TOP_SCORE:
		return n ? row[0].co / sqrt((double)own * of) : 0;
	case FEATURE_USER_RESULTS:
		return n ? of - row[0].co : 0;
	case FEATURE_USER_HISTORY:
		return own;
	case FEATURE_ITEM_RESULTS:
		return n < s->row_limit ? n : s->row_limit;
	case FEATURE_ITEM_RANK:
		for (uint32_t j = 0; j < s->items; j++)
			before += small_co(s, kind, j, j) > own || (small_co(s, kind, j, j) == own && j < i);
		return before + 1;
	default:
		small_id(kind, i, id);
		return (double)(XXH3_64bits(id, 3) & 63);
	}
}

/* Bins from one value that there is to the next, groups of every sixth. */
static inline void small_reference(const struct small *s, int f, struct reference *r)
{
	uint32_t n = small_n(s, f <= FEATURE_USER_HISTORY ? AXIS_CUSTOMER : AXIS_ITEM), edges = 0;
	double value[SMALL_MAX], last = -1;

	memset(r, 0, sizeof *r);
	for (uint32_t i = 0; i < n; i++)
		value[i] = small_feature(s, f, i);
	if (f == FEATURE_ITEM_MIX) {
		r->bins = r->groups = 64;
		for (uint32_t i = 0; i < n; i++)
			r->count[(int)value[i]]++;
		return;
	}
	for (;;) {
		double least = INFINITY;

		for (uint32_t i = 0; i < n; i++)
			if (value[i] > last && value[i] < least)
				least = value[i];
		if (least == INFINITY)
			break;
		r->edge[edges] = last = least;
		r->group[edges + 1] = (uint8_t)(edges / 6);
		edges++;
		for (uint32_t i = 0; i < n; i++)
			r->count[edges] += value[i] == least;
	}
	r->edge[edges] = last + 1;
	r->group[edges + 1] = r->group[edges];
	r->groups = r->group[edges] + 1u;
	r->bins = edges + 2;
}

/* Write it to a new file and load that. The caller frees *image with model_file_free(). */
static inline int small_image(const struct small *s, void **image, size_t *size)
{
	static uint64_t id_start[2][SMALL_MAX + 1], member_start[2][SMALL_MAX + 1], row_start[2][SMALL_MAX + 1];
	static uint64_t description_start[SMALL_MAX + 1];
	static uint32_t members[2][SMALL_MAX * SMALL_MAX];
	static struct neighbour rows[2][SMALL_MAX * SMALL_MAX];
	static char ids[2][SMALL_MAX * 8], descriptions[SMALL_MAX * 16];
	static struct popular popular[SMALL_MAX];
	static uint32_t visits[SMALL_MAX], lines[SMALL_MAX];
	static struct reference references[FEATURE_BINNED];
	static struct backtest backtest;
	static const char provenance[] = "{\"sources\":[]}";
	struct model_head head = {.items = s->items, .customers = s->customers, .created = 1000, .data_until = 2000};
	struct model_part part[SECTIONS];
	struct fault why;
	char path[] = "/tmp/akin-small-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return 0;
	close(fd);
	for (int k = 0; k < AXES; k++) {
		uint64_t id_end = 0, member_end = 0, row_end = 0;

		head.row_limit[k] = s->row_limit;
		head.whole[k] = s->whole;
		for (uint32_t i = 0; i < small_n(s, k); i++) {
			struct neighbour row[SMALL_MAX];
			uint32_t n = small_row(s, k, i, row), others = small_n(s, !k);

			small_id(k, i, ids[k] + id_end);
			id_start[k][i] = id_end;
			id_end += 3;
			member_start[k][i] = member_end;
			for (uint32_t rank = 0; rank < others; rank++) {
				uint32_t m = rank;

				/* a customer's items stand by first appearance */
				if (k == AXIS_CUSTOMER)
					for (m = 0; s->first_seen[m] != rank;)
						m++;
				if (small_has(s, k, i, m))
					members[k][member_end++] = m;
			}
			row_start[k][i] = row_end;
			n = n < s->row_limit ? n : s->row_limit;
			memcpy(&rows[k][row_end], row, n * sizeof *row);
			row_end += n;
		}
		id_start[k][small_n(s, k)] = id_end;
		member_start[k][small_n(s, k)] = member_end;
		row_start[k][small_n(s, k)] = row_end;
		head.interactions = member_end;

		int first = k == AXIS_ITEM ? SECTION_ITEM_ID_STARTS : SECTION_CUSTOMER_ID_STARTS;
		uint64_t starts = (small_n(s, k) + 1) * sizeof(uint64_t);

		part[first] = (struct model_part){id_start[k], starts};
		part[first + 1] = (struct model_part){ids[k], id_end};
		part[first + 2] = (struct model_part){member_start[k], starts};
		part[first + 3] = (struct model_part){members[k], member_end * sizeof(uint32_t)};
		part[first + 4] = (struct model_part){row_start[k], starts};
		part[first + 5] = (struct model_part){rows[k], row_end * sizeof(struct neighbour)};
	}
	uint32_t ranked = 0;

	for (uint32_t want = s->customers; want > 0; want--)
		for (uint32_t i = 0; i < s->items; i++)
			if (small_co(s, AXIS_ITEM, i, i) == want)
				popular[ranked++] = (struct popular){i, want};
	for (uint32_t i = 0; i < s->items; i++) {
		description_start[i] = 10 * (uint64_t)i;
		snprintf(descriptions + 10 * i, 16, "Item no %02u", i % 100);
	}
	description_start[s->items] = 10 * (uint64_t)s->items;
	part[SECTION_DESCRIPTION_STARTS] = (struct model_part){description_start, (s->items + 1) * sizeof(uint64_t)};
	part[SECTION_DESCRIPTIONS] = (struct model_part){descriptions, 10 * (uint64_t)s->items};
	part[SECTION_FIRST_SEEN] = (struct model_part){s->first_seen, s->items * sizeof(uint32_t)};
	part[SECTION_POPULAR] = (struct model_part){popular, s->items * sizeof *popular};
	part[SECTION_RECENT] = (struct model_part){popular, s->items / 2 * sizeof *popular};
	for (int f = 0; f < FEATURE_BINNED; f++)
		small_reference(s, f, &references[f]);
	for (uint32_t c = 0; c < s->customers; c++)
		visits[c] = 1;
	for (uint32_t i = 0; i < s->items; i++)
		lines[i] = small_co(s, AXIS_ITEM, i, i) + i % 3;
	backtest = s->backtest;
	if (!backtest.visits)
		backtest.split = INT64_MIN;
	part[SECTION_VISITS] = (struct model_part){visits, s->customers * sizeof *visits};
	part[SECTION_LINES] = (struct model_part){lines, s->items * sizeof *lines};
	part[SECTION_REFERENCES] = (struct model_part){references, sizeof references};
	part[SECTION_BACKTEST] = (struct model_part){&backtest, sizeof backtest};
	part[SECTION_PROVENANCE] = (struct model_part){provenance, sizeof provenance - 1};

	int ok = model_file_write(path, &head, part, &why) && model_file_load(path, image, size, &why);

	if (!ok)
		fprintf(stderr, "small_model: %s\n", why.text);
	unlink(path);
	return ok;
}

#endif
