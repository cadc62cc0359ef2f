"""akin-server under Debian's Prometheus with the shipped files, and every question that dashboards, rules and alerts ask:
it must have an answer, the answer must be the client's own count, and trouble must move what is meant to show it.

There is no Grafana here. What it would send is sent: each expression with its variables filled in."""
import collections
import http.server
import json
import math
import os
import re
import signal
import socket
import threading
import time

import pytest

import dashboard_lint
import harness
import promql
import stack
from dashboard_lint import BOARDS
from harness import until
from watched import PANELS, SHIPPED_ONLY, annotations, can_be_drawn, panel, watch

pytestmark = SHIPPED_ONLY

ASKED = [   # path, method, handler, status, how many
    ("/predict/item/85123A", "GET", "/predict/item/{item_id}", 200, 120),
    ("/predict/item/85123A?n=50&details=true", "GET", "/predict/item/{item_id}", 200, 30),
    ("/predict/user/12350", "GET", "/predict/user/{user_id}", 200, 90),
    ("/predict/item/nope", "GET", "/predict/item/{item_id}", 404, 20),
    ("/predict/user/12350?n=x", "GET", "/predict/user/{user_id}", 422, 15),
    ("/predict/item/85123A", "DELETE", "/predict/item/{item_id}", 405, 10),
    ("/model", "GET", "/model", 200, 12),
    ("/", "GET", "/", 200, 25),
    ("/wp-login.php", "GET", "none", 404, 18),
]
ANNOTATIONS = annotations("akin-service")


@pytest.fixture(scope="module")
def troubled(model, tmp_path_factory):
    """For what goes wrong and is well again. Few connections: a thread serves one at a time."""
    yield from watch(tmp_path_factory.mktemp("troubled"), model, max_n=10000)


@pytest.fixture(scope="module")
def calm(model, tmp_path_factory):
    """Known traffic and nothing else, all of it scraped; .counted is what was asked once every series was known."""
    for watched in watch(tmp_path_factory.mktemp("calm"), model):
        watched.drive(ASKED, times=1)
        watched.prometheus.scraped()
        watched.before = raw(watched)
        watched.counted, watched.longest = watched.drive(ASKED)
        watched.prometheus.scraped()
        until(lambda: watched.value('min(count_over_time(up{job=~"$job", instance=~"$instance"}[1m]))') >= 16,
              "enough scrapes", 60)
        yield watched


def raw(watched):
    """The counters themselves, as Prometheus has them, by method, handler and class."""
    found = watched.by("sum by (method, handler, status) (http_requests_total)", "method", "handler", "status")
    return {key: value for key, value in found.items() if key[1] not in ("/metrics", "/readyz") and value}


def by_handler(counted):
    total = collections.Counter()
    for (_, handler, _), n in counted.items():
        total[handler] += n
    return total


def about(value, counted):
    """An increase is the count, made a little larger by the gap between the scrapes and the window's ends."""
    return counted * 0.999 <= value <= counted * 1.16 + 0.1


def test_prometheus_has_the_clients_own_counts(calm):
    grown = {key: value - calm.before.get(key, 0) for key, value in raw(calm).items()}
    assert grown == dict(calm.counted)


@pytest.mark.parametrize("expr", [pytest.param(expr, id=f"{board}: {title}, {number}") for board, title, number, expr in PANELS
                                  if board != "akin-model"])
def test_every_panel_has_an_answer(calm, expr):
    everything = calm.all(expr)
    assert everything and all(math.isfinite(value) for _, value in everything), everything
    chosen = calm.prometheus.query(stack.fill(expr, job="reco-app", instance=calm.instance))
    assert len(chosen) == len(everything)
    other = calm.prometheus.query(stack.fill(expr, job="reco-app", instance="elsewhere:8000"))
    assert not other or other == [({}, 0.0)]        # vector(0)


