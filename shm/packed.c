/* packed.c - packing the rests of the rows, and answering any n from head, rest or lists.
 *
 * packed_build() runs in the master, once a generation: for Online Retail it counts 8004 rows again from the member
 * lists (about 60 ms), and compresses 32 MB of counts to 23 MB. packed_top() runs in the workers' request threads.
 *
 * A rest is: u32 number of escapes | LZ4 block of (one byte an entry of the axis, then the escapes). The byte is
 * the co-count, 0 for the row's own entry and for those its head holds; 255 says that the true count stands in an
 * escape, {u32 entry, u32 count}. Counts of 255 and more are 380 of 18 million in Online Retail.
 *
 * What can fail: the room does not grow (a full /dev/shm), memory for a row. Nothing is written outside the room,
 * and nobody sees the image before the master publishes it. */
#include "packed.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "cooccur.h"

#define ESCAPE 255
#define STEP   (1u << 20)	/* the room grows by this at least */

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

size_t packed_model_offset(void)
{
	return round_up(sizeof(struct packed_head), 64);
}

/* A count reaches ESCAPE only between two entries that both have as many members. */
static size_t most_escapes(const struct axis *a)
{
	size_t large = 0;

	for (uint32_t i = 0; i < a->n; i++)
		large += model_degree(a, i) >= ESCAPE;
	return large;
}

static size_t rest_raw_bound(const struct axis *a)
{
	return a->n + most_escapes(a) * sizeof(struct neighbour);
}

size_t packed_bound(const struct model *m)
{
	size_t bound = packed_model_offset() + (size_t)m->head->size + MODEL_ALIGN;

	for (int k = 0; k < AXES; k++) {
		const struct axis *a = &m->axis[k];

		if (!a->whole)
			continue;
		size_t raw = rest_raw_bound(a);

		bound += ((size_t)a->n + 1) * sizeof(uint64_t) + a->n * (sizeof(uint32_t) + raw + raw / 255 + 16);
	}
	return bound + STEP;
}

/* Entries of row i that stand in its head. */
static size_t stored(const struct axis *a, uint32_t i)
{
	return (size_t)(a->row_start[i + 1] - a->row_start[i]);
}

static void forget_head(const struct axis *a, uint32_t i, uint32_t *co)
{
	co[i] = 0;
	for (uint64_t k = a->row_start[i]; k < a->row_start[i + 1]; k++)
		co[a->rows[k].id] = 0;
}

/* One byte an entry, then the escapes. Returns the bytes in raw; *escapes is their number. */
static size_t lay_out(const uint32_t *co, uint32_t n, uint8_t *raw, uint32_t *escapes)
{
	uint32_t most = 0;
	size_t len = n;

	for (uint32_t i = 0; i < n; i++) {
		most = co[i] > most ? co[i] : most;
		raw[i] = (uint8_t)(co[i] < ESCAPE ? co[i] : ESCAPE);
	}
	*escapes = 0;
	for (uint32_t i = 0; most >= ESCAPE && i < n; i++) {
		if (co[i] >= ESCAPE) {
			struct neighbour x = {i, co[i]};

			memcpy(raw + len, &x, sizeof x);
			len += sizeof x;
			++*escapes;
		}
	}
	return len;
}

static bool need(struct packed_room *room, size_t size, struct fault *why)
{
	return size <= room->size || room->grow(room, size, why);
}

/* Pack every row of one axis at *end; the starts stand right before the rests. */
static bool pack_axis(struct packed_room *room, const struct model *m, enum axis_kind kind, size_t *end,
		      struct fault *why)
{
	const struct axis *a = &m->axis[kind], *other = &m->axis[axis_other(kind)];
	size_t raw_bound = rest_raw_bound(a), starts_at = *end;
	uint32_t *co = malloc((size_t)a->n * sizeof *co);
	uint8_t *raw = malloc(raw_bound);
	bool ok = co && raw && raw_bound <= LZ4_MAX_INPUT_SIZE;

	if (!co || !raw)
		fault_set(why, "no memory to pack rows of %u entries", a->n);
	else if (!ok)
		fault_set(why, "whole rows of %u entries are longer than LZ4 packs, which is %d bytes", a->n,
			  LZ4_MAX_INPUT_SIZE);
	*end += ((size_t)a->n + 1) * sizeof(uint64_t);
	ok = ok && need(room, *end, why);
	for (uint32_t i = 0; ok && i < a->n; i++) {
		((uint64_t *)(void *)(room->at + starts_at))[i] = *end;
		if (stored(a, i) < a->row_limit)	/* the head is the whole row */
			continue;
		memset(co, 0, (size_t)a->n * sizeof *co);
		cooccur_row(a, other, i, co);
		forget_head(a, i, co);

		uint32_t escapes;
		size_t len = lay_out(co, a->n, raw, &escapes);
		int bound = LZ4_compressBound((int)len);

		ok = need(room, *end + sizeof escapes + (size_t)bound, why);
		if (!ok)
			break;
		memcpy(room->at + *end, &escapes, sizeof escapes);
		*end += sizeof escapes;
		*end += (size_t)LZ4_compress_default((const char *)raw, (char *)room->at + *end, (int)len, bound);
	}
	if (ok)
		((uint64_t *)(void *)(room->at + starts_at))[a->n] = *end;
	free(raw);
	free(co);
	return ok;
}

