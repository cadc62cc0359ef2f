/* families.h - every metric family, once: this list makes the fields of a worker's counters (counters.h), their sums,
 * the text of /metrics (exposition.c) and the table in docs/metrics.md (akin-server --metrics-table). A family is added
 * here, with a samples_ function in one of samples_*.c; forgetting that does not link.
 *
 * Labels are closed lists, so that a counter is an array cell whose place the request path knows without looking
 * anything up, and so that no client can make new series. */
#ifndef AKIN_FAMILIES_H
#define AKIN_FAMILIES_H

/* X(symbol, label value): the route templates. `none` is every path that is no route. */
#define HANDLERS(X) \
	X(USER,    "/predict/user/{user_id}") \
	X(ITEM,    "/predict/item/{item_id}") \
	X(FEEDBACK, "/feedback") \
	X(ROOT,    "/") \
	X(METRICS, "/metrics") \
	X(HEALTHZ, "/healthz") \
	X(READYZ,  "/readyz") \
	X(MODEL,   "/model") \
	X(OPENAPI, "/openapi.json") \
	X(DOCS,    "/docs") \
	X(REDOC,   "/redoc") \
	X(ASSET,   "/docs/{file}") \
	X(NONE,    "none")

/* X(symbol): methods counted by name. Every other one is `other`. */
#define METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

/* X(code): statuses counted one by one, shown so or by class. Another code counts as the last one of its class here. */
#define STATUSES(X) \
	X(200) X(304) X(307) \
	X(401) X(403) X(404) X(405) X(406) X(408) X(413) X(414) X(417) X(422) X(431) \
	X(400) \
	X(501) X(503) X(505) \
	X(500)

/* X(nanoseconds, le, fine, coarse): upper bounds of the bins that durations are counted in. One request is counted in
 * one bin; the two histograms that are shown take those bounds that are theirs: `fine` by handler, `coarse` of all. */
#define BOUNDS(X) \
	X(50000,       "5e-05",   1, 0) \
	X(100000,      "0.0001",  1, 0) \
	X(250000,      "0.00025", 1, 0) \
	X(500000,      "0.0005",  1, 0) \
	X(1000000,     "0.001",   1, 0) \
	X(2500000,     "0.0025",  1, 0) \
	X(5000000,     "0.005",   1, 0) \
	X(10000000,    "0.01",    1, 1) \
	X(25000000,    "0.025",   1, 1) \
	X(50000000,    "0.05",    1, 1) \
	X(75000000,    "0.075",   0, 1) \
	X(100000000,   "0.1",     1, 1) \
	X(250000000,   "0.25",    1, 1) \
	X(500000000,   "0.5",     1, 1) \
	X(750000000,   "0.75",    0, 1) \
	X(1000000000,  "1.0",     1, 1) \
	X(1500000000,  "1.5",     0, 1) \
	X(2000000000,  "2.0",     0, 1) \
	X(2500000000,  "2.5",     0, 1) \
	X(3000000000,  "3.0",     0, 1) \
	X(3500000000,  "3.5",     0, 1) \
	X(4000000000,  "4.0",     0, 1) \
	X(4500000000,  "4.5",     0, 1) \
	X(5000000000,  "5.0",     0, 1) \
	X(7500000000,  "7.5",     0, 1) \
	X(10000000000, "10.0",    0, 1) \
	X(30000000000, "30.0",    0, 1) \
	X(60000000000, "60.0",    0, 1)

/* X(symbol, label value): why a connection was refused. */
#define REFUSALS(X) X(DESCRIPTORS, "descriptors") X(OVERLOAD, "overload")

/* X(symbol, label value): what a connection did that was ended since others waited for its thread: nothing; kept the
 * thread waiting for its request, or for its answer to be taken; or was answered, and told to close. */
#define ENDINGS(X) X(IDLE, "idle") X(SLOW, "slow") X(BUSY, "busy")

/* X(symbol, label value): why a request was not let through. */
#define DENIALS(X) \
	X(ALLOW,       "allow") \
	X(OPS_ALLOW,   "ops_allow") \
	X(KEY_MISSING, "key_missing") \
	X(KEY_WRONG,   "key_wrong")

/* X(symbol, label value): what became of a prediction: as many ids as were asked for, all of its own; as many, some of
 * them fill; fewer; an id that the model does not know. */
#define DELIVERIES(X) X(FULL, "full") X(FILLED, "filled") X(SHORT, "short") X(UNKNOWN, "unknown")