@pytest.mark.parametrize("board", BOARDS)
def test_every_variable_has_values(calm, board):
    for name, value in (("job", "reco-app"), ("instance", calm.instance)):
        query = dashboard_lint.variable(BOARDS[board], name)["query"]["query"]
        assert calm.prometheus.label_values(promql.filled(query, job=".+")) == [value]


def test_annotations_answer_or_wait_for_trouble(calm):
    generation, = calm.all(ANNOTATIONS["Model published"])
    assert generation[0]["generation"] == "1" and generation[0]["items"] == "3665"
    assert abs(generation[1] / 1000 - time.time()) < 300        # a time, in milliseconds
    assert calm.all(ANNOTATIONS["Started"]) and calm.all(ANNOTATIONS["Model built"])
    assert not calm.all(ANNOTATIONS["Reload failed"]) and not calm.all(ANNOTATIONS["Worker died"])


def test_request_panels_count_as_the_client_did(calm):
    """Rates over the last minute, and panels "per five minutes", are the client's counts of that minute."""
    counted = calm.counted
    by_route, average = (calm.by(panel(title), "handler") for title in ("Requests by route", "Average answer"))
    for handler, n in by_handler(counted).items():
        assert about(by_route[handler,] * 60, n), handler
        assert average[handler,] == pytest.approx(calm.bytes[handler] / n, rel=0.01), handler
    by_status = calm.by(panel("Answers by status"), "status")
    refused = sum(n for key, n in counted.items() if key[2] == "4xx")
    assert about(by_status["4xx",] * 60, refused)
    per_five = calm.by(panel("Total requests per 5 minute", board="reco-app"), "method", "handler")
    for (method, handler), n in collections.Counter(
            {(m, h): sum(v for k, v in counted.items() if k[:2] == (m, h)) for m, h, _ in counted}).items():
        assert about(per_five[method, handler] / 5, n), (method, handler)
    assert about(calm.value(panel("Errors per 5m", board="reco-app")) / 5, refused)
    assert about(calm.value(panel("Errors", "refused, 4xx")) * 60, refused)
    assert calm.value(panel("Errors", "failed, 5xx")) == calm.value(panel("Errors", "lost with a worker")) == 0
    clients = sum(n for key, n in counted.items())
    assert about(calm.value(panel("Requests")) * 60, clients)
    workers = sum(calm.by(panel("Requests per worker"), "worker").values()) * 60
    assert clients <= workers <= clients * 1.16 + 150           # and the scrapes


def test_latency_panels_are_true(calm):
    """What the server measured lies within what the client saw; every request is in a bucket."""
    buckets = calm.by(panel("Latency heat map"), "le")
    bounds = sorted(float(le) for le, in buckets)
    assert {5e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1, math.inf} <= set(bounds)
    ceiling = next(b for b in bounds if b >= calm.longest)
    p50, p90, p99 = (calm.value(panel("Recommendations: percentiles", f"p{q}")) for q in (50, 90, 99))
    assert 0 < p50 <= p90 <= p99 <= ceiling
    total = sum(calm.by(panel("Requests by route"), "handler").values())
    assert buckets["+Inf",] == pytest.approx(total, rel=0.1)
    cumulative = [value for _, value in sorted((float(le), value) for (le,), value in buckets.items())]
    assert cumulative == sorted(cumulative)
    for title in ("Request duration [s] - p50 (2 min)", "Request duration [s] - p90 (5min)"):
        found = calm.by(panel(title, board="reco-app"), "handler")
        assert all(0 < found[handler,] <= ceiling for handler in by_handler(calm.counted) if handler != "none")
    if calm.longest < 0.1:
        under = calm.by(panel("Requests under 100ms", board="reco-app"), "handler")
        assert under["/predict/item/{item_id}",] == under["/predict/user/{user_id}",] == 1


