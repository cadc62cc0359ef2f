/* settings.h - every setting of akin-server, once: key, default, range, meaning. The table in settings.c makes the
 * configuration reader, the AKIN_* variables, the flags, the usage text and `-T` from the same lines; a test holds
 * akin.conf(5) against it. */
#ifndef AKIN_SETTINGS_H
#define AKIN_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../shm/fault.h"
#include "../shm/recommend.h"

enum gate { GATE_ON, GATE_OFF };
enum gate_older { OLDER_REFUSE, OLDER_TAKE };
enum metrics { METRICS_ON, METRICS_OFF };
enum metrics_status { METRICS_GROUPED, METRICS_EXACT };
enum feedback { FEEDBACK_ON, FEEDBACK_OFF };
enum feedback_sync { SYNC_ALWAYS, SYNC_SECOND, SYNC_NEVER };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct settings {
	/* what is served */
	char model[PATH_MAX];
	uint32_t default_n;		/* n when the client names none */
	uint32_t max_n;			/* largest n a client may ask for */
	enum fill fill;			/* what short user answers are filled with */
	/* what may follow it: gate.h */
	enum gate gate;
	uint32_t gate_lost_items;	/* percent of the items that may be lost */
	uint32_t gate_lost_customers;
	uint32_t gate_overlap;		/* percent of the answered ids that must be kept */
	enum gate_older gate_older;	/* what to do with data that end earlier */
	/* where */
	char address[64];		/* IPv4 or IPv6 literal */
	uint32_t port;			/* 0: any free one, told in the log */
	uint32_t backlog;
	uint32_t max_waiting;		/* connections without a thread; those beyond are told 503 */
	uint32_t defer_accept_s;	/* how long the kernel keeps connections that say nothing; 0: not at all */
	char ops_listen[72];		/* ADDRESS:PORT; "": none */
	/* for whom */
	char allow[1024];		/* networks; "": everybody */
	char ops_allow[1024];
	char api_keys[PATH_MAX];	/* "": none are asked for */
	char user[72];			/* NAME or NAME:GROUP, by name or number; "": whoever starts it */
	/* by whom */
	uint32_t workers;		/* 0: one a core; capacity.c puts the number in */
	uint32_t threads;		/* per worker; 0: 1024 in all, which capacity.c puts in, too */
	uint32_t ops_threads;		/* per worker, for ops_listen */
	uint32_t respawn_max_ms;	/* longest wait before a worker that keeps dying early is replaced */
	uint32_t worker_hung_ms;	/* a worker silent for so long is killed and replaced; 0: never */
	uint32_t open_files;		/* 0: as many as the hard limit allows */
	/* how long, how much */
	uint32_t keep_alive_ms;		/* idle time of a kept connection; 0: none are kept */
	uint32_t request_timeout_ms;	/* to send a whole request */
	uint32_t give_way_ms;		/* a client that is slow for so long gives way to one that waits */
	uint32_t max_head_bytes;	/* request line and header fields */
	uint32_t max_target_bytes;	/* path and query */
	uint32_t max_fields;
	uint32_t max_body_bytes;	/* a body larger than this is refused */
	uint32_t stop_timeout_ms;	/* SIGTERM: longest drain */
	uint32_t drain_timeout_ms;	/* SIGQUIT: longest drain */
	uint32_t upgrade_timeout_ms;	/* SIGUSR2: for the new master to serve */
	/* retraining: akinctl's, the server reads none of them */
	char transactions[PATH_MAX];	/* files and folders, with blanks between them; "": no retraining */
	char retrain_options[PATH_MAX];	/* for akin-prep build */
	uint32_t retrain_hold_off_s;	/* from start to start */
	uint32_t retrain_max_per_day;
	/* metrics */
	enum metrics metrics;
	char metrics_namespace[49];	/* "": none; the two make the prefix of the http_ families */
	char metrics_subsystem[49];
	enum metrics_status metrics_status; /* 4xx or 404 */
	char metrics_exclude[512];	/* handlers, with commas or blanks between them */
	/* feedback */
	enum feedback feedback;		/* off: answers have no recommendation_id, and nobody is told what became of them */
	uint32_t feedback_ring;		/* answers that each worker remembers; rounded up to a power of two */
	uint32_t feedback_max_events;	/* in a body */
	char feedback_log[PATH_MAX];	/* folder for the log of events; "": none */
	enum feedback_sync feedback_sync; /* when a row counts as logged */
	uint32_t feedback_future_s;	/* how far ahead a time may be */
	/* watching */
	uint32_t window_requests, window_seconds; /* what closes a window */
	uint32_t window_min;		/* requests that a window needs for a verdict */
	uint32_t baseline_windows;
	uint32_t drift_effect_percent;
	uint32_t drift_alpha_permille;
	uint32_t drift_windows;
	uint32_t hit_drop_percent, hit_lambda;
	/* traces */
	char log[PATH_MAX];		/* "stderr" or a file */
	enum log_level log_level;
	char pid_file[PATH_MAX];	/* "": none */
};

/* Defaults, then the file, then ENABLE_METRICS and AKIN_* in the environment, then flags: the later wins. must_exist: a
 * missing file is a fault (with -c), else it is only not read. False: *why is "place: rule, value". */
void settings_default(struct settings *s);
bool settings_file(struct settings *s, const char *path, bool must_exist, struct fault *why);
bool settings_environment(struct settings *s, struct fault *why);
/* Names of AKIN_* variables that name no setting, as "A, B", cut to cap; returns how many there are. They may be
 * somebody else's (Kubernetes makes some), so they are warned of and not refused. */
size_t settings_environment_unknown(char *names, size_t cap);
/* One key, from any source; place is for the fault. */
bool settings_set(struct settings *s, const char *key, const char *value, const char *place, struct fault *why);
/* Rules between settings (default_n <= max_n, ...). */
bool settings_check(const struct settings *s, struct fault *why);

/* "key = value" lines of all settings, as akin.conf would have them. */
void settings_print(const struct settings *s, FILE *to);
/* One line a setting for the usage text: flag, meaning, default, range. */
void settings_usage(FILE *to);
/* The key as the table spells it ("max-n" and "max_n" are the same), always the same pointer; NULL: no setting. */
const char *settings_key(const char *key);

#endif
