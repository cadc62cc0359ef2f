/* test_model.c - the model image: what is written comes back, and what is damaged is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "small_model.h"

static void sum_again(void *image, size_t size)
{
	struct model_head *h = image;

	h->checksum = XXH3_64bits((uint8_t *)image + 32, size - 32);
}

/* Is the image refused by either gate, or by counting again? */
static bool refused(const void *image, size_t size, struct fault *why)
{
	struct model m;

	why->text[0] = '\0';
	return !model_view(&m, image, size, why) || !model_verify(&m, why) || !model_verify_rows(&m, why);
}

static void a_whole_image_is_sound(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct small s;
		struct model m;
		struct fault why;
		void *image;
		size_t size;

		small_random(&s, 5 + seed * 2, 4 + seed * 3 % 50, 10 + seed * 3, seed);
		s.row_limit = 1 + seed % 9;
		assert_true(small_image(&s, &image, &size));
		assert_true(model_view(&m, image, size, &why));
		if (refused(image, size, &why))
			fail_msg("%s", why.text);
		for (int k = 0; k < AXES; k++) {
			char id[8];

			for (uint32_t i = 0; i < small_n(&s, k); i++) {
				small_id(k, i, id);
				assert_int_equal(model_find(&m.axis[k], id, 3), i);
				assert_int_equal(model_degree(&m.axis[k], i), small_co(&s, k, i, i));
			}
			assert_int_equal(model_find(&m.axis[k], "", 0), MODEL_NONE);
			assert_int_equal(model_find(&m.axis[k], "i0", 2), MODEL_NONE);
			assert_int_equal(model_find(&m.axis[k], "zzzz", 4), MODEL_NONE);
			assert_int_equal(model_find(&m.axis[k], "i000", 4), MODEL_NONE);
		}
		model_file_free(image, size);
	}
}

static void every_flipped_bit_is_refused(void **state)
{
	struct small s;
	struct fault why;
	void *image;
	size_t size;

	(void)state;
	small_random(&s, 12, 9, 30, 3);
	assert_true(small_image(&s, &image, &size));
	for (size_t bit = 0; bit < size * 8; bit++) {
		((uint8_t *)image)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!refused(image, size, &why))
			fail_msg("bit %zu of byte %zu flipped, and nobody saw", bit % 8, bit / 8);
		if (why.text[0] == '\0')
			fail_msg("byte %zu: refused without a reason", bit / 8);
		((uint8_t *)image)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_false(refused(image, size, &why));
	model_file_free(image, size);
}

/* Edges and groups of references are a choice; all else in them is not. */
static bool is_chosen(const struct model *m, size_t at)
{
	size_t from = m->head->section[SECTION_REFERENCES].offset;
	const struct reference *r = &m->references[(at - from) / sizeof *r];
	size_t within = (at - from) % sizeof *r;

	if (at < from || at >= from + FEATURE_ITEM_MIX * sizeof *r)
		return false;
	return (within >= offsetof(struct reference, edge) && within < offsetof(struct reference, edge[r->bins - 1])) ||
	       (within >= offsetof(struct reference, group) && within < offsetof(struct reference, group[r->bins]));
}

/* A wrong writer, or a forger, sums up correctly: now only the structure can tell. Whatever is free to change
 * (texts, times) may pass; everything else must be refused, and nothing may crash. */