def test_gauges_are_what_the_server_has(calm):
    assert calm.value(panel("Instances up")) == 1 and calm.value(panel("Generation")) == 1
    assert calm.value(panel("Workers serving")) == 2 == len(calm.server.workers())
    assert calm.value(panel("Threads", "in all")) == 16
    assert calm.by(panel("Workers by state"), "state") == {("missing",): 0, ("starting",): 0, ("serving",): 2, ("draining",): 0}
    assert calm.value(panel("In progress")) == 1                # the scrape
    served, = calm.all(panel("Model served"))
    assert (served[0]["items"], served[0]["customers"], served[0]["interactions"]) == ("3665", "4339", "266802")
    mapped = sum((harness.SHM / name).stat().st_size for name in calm.server.segments() if name.endswith(".board"))
    assert calm.by(panel("Memory", "shared: {{segment}}"), "segment")["board",] == mapped
    assert calm.value(panel("Failed")) == 0


def test_every_rule_and_alert_is_evaluated(calm):
    """Their answers are test_monitoring_model.py's part, where there is traffic for all of them."""
    seen = {rule["name"]: rule for rule in calm.prometheus.rules()}
    assert set(seen) == set(stack.rules("alert")) | set(stack.rules("record"))
    until(lambda: all(r["health"] == "ok" for r in calm.prometheus.rules()), "every rule to be evaluated")
    ratio = calm.prometheus.value("job_instance:http_requests_refused:ratio_rate5m")
    refused, every = (sum(n for key, n in calm.counted.items() if key[2] == c or not c) for c in ("4xx", ""))
    assert ratio == pytest.approx(refused / every, rel=0.15)
    assert calm.prometheus.value("job_instance:http_requests_failed:ratio_rate5m") == 0


def test_only_what_is_true_fires_in_calm(calm):
    """Online Retail's data ends in 2011."""
    assert set(calm.prometheus.alerts()) == {"AkinDataStale"}


def test_questions_of_the_replaced_applications_kind_answer(calm):
    """Its dashboard, left as it was, finds every family and label it needs, with windows of minutes and no variables."""
    for expr in ("up", "process_cpu_seconds_total", 'process_resident_memory_bytes{job="reco-app"}',
                 'http_request_duration_seconds_sum{job="reco-app",handler!="none"} / http_request_duration_seconds_count',
                 "sum by (status) (rate(http_requests_total[5m]))", 'increase(http_requests_total{job="reco-app"}[5m])',
                 'sum(rate(http_request_duration_seconds_count{status!="2xx"}[5m]))',
                 'increase(http_request_duration_seconds_bucket{le="0.1"}[5m]) / ignoring (le) '
                 "increase(http_request_duration_seconds_count[5m])",
                 'histogram_quantile(0.5, rate(http_request_duration_seconds_bucket{handler!="none"}[2m]))',
                 'histogram_quantile(0.9, rate(http_request_duration_seconds_bucket{handler!="none"}[5m]))'):
        assert any(math.isfinite(value) for _, value in calm.prometheus.query(expr)), expr
    errors, = calm.prometheus.query('sum(increase(http_request_duration_seconds_count{status!="2xx"}[1m]))')
    assert about(errors[1], sum(n for key, n in calm.counted.items() if key[2] != "2xx"))


@pytest.mark.parametrize("board", sorted(set(BOARDS) - {"akin-model"}))
def test_a_picture_can_be_drawn(calm, board, tmp_path):
    """As `make screenshots` does it: every panel has something in it, and Chromium makes an image of the page's size."""
    can_be_drawn(calm, board, tmp_path / "board.png")


# Trouble: each of these makes some, and waits for what is meant to show it.


def test_refused_requests_show(troubled):
    before = troubled.value(panel("Errors", "refused, 4xx"))
    asked = [("/predict/item/nope", "GET", "/predict/item/{item_id}", 404, 150),
             ("/predict/user/12350?n=x", "GET", "/predict/user/{user_id}", 422, 150)]
    troubled.drive(asked)
    troubled.fires("AkinHighRefusalRatio", instance=troubled.instance, severity="warning")
    troubled.becomes(panel("Errors", "refused, 4xx"), lambda now: now * 60 >= before * 60 + 299, "the errors to show")
    troubled.becomes(panel("Errors per 5m", board="reco-app"), lambda now: now / 5 >= 299, "the reference's panel to show them")
    by_route = troubled.by(panel("Errors by route"), "status", "handler")
    assert all(by_route["4xx", handler] * 60 >= 149 for _, _, handler, _, _ in asked)
    assert troubled.value(panel("Failed")) == 0                 # refused is not failed
    assert "AkinHighErrorRatio" not in troubled.prometheus.alerts()


