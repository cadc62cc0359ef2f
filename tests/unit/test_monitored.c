/* test_monitored.c - the monitor's page: whole copies beside a writer that never rests, a writer that dies in the middle, what a
 * successor finds; sums over slots; and the file of retrainings. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../metrics/retrain.h"
#include "../../metrics/slot.h"
#include "../../metrics/sums.h"

#define SLOTS 3

static struct board board;
static struct fault why;

static int setup(void **state)
{
	(void)state;
	return board_create(&board, SLOTS, slot_size(0), monitored_size(), &why) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	board_remove(&board);
	return 0;
}

static int64_t ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Every byte of what is written says which writing it is of. */
static void write_all(uint8_t number)
{
	static struct monitored m;

	memset(&m, number, sizeof m);
	monitored_write(&board, &m);
	monitored_keep(&board, &m, sizeof m);
}

static bool is_one(const struct monitored *m)
{
	const uint8_t *bytes = (const uint8_t *)m;

	for (size_t i = 1; i < sizeof *m; i++) {
		if (bytes[i] != bytes[0])
			return false;
	}
	return true;
}

static void nothing_yet(void **state)
{
	struct board bare;
	struct monitored m;

	(void)state;
	memset(&m, 7, sizeof m);
	assert_false(monitored_read(&board, &m));
	assert_int_equal(m.generation, 0);
	assert_false(monitored_kept(&board, &m, sizeof m));
	assert_true(board_create(&bare, 1, 64, 0, &why));	/* a board without such pages */
	assert_null(monitored_page(&bare));
	assert_false(monitored_read(&bare, &m));
	board_remove(&bare);
}

static pid_t writer(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint8_t i = 1;; i = i == 255 ? 1 : i + 1)
		write_all(i);
}

/* Until both many have been read and many different ones, a reader sees whole ones only; and so it is with what is kept,
 * which is read when its writer is dead. */
static void whole_copies(void **state)
{
	int64_t until = ms() + 60000;
	bool seen[256] = {false};
	unsigned reads = 0, different = 0, wrong = 0;
	struct monitored m;

	(void)state;
	for (unsigned deaths = 0; deaths < 20; deaths++) {
		pid_t pid = writer();

		for (unsigned more = 0; more < 100 || reads < 1000 || different < 50; more++) {
			if (!monitored_read(&board, &m))
				continue;
			wrong += !is_one(&m);
			reads++;
			different += !seen[*(uint8_t *)&m];
			seen[*(uint8_t *)&m] = true;
			assert_true(ms() < until);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_true(monitored_kept(&board, &m, sizeof m));
		wrong += !is_one(&m);
	}
	assert_int_equal(wrong, 0);
}

/* It waits a while for a writer that is gone, and the next one puts the page right. */
static void a_writer_that_died(void **state)
{
	struct monitored_page *p = monitored_page(&board);
	struct monitored m;

	(void)state;
	write_all(5);
	atomic_fetch_add(&p->turn, 1);
	memset(&p->published, 6, 100);
	int64_t began = ms();

	assert_false(monitored_read(&board, &m));
	assert_true(ms() - began >= 90);
	assert_int_equal(m.generation, 0);
	assert_true(monitored_kept(&board, &m, sizeof m));
	assert_int_equal(*(uint8_t *)&m, 5);
	write_all(7);
	assert_true(monitored_read(&board, &m));
	assert_true(is_one(&m) && *(uint8_t *)&m == 7);
	atomic_store(&p->turn, UINT32_MAX - 1);	/* 0 would be: nothing yet */
	write_all(8);
	assert_true(monitored_read(&board, &m));
	assert_int_equal(*(uint8_t *)&m, 8);
}

/* -- sums --------------------------------------------------------------------------------------------------------- */

static void slots_are_added(void **state)
{
	static struct sums s;
	struct sums_quick q, of;

	(void)state;
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct counters *c = board_dead_counters(&board, i);
		struct watch *w = slot_watch(c);

		w->asked[AXIS_ITEM][3] = 10 + i;
		w->asked[AXIS_CUSTOMER][4] = UINT32_MAX;
		w->asked[AXIS_CUSTOMER][5] = 1;		/* behind what is counted */
		w->returned[AXIS_ITEM][2] = i;
		w->returned[AXIS_CUSTOMER][3] = 5;
		w->returned[AXIS_CUSTOMER][4] = 1;	/* behind the items that are counted */
		w->strangers[AXIS_CUSTOMER][WATCH_STRANGERS - 1] = 2;
		w->top_score[AXIS_ITEM][1000] = 1;
		w->mean_score[AXIS_CUSTOMER][0] = 3;
		w->mean_score[AXIS_ITEM][1000] = 4;
		w->own_results[AXIS_ITEM][128] = 5;
		w->own_results[AXIS_CUSTOMER][0] = 100;
		c->trials_of[2] = 7;
		c->trial_hits_of[2] = i;
	}
	memset(&s, 9, sizeof s);
	sums_of_board(&s, &board, (const uint32_t[AXES]){[AXIS_ITEM] = 4, [AXIS_CUSTOMER] = 5});
	assert_int_equal(s.asked[AXIS_ITEM][3], 33);
	assert_int_equal(s.asked[AXIS_ITEM][2], 0);
	assert_int_equal(s.asked[AXIS_CUSTOMER][4], UINT32_MAX - 2);
	assert_int_equal(s.asked[AXIS_CUSTOMER][5], 0);
	assert_int_equal(s.returned[AXIS_ITEM][2], 3);
	assert_int_equal(s.returned[AXIS_ITEM][3], 0);
	assert_int_equal(s.returned[AXIS_CUSTOMER][3], 15);
	assert_int_equal(s.returned[AXIS_CUSTOMER][4], 0);
	assert_int_equal(s.strangers[AXIS_CUSTOMER][WATCH_STRANGERS - 1], 6);
	assert_int_equal(s.top_score[AXIS_ITEM][1000], 3);
	assert_int_equal(s.mean_score[AXIS_CUSTOMER][0], 9);
	assert_int_equal(s.mean_score[AXIS_ITEM][1000], 12);
	assert_int_equal(s.own_results[AXIS_ITEM][128], 15);
	assert_int_equal(s.trials[2], 21);
	assert_int_equal(s.hits[2], 3);
	assert_int_equal(s.trials[1], 0);
	sums_quick_of_board(&q, &board);
	assert_int_equal(q.requests[AXIS_ITEM], 15);
	assert_int_equal(q.requests[AXIS_CUSTOMER], 306);
	assert_int_equal(q.trials[2], 21);
	sums_quick_of(&of, &s);
	assert_memory_equal(&q, &of, sizeof q);
}

