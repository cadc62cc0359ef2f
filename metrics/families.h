/* families.h - every metric family, once: this list makes the fields of a worker's counters (counters.h), their sums,
 * the text of /metrics (exposition.c) and the table in docs/metrics.md. A family is added here, with a samples_
 * function in exposition.c; forgetting that does not link.
 *
 * Labels are closed lists, so that a counter is an array cell whose place the request path knows without looking
 * anything up, and so that no client can make new series. */
#ifndef AKIN_FAMILIES_H
#define AKIN_FAMILIES_H

/* X(symbol, label value): the route templates. `none` is every path that is no route. */
#define HANDLERS(X) \
	X(USER,    "/predict/user/{user_id}") \
	X(ITEM,    "/predict/item/{item_id}") \
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

/* X(code): statuses counted one by one, shown by class. Another code counts as the last one of its class here. */
#define STATUSES(X) \
	X(200) X(304) X(307) \
	X(403) X(404) X(405) X(406) X(408) X(411) X(413) X(414) X(417) X(422) X(431) \
	X(400) \
	X(501) X(503) X(505) \
	X(500)

/* X(symbol, type, shape, unit, name, help)
 *
 * shape: COMPUTED has no field in the slots; ONE is one number; BY_ANSWER is one by handler, method and status.
 * unit: the name's suffix where OpenMetrics wants one said, else "". */
#define FAMILIES(X) \
	X(requests, COUNTER, BY_ANSWER, "", "http_requests_total", \
	  "HTTP requests answered, by route template, method and class of the status.") \
	X(in_progress, GAUGE, ONE, "", "http_requests_inprogress", \
	  "HTTP requests that are being answered now, this scrape included.") \
	X(unanswered, COUNTER, COMPUTED, "", "akin_requests_unanswered_total", \
	  "HTTP requests that were in the hands of a worker when it died; some may have been answered.") \
	X(build_info, GAUGE, COMPUTED, "", "akin_build_info", \
	  "Always 1; the labels say which Akin this is and what compiled it.") \
	X(generation, GAUGE, COMPUTED, "", "akin_model_generation", \
	  "Generation of the model that is served: 1 after the start, one more with every successful reload.") \
	X(model_info, GAUGE, COMPUTED, "", "akin_model_info", \
	  "Always 1; the labels say which model is served.") \
	X(model_created, GAUGE, COMPUTED, "seconds", "akin_model_created_timestamp_seconds", \
	  "When the model that is served was built, in seconds since 1970.") \
	X(model_data, GAUGE, COMPUTED, "seconds", "akin_model_data_timestamp_seconds", \
	  "Time of the newest transaction in the model that is served, in seconds since 1970, taken as UTC.") \
	X(model_published, GAUGE, COMPUTED, "seconds", "akin_model_published_timestamp_seconds", \
	  "When the model that is served was published, in seconds since 1970.") \
	X(reloads, COUNTER, COMPUTED, "", "akin_reloads_total", \
	  "Reloads of the model file that were asked for, by result.") \
	X(last_reload, GAUGE, COMPUTED, "", "akin_last_reload_successful", \
	  "1 when the last reload succeeded or none was asked for, 0 when it failed and an older model is served.") \
	X(deaths, COUNTER, COMPUTED, "", "akin_worker_deaths_total", \
	  "Workers that ended without being asked to, by reason.") \
	X(workers, GAUGE, COMPUTED, "", "akin_workers", \
	  "Worker processes by state.") \
	X(shared_memory, GAUGE, COMPUTED, "bytes", "akin_shared_memory_bytes", \
	  "Size of the shared-memory segments in use, by segment.")

#endif