def test_a_dead_worker_shows_and_no_total_falls(troubled):
    troubled.drive(ASKED[:1], times=50)
    before, counted = troubled.server.workers(), raw(troubled)
    os.kill(before[0], signal.SIGKILL)
    troubled.fires("AkinWorkerRestarts", instance=troubled.instance)
    restarts = panel("Worker restarts")
    until(lambda: troubled.by(restarts, "reason")["killed",] >= 0.9, "the restart to show")
    assert troubled.by(restarts, "reason")["signal",] == 0
    assert {labels["reason"] for labels, _ in troubled.all(ANNOTATIONS["Worker died"])} == {"killed"}
    until(lambda: len(troubled.server.workers()) == 2, "a new worker")
    troubled.drive(ASKED[:1], times=50)
    troubled.prometheus.scraped()
    after = raw(troubled)
    assert all(after[key] >= counted[key] for key in counted)
    assert after["GET", ASKED[0][2], "2xx"] == troubled.server.metric(
        "http_requests_total", handler=ASKED[0][2], method="GET", status="2xx")
    for family in ("http_requests_total", "http_request_duration_seconds_count", "process_cpu_seconds_total",
                   "akin_worker_requests_total", "akin_connections_accepted_total"):
        assert troubled.value(f"sum(resets({family}[10m]))") == 0, f"{family} fell"


def test_requests_lost_with_their_worker_show(troubled):
    """Clients that ask for more than the sockets hold, and read nothing, keep requests in hand; their workers are killed."""
    sockets = []
    try:
        for _ in range(8):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.settimeout(harness.PATIENCE)
            s.connect(("127.0.0.1", troubled.server.port))
            s.sendall(40 * b"GET /predict/item/85123A?n=10000&details=true HTTP/1.1\r\nHost: x\r\n\r\n")
            sockets.append(s)
        until(lambda: troubled.server.metric("http_requests_inprogress") >= 7, "the requests to be in hand")
        troubled.becomes(panel("In progress"), lambda now: now >= 7, "them to show")
        for pid in troubled.server.workers():
            os.kill(pid, signal.SIGKILL)
        troubled.becomes(panel("Errors", "lost with a worker"), lambda now: now * 60 >= 5.9, "them to be lost")
        troubled.fires("AkinHighErrorRatio", instance=troubled.instance, severity="critical")
        assert 0 < troubled.value(panel("Failed")) < 1
        troubled.becomes(panel("In progress"), lambda now: now == 1, "nothing to be in progress but the scrape")
    finally:
        for s in sockets:
            s.close()