static void a_right_checksum_saves_no_wrong_number(void **state)
{
	struct small s;
	struct fault why;
	struct model m;
	void *image;
	size_t size;
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

	(void)state;
	small_random(&s, 12, 9, 30, 5);
	assert_true(small_image(&s, &image, &size));
	assert_true(model_view(&m, image, size, &why));
	for (size_t at = 0; at < size; at++) {
		const struct model_head *h = image;
		uint8_t *byte = (uint8_t *)image + at, was = *byte;
		bool text = false;

		if (at >= 24 && at < 32)
			continue;	/* the checksum itself */
		/* ids, descriptions, provenance, recent counts, visits, lines; row_limit and whole; times; padding */
		for (int k = 0; k < SECTIONS; k++) {
			if (k == SECTION_ITEM_IDS || k == SECTION_CUSTOMER_IDS || k == SECTION_DESCRIPTIONS ||
			    k == SECTION_PROVENANCE || k == SECTION_RECENT || k == SECTION_DESCRIPTION_STARTS ||
			    k == SECTION_VISITS || k == SECTION_LINES)
				text |= at >= h->section[k].offset &&
					at < (k + 1 < SECTIONS ? h->section[k + 1].offset : size);
			text |= at >= h->section[k].offset + h->section[k].length &&
				at < (k + 1 < SECTIONS ? h->section[k + 1].offset : size);
		}
		text |= at >= 48 && at < 80;
		text |= is_chosen(&m, at);
		/* a shorter list of recent items is a sound list too */
		text |= at >= 88 + 16 * SECTION_RECENT + 8 && at < 88 + 16 * SECTION_RECENT + 16;
		for (size_t v = 0; v < sizeof values; v++) {
			if (values[v] == was)
				continue;
			*byte = values[v];
			sum_again(image, size);
			/* only the counts of rows need counting again; all else is for the gates alone */
			bool rows = false;

			for (int k = SECTION_ITEM_ROW_STARTS; k <= SECTION_CUSTOMER_ROWS; k++)
				rows |= (k - SECTION_ITEM_ROW_STARTS) % 6 < 2 && at >= h->section[k].offset &&
					at < h->section[k].offset + h->section[k].length;
			bool seen = rows ? refused(image, size, &why)
					 : !model_view(&m, image, size, &why) || !model_verify(&m, &why);

			if (!seen && !text)
				fail_msg("byte %zu set to %02x, and nobody saw", at, values[v]);
		}
		*byte = was;
	}
	model_file_free(image, size);
}

/* With another count it would still stand in rank order. */
static void a_row_names_nobody_twice(void **state)
{
	struct small s;
	struct fault why;
	struct model m;
	void *image;
	size_t size;
	unsigned tried = 0;

	(void)state;
	small_random(&s, 12, 9, 60, 3);
	assert_true(small_image(&s, &image, &size));
	assert_true(model_view(&m, image, size, &why));
	for (int k = 0; k < AXES; k++) {
		const struct axis *a = &m.axis[k];

		for (uint32_t i = 0; i < a->n; i++) {
			struct neighbour *last = (struct neighbour *)(uintptr_t)(a->rows + a->row_start[i + 1]) - 1, was = *last;

			if (a->row_start[i + 1] - a->row_start[i] < 2 || last[-1].co < 2)
				continue;
			*last = (struct neighbour){last[-1].id, last[-1].co - 1};
			sum_again(image, size);
			assert_true(model_view(&m, image, size, &why));
			assert_false(model_verify(&m, &why));
			assert_non_null(strstr(why.text, "twice"));
			*last = was;
			tried++;
		}
	}
	assert_in_range(tried, 10, 21);
	model_file_free(image, size);
}

/* The reason is printed; what a file holds must not reach a terminal as it stands. */
static void a_reason_has_no_control_characters(void **state)
{
	static const char provenance[] = "{\"a\": \033[2Jx}";
	struct small s;
	struct fault why;
	void *image;
	size_t size;

	(void)state;
	small_random(&s, 3, 3, 50, 1);
	assert_true(small_image(&s, &image, &size));
	struct model_head *h = image;

	assert_in_range(sizeof provenance - 1, 1, size - h->section[SECTION_PROVENANCE].offset);
	memcpy((char *)image + h->section[SECTION_PROVENANCE].offset, provenance, sizeof provenance - 1);
	h->section[SECTION_PROVENANCE].length = sizeof provenance - 1;
	sum_again(image, size);
	assert_true(refused(image, size, &why));
	assert_non_null(strstr(why.text, "provenance"));
	assert_non_null(strstr(why.text, "\\x1b"));
	assert_null(strchr(why.text, '\033'));
	model_file_free(image, size);
}

static void every_length_but_the_right_one_is_refused(void **state)
{
	struct small s;
	struct fault why;
	void *image;
	size_t size;

	(void)state;
	small_random(&s, 12, 9, 30, 7);
	assert_true(small_image(&s, &image, &size));
	for (size_t n = 0; n < size; n++) {
		uint64_t *cut = malloc(n + 8);	/* of its own, so that a sanitizer sees a read beyond it */

		assert_non_null(cut);
		memcpy(cut, image, n);
		assert_true(refused(cut, n, &why));
		free(cut);
	}
	model_file_free(image, size);
}

