#!/usr/bin/python3
"""Write the dashboards in grafana/dashboards, or say whether they are what would be written.

usage: generate.py [--check]
"""
import json
import pathlib
import sys

from model_board import akin_model
from panels import (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, YELLOW, annotation, bargauge, coloured, dashboard, health,
                    heatmap, row, stat, table, target, timeseries)

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
CLIENTS = 'handler!~"/metrics|/healthz|/readyz"'      # all but probes and Prometheus itself
ROUTED = 'handler!~"none|/metrics|/healthz|/readyz"'  # and but what had no route: a scanner's 505 is no failure
PLACES = 'handler!~"none|/metrics"'                   # routes, without the scrape, which takes longer than they do
PREDICT = 'handler=~"/predict/.*"'
BY_STATUS = coloured(**{"2..": GREEN, "3..": BLUE, "4..": ORANGE, "5..": RED})


def reco_app():
    """The ten panels of the dashboard that came with the application Akin replaces: same address, titles and places."""
    def percentile(q, title, size):
        return timeseries(title, f"{q:.0%} of the requests of each route took no longer than this. Interpolated within the "
                          "fine buckets of the route's histogram; taken over Grafana's rate interval, at least four scrapes.",
                          "s", [target(f"""histogram_quantile({q}, sum by (handler, le) (
                          rate(http_request_duration_seconds_bucket{{@, {PLACES}}}[$__rate_interval]))) >= 0""",
                                       "{{handler}}")], size)

    return dashboard("_eX4mpl3", "Reco-app Dashboard",
                     "The panels of the FastAPI application that Akin replaces, with queries that say what their titles say. "
                     "It also works while that application is still the one that is scraped.", "http_requests_total", [
        health("Health", "Whether Prometheus got the last scrape of each instance.", "up{@}", "{{instance}}", (24, 6)),
        bargauge("Average response time", "Time from the request's head to its answer, averaged over the requests of the last "
                 "rate interval, by route. Not a lifetime average: it moves when the service does.", "s",
                 [target(f"""sum by (handler) (rate(http_request_duration_seconds_sum{{@, {PLACES}}}[$__rate_interval]))
                         / sum by (handler) (rate(http_request_duration_seconds_count{{@, {PLACES}}}[$__rate_interval]))
                         >= 0""", "{{handler}}")], (12, 9), GREEN, (0.1, YELLOW), (0.5, RED)),
        timeseries("CPU Usage", "Processor time used per second by all processes of the instance: 100 % is one core, all the time.",
                   "percentunit", [target("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")], (6, 9)),
        timeseries("Memory usage", "Resident memory of all processes of the instance together. Shared memory is counted in each "
                   "process that maps it; the service dashboard has the proportional sum.", "bytes",
                   [target("process_resident_memory_bytes{@}", "{{instance}}")], (6, 9)),
        timeseries("Request per 5 minute", "Answers per five minutes at the present rate, by status.", "short",
                   [target("300 * sum by (status) (rate(http_requests_total{@}[$__rate_interval]))", "{{status}}")],
                   (12, 9), stack=True, overrides=BY_STATUS),
        timeseries("Errors per 5m", "Answers per five minutes at the present rate that were a 4xx or a 5xx.", "short",
                   [target("""300 * sum(rate(http_request_duration_seconds_count{@, status=~"[45].."}[$__rate_interval]))
                           or vector(0)""", "errors")], (12, 9), fill=30, overrides=coloured(errors=ORANGE)),
        timeseries("Total requests per 5 minute", "Requests per five minutes at the present rate, by method and route.", "short",
                   [target("300 * sum by (method, handler) (rate(http_requests_total{@}[$__rate_interval]))",
                           "{{method}} {{handler}}")], (12, 10), stack=True),
        timeseries("Requests under 100ms", "Share of the requests of each route that were answered within 100 ms.", "percentunit",
                   [target("""sum by (handler) (rate(http_request_duration_seconds_bucket{@, le="0.1"}[$__rate_interval]))
                           / sum by (handler) (rate(http_request_duration_seconds_count{@}[$__rate_interval])) >= 0""",
                           "{{handler}}")], (12, 10), fill=0, defaults={"max": 1}),
        percentile(0.5, "Request duration [s] - p50 (2 min)", (12, 10)),
        percentile(0.9, "Request duration [s] - p90 (5min)", (12, 10)),
    ])


