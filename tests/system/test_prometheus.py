"""The files in prometheus/: valid, complete, and each rule shown to do what it is for. That they fit the real service
is test_monitoring.py's part."""
import re
import subprocess

import pytest
import yaml

import harness
import promql
import stack

if harness.SANITIZED:
    pytest.skip("files, not programs: tested beside the normal build", allow_module_level=True)

ALERTS, RECORDS = stack.rules("alert"), stack.rules("record")
TESTS = [test for path in sorted(stack.SHIPPED.glob("tests/*.yml"))
         for test in yaml.safe_load(path.read_text())["tests"]]


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-static.yml"])
def test_configuration_is_valid(name):
    status, said = stack.promtool("check", "config", "--lint=all", "--lint-fatal", stack.SHIPPED / name)
    assert status == 0 and "FAILED" not in said, said


def test_rules_are_valid():
    status, said = stack.promtool("check", "rules", "--lint=all", "--lint-fatal", *(stack.SHIPPED / r for r in stack.RULES))
    assert status == 0, said


def test_the_reference_names_are_kept():
    config = yaml.safe_load((stack.SHIPPED / "prometheus.yml").read_text())
    job, = config["scrape_configs"]
    assert job["job_name"] == "reco-app" and config["global"]["external_labels"] == {"monitor": "reco-app"}
    where, = job["dns_sd_configs"]
    assert (where["names"], where["type"], where["port"]) == (["reco-app"], "A", 8000)
    static = yaml.safe_load((stack.SHIPPED / "prometheus-static.yml").read_text())
    assert static["scrape_configs"] == [{"job_name": "reco-app", "static_configs": [{"targets": ["127.0.0.1:8000"]}]}]
    for key in ("global", "rule_files"):
        assert static[key] == config[key]


def test_unit_tests_of_the_rules_pass():
    status, said = stack.promtool("test", "rules", *stack.SHIPPED.glob("tests/*.yml"))
    assert status == 0, said


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_firing_and_silent(alert):
    cases = [case for test in TESTS for case in test.get("alert_rule_test", []) if case["alertname"] == alert]
    assert any(case["exp_alerts"] for case in cases) and any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("expr", ["vector(1) > 2", 'up{job="reco-app"} or vector(1)'], ids=["never", "always"])
def test_the_unit_tests_notice_alerts_that_are_wrong(expr):
    """Had an alert fired never, or always, its own cases would have failed."""
    status, said = stack.with_rules(lambda rule: rule.update(expr=expr) if "alert" in rule else None)
    assert status != 0 and set(re.findall(r"alertname: (\w+)", said)) == set(ALERTS)


def test_the_unit_tests_notice_records_that_are_wrong():
    """Each rule by itself: two may make one record, and what is wrong in two places can come out right."""
    rules = [rule for same in RECORDS.values() for rule in same]
    for wrong in rules:
        def change(rule):
            if rule == wrong:
                rule["expr"] = f"1.5 * ({rule['expr']})"
        status, said = stack.with_rules(change, "recording.yml")
        assert status != 0 and wrong["record"] in said


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_to_do(alert):
    rule, = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook"}
    assert 60 < len(notes["runbook"]) < 320 and "{{" not in notes["runbook"]
    assert len(notes["summary"]) < 120 and all(text.endswith(".") for text in notes.values())
    section = re.search(rf"(?ms)^### {alert}$(.*?)(?=^##|\Z)", (harness.TOP / "docs/monitoring-stack.md").read_text())
    assert section and len(section[1]) > 100, f"docs/monitoring-stack.md has no section for {alert}"


def test_the_runbook_has_no_alert_that_is_gone():
    assert set(re.findall(r"(?m)^### (Akin\w+)$", (harness.TOP / "docs/monitoring-stack.md").read_text())) == set(ALERTS)


def test_rules_read_one_job_and_rules_that_exist():
    """Without a job, another application's series of the same name would count."""
    for rule in (r for rules in (*ALERTS.values(), *RECORDS.values()) for r in rules):
        for s in promql.selectors(rule["expr"]):
            if ":" in s.name:
                assert s.name in RECORDS, s.name
            else:
                assert ("job", "=", "reco-app") in s.matchers, (rule, s)


def amtool(*arguments):
    return subprocess.run(["amtool", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def test_alertmanager_configuration_is_valid():
    done = amtool("check-config", stack.SHIPPED / "alertmanager.yml")
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_every_alert_has_a_way_out(severity):
    done = amtool("config", "routes", "test", f"--config.file={stack.SHIPPED / 'alertmanager.yml'}",
                  f"severity={severity}", "alertname=AkinDown", "job=reco-app", "instance=a:8000")
    assert done.returncode == 0 and done.stdout.split()[-1] == "teams", done.stdout


def test_inhibition_names_alerts_that_exist():
    config = yaml.safe_load((stack.SHIPPED / "alertmanager.yml").read_text())
    named = re.findall(r"Akin\w+", str(config["inhibit_rules"]))
    assert named and set(named) <= set(ALERTS)
