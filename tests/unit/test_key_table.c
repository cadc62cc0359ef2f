/* test_key_table.c - keys in shared memory: found, renewed while they are looked for, and compared in the same number of
 * steps whatever they are. The steps are counted by running them one by one under ptrace(): a clock would not do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shm/key_table.h"

static struct key_table table;
static struct key_list list;
static struct fault why;

static int find(const char *key) { return key_table_find(&table, key, strlen(key)); }

static void add(const char *name, const char *key)
{
	snprintf(list.entry[list.count].name, sizeof list.entry[0].name, "%s", name);
	snprintf(list.entry[list.count++].key, sizeof list.entry[0].key, "%s", key);
}

static bool holds(const void *memory, size_t size, const char *what)
{
	return memmem(memory, size, what, strlen(what)) != NULL;
}

static int setup(void **state)
{
	(void)state;
	memset(&table, 0, sizeof table);
	memset(&list, 0, sizeof list);
	return 0;
}

static void empty(void **state)
{
	(void)state;
	assert_int_equal(find(""), -1);
	assert_int_equal(find("0123456789abcdef"), -1);
	assert_int_equal(key_table_names(&table), 0);
}

static void found(void **state)
{
	char longest[KEY_MAX + 2] = "";

	(void)state;
	memset(longest, 'x', KEY_MAX);
	add("shop", "0123456789abcdef");
	add("mobile", "0123456789abcdefg");
	add("shop", longest);
	assert_true(key_table_publish(&table, &list, &why));
	assert_int_equal(key_table_names(&table), 2);
	assert_string_equal(key_table_name(&table, 0), "shop");
	assert_string_equal(key_table_name(&table, 1), "mobile");
	assert_int_equal(find("0123456789abcdef"), 0);
	assert_int_equal(find("0123456789abcdefg"), 1);
	assert_int_equal(find(longest), 0);
	assert_int_equal(find(""), -1);
	assert_int_equal(find("0123456789abcde"), -1);
	assert_int_equal(find("0123456789abcdefgh"), -1);
	assert_int_equal(find("0123456789abcdeg"), -1);
	assert_int_equal(find("1123456789abcdef"), -1);
	longest[KEY_MAX] = 'x';
	assert_int_equal(find(longest), -1);
	longest[KEY_MAX - 1] = '\0';
	assert_int_equal(find(longest), -1);
	assert_int_equal(key_table_find(&table, "0123456789abcdef\0\0\0", 19), 0);	/* as zeroes end it in the table */
}

static void renewed(void **state)
{
	(void)state;
	add("shop", "shop-key-number-1");
	add("gone", "gone-key-number-1");
	assert_true(key_table_publish(&table, &list, &why));
	list.count = 0;
	add("new", "new-key-number-1");
	add("shop", "shop-key-number-2");
	assert_true(key_table_publish(&table, &list, &why));
	assert_int_equal(find("shop-key-number-1"), -1);
	assert_int_equal(find("gone-key-number-1"), -1);
	assert_int_equal(find("shop-key-number-2"), 0);		/* the same place as before */
	assert_int_equal(find("new-key-number-1"), 2);		/* and not the one that has gone */
	assert_int_equal(key_table_names(&table), 3);
	assert_false(holds(&table, sizeof table, "shop-key-number-1"));
	assert_true(holds(&table, sizeof table, "shop-key-number-2"));
}

static void places_run_out(void **state)
{
	char name[16], key[32];

	(void)state;
	for (int i = 0; i < KEY_NAMES; i++) {
		sprintf(name, "n%d", i);
		sprintf(key, "the-key-number-%d", i);
		add(name, key);
	}
	assert_true(key_table_publish(&table, &list, &why));
	assert_int_equal(find("the-key-number-63"), 63);
	list.count = 0;
	add("n5", "another-key-for-5");
	add("one-more", "the-key-of-one-more");
	assert_false(key_table_publish(&table, &list, &why));
	assert_non_null(strstr(why.text, "'one-more' is one too many"));
	assert_null(strstr(why.text, "the-key"));
	assert_int_equal(find("the-key-number-63"), 63);	/* nothing has changed */
	assert_int_equal(find("another-key-for-5"), -1);
	assert_false(holds(&table, sizeof table, "another-key"));
}

/* While keys are renewed as fast as can be, a key of all editions is always found, under its name, and one of none
 * never is. Two keys that would make a third if half of each were read stand in turn at the same place. */
static _Atomic bool over;

static void *renew(void *arg)
{
	static struct key_list a, b;

	memcpy(&a, arg, sizeof a);
	memcpy(&b, arg, sizeof b);
	strcpy(a.entry[0].key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	strcpy(b.entry[0].key, "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
	for (int i = 0; i < 5000; i++)
		key_table_publish(&table, i % 2 ? &a : &b, NULL);
	atomic_store(&over, true);
	return NULL;
}

static void renewed_while_looked_for(void **state)
{
	pthread_t thread;
	unsigned long rounds = 0;

	(void)state;
	add("turns", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	for (int i = 2; i < KEYS_MAX; i++) {	/* a search that takes long is overtaken more often */
		char key[48];

		snprintf(key, sizeof key, "one-of-many-keys-%d", i);
		add("many", key);
	}
	add("stays", "the-key-that-stays");
	assert_true(key_table_publish(&table, &list, &why));
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, renew, &list), 0);
	for (; !atomic_load(&over); rounds++) {
		assert_int_equal(find("the-key-that-stays"), 2);
		assert_int_equal(find("AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB"), -1);
		assert_int_equal(find("BBBBBBBBBBBBBBBBAAAAAAAAAAAAAAAA"), -1);
		assert_int_equal(find(""), -1);
	}
	pthread_join(thread, NULL);
	assert_true(rounds > 0);
}

/* Instructions between two signals to itself; -1: nobody may trace here. */
static long steps_of(const char *key)
{
	volatile int sink = find(key);		/* once before, so that the linker's work is done */
	pid_t child = fork();
	size_t len = strlen(key);
	int status;
	long steps = 0;

	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		raise(SIGSTOP);
		sink = key_table_find(&table, key, len);
		raise(SIGSTOP);
		_exit(sink == -2);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		return -1;
	do {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		steps++;
	} while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return steps;
}

static void every_key_takes_as_long(void **state)
{
	static const char *const wrong[] = {
		"K-first-key-of-the-table-number-1", "k-first-key-of-the-table-number-X",	/* its first byte, its last */
		"k-eighth-key-of-the-table-number8", "k-eighth-key-of-the-table-numberX", "K-eighth-key-of-the-table-number8",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	};

	(void)state;
	add("first", "k-first-key-of-the-table-number-1");
	for (int i = 0; i < 6; i++) {
		char key[48];		/* all are 33 bytes long, as those below */

		snprintf(key, sizeof key, "k-further-key-of-the-table-numb-%d", i);
		add("more", key);
	}
	add("eighth", "k-eighth-key-of-the-table-number8");
	assert_true(key_table_publish(&table, &list, &why));
	long want = steps_of("k-first-key-of-the-table-number-1");

	if (want < 0) {
		print_message("nobody may trace here\n");
		skip();
	}
	assert_in_range(want, 8 * KEY_WORDS, 1000000);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(steps_of(wrong[i]), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty, setup),
		cmocka_unit_test_setup(found, setup),
		cmocka_unit_test_setup(renewed, setup),
		cmocka_unit_test_setup(places_run_out, setup),
		cmocka_unit_test_setup(renewed_while_looked_for, setup),
		cmocka_unit_test_setup(every_key_takes_as_long, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