def overview():
    return [
        stat("Instances up", "Instances that answered the last scrape.", "short", "sum(up{@})", (3, 4), RED, (1, GREEN)),
        stat("Requests", "Requests of clients per second; probes and scrapes are not counted.", "reqps",
             f"sum(rate(http_requests_total{{@, {CLIENTS}}}[$__rate_interval])) or vector(0)", (3, 4), BLUE),
        stat("Failed", "Share of the clients' requests to a route that got a 5xx or lost their worker. AkinHighErrorRatio fires "
             "above 1 %.", "percentunit", f"""(
                 (sum(rate(http_requests_total{{@, {ROUTED}, status=~"5.."}}[$__rate_interval])) or vector(0))
                 + (sum(rate(akin_requests_unanswered_total{{@}}[$__rate_interval])) or vector(0))
             ) / (sum(rate(http_requests_total{{@, {ROUTED}}}[$__rate_interval]))
                  + sum(rate(akin_requests_unanswered_total{{@}}[$__rate_interval])) > 0) or vector(0)""",
             (3, 4), GREEN, (0.001, YELLOW), (0.01, RED)),
        stat("p99", "99 of 100 recommendations took no longer than this. AkinSlowP99 fires above 100 ms.", "s",
             f"""histogram_quantile(0.99, sum by (le) (
                 rate(http_request_duration_seconds_bucket{{@, {PREDICT}}}[$__rate_interval]))) >= 0""",
             (3, 4), GREEN, (0.05, YELLOW), (0.1, RED)),
        stat("Threads busy", "Share of all threads that are busy. AkinThreadsSaturated fires above 90 %.",
             "percentunit", "sum(akin_threads_busy{@}) / sum(akin_threads{@})", (3, 4), GREEN, (0.7, YELLOW), (0.9, RED)),
        stat("Workers serving", "Worker processes that answer requests, over all instances.", "short",
             'sum(akin_workers{@, state="serving"})', (3, 4), RED, (1, GREEN)),
        stat("Generation", "Generation of the model that is served: one more with every successful reload.", "short",
             "max(akin_model_generation{@})", (3, 4), BLUE),
        stat("Age of the data", "Age of the newest transaction in the model. AkinDataStale fires above eight days.", "s",
             "max(akin_data_age_seconds{@})", (3, 4), GREEN, (7 * 86400, YELLOW), (8 * 86400, RED), graph=False, decimals=1),
    ]


def requests():
    return [
        row("Requests"),
        timeseries("Requests by route", "Requests per second by route template; none is every path that is no route.", "reqps",
                   [target("sum by (handler) (rate(http_requests_total{@}[$__rate_interval]))", "{{handler}}")],
                   (8, 8), stack=True),
        timeseries("Answers by status", "Answers per second by status. Their sum is all requests.", "reqps",
                   [target("sum by (status) (rate(http_requests_total{@}[$__rate_interval]))", "{{status}}")],
                   (8, 8), stack=True, overrides=BY_STATUS),
        timeseries("Errors", "What went wrong, per second: requests that were refused (4xx), that failed (5xx), that were lost "
                   "with the worker that had them, and connections that were refused.", "reqps", [
            target('sum(rate(http_requests_total{@, status=~"4.."}[$__rate_interval])) or vector(0)', "refused, 4xx"),
            target('sum(rate(http_requests_total{@, status=~"5.."}[$__rate_interval])) or vector(0)', "failed, 5xx"),
            target("sum(rate(akin_requests_unanswered_total{@}[$__rate_interval])) or vector(0)", "lost with a worker"),
            target("sum(rate(akin_connections_refused_total{@}[$__rate_interval])) or vector(0)", "connections refused"),
        ], (8, 8), overrides=coloured(**{"refused, 4xx": ORANGE, "failed, 5xx": RED, "lost.*": PURPLE, "connections.*": YELLOW})),
        timeseries("Errors by route", "4xx and 5xx answers per second, by route and status.", "reqps",
                   [target('sum by (handler, status) (rate(http_requests_total{@, status=~"[45].."}[$__rate_interval]))',
                           "{{status}} {{handler}}")], (12, 7)),
        timeseries("Bytes", "Bodies of requests and answers, in bytes per second, without header fields.", "Bps", [
            target("sum(rate(http_response_size_bytes_sum{@}[$__rate_interval]))", "answers"),
            target("sum(rate(http_request_size_bytes_sum{@}[$__rate_interval]))", "requests"),
        ], (6, 7)),
        timeseries("Average answer", "Bytes of an average answer's body, by route.", "bytes",
                   [target("""sum by (handler) (rate(http_response_size_bytes_sum{@}[$__rate_interval]))
                           / sum by (handler) (rate(http_response_size_bytes_count{@}[$__rate_interval])) >= 0""",
                           "{{handler}}")], (6, 7), fill=0),
    ]


