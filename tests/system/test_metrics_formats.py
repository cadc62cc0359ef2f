"""How /metrics says it: two formats, two codings, read by Prometheus's own tools; and the settings that change it."""
import gzip
import re
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

import harness
from harness import SERVER, TOP, until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
MOVING = ("process_cpu_seconds", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
          "akin_process_proportional", "_age_seconds", 'handler="/metrics"', "akin_worker_requests", "akin_threads_busy",
          "akin_connections", "highr")


@pytest.fixture
def server(start, small):
    """One that has something to say in each family."""
    server = start(small(ROWS))
    until(lambda: server.metric("akin_workers", state="serving") == 2, "all to serve")
    with server.client() as client:
        for path in ("/predict/item/A", "/predict/item/none", "/predict/user/1", "/", "/nope", "/model"):
            client.get(path)
        client.get("/", "POST")
    server.hup()
    return server


def samples(families):
    """{name{labels}: value} and what is said of the families."""
    found, told = {}, {}
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        told[name] = (family.type, family.documentation)
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}"
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found, told


def quiet(server, *also, gauge="http_requests_inprogress", **headers):
    """A scrape that finds nothing under way but itself: a client has its answer a moment before its time is counted."""
    want = [f"\n{gauge} 1\n".encode(), *also]
    return until(lambda: (a := server.get("/metrics", **headers)) and all(w in a.body for w in want) and a, "quiet")


def test_both_formats_say_the_same(server):
    text = quiet(server, b'generation="2"')     # each worker learns of the reload by itself
    other = quiet(server, b'generation="2"', Accept=PROMETHEUS)
    assert text.headers["content-type"] == TEXT
    assert other.headers["content-type"] == OPENMETRICS
    assert other.body.endswith(b"\n# EOF\n") and other.body.count(b"# EOF") == 1
    plain, plain_told = samples(read_text(text.body.decode()))
    open_, open_told = samples(read_openmetrics(other.body.decode()))
    created = {key for key in open_ if "_created" in key.partition("{")[0]
               and not key.startswith("akin_model_created_timestamp_seconds")}
    assert created and all(open_[key] == plain["process_start_time_seconds{}"] for key in created)
    assert (open_.keys() - created) ^ plain.keys() == set()
    assert open_told == plain_told
    moved = {key for key in plain if plain[key] != open_[key]}
    assert all(any(word in key for word in MOVING) for key in moved), moved
    assert len(plain) > 200


def test_units_are_said_in_openmetrics(server):
    body = server.get("/metrics", Accept=PROMETHEUS).body.decode()
    units = dict(re.findall(r"^# UNIT (\S+) (\S+)$", body, re.M))
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", body, re.M))
    for name in typed:
        want = next((unit for unit in ("seconds", "bytes") if name.endswith("_" + unit)), None)
        assert units.get(name) == want, name


def test_every_family_stands_in_one_place(server):
    for accept in ("*/*", PROMETHEUS):
        heads = re.findall(r"^# HELP (\S+)", server.get("/metrics", Accept=accept).body.decode(), re.M)
        assert len(heads) == len(set(heads)) > 30


