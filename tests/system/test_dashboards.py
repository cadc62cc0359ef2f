"""The dashboards as files: current, linted, complete. test_monitoring.py has them answered by a real Prometheus."""
import copy
import re
import subprocess
import sys

import pytest
import yaml

import dashboard_lint
import harness
import promql
from dashboard_lint import BOARDS

if harness.SANITIZED:
    pytest.skip("files, not programs: tested beside the normal build", allow_module_level=True)

FOLDER = harness.TOP / "grafana"
# Of the dashboard that came with the replaced application: title, the families it reads.
REFERENCE = {
    "Health": {"up"},
    "Average response time": {"http_request_duration_seconds_sum", "http_request_duration_seconds_count"},
    "CPU Usage": {"process_cpu_seconds_total"},
    "Memory usage": {"process_resident_memory_bytes"},
    "Request per 5 minute": {"http_requests_total"},
    "Errors per 5m": {"http_request_duration_seconds_count"},
    "Total requests per 5 minute": {"http_requests_total"},
    "Requests under 100ms": {"http_request_duration_seconds_bucket", "http_request_duration_seconds_count"},
    "Request duration [s] - p50 (2 min)": {"http_request_duration_seconds_bucket"},
    "Request duration [s] - p90 (5min)": {"http_request_duration_seconds_bucket"},
}


def test_dashboards_are_what_the_generator_writes():
    done = subprocess.run([sys.executable, FOLDER / "generate.py", "--check"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    assert set(BOARDS) == {"reco-app", "akin-service", "akin-model"}


@pytest.mark.parametrize("name", BOARDS)
def test_lint(name):
    assert dashboard_lint.lint(BOARDS[name]) == []


def spoil_expr(change):
    def spoil(board):
        target = next(t for _, t in dashboard_lint.targets(board) if "[$__rate_interval]" in t["expr"])
        target["expr"] = change(target["expr"])
    return spoil


def spoil_variable(name, **change):
    return lambda board: dashboard_lint.variable(board, name).update(change)


def spoil_panel(change):
    return lambda board: change(dashboard_lint.panels(board)[1])


SPOILED = {     # rule: how to break it
    "template-datasource": spoil_variable("datasource", query="loki"),
    "template-job": spoil_variable("job", allValue=".*"),
    "template-instance": spoil_variable("instance", multi=False),
    "template-label-promql": spoil_variable("job", definition="label_values(job)"),
    "template-on-time-change-reload": spoil_variable("instance", refresh=1),
    "panel-datasource": spoil_panel(lambda p: p.update(datasource=None)),
    "panel-title-description": spoil_panel(lambda p: p.update(description="")),
    "panel-units": spoil_panel(lambda p: p["fieldConfig"]["defaults"].pop("unit")),
    "panel-no-targets": spoil_panel(lambda p: p.update(targets=[])),
    "target-rate-interval": spoil_expr(lambda e: e.replace("$__rate_interval", "5m")),
    "target-job": spoil_expr(lambda e: e.replace('job=~"$job", ', "")),
    "target-instance": spoil_expr(lambda e: e.replace('instance=~"$instance"', 'instance="$instance"')),
    "target-counter-agg": spoil_expr(lambda e: re.sub(r"\b(rate|increase)\(", "max_over_time(", e)),
    "target-gauge-agg": spoil_expr(lambda e: 'rate(http_requests_inprogress{job=~"$job", instance=~"$instance"}[$__rate_interval])'),
    "uneditable-dashboard": lambda board: board.update(editable=True),
    "schema": lambda board: board.update(schemaVersion=34),
    "identity": lambda board: board.update(id=7),
    "angular": spoil_panel(lambda p: p.update(type="graph")),
    "places": spoil_panel(lambda p: p["gridPos"].update(x=20)),
    "hard-coded": spoil_expr(lambda e: e.replace('instance=~"$instance"', 'instance="172.16.238.10:8000"')),
    "annotation": lambda board: board["annotations"]["list"].append(
        {"name": "x", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "expr": "up"}),
    "refresh": lambda board: board.update(refresh="5s"),
}


@pytest.mark.parametrize("rule", dashboard_lint.RULES)
def test_each_rule_finds_what_it_is_for(rule):
    for board in map(copy.deepcopy, BOARDS.values()):
        SPOILED[rule](board)
        assert any(finding.startswith(rule + ":") for finding in dashboard_lint.lint(board))


@pytest.mark.parametrize("expr, found", [
    ("up", [("up", [], None, [])]),
    ('sum by (a) (rate(x_total{job=~"$job", b!="{)\\""}[5m])) or vector(0)',
     [("x_total", [("job", "=~", "$job"), ("b", "!=", '{)\\"')], "5m", ["sum", "rate"])]),
    ("a / on (job) group_left () b > bool 3 and up unless {x='1'}",
     [("a", [], None, []), ("b", [], None, []), ("up", [], None, []), (None, [("x", "=", "1")], None, [])]),
    ("histogram_quantile(0.99, sum by (le) (rate(y_bucket[1m]))) >= 0",
     [("y_bucket", [], "1m", ["histogram_quantile", "sum", "rate"])]),
])
def test_selectors_are_found(expr, found):
    assert [tuple(s) for s in promql.selectors(expr)] == found


def test_every_expression_is_promql(tmp_path):
    """promtool reads them all as rules."""
    rules = []
    for board in BOARDS.values():
        rules += [t["expr"] for _, t in dashboard_lint.targets(board)]
        rules += [a["expr"] for a in board["annotations"]["list"] if not a.get("builtIn")]
    rules = [{"record": f"expression:{at}", "expr": promql.filled(expr, job=".+", instance=".+", __rate_interval="1m")}
             for at, expr in enumerate(rules)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout


def test_the_ten_panels_of_the_reference_are_there():
    """Under their own titles, and, so that links to it go on working, the dashboard under its own uid."""
    board = BOARDS["reco-app"]
    assert (board["uid"], board["title"]) == ("_eX4mpl3", "Reco-app Dashboard")
    found = {p["title"]: set().union(*(promql.names(t["expr"]) for t in p["targets"]))
             for p in board["panels"]}
    assert found == REFERENCE


def test_provisioning_fits_the_dashboards_and_the_scrape():
    source, = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert (source["name"], source["uid"], source["type"], source["isDefault"]) == ("Prometheus", "prometheus", "prometheus", True)
    for name in ("prometheus.yml", "prometheus-static.yml"):
        scrape = yaml.safe_load((harness.TOP / "prometheus" / name).read_text())["global"]["scrape_interval"]
        assert source["jsonData"]["timeInterval"] == scrape
    provider, = yaml.safe_load((FOLDER / "provisioning/dashboards/akin.yml").read_text())["providers"]
    assert provider["type"] == "file" and provider["allowUiUpdates"] is False and provider["options"]["path"]
    for board in BOARDS.values():
        assert dashboard_lint.variable(board, "datasource")["current"]["value"] == source["uid"]