def latency():
    def percentiles(q):
        return target(f"""histogram_quantile({q}, sum by (le) (
                      rate(http_request_duration_seconds_bucket{{@, {PREDICT}}}[$__rate_interval]))) >= 0""", f"p{q * 100:g}")

    return [
        row("Latency"),
        timeseries("Recommendations: percentiles", "How long the fastest 50, 90 and 99 of 100 recommendations took at most, of "
                   "both routes. Interpolated within buckets from 50 µs to 1 s.", "s",
                   [percentiles(0.5), percentiles(0.9), percentiles(0.99)], (8, 9), legend="table",
                   overrides=coloured(**{"p50": GREEN, "p90": YELLOW, "p99": RED})),
        timeseries("p99 by route", "99 of 100 requests of each route took no longer than this. Scrapes are below, in Resources.", "s",
                   [target(f"""histogram_quantile(0.99, sum by (handler, le) (
                           rate(http_request_duration_seconds_bucket{{@, {PLACES}}}[$__rate_interval]))) >= 0""", "{{handler}}")],
                   (8, 9), fill=0),
        heatmap("Latency heat map", "Requests per second in each bucket of duration, of all routes: the darker, the more.", "s",
                "sum by (le) (rate(http_request_duration_seconds_bucket{@}[$__rate_interval]))", (8, 9)),
        timeseries("Slower than", "Share of all requests that took longer than 10 ms, 100 ms and 1 s, from the histogram "
                   "without labels.", "percentunit",
                   [target(f"""1 - sum(rate(http_request_duration_highr_seconds_bucket{{@, le=~"{le}"}}[$__rate_interval]))
                           / sum(rate(http_request_duration_highr_seconds_count{{@}}[$__rate_interval])) >= 0""", name)
                    for le, name in (("0[.]01", "10 ms"), ("0[.]1", "100 ms"), ("1([.]0)?", "1 s"))],
                   (12, 7), overrides=coloured(**{"10 ms": GREEN, "100 ms": YELLOW, "1 s": RED})),
        timeseries("In progress", "Requests that are being answered at the moment of the scrape, which is one of them.", "short",
                   [target("sum by (instance) (http_requests_inprogress{@})", "{{instance}}")], (12, 7)),
    ]


def saturation():
    return [
        row("Saturation"),
        timeseries("Threads", "Threads that are busy, and threads in all. When the two meet, connections wait.", "short", [
            target("sum(akin_threads{@})", "in all"), target("sum(akin_threads_busy{@})", "busy")],
            (8, 7), overrides=coloured(**{"in all": GREY, "busy": BLUE})),
        timeseries("Connections", "Connections that are open, and connections that wait in the kernel's queue for a free thread.", "short", [
            target("sum(akin_connections_active{@})", "active"), target("sum(akin_connections_waiting{@})", "waiting")],
            (8, 7), overrides=coloured(active=BLUE, waiting=RED)),
        timeseries("Connections made", "Connections accepted, ended because others waited for their thread, and refused, "
                   "per second. Many accepted per request means that clients do not keep them.", "cps", [
            target("sum(rate(akin_connections_accepted_total{@}[$__rate_interval]))", "accepted"),
            target("sum by (reason) (rate(akin_connections_refused_total{@}[$__rate_interval]))", "refused: {{reason}}"),
            target("sum by (reason) (rate(akin_connections_ended_total{@}[$__rate_interval]))", "ended: {{reason}}")],
            (8, 7), overrides=coloured(**{"accepted": GREEN, "refused.*": RED, "ended.*": YELLOW})),
    ]