def test_reloads_show(troubled):
    server, good = troubled.server, troubled.server.model.read_bytes()
    published = troubled.value(f"max({ANNOTATIONS['Model published']})")
    generation = troubled.value(panel("Generation"))
    until(lambda: time.time() > published / 1000 + 1, "the second to end")
    server.hup()
    troubled.becomes(panel("Generation"), lambda now: now == generation + 1, "the new generation")
    until(lambda: troubled.by("1000 * akin_model_published_timestamp_seconds", "job")["reco-app",] > published, "its mark")
    assert str(int(generation) + 1) in {labels["generation"] for labels, _ in troubled.all(ANNOTATIONS["Model published"])}
    until(lambda: troubled.by(panel("Reloads", "{{result}} {{reason}}"), "result", "reason")["success", "none"] >= 0.9, "the reload to show")
    assert "AkinReloadFailed" not in troubled.prometheus.alerts()

    spoiled = bytearray(good)
    spoiled[len(good) // 2] ^= 1
    server.hup(bytes(spoiled))
    troubled.fires("AkinReloadFailed", instance=troubled.instance)
    assert troubled.value(panel("Last reload successful")) == 0
    until(lambda: troubled.by(panel("Reloads", "{{result}} {{reason}}"), "result", "reason")["failure", "invalid"] >= 0.9, "the failure to show")
    assert {labels["reason"] for labels, _ in troubled.all(ANNOTATIONS["Reload failed"])} == {"invalid"}
    assert troubled.value(panel("Generation")) == generation + 1

    server.hup(good)
    until(lambda: "AkinReloadFailed" not in troubled.prometheus.alerts(), "the alert to end")
    assert troubled.value(panel("Last reload successful")) == 1


def test_threads_that_are_all_taken_show(model, tmp_path):
    """One worker of eight threads; seven connections that never ask anything, and Prometheus's own."""
    taken = []

    def take(server):
        taken.extend(harness.Client(server.port) for _ in range(7))

    for watched in watch(tmp_path, model, before=take, workers=1, threads=8, keep_alive_ms=300000, request_timeout_ms=300000):
        watched.becomes(panel("Threads busy"), lambda now: now == 1, "all threads to be busy")
        assert watched.value(panel("Threads", "busy")) == watched.value(panel("Connections", "active")) == 8
        watched.fires("AkinThreadsSaturated", instance=watched.instance)
        for client in taken:
            client.close()
        watched.becomes(panel("Threads", "busy"), lambda now: now == 1, "only Prometheus to be connected")


class Webhook:
    """What Alertmanager's messages go to: keeps them."""

    def __init__(self):
        self.messages = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                hook.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/akin"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def got(self, alert, status):
        return [a for m in self.messages for a in m["alerts"] if a["labels"]["alertname"] == alert and a["status"] == status]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.close()


def test_down_and_gone_reach_the_webhook(model, tmp_path, webhook):
    with stack.Alertmanager(tmp_path / "alertmanager", webhook.url) as manager:
        for watched in watch(tmp_path, model, alertmanager=manager):
            server = watched.server
            assert server.stop() == 0
            watched.fires("AkinDown", instance=watched.instance, severity="critical")
            assert watched.value(panel("Instances up")) == 0
            assert watched.value(panel("Health", board="reco-app")) == 0
            until(lambda: webhook.got("AkinDown", "firing"), "the message")
            message = webhook.got("AkinDown", "firing")[0]
            assert "akin-server -t" in message["annotations"]["runbook"] and watched.instance in message["annotations"]["summary"]
            again = harness.Server(server.folder, server.model, port=server.port)
            try:
                until(watched.prometheus.up, "it to be up again")
                until(lambda: webhook.got("AkinDown", "resolved"), "the all-clear", 60)
            finally:
                again.kill()
            watched.prometheus.discovery.write_text("[]")
            watched.fires("AkinAbsent", job="reco-app")
            until(lambda: webhook.got("AkinAbsent", "firing"), "the message", 60)


def test_what_is_down_has_no_other_trouble(tmp_path, webhook):
    """Alertmanager sends AkinDown alone, and another instance's alerts all the same."""
    def alert(name, instance, severity="warning"):
        return {"labels": {"alertname": name, "job": "reco-app", "instance": instance, "severity": severity},
                "annotations": {"summary": name}}

    with stack.Alertmanager(tmp_path, webhook.url) as manager:
        stack.ask(manager.url + "/api/v2/alerts", [alert("AkinDown", "a:8000", "critical"), alert("AkinReloadFailed", "a:8000"),
                                                   alert("AkinReloadFailed", "b:8000")])
        until(lambda: webhook.got("AkinDown", "firing") and webhook.got("AkinReloadFailed", "firing"), "messages")
        assert {a["labels"]["instance"] for a in webhook.got("AkinReloadFailed", "firing")} == {"b:8000"}
        quiet = {(a["labels"]["alertname"], a["labels"]["instance"]) for a in manager.alerts() if a["status"]["inhibitedBy"]}
        assert quiet == {("AkinReloadFailed", "a:8000")}
