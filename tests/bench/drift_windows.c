/* drift_windows.c - windows of made-up traffic through Akin's own monitoring, for drift_study.py: as fast as it can be, without
 * a server around it.
 *
 *   usage: drift_windows features MODEL		the backtest's trials and hits within default_n places; then of every
 *							entity id and features, a line each
 *	    drift_windows watch MODEL user|item IDS REQUESTS [SETTING=VALUE...]
 *	    drift_windows hinkley P0 DROP LAMBDA SHARE STREAMS TRIALS
 *
 * watch: IDS has one id a line, REQUESTS is u32s, each the number of a line of IDS from 0, or UINT32_MAX to close a window;
 * what is found in each window is printed, a line a feature and reference: see the printf below. The settings are those of
 * akin.conf(5) that windows are judged by; what isn't given has its default.
 * hinkley: so many streams of independent trials with a share of hits; prints of each the trial at which it was
 * drifted first, or 0 when it wasn't after TRIALS. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../../metrics/watching.h"
#include "../../server/monitoring.h"
#include "../../shm/model_file.h"

static const char *reference_names[] = {
#define X(symbol, label) label,
	DRIFT_REFERENCES(X)
#undef X
};

static void die(const char *what)
{
	fprintf(stderr, "drift_windows: %s\n", what);
	exit(1);
}

static void *room(size_t n, size_t size)
{
	void *at = calloc(n ? n : 1, size);

	if (!at)
		die("no memory");
	return at;
}

static void load(struct model *m, const char *path)
{
	struct fault why = {""};
	size_t size;
	void *image;

	if (!model_file_load(path, &image, &size, &why) || !model_view(m, image, size, &why) || !model_verify(m, &why))
		die(why.text);
}

static int features(const char *path)
{
	struct model m;

	load(&m, path);
	uint32_t *rank = room(m.axis[AXIS_ITEM].n, sizeof *rank);

	feature_ranks(&m, rank);
	struct settings s;
	uint64_t hits = 0;

	settings_default(&s);
	for (unsigned i = 0; i < s.default_n; i++)
		hits += m.backtest->hits_own[i] + m.backtest->hits_popular[i];
	printf("backtest\t%" PRIu64 "\t%" PRIu64 "\n", m.backtest->trials, hits);
	for (unsigned kind = 0; kind < AXES; kind++) {
		const struct axis *a = &m.axis[kind];

		for (uint32_t i = 0; i < a->n; i++) {
			struct text id = model_id(a, i);

			printf("%s\t%.*s\t%u", kind == AXIS_ITEM ? "item" : "user", (int)id.len, id.at,
			       kind == AXIS_ITEM ? m.lines[i] : m.visits[i]);
			for (unsigned f = 0; f < FEATURE_BINNED; f++) {
				if (feature_axis((enum feature)f) == (enum axis_kind)kind)
					printf("\t%s=%.17g", feature_name((enum feature)f),
					       feature_value(&m, (enum feature)f, i, rank));
			}
			putchar('\n');
		}
	}
	free(rank);
	return 0;
}

/* Where requests for each id of the file are counted: a cell of entities, or of strangers behind STRANGER. */
#define STRANGER (UINT32_C(1) << 31)
#define NOWHERE	 UINT32_MAX		/* an entity that isn't in the sample */

static uint32_t *places(const struct model *m, enum axis_kind axis, const char *path, uint32_t *n)
{
	FILE *f = fopen(path, "r");
	uint32_t *place = NULL, stride = watch_stride(m->axis[axis].n);
	size_t cap = 0;
	ssize_t len;
	char *line = NULL;
	size_t line_size = 0;

	if (!f)
		die(path);
	for (*n = 0; (len = getline(&line, &line_size, f)) > 0; (*n)++) {
		if (*n == cap && !(place = realloc(place, (cap = cap ? 2 * cap : 4096) * sizeof *place)))
			die("no memory");
		len -= line[len - 1] == '\n';
		uint32_t i = model_find(&m->axis[axis], line, (size_t)len);

		if (i == MODEL_NONE)
			place[*n] = STRANGER | (uint32_t)(XXH3_64bits(line, (size_t)len) % WATCH_STRANGERS);
		else
			place[*n] = i % stride ? NOWHERE : i / stride;
	}
	free(line);
	fclose(f);
	return place;
}