static void counted(void **state)
{
	(void)state;
	assert_int_equal(sums_counted(1), 1);
	assert_int_equal(sums_counted(16384), 16384);
	assert_int_equal(sums_counted(16385), 8193);	/* each second: 0, 2, ... 16384 */
	assert_int_equal(sums_counted(1000000), 16130);	/* each 62nd */
}

/* -- retrainings -------------------------------------------------------------------------------------------------- */

static void what_the_file_says(void **state)
{
	struct monitored_retrain r = {.results = {99}};

	(void)state;
	retrain_read(&r, "ok 3\nrefused 1\nsomething_new 7\n\nbusy 18446744073709551615\nlast 1322438400 refused\n");
	assert_int_equal(r.known, 1);
	assert_int_equal(r.results[RETRAIN_OK], 3);
	assert_int_equal(r.results[RETRAIN_REFUSED], 1);
	assert_int_equal(r.results[RETRAIN_BUILD_FAILED], 0);
	assert_true(r.results[RETRAIN_BUSY] == UINT64_MAX);
	assert_int_equal(r.last, 1322438400);
	assert_int_equal(r.last_result, RETRAIN_REFUSED);
	retrain_read(&r, "");
	assert_int_equal(r.known, 1);
	assert_int_equal(r.last, 0);
	retrain_read(&r, "last soon ok\nok many\nok");
	assert_int_equal(r.results[RETRAIN_OK], 0);
	assert_int_equal(r.last, 0);
}

static void put(const char *path, const char *text)
{
	char aside[96];

	snprintf(aside, sizeof aside, "%s.new", path);
	FILE *f = fopen(aside, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(aside, path), 0);
}

static void a_file_that_changes(void **state)
{
	char folder[] = "/tmp/akin-retrain-XXXXXX", model[64], path[96], sub[64];
	struct monitored_retrain r = {.known = 0};
	int64_t seen = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(model, sizeof model, "%s/model.akin", folder);
	snprintf(sub, sizeof sub, "%s/models", folder);
	assert_true(retrain_path(path, sizeof path, model));
	assert_int_equal(strncmp(path, sub, strlen(sub)), 0);
	assert_string_equal(path + strlen(sub), "/retrain.state");
	assert_false(retrain_path(path, 10, model));
	assert_true(retrain_path(path, sizeof path, "model.akin"));
	assert_string_equal(path, "models/retrain.state");
	assert_true(retrain_path(path, sizeof path, model));
	assert_false(retrain_look(&r, path, &seen));	/* there is none */
	assert_int_equal(mkdir(sub, 0700), 0);
	put(path, "ok 1\nlast 5 ok\n");
	assert_true(retrain_look(&r, path, &seen));
	assert_int_equal(r.results[RETRAIN_OK], 1);
	assert_int_equal(r.last, 5);
	assert_false(retrain_look(&r, path, &seen));	/* the same */
	put(path, "ok 2\nlast 6 ok\n");
	assert_true(retrain_look(&r, path, &seen));
	assert_int_equal(r.results[RETRAIN_OK], 2);
	unlink(path);
	assert_true(retrain_look(&r, path, &seen));
	assert_int_equal(r.known, 0);
	assert_false(retrain_look(&r, path, &seen));
	assert_int_equal(mkfifo(path, 0600), 0);	/* nobody waits for who writes to it */
	assert_false(retrain_look(&r, path, &seen));
	unlink(path);
	rmdir(sub);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_yet),	/* first */
		cmocka_unit_test(whole_copies),
		cmocka_unit_test(a_writer_that_died),
		cmocka_unit_test(slots_are_added),
		cmocka_unit_test(counted),
		cmocka_unit_test(what_the_file_says),
		cmocka_unit_test(a_file_that_changes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