def access():
    return [
        row("Access"),
        timeseries("Denied", "Requests per second that were answered 403, since the address is not in allow or ops_allow, or 401, "
                   "since the API key is missing or wrong.", "reqps",
                   [target("sum by (reason) (rate(akin_access_denied_total{@}[$__rate_interval]))", "{{reason}}")], (8, 7)),
        timeseries("Requests by API key", "Recommendations asked for per second, by the name of the API key. Without keys it is 0.",
                   "reqps", [target("sum by (key) (rate(akin_api_key_requests_total{@}[$__rate_interval])) or vector(0)", "{{key}}")],
                   (8, 7), stack=True),
        timeseries("API keys read", "Times the file of API keys was read again, per rate interval, by result. After a failure the "
                   "older keys are used.", "short",
                   [target("sum by (result) (increase(akin_api_keys_reloads_total{@}[$__rate_interval]))", "{{result}}")],
                   (8, 7), style="bars", interval="1m", overrides=coloured(success=GREEN, failure=RED)),
    ]


def workers():
    return [
        row("Workers"),
        timeseries("Workers by state", "Worker processes by state. Missing ones are waiting to be started again.", "short",
                   [target("sum by (state) (akin_workers{@})", "{{state}}")], (6, 8), stack=True, step=True,
                   overrides=coloured(serving=GREEN, starting=BLUE, draining=YELLOW, missing=RED)),
        timeseries("Requests per worker", "Requests per second of each worker. They share one listening socket; the kernel deals.",
                   "reqps", [target("sum by (instance, worker) (rate(akin_worker_requests_total{@}[$__rate_interval]))",
                                    "{{instance}} worker {{worker}}")], (6, 8), fill=0),
        timeseries("Threads busy per worker", "Share of each worker's threads that are busy.", "percentunit",
                   [target("sum by (instance, worker) (akin_threads_busy{@}) / sum by (instance, worker) (akin_threads{@})",
                           "{{instance}} worker {{worker}}")], (6, 8), fill=0),
        timeseries("Worker restarts", "Workers that ended without having been asked to and were replaced, per rate interval: by "
                   "exit, by a signal of their own making, killed, or hung and then killed by the master.", "short",
                   [target("sum by (reason) (increase(akin_worker_restarts_total{@}[$__rate_interval]))", "{{reason}}")],
                   (6, 8), style="bars", interval="1m", overrides=coloured(exit=YELLOW, signal=RED, killed=PURPLE, hung=ORANGE)),
    ]


def model():
    return [
        row("Model"),
        table("Model served", "What each instance serves.", "akin_model_info{@}",
              {"instance": "Instance", "generation": "Generation", "checksum": "Checksum", "items": "Items",
               "customers": "Customers", "interactions": "Interactions"}, (12, 5)),
        table("Program", "What each instance runs.", "akin_build_info{@}",
              {"instance": "Instance", "version": "Version", "compiler": "Compiler"}, (6, 5)),
        timeseries("Last reload took", "Seconds from the request to reload until the new generation was published, or refused.",
                   "s", [target("akin_last_reload_duration_seconds{@}", "{{instance}}")], (6, 5), step=True),
        timeseries("Ages", "Time since the newest transaction of the model, and since the model was built.", "s", [
            target("max by (instance) (akin_data_age_seconds{@})", "data, {{instance}}"),
            target("max by (instance) (akin_model_age_seconds{@})", "model, {{instance}}")], (8, 7), fill=0),
        timeseries("Reloads", "Reloads and rollbacks that were asked for, and upgrades that failed, per rate interval, by result "
                   "and by why they were refused.", "short", [
            target("sum by (result, reason) (increase(akin_reloads_total{@}[$__rate_interval]))", "{{result}} {{reason}}"),
            target("sum by (result) (increase(akin_rollbacks_total{@}[$__rate_interval]))", "rollback, {{result}}"),
            target("sum(increase(akin_upgrade_failures_total{@}[$__rate_interval]))", "failed upgrade")], (8, 7), style="bars",
                   interval="1m", overrides=coloured(**{"success.*": GREEN, "failure.*": RED, "rollback.*": YELLOW,
                                                        "failed.*": PURPLE})),
        timeseries("Last reload successful", "1 while the newest model that was asked for is served, 0 while an older one is.",
                   "short", [target("akin_last_reload_successful{@}", "{{instance}}")], (8, 7), step=True,
                   defaults={"max": 1}),
    ]