static void ask(struct sums *s, enum axis_kind axis, uint32_t place)
{
	if (place != NOWHERE && place & STRANGER) {
		s->strangers[axis][place & ~STRANGER]++;
		return;
	}
	if (place != NOWHERE)
		s->asked[axis][place]++;
	s->own_results[axis][1]++;	/* by which answered requests are counted */
}

static void print_window(const struct watching *w, enum axis_kind axis, uint32_t number)
{
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		if (feature_axis((enum feature)f) != axis)
			continue;
		for (unsigned r = 0; r < DRIFT_REFERENCE_COUNT; r++) {
			const struct monitored_drift *d = &w->kept.found.drift[f][r];

			printf("%u %s %s %.6g %.6g %.6g %.6g %.6g %.6g %.6g %.6g %" PRIu64 " %" PRIu64 " %u %u %u\n", number,
			       feature_name((enum feature)f), reference_names[r], d->ks_distance, d->ks_critical, d->ks_p_value,
			       d->psi, d->psi_critical, d->share, d->reference_share, d->share_p_value, d->samples,
			       d->reference_samples, d->insufficient, d->detected, d->streak);
		}
	}
}

static struct window_rules rules(int argc, char **argv)
{
	struct settings s;
	struct fault why = {""};

	settings_default(&s);
	for (int i = 0; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			die(argv[i]);
		*value++ = '\0';
		if (!settings_set(&s, argv[i], value, "setting", &why))
			die(why.text);
	}
	struct window_rules r = monitoring_rules(&s);

	r.requests = 1;			/* a window is closed when the study says so */
	return r;
}

static int watch(int argc, char **argv)
{
	enum axis_kind axis = strcmp(argv[3], "item") == 0 ? AXIS_ITEM : AXIS_CUSTOMER;
	struct window_rules r = rules(argc - 6, argv + 6);
	struct watching *w = room(1, sizeof *w);
	struct sums *s = room(1, sizeof *s);
	FILE *f = fopen(argv[5], "rb");
	uint32_t n, number, windows = 0;
	struct fault why = {""};
	struct model m;

	load(&m, argv[2]);
	uint32_t *place = places(&m, axis, argv[4], &n);

	watching_open(w, &r);
	if (!f || !watching_begin(w, &m, 1, s, 0, &why))
		die(f ? why.text : argv[5]);
	while (fread(&number, sizeof number, 1, f) == 1) {
		if (number == UINT32_MAX) {
			windows++;
			watching_look(w, s, windows, windows);
			print_window(w, axis, windows - 1);
		} else if (number < n) {
			ask(s, axis, place[number]);
		} else {
			die("a request for a line that is not there");
		}
	}
	fclose(f);
	free(place);
	free(s);
	free(w);
	return 0;
}

/* xoshiro256+ of Blackman and Vigna, seeded by splitmix64. */
static uint64_t rng[4];

static void seed(uint64_t x)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		rng[i] = z ^ z >> 31;
	}
}

static uint64_t next(void)
{
	uint64_t result = rng[0] + rng[3], t = rng[1] << 17;

	rng[2] ^= rng[0];
	rng[3] ^= rng[1];
	rng[1] ^= rng[2];
	rng[0] ^= rng[3];
	rng[2] ^= t;
	rng[3] = rng[3] << 45 | rng[3] >> 19;
	return result;
}

static int hinkley(char **argv)
{
	double p0 = atof(argv[2]), drop = atof(argv[3]), lambda = atof(argv[4]), share = atof(argv[5]);
	unsigned streams = (unsigned)atoi(argv[6]);
	uint64_t trials = strtoull(argv[7], NULL, 10), limit = (uint64_t)(share * 0x1p53);

	seed(1);
	for (unsigned i = 0; i < streams; i++) {
		struct concept c;

		concept_begin(&c, p0, drop, lambda);
		while (c.trials < trials && concept_state(&c) != CONCEPT_DRIFTED)
			concept_feed(&c, 1, next() >> 11 < limit);
		printf("%" PRIu64 "\n", concept_state(&c) == CONCEPT_DRIFTED ? c.trials : 0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "features") == 0)
		return features(argv[2]);
	if (argc >= 6 && strcmp(argv[1], "watch") == 0)
		return watch(argc, argv);
	if (argc == 8 && strcmp(argv[1], "hinkley") == 0)
		return hinkley(argv);
	die("usage: features MODEL | watch MODEL user|item IDS REQUESTS [SETTING=VALUE...] |\n"
	    "\thinkley P0 DROP LAMBDA SHARE STREAMS TRIALS");
}