/* X(upper bound, le): bins of the score of a prediction's first own result, and of how many of its results are its own. */
#define SCORE_BOUNDS(X) \
	X(0.1, "0.1") X(0.2, "0.2") X(0.3, "0.3") X(0.4, "0.4") X(0.5, "0.5") \
	X(0.6, "0.6") X(0.7, "0.7") X(0.8, "0.8") X(0.9, "0.9") X(1.0, "1.0")
#define RESULT_BOUNDS(X) \
	X(0, "0.0") X(1, "1.0") X(2, "2.0") X(5, "5.0") X(10, "10.0") X(20, "20.0") X(50, "50.0") X(100, "100.0")

/* The bin of a number `it` among such bounds, which ascend, is how many of them it is above: 0 SCORE_BOUNDS(BIN_OF_IT). Counted
 * without a branch, for which bin comes next can't be predicted. */
#define BIN_OF_IT(bound, label) + (it > (bound))

/* X(symbol, label value): what customers do with what they were shown. */
#define EVENTS(X) X(CLICK, "click") X(CART, "cart") X(PURCHASE, "purchase")

/* X(symbol, label value, taken): what became of an event that was told, one each. Those that are taken are counted by kind and
 * logged; the others are not. docs/api.md says what each means. */
#define OUTCOMES(X) \
	X(HIT,            "hit",            1) \
	X(MISS,           "miss",           1) \
	X(REPEAT,         "repeat",         1) \
	X(NOT_SHOWN,      "not_shown",      1) \
	X(OLD_GENERATION, "old_generation", 1) \
	X(GONE,           "gone",           1) \
	X(UNKNOWN_USER,   "unknown_user",   1) \
	X(UNKNOWN_ITEM,   "unknown_item",   1) \
	X(FOREIGN_ID,     "foreign_id",     0) \
	X(DUPLICATE,      "duplicate",      0) \
	X(FUTURE,         "future",         0) \
	X(MALFORMED,      "malformed",      0) \
	X(UNKNOWN_EVENT,  "unknown_event",  0) \
	X(NOT_LOGGED,     "not_logged",     0)

/* X(last, label value): places of an answer that hits are told by; 1 is the first. */
#define RANKS(X) \
	X(1, "1") X(2, "2") X(3, "3") X(5, "4-5") X(10, "6-10") X(20, "11-20") X(UINT32_MAX, "21+")

/* X(symbol, type, shape, unit, name, labels, help)
 *
 * shape: COMPUTED has no field in the slots; ONE is one number; BY_HANDLER is one by handler; BY_ANSWER is one by
 * handler, method and status; SERVED is times and bytes by handler, method and class; BY_REFUSAL, BY_ENDING and BY_DENIAL
 * are one by reason; BY_KEY is one by place of an API key's name; PREDICTED is what is told of predictions, by kind; BY_EVENT
 * and BY_OUTCOME are one by those, and BY_PLACE is one by source and rank.
 * unit: the name's suffix where OpenMetrics wants one said, else "". */
