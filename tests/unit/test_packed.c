/* test_packed.c - any n of any row, from head, rest or lists, against brute force. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "small_model.h"
#include "../../shm/packed.h"

/* A room that refuses to grow beyond `of`, and fills new space with junk, for nothing may rely on zeros. */
static bool grow(struct packed_room *room, size_t need, struct fault *why)
{
	if (need > *(size_t *)room->of)
		return fault_set(why, "the room is full");
	memset(room->at + room->size, 0xa5, need - room->size);
	room->size = need;
	return true;
}

/* One scratch for all: a thread keeps it from one generation to the next. */
static struct scratch scratch;
static uint64_t generation;

static void compare(const struct small *s, const struct packed *p)
{
	for (int k = 0; k < AXES; k++) {
		for (uint32_t i = 0; i < small_n(s, k); i++) {
			struct neighbour want[SMALL_MAX], got[SMALL_MAX + 1];
			uint32_t all = small_row(s, k, i, want);

			for (size_t n = 0; n <= SMALL_MAX; n += n < 8 ? 1 : 13) {
				bool ok = false;
				size_t have = packed_top(p, (enum axis_kind)k, i, got, n, &scratch, &ok);

				assert_true(ok);
				assert_int_equal(have, n < all ? n : all);
				assert_memory_equal(got, want, have * sizeof *got);
			}
		}
	}
}

static void build(const struct small *s, bool enough)
{
	struct model m;
	struct packed p;
	struct fault why = {""};
	void *image;
	size_t size, packed, limit;

	assert_true(small_image(s, &image, &size));
	assert_true(model_view(&m, image, size, &why));
	limit = enough ? packed_bound(&m) : packed_model_offset() + size + 64;
	struct packed_room room = {.at = aligned_alloc(64, (packed_bound(&m) + 63) / 64 * 64), .grow = grow, .of = &limit};

	assert_non_null(room.at);
	assert_true(grow(&room, packed_model_offset() + size, &why));
	memcpy(room.at + packed_model_offset(), image, size);
	model_file_free(image, size);
	assert_true(model_view(&m, room.at + packed_model_offset(), size, &why));
	if (enough) {
		assert_true(packed_build(&room, &m, ++generation, 1, &packed, &p, &why));
		assert_true(packed <= limit);
		assert_int_equal(p.head->generation, generation);
		assert_int_equal(p.rest_start[AXIS_ITEM] != NULL, s->whole);
		compare(s, &p);
		/* a second view, as another process would take it, and no view of less */
		assert_true(packed_view(&p, room.at, packed, &why));
		compare(s, &p);
		assert_false(packed_view(&p, room.at, packed - 1, &why));
		room.at[0] ^= 1;
		assert_false(packed_view(&p, room.at, packed, &why));
	} else {
		assert_false(packed_build(&room, &m, 7, 1, &packed, NULL, &why));
		assert_string_equal(why.text, "the room is full");
	}
	free(room.at);
}

static void every_n_of_every_row(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct small s;

		small_random(&s, 20 + seed * 3, 10 + seed * 4, 8 + 5 * seed, seed);
		s.row_limit = 1 + seed * 5 % 40;
		s.whole = seed % 3 != 0;	/* rests, or nothing but lists */
		build(&s, true);
	}
	scratch_free(&scratch);
}

static void a_full_room_is_a_fault(void **state)
{
	struct small s;

	(void)state;
	small_random(&s, 30, 30, 40, 4);
	s.row_limit = 2;
	build(&s, false);
}

/* Counts of 255 and more do not fit a byte: 700 customers with the same few items. Written out here, since a small
 * model has not as many customers. */
static void large_counts_escape(void **state)
{
	enum { C = 700, I = 6 };
	static uint64_t c_start[C + 1], i_start[I + 1], c_rows[C + 1], i_rows[I + 1];
	static uint32_t c_members[C * I], i_members[C * I];
	static struct neighbour rows[I];
	uint64_t total = 0;

	(void)state;
	/* customer c has item i when c < 100 * (i + 2): degrees 200, 300, 400, 500, 600, 700 */
	for (uint32_t c = 0; c < C; c++) {
		c_start[c] = total;
		for (uint32_t i = 0; i < I; i++)
			if (c < 100 * (i + 2))
				c_members[total++] = i;
	}
	c_start[C] = total;
	total = 0;
	for (uint32_t i = 0; i < I; i++) {
		i_start[i] = total;
		for (uint32_t c = 0; c < 100 * (i + 2); c++)
			i_members[total++] = c;
		i_rows[i] = i;
		/* co(i, j) is the smaller degree; the best is the next larger for item 0, the next smaller or larger
		 * by min^2/n_j: for i: j<i gives n_j; j>i gives n_i^2/n_j. Best is j = i-1 or i+1. */
		uint32_t down = i > 0 ? 100 * (i + 1) : 0, up = i + 1 < I ? 100 * (i + 2) * (i + 2) / (i + 3) : 0;

		rows[i] = down >= up ? (struct neighbour){i - 1, 100 * (i + 1)} : (struct neighbour){i + 1, 100 * (i + 2)};
	}
	i_start[I] = i_rows[I] = 0;
	i_start[I] = total;
	i_rows[I] = I;

	struct model_head head = {.size = sizeof head, .items = I, .customers = C};
	struct model m = {.head = &head};

	m.axis[AXIS_ITEM] = (struct axis){.n = I, .member_start = i_start, .members = i_members, .row_start = i_rows,
					  .rows = rows, .row_limit = 1, .whole = true};
	m.axis[AXIS_CUSTOMER] = (struct axis){.n = C, .member_start = c_start, .members = c_members,
					      .row_start = c_rows, .row_limit = 1};
	size_t limit = packed_bound(&m), size;
	struct packed_room room = {.at = aligned_alloc(64, (limit + 63) / 64 * 64), .grow = grow, .of = &limit};
	struct packed p = {.generation = 1, .model = m};
	struct fault why = {""};

	assert_non_null(room.at);
	assert_true(grow(&room, packed_model_offset() + sizeof head, &why));
	assert_true(packed_build(&room, &m, 1, 1, &size, NULL, &why));
	p.head = (const void *)room.at;
	p.rest_start[AXIS_ITEM] = (const void *)(room.at + p.head->rest_starts[AXIS_ITEM]);

	struct neighbour got[I];
	bool ok;

	assert_int_equal(packed_top(&p, AXIS_ITEM, 5, got, I, &scratch, &ok), I - 1);
	for (uint32_t k = 0; k < I - 1; k++) {	/* item 5 has everybody: its neighbours stand by their own size */
		assert_int_equal(got[k].id, 4 - k);
		assert_int_equal(got[k].co, 100 * (6 - k));
	}
	scratch_free(&scratch);
	free(room.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_n_of_every_row),
		cmocka_unit_test(a_full_room_is_a_fault),
		cmocka_unit_test(large_counts_escape),
	};

	return cmocka_run_group_tests_name("packed", tests, NULL, NULL);
}