bool packed_build(struct packed_room *room, const struct model *m, uint64_t generation, int64_t published,
		  size_t *size, struct packed *p, struct fault *why)
{
	struct packed_head head = {
		.version = PACKED_VERSION,
		.generation = generation,
		.model_offset = packed_model_offset(),
		.model_size = m->head->size,
		.published = published,
	};
	size_t end = packed_model_offset() + (size_t)m->head->size;

	memcpy(head.magic, PACKED_MAGIC, sizeof head.magic);
	for (int k = 0; k < AXES; k++) {
		if (!m->axis[k].whole)
			continue;
		end = round_up(end, MODEL_ALIGN);
		head.rest_starts[k] = end;
		if (!pack_axis(room, m, (enum axis_kind)k, &end, why))
			return false;
	}
	head.size = *size = end;
	memcpy(room->at, &head, sizeof head);
	return !p || packed_view(p, room->at, end, why);
}

bool packed_view(struct packed *p, const void *image, size_t size, struct fault *why)
{
	const struct packed_head *h = image;
	const uint8_t *bytes = image;

	if (size < sizeof *h || memcmp(h->magic, PACKED_MAGIC, sizeof h->magic) != 0 || h->version != PACKED_VERSION)
		return fault_set(why, "%zu bytes of shared memory hold no packed model of layout %d", size,
				 PACKED_VERSION);
	if (h->size > size || h->model_offset > h->size || h->model_size > h->size - h->model_offset)
		return fault_set(why, "the packed model has %llu bytes, %zu are mapped", (unsigned long long)h->size,
				 size);
	p->head = h;
	p->generation = h->generation;
	p->published = h->published;
	for (int k = 0; k < AXES; k++)
		p->rest_start[k] = h->rest_starts[k] ? (const void *)(bytes + h->rest_starts[k]) : NULL;
	return model_view(&p->model, bytes + h->model_offset, (size_t)h->model_size, why);
}

static bool take_dense(struct scratch *s, size_t size)
{
	if (s->dense_cap < size) {
		free(s->dense);
		s->dense = malloc(size);
		s->dense_cap = s->dense ? size : 0;
	}
	return s->dense_cap >= size;
}

uint8_t *scratch_marks(struct scratch *s, size_t n)
{
	return take_dense(s, n) ? memset(s->dense, 0, n) : NULL;
}

static bool scratch_take(struct scratch *s, const struct packed *p, enum axis_kind kind, size_t dense)
{
	const struct axis *a = &p->model.axis[kind];

	if (s->co_cap < a->n) {
		free(s->co);
		s->co = malloc((size_t)a->n * sizeof *s->co);
		s->co_cap = s->co ? a->n : 0;
	}
	if (s->ranker_of[kind] != p->generation) {
		ranker_close(&s->ranker[kind]);
		s->ranker_of[kind] = ranker_open(&s->ranker[kind], a) ? p->generation : 0;
	}
	return s->co_cap >= a->n && take_dense(s, dense) && s->ranker_of[kind] == p->generation;
}

void scratch_free(struct scratch *s)
{
	free(s->co);
	free(s->dense);
	for (int k = 0; k < AXES; k++)
		ranker_close(&s->ranker[k]);
	*s = (struct scratch){0};
}

/* Counts of the neighbours behind the head, from the packed rest. */
static bool unpack_rest(const struct packed *p, enum axis_kind kind, uint32_t i, struct scratch *s)
{
	const struct axis *a = &p->model.axis[kind];
	const uint8_t *rest = (const uint8_t *)p->head + p->rest_start[kind][i];
	size_t packed_len = (size_t)(p->rest_start[kind][i + 1] - p->rest_start[kind][i]);
	uint32_t escapes;

	memcpy(&escapes, rest, sizeof escapes);
	size_t raw_len = a->n + (size_t)escapes * sizeof(struct neighbour);

	if (!scratch_take(s, p, kind, raw_len))
		return false;
	if (LZ4_decompress_safe((const char *)rest + sizeof escapes, (char *)s->dense,
				(int)(packed_len - sizeof escapes), (int)raw_len) != (int)raw_len)
		return false;
	for (uint32_t k = 0; k < a->n; k++)
		s->co[k] = s->dense[k];
	for (uint32_t e = 0; e < escapes; e++) {
		struct neighbour x;

		memcpy(&x, s->dense + a->n + e * sizeof x, sizeof x);
		s->co[x.id] = x.co;
	}
	return true;
}

/* The same from the member lists. */
static bool count_rest(const struct packed *p, enum axis_kind kind, uint32_t i, struct scratch *s)
{
	const struct axis *a = &p->model.axis[kind];

	if (!scratch_take(s, p, kind, 0))
		return false;
	memset(s->co, 0, (size_t)a->n * sizeof *s->co);
	cooccur_row(a, &p->model.axis[axis_other(kind)], i, s->co);
	forget_head(a, i, s->co);
	return true;
}

size_t packed_top(const struct packed *p, enum axis_kind kind, uint32_t i, struct neighbour *out, size_t n,
		  struct scratch *s, bool *ok)
{
	const struct axis *a = &p->model.axis[kind];
	size_t head = stored(a, i), from_head = n < head ? n : head;

	*ok = true;
	memcpy(out, a->rows + a->row_start[i], from_head * sizeof *out);
	if (n <= head || head < a->row_limit)
		return from_head;
	*ok = p->rest_start[kind] ? unpack_rest(p, kind, i, s) : count_rest(p, kind, i, s);
	if (!*ok)
		return 0;
	return head + ranker_top(&s->ranker[kind], s->co, i, out + head, n - head);
}