#define FAMILIES(X) \
	X(requests, COUNTER, BY_ANSWER, "", "http_requests_total", "handler, method, status", \
	  "HTTP requests answered, by route template, method and status.") \
	X(request_size, SUMMARY, BY_HANDLER, "bytes", "http_request_size_bytes", "handler", \
	  "Length of request bodies, 0 for one that was refused.") \
	X(response_size, SUMMARY, COMPUTED, "bytes", "http_response_size_bytes", "handler", \
	  "Length of response bodies.") \
	X(served, HISTOGRAM, SERVED, "seconds", "http_request_duration_seconds", "handler, method, status", \
	  "Time from a request's head being read to its answer being with the kernel; a method but GET is 'other'.") \
	X(served_highr, HISTOGRAM, COMPUTED, "seconds", "http_request_duration_highr_seconds", "", \
	  "The same durations over all handlers, in wider buckets up to a minute.") \
	X(in_progress, GAUGE, ONE, "", "http_requests_inprogress", "", \
	  "HTTP requests that are being answered now, this scrape included.") \
	X(predictions, COUNTER, PREDICTED, "", "akin_predictions_total", "kind, outcome", \
	  "Predictions by what they are for and what became of them: full, filled, short, unknown.") \
	X(predicted_ids, COUNTER, COMPUTED, "", "akin_predicted_ids_total", "source", \
	  "Ids delivered by predictions, by where they come from.") \
	X(prediction_top_score, HISTOGRAM, COMPUTED, "", "akin_prediction_top_score", "kind", \
	  "Score of a prediction's first result of its own; predictions with none are left out.") \
	X(prediction_own_results, HISTOGRAM, COMPUTED, "", "akin_prediction_own_results", "kind", \
	  "How many of a prediction's results are its own, not fill; unknown ids are left out.") \
	X(cpu, COUNTER, COMPUTED, "seconds", "process_cpu_seconds_total", "", \
	  "CPU time of master, loaders, monitor and workers, those that have died included.") \
	X(resident, GAUGE, COMPUTED, "bytes", "process_resident_memory_bytes", "", \
	  "Resident memory of master, monitor and workers, summed: shared pages count once in each.") \
	X(proportional, GAUGE, ONE, "bytes", "akin_process_proportional_memory_bytes", "", \
	  "Resident memory of master, monitor and workers, shared pages counted once; renewed every 10 seconds.") \
	X(virtual, GAUGE, COMPUTED, "bytes", "process_virtual_memory_bytes", "", \
	  "Address space of master, monitor and workers, summed.") \
	X(start_time, GAUGE, COMPUTED, "seconds", "process_start_time_seconds", "", \
	  "When the master started, in seconds since 1970.") \
	X(open_fds, GAUGE, COMPUTED, "", "process_open_fds", "", \
	  "Open descriptors of master, monitor and workers, summed.") \
	X(max_fds, GAUGE, COMPUTED, "", "process_max_fds", "", \
	  "Descriptors that each of the processes may open.") \
	X(process_threads, GAUGE, COMPUTED, "", "process_threads", "", \
	  "Operating-system threads of master, monitor and workers, summed.") \
	X(build_info, GAUGE, COMPUTED, "", "akin_build_info", "version, compiler", \
	  "Always 1; the labels say which Akin this is and what compiled it.") \
	X(model_info, GAUGE, COMPUTED, "", "akin_model_info", \
	  "generation, checksum, items, customers, interactions", \
	  "Always 1; the labels say which model is served.") \
	X(generation, GAUGE, COMPUTED, "", "akin_model_generation", "", \
	  "Generation of the model that is served: 1 after the start, one more with every successful reload or rollback.") \
	X(model_created, GAUGE, COMPUTED, "seconds", "akin_model_created_timestamp_seconds", "", \
	  "When the model that is served was built, in seconds since 1970.") \
	X(model_data, GAUGE, COMPUTED, "seconds", "akin_model_data_timestamp_seconds", "", \
	  "Time of the newest transaction in the model that is served, in seconds since 1970, taken as UTC.") \
	X(model_published, GAUGE, COMPUTED, "seconds", "akin_model_published_timestamp_seconds", "", \
	  "When the model that is served was published, in seconds since 1970.") \
	X(model_age, GAUGE, COMPUTED, "seconds", "akin_model_age_seconds", "", \
	  "Time since the model that is served was built.") \
	X(data_age, GAUGE, COMPUTED, "seconds", "akin_data_age_seconds", "", \
	  "Time since the newest transaction in the model that is served.") \
	X(reloads, COUNTER, COMPUTED, "", "akin_reloads_total", "result, reason", \
	  "Reloads of the model file that were asked for, by result and reason of failure.") \
	X(rollbacks, COUNTER, COMPUTED, "", "akin_rollbacks_total", "result", \
	  "Rollbacks to the previous generation that were asked for, by result.") \
	X(last_reload, GAUGE, COMPUTED, "", "akin_last_reload_successful", "", \
	  "1 when the last reload succeeded or none was asked for, 0 when it failed and an older model is served.") \
	X(last_reload_duration, GAUGE, COMPUTED, "seconds", "akin_last_reload_duration_seconds", "", \
	  "How long the last reload took, failed or not; before the first, the load at the start.") \
	X(shared_memory, GAUGE, COMPUTED, "bytes", "akin_shared_memory_bytes", "segment", \
	  "Size of the shared-memory segments in use, by segment.") \
	X(workers, GAUGE, COMPUTED, "", "akin_workers", "state", \
	  "Worker processes by state; missing is a worker that died and has no successor yet.") \
	X(restarts, COUNTER, COMPUTED, "", "akin_worker_restarts_total", "reason", \
	  "Workers that ended without being asked to and were replaced, by how they ended.") \
	X(upgrade_failures, COUNTER, COMPUTED, "", "akin_upgrade_failures_total", "", \
	  "New masters that were started by SIGUSR2 and did not get to serve; the old one went on.") \
	X(unanswered, COUNTER, COMPUTED, "", "akin_requests_unanswered_total", "", \
	  "HTTP requests that were in the hands of a worker when it died; some may have been answered.") \
	X(worker_requests, COUNTER, COMPUTED, "", "akin_worker_requests_total", "worker", \
	  "HTTP requests answered, by worker.") \
	X(threads, GAUGE, ONE, "", "akin_threads", "worker", \
	  "Threads that serve connections, by worker; those of ops_listen left aside, here and below.") \
	X(threads_busy, GAUGE, COMPUTED, "", "akin_threads_busy", "worker", \
	  "Threads that answer a request or wait for a connection's first one, by worker.") \
	X(connections_active, GAUGE, ONE, "", "akin_connections_active", "worker", \
	  "Connections accepted and not closed, idle ones included, by worker.") \
	X(connections_waiting, GAUGE, COMPUTED, "", "akin_connections_waiting", "", \
	  "Connections in the kernel's queue, which all workers share: no thread has been free to take them.") \
	X(connections_accepted, COUNTER, ONE, "", "akin_connections_accepted_total", "worker", \
	  "Connections accepted, by worker.") \
	X(connections_refused, COUNTER, BY_REFUSAL, "", "akin_connections_refused_total", "reason", \
	  "Connections that were told 503 and closed, for want of a descriptor or a thread.") \
	X(connections_ended, COUNTER, BY_ENDING, "", "akin_connections_ended_total", "reason", \
	  "Connections that were ended because another one waited for their thread, by what they did.") \
	X(access_denied, COUNTER, BY_DENIAL, "", "akin_access_denied_total", "reason", \
	  "Requests answered 403 or 401: by the list the address is not in, or for a key that is missing or wrong.") \
	X(api_key_requests, COUNTER, BY_KEY, "", "akin_api_key_requests_total", "key", \
	  "Requests for predictions that had a valid API key, by the key's name; without keys there are none.") \
	X(api_key_renewals, COUNTER, COMPUTED, "", "akin_api_keys_reloads_total", "result", \
	  "Times the file of API keys was read again, by result.") \
	X(api_keys_fresh, GAUGE, COMPUTED, "", "akin_api_keys_last_reload_successful", "", \
	  "1 when the file of API keys was read well the last time, or there is none; 0 when older keys are used.") \
	X(windows_closed, COUNTER, COMPUTED, "", "akin_windows_closed_total", "kind", \
	  "Windows of predictions, or of purchases after recommendations, that were closed: by number or by age.") \
	X(window_end, GAUGE, COMPUTED, "seconds", "akin_window_end_timestamp_seconds", "kind", \
	  "When the last window was closed, in seconds since 1970.") \
	X(window_duration, GAUGE, COMPUTED, "seconds", "akin_window_duration_seconds", "kind", \
	  "How long the last closed window of this generation was open.") \
	X(window_limit, GAUGE, COMPUTED, "seconds", "akin_window_limit_seconds", "", \
	  "How long a window may be open: the setting window_seconds.") \
	X(window_requests, GAUGE, COMPUTED, "", "akin_window_requests", "kind", \
	  "Predictions, or purchases, in the last closed window, unknown ids included.") \
	X(window_entities, GAUGE, COMPUTED, "", "akin_window_entities", "kind", \
	  "Distinct known ids in the last closed window; of a large catalogue's fixed sample.") \
	X(window_unknown_ids, GAUGE, COMPUTED, "", "akin_window_unknown_ids", "kind", \
	  "Distinct unknown ids in the last closed window, estimated from hashes; of such a sample, too.") \
	X(prediction_statistic, GAUGE, COMPUTED, "", "akin_prediction_statistic", "kind, value, statistic", \
	  "Of the predictions in the last closed window: a statistic of a value.") \
	X(catalogue_returned, GAUGE, COMPUTED, "", "akin_catalogue_returned_ratio", "kind", \
	  "Part of the items that were in an answer in the last closed window.") \
	X(drift_ks_distance, GAUGE, COMPUTED, "", "akin_drift_ks_distance", "feature, reference", \
	  "Kolmogorov-Smirnov distance of the last closed window from the reference, in bins of the model's.") \
	X(drift_ks_critical, GAUGE, COMPUTED, "", "akin_drift_ks_critical", "feature, reference", \
	  "Distance that chance exceeds with the corrected probability, drift_alpha_permille by the number of features.") \
	X(drift_ks_p_value, GAUGE, COMPUTED, "", "akin_drift_ks_p_value", "feature, reference", \
	  "Probability of such a distance by chance alone.") \
	X(drift_psi, GAUGE, COMPUTED, "", "akin_drift_psi", "feature, reference", \
	  "Population stability index of the last closed window against the reference.") \
	X(drift_psi_critical, GAUGE, COMPUTED, "", "akin_drift_psi_critical", "feature, reference", \
	  "Index that chance exceeds with the corrected probability.") \
	X(drift_insufficient, GAUGE, COMPUTED, "", "akin_drift_insufficient", "feature, reference", \
	  "1 when there was too little in the last window, or in the reference, for a verdict.") \
	X(drift_detected, GAUGE, COMPUTED, "", "akin_drift_detected", "feature, reference", \
	  "1 when the feature has drifted: significantly and enough, drift_windows windows running.") \
	X(drift_window_samples, GAUGE, COMPUTED, "", "akin_drift_window_samples", "feature, reference", \
	  "What was compared of the last closed window: distinct ids against training, else requests.") \
	X(drift_reference_samples, GAUGE, COMPUTED, "", "akin_drift_reference_samples", "feature, reference", \
	  "What it was compared with: entities of the model, or requests.") \
	X(drift_unknown_ratio, GAUGE, COMPUTED, "", "akin_drift_unknown_ratio", "feature, reference", \
	  "Part that the model does not know: of distinct ids in window and training, of requests in the others.") \
	X(drift_unknown_p_value, GAUGE, COMPUTED, "", "akin_drift_unknown_p_value", "feature, reference", \
	  "Probability of such a rise of that part by chance alone.") \
	X(hit_rate, GAUGE, COMPUTED, "", "akin_hit_rate", "generation", \
	  "Part of the purchases in the last closed window whose item had been recommended; of this generation and the last.") \
	X(hit_rate_trials, GAUGE, COMPUTED, "", "akin_hit_rate_trials", "generation", \
	  "Purchases after recommendations that this rate is of.") \
	X(hit_rate_baseline, GAUGE, COMPUTED, "", "akin_hit_rate_baseline", "", \
	  "The rate that the model's backtest promises for answers of default_n items; absent with fewer than 30 hits in it.") \
	X(concept_drift_state, GAUGE, COMPUTED, "", "akin_concept_drift_state", "state", \
	  "1 for the state of the detector that watches purchases after recommendations, else 0.") \
	X(concept_drift_statistic, GAUGE, COMPUTED, "", "akin_concept_drift_statistic", "", \
	  "Page-Hinkley statistic: hits that are missing since the best moment.") \
	X(concept_drift_threshold, GAUGE, COMPUTED, "", "akin_concept_drift_threshold", "", \
	  "Where that statistic is drift: the setting hit_lambda.") \
	X(retrain, COUNTER, COMPUTED, "", "akin_retrain_total", "result", \
	  "Retrainings by akinctl retrain, by how they ended.") \
	X(retrain_last, GAUGE, COMPUTED, "seconds", "akin_retrain_last_timestamp_seconds", "", \
	  "When the last retraining ended, in seconds since 1970.") \
	X(retrain_last_successful, GAUGE, COMPUTED, "", "akin_retrain_last_successful", "", \
	  "1 when the last retraining put a new model in place, else 0.") \
	X(retrain_age, GAUGE, COMPUTED, "seconds", "akin_retrain_age_seconds", "", \
	  "Time since the last retraining ended.") \
	X(monitor_restarts, COUNTER, COMPUTED, "", "akin_monitor_restarts_total", "", \
	  "Monitors that ended without being asked to and were replaced.") \
	X(monitor_age, GAUGE, COMPUTED, "seconds", "akin_monitor_age_seconds", "", \
	  "Time since the monitor last told what it has found; it does so once a second.") \
	X(feedback_events, COUNTER, BY_EVENT, "", "akin_feedback_events_total", "event", \
	  "Events of feedback that were accepted, by kind.") \
	X(feedback_outcomes, COUNTER, BY_OUTCOME, "", "akin_feedback_outcomes_total", "outcome", \
	  "Events of feedback, each under the one thing that became of it.") \
	X(feedback_hits, COUNTER, BY_PLACE, "", "akin_feedback_hits_total", "source, rank", \
	  "Events for an item that had been recommended, by the item's source and its place in the answer.") \
	X(feedback_trials, COUNTER, ONE, "", "akin_feedback_trials_total", "", \
	  "Purchases after an answer for that customer, of an item that the customer does not have in the model.") \
	X(feedback_trial_hits, COUNTER, ONE, "", "akin_feedback_trial_hits_total", "", \
	  "Those of them whose item was in the answer.") \
	X(feedback_logged, COUNTER, ONE, "", "akin_feedback_logged_total", "", \
	  "Events of feedback that were written to the log of events (feedback_log).") \
	X(feedback_log_errors, COUNTER, ONE, "", "akin_feedback_log_errors_total", "", \
	  "Writings to the log of events that failed; what they held was not acknowledged.")

#endif