static void what_is_no_model_is_refused_by_name(void **state)
{
	static const struct {
		const char *path, *says;
	} cases[] = {
		{"/nonexistent/model", "can't open"},
		{"/tmp", "a directory"},
		{"/dev/null", "a device"},
	};
	struct fault why;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(model_file_open(cases[i].path, 0, &size, &why), -1);
		assert_non_null(strstr(why.text, cases[i].says));
		assert_non_null(strstr(why.text, cases[i].path));
	}
	char fifo[] = "/tmp/akin-fifo-XXXXXX";

	assert_non_null(mkdtemp(fifo));
	char inside[64];

	snprintf(inside, sizeof inside, "%s/model", fifo);
	assert_int_equal(mkfifo(inside, 0600), 0);
	assert_int_equal(model_file_open(inside, 0, &size, &why), -1);
	assert_non_null(strstr(why.text, "a FIFO"));
	unlink(inside);
	rmdir(fifo);
}

/* A file of a terabyte, of which nothing but the head exists: refused for what the head says, not for want of memory. */
static void the_head_is_judged_before_memory_is_taken(void **state)
{
	static const char *says[] = {"no Akin model", "cut off or padded"};
	char path[] = "/tmp/akin-large-XXXXXX";
	int fd = mkstemp(path);
	struct fault why;
	struct small s;
	void *image;
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
		assert_false(model_file_load(path, &image, &size, &why));
		assert_non_null(strstr(why.text, says[i]));
		assert_non_null(strstr(why.text, path));
		small_random(&s, 12, 9, 30, 7);
		assert_true(small_image(&s, &image, &size));
		assert_int_equal(write(fd, image, size), (ssize_t)size);
		model_file_free(image, size);
	}
	close(fd);
	unlink(path);
}

/* The program's own fsync(), which model_file.c calls: what is synced when, and it may fail. */
static struct {
	const char *path;		/* what is written; NULL: nothing is watched */
	int files, folders;
	bool named_by_then;		/* path led to something when the folder was synced */
	bool fail_folder;
} synced;

int fsync(int fd)
{
	struct stat st;

	if (!synced.path)
		return 0;
	if (fstat(fd, &st) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		synced.files++;
		return 0;
	}
	synced.folders++;
	synced.named_by_then = access(synced.path, F_OK) == 0;
	errno = EIO;
	return synced.fail_folder ? -1 : 0;
}

static void a_write_is_durable(void **state)
{
	char dir[] = "/tmp/akin-model-XXXXXX", path[64];
	struct model_part part[SECTIONS] = {{NULL, 0}};
	struct fault why;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/model", dir);
	synced.path = path;
	for (int fail = 0; fail < 2; fail++) {
		struct model_head head = {.items = 1};

		synced.files = synced.folders = 0;
		synced.fail_folder = fail;
		assert_int_equal(model_file_write(path, &head, part, &why), !fail);
		assert_int_equal(synced.files, 1);
		assert_int_equal(synced.folders, 1);	/* without it a power cut takes the rename back */
		assert_true(synced.named_by_then);
	}
	assert_non_null(strstr(why.text, "can't be synced"));
	synced.path = NULL;
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
	char dir[] = "/tmp/akin-model-XXXXXX", path[64];
	struct model_head head = {.items = 1};
	struct model_part part[SECTIONS] = {{NULL, 0}};
	struct fault why;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);	/* a folder in the model's place can't be renamed over */
	assert_false(model_file_write(path, &head, part, &why));
	assert_non_null(strstr(why.text, path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);		/* nothing was left aside, or this fails */
}

static void similarity_is_the_cosine(void **state)
{
	(void)state;
	/* 12578 and 12999 of Online Retail: 14 items in common, of 111 and 25 */
	assert_float_equal(model_similarity(14, 111, 25), 0.2657642388106997, 1e-15);
	assert_float_equal(model_similarity(1, 11, 1), 0.30151134457776363, 1e-15);
	assert_float_equal(model_similarity(7, 7, 7), 1.0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_image_is_sound),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(a_right_checksum_saves_no_wrong_number),
		cmocka_unit_test(a_row_names_nobody_twice),
		cmocka_unit_test(a_reason_has_no_control_characters),
		cmocka_unit_test(every_length_but_the_right_one_is_refused),
		cmocka_unit_test(what_is_no_model_is_refused_by_name),
		cmocka_unit_test(the_head_is_judged_before_memory_is_taken),
		cmocka_unit_test(a_write_is_durable),
		cmocka_unit_test(a_failed_write_leaves_the_old_file),
		cmocka_unit_test(similarity_is_the_cosine),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