def test_promtool_finds_nothing_to_say(server):
    done = subprocess.run(["promtool", "check", "metrics"], input=server.get("/metrics").body, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()


@pytest.mark.parametrize("accept, kind", [
    (None, TEXT), ("*/*", TEXT), ("text/plain", TEXT), ("text/html,*/*;q=0.8", TEXT), ("image/png", TEXT),
    ("application/openmetrics-text", OPENMETRICS), (PROMETHEUS, OPENMETRICS),
    ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.4", TEXT),
    ("application/openmetrics-text;version=0.0.1,*/*;q=0.1", TEXT),
])
def test_the_format_is_the_clients_choice(session_server, accept, kind):
    answer = session_server.get("/metrics", **({"Accept": accept} if accept else {}))
    assert answer.status == 200 and answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.body.endswith(b"# EOF\n") == (kind == OPENMETRICS)


@pytest.mark.parametrize("accept, packed", [
    ("gzip", True), ("gzip;q=0.1", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("gzip;q=0", False),
    ("identity", False), ("br", False), ("identity;q=1, gzip;q=0.5", False),
])
def test_gzip_is_the_clients_choice(session_server, accept, packed):
    answer = session_server.get("/metrics", Accept_Encoding=accept)
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    body = gzip.decompress(answer.body) if packed else answer.body
    assert body.startswith(b"# HELP http_requests_total ") and body.endswith(b"\n")
    if packed:
        assert len(answer.body) * 4 < len(body)


def test_gzip_of_many_scrapes_on_one_connection(session_server):
    """A thread's memory for it is used again and again."""
    with session_server.client() as client:
        for _ in range(50):
            body = gzip.decompress(client.get("/metrics", Accept_Encoding="gzip").body)
            assert len(list(read_text(body.decode()))) > 30


# -- settings -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings, env", [({"metrics": "off"}, {}), ({}, {"ENABLE_METRICS": "false"})])
def test_without_metrics_there_is_no_such_route(start, small, settings, env):
    server = start(small(ROWS), env=env, workers=1, **settings)
    assert server.get("/metrics").status == 404
    assert server.get("/metrics").json == {"detail": "Not Found"}
    assert server.get("/predict/item/A").status == 200
    harness.os.kill(server.workers()[0], harness.signal.SIGKILL)
    until(lambda: "was killed" in server.logged(), "the death to be told")
    assert "in hand" not in server.logged()         # nobody counted them
    until(server.answers, "a new worker")


def test_the_references_switch_is_weaker_than_ours(start, small):
    server = start(small(ROWS), env={"ENABLE_METRICS": "false", "AKIN_METRICS": "on"})
    assert server.get("/metrics").status == 200


def test_names_and_labels_by_settings(start, small):
    server = start(small(ROWS), metrics_namespace="recommendation_engine", metrics_subsystem="online_store",
                   metrics_status="exact", metrics_exclude="/metrics, /readyz none")
    for path, status in (("/predict/item/A", 200), ("/predict/item/none", 404), ("/predict/item/A?n=x", 422), ("/nope", 404)):
        assert server.get(path).status == status
    prefix = "recommendation_engine_online_store_http_"
    body = quiet(server, gauge=prefix + "requests_inprogress").body.decode()
    found, told = samples(read_text(body))
    assert not any(name.startswith("http_") for name in told)
    assert sum(name.startswith(prefix) for name in told) == 6
    requests = {key[len(prefix):]: v for key, v in found.items() if key.startswith(prefix + "requests_total") and v}
    item = 'requests_total{handler="/predict/item/{item_id}",method="GET",status="%d"}'
    assert requests == {item % 200: 1, item % 404: 1, item % 422: 1}
    assert found[prefix + "request_duration_highr_seconds_count{}"] == 3
    assert 'handler="/metrics"' not in body and 'handler="none"' not in body
    assert found["akin_connections_accepted_total{worker=\"0\"}"] + found["akin_connections_accepted_total{worker=\"1\"}"] > 4
    done = subprocess.run(["promtool", "check", "metrics"], input=body.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()


# -- the document -------------------------------------------------------------------------------------------------

def test_the_table_in_the_document_is_the_lists():
    done = subprocess.run([SERVER, "--metrics-table"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=harness.environment(), timeout=harness.PATIENCE)
    assert done.returncode == 0
    text = (TOP / "docs/metrics.md").read_text()
    table = re.search(r"<!-- families: make docs -->\n(.*?)<!-- end -->", text, re.S)[1]
    assert table == done.stdout.decode(), "run make docs"


def test_every_family_in_the_table_is_in_a_page(start, model, tmp_path):
    """Of a server that has keys, since one of them is about those. What the monitor tells of windows, rates and retrainings
    comes when there was one: test_monitor.py has them."""
    keys = tmp_path / "keys"
    keys.write_text("shop 0123456789abcdef\n")
    keys.chmod(0o600)
    server = start(model, api_keys=keys)
    table = re.findall(r"^\| `(\w+)` \| (\w+) \|", (TOP / "docs/metrics.md").read_text(), re.M)
    _, told = samples(read_text(server.get("/metrics").body.decode()))
    later = re.compile("akin_(window|drift|concept|hit_rate|retrain|catalogue|prediction_statistic|monitor_age)")
    assert {name: kind for name, (kind, _) in told.items() if not later.match(name)} == \
        {name: kind for name, kind in table if not later.match(name)}