def resources():
    return [
        row("Resources"),
        timeseries("Processor", "Processor time used per second by all processes of an instance: 100 % is one core, all the time. "
                   "It does not fall back when a worker dies.", "percentunit",
                   [target("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")], (6, 8)),
        timeseries("Memory", "All processes of the instances together. Proportional counts a shared page once; resident counts it "
                   "in each process. The shared segments are part of both.", "bytes", [
            target("sum(process_resident_memory_bytes{@})", "resident"),
            target("sum(akin_process_proportional_memory_bytes{@})", "proportional"),
            target("sum by (segment) (akin_shared_memory_bytes{@})", "shared: {{segment}}")], (6, 8), fill=0),
        timeseries("Address space", "Virtual memory of all processes, stacks of threads included. It costs nothing until it is used.",
                   "bytes", [target("process_virtual_memory_bytes{@}", "{{instance}}")], (3, 8), fill=0),
        timeseries("Descriptors", "Open descriptors of all processes. One process may have as many as the limit says.", "short", [
            target("process_open_fds{@}", "open"), target("process_max_fds{@}", "limit of one")], (3, 8), fill=0),
        timeseries("System threads", "Threads of all processes, as the kernel counts them.", "short",
                   [target("process_threads{@}", "{{instance}}")], (3, 8), fill=0),
        timeseries("Scrape", "How long Prometheus needed for /metrics, network and parsing included.", "s",
                   [target("scrape_duration_seconds{@}", "{{instance}}")], (3, 8)),
    ]


def akin_service():
    return dashboard("akin-service", "Akin service",
                     "Requests, errors, latency, saturation, access, workers, model and resources of Akin.", "akin_build_info",
                     [*overview(), *requests(), *latency(), *saturation(), *access(), *workers(), *model(), *resources()], [
        annotation("Model published", GREEN,
                   """1000 * akin_model_info{@} * on (job, instance) group_left ()
                   akin_model_published_timestamp_seconds{@}""", "Generation {{generation}} on {{instance}}",
                   "{{items}} items, {{customers}} customers, checksum {{checksum}}", value_is_time=True),
        annotation("Model built", BLUE, "1000 * akin_model_created_timestamp_seconds{@}",
                   "Model of {{instance}} built", "by akin-prep", value_is_time=True),
        annotation("Started", BLUE, "1000 * process_start_time_seconds{@}", "{{instance}} started", "", value_is_time=True),
        annotation("Reload failed", RED,
                   'sum by (instance, reason) (increase(akin_reloads_total{@, result="failure"}[3m])) > 0',
                   "Reload failed on {{instance}}", "{{reason}}: the older model is still served"),
        annotation("Rolled back", YELLOW,
                   'sum by (instance) (increase(akin_rollbacks_total{@, result="success"}[3m])) > 0',
                   "{{instance}} was rolled back", "the generation before is served again"),
        annotation("Worker died", PURPLE,
                   "sum by (instance, reason) (increase(akin_worker_restarts_total{@}[3m])) > 0",
                   "Worker of {{instance}} died", "{{reason}}"),
    ])


def main():
    stale = 0
    for name, board in (("reco-app.json", reco_app()), ("akin-service.json", akin_service()), ("akin-model.json", akin_model())):
        path, text = FOLDER / name, json.dumps(board, indent=2, ensure_ascii=False) + "\n"
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_text() != text:
                print(f"grafana/dashboards/{name}: not what grafana/generate.py writes: run it", file=sys.stderr)
                stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
