"""Debian's Prometheus and Alertmanager, run by the test on the files that are shipped. What a test must change, it changes
in copies: where the application is (DNS and fixed targets become a file), how often it is scraped, how long an alert
must hold. Nothing of a rule is changed but its `for`."""
import json
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

import harness
import promql

SHIPPED = harness.TOP / "prometheus"
RULES = ("akin.rules.yml", "akin.alerts.yml")


def rules(kind):
    """The shipped rules of a kind, "alert" or "record", by name; a record may be made by several."""
    found = {}
    for name in RULES:
        for group in yaml.safe_load((SHIPPED / name).read_text())["groups"]:
            for rule in group["rules"]:
                if kind in rule:
                    found.setdefault(rule[kind], []).append(rule)
    return found


def ask(url, data=None, timeout=harness.PATIENCE):
    headers = {"Content-Type": "application/json"} if data is not None else {}
    request = urllib.request.Request(url, json.dumps(data).encode() if data is not None else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            body = answer.read()
    except urllib.error.HTTPError as e:
        raise AssertionError(f"{url}: {e.code} {e.read().decode()}") from None
    return json.loads(body) if body[:1] in (b"{", b"[") else body.decode()


class Daemon:
    """A program with a folder, a port and a log, that says when it is ready."""

    def __init__(self, folder, command, port):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.url, self.log = port, f"http://127.0.0.1:{port}", folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            harness.until(self.ready, f"{command[0]} to be ready", 60)
        except AssertionError:
            self.stop()
            raise

    def ready(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            ask(self.url + "/-/ready")
            return True
        except (OSError, AssertionError):
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(harness.PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(harness.PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Prometheus(Daemon):
    def __init__(self, folder, targets, shipped="prometheus.yml", interval="500ms", hold=None, alertmanager=None):
        """targets: {"host:port", ...}; hold: what each rule's `for` becomes, None to leave them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.discovery = folder / "targets.json"
        self.discovery.write_text(json.dumps([{"targets": list(targets)}]))
        config = yaml.safe_load((SHIPPED / shipped).read_text())
        config["global"].update(scrape_interval=interval, scrape_timeout=interval, evaluation_interval=interval)
        for job in config["scrape_configs"]:
            place = next(key for key in job if key.endswith("_configs"))
            job["file_sd_configs"] = [{"files": [str(self.discovery)], "refresh_interval": "1s"}]
            del job[place]
        manager = config["alerting"]["alertmanagers"][0]["static_configs"]
        config["alerting"]["alertmanagers"] = []
        if alertmanager:
            manager[0]["targets"] = [f"127.0.0.1:{alertmanager.port}"]
            config["alerting"]["alertmanagers"] = [{"static_configs": manager}]
        for name in config["rule_files"]:
            text = (SHIPPED / name).read_text()
            (folder / name).write_text(text if hold is None else re.sub(r"(?m)^( +for:) .*$", rf"\1 {hold}", text))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        port = harness.free_port()
        super().__init__(folder, [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], port)

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        answer = ask(f"{self.url}/api/v1/{path}?{query}")
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr, **more):
        """[(labels, value)] of an instant."""
        data = self.api("query", query=expr, **more)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(r["metric"], float(r["value"][1])) for r in data["result"]]

    def value(self, expr):
        """The one number that expr gives, or None."""
        found = self.query(expr)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def range(self, expr, start, end, step):
        """[(labels, [(time, value)])]"""
        data = self.api("query_range", query=expr, start=start, end=end, step=step)
        return [(r["metric"], [(t, float(v)) for t, v in r["values"]]) for r in data["result"]]

    def label_values(self, query):
        """What Grafana fills a variable with: label_values(series, label)."""
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
        return self.api(f"label/{label}/values", **{"match[]": series})

    def up(self):
        return self.query("up == 1")

    def rules(self):
        return [r for group in self.api("rules")["groups"] for r in group["rules"]]

    def alerts(self, *states):
        """{alert name: [labels]} of what is pending or firing."""
        found = {}
        for alert in self.api("alerts")["alerts"]:
            if not states or alert["state"] in states:
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def scraped(self):
        """Wait until everything that happened before this call has been scraped."""
        now = time.time()
        harness.until(lambda: (self.value("min(timestamp(up))") or 0) > now, "a scrape")


class Alertmanager(Daemon):
    def __init__(self, folder, webhook, retrain=None):
        """The shipped routes, without their patience; webhook is where messages go, and retrain where retrainings are
        asked for: nowhere without it, for this machine may have such a place."""
        folder.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
        route = config["route"]
        route.update(group_wait="1s", group_interval="1s")
        for child in route["routes"]:
            child.update(group_wait="1s")
        config["receivers"][0]["webhook_configs"][0]["url"] = webhook
        if retrain:
            config["receivers"][1]["webhook_configs"][0]["url"] = retrain
        else:
            config["receivers"] = [one for one in config["receivers"] if one["name"] != "retrain"]
            route["routes"] = [child for child in route["routes"] if child["receiver"] != "retrain"]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        port = harness.free_port()
        super().__init__(folder, [
            "prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"], port)

    def alerts(self):
        return ask(self.url + "/api/v2/alerts")


def fill(expr, window="1m", job=".+", instance=".+"):
    """An expression of a panel as Grafana would send it."""
    return promql.filled(expr, job=job, instance=instance, __rate_interval=window, __range=window, __interval="1s")


def promtool(*arguments, **more):
    done = subprocess.run(["promtool", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **more)
    return done.returncode, done.stdout


def with_rules(change, tests="*.yml"):
    """Unit-test changed rules: change(rule) on a copy of the shipped ones; promtool's answer."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "tests").mkdir()
        for file in RULES:
            groups = yaml.safe_load((SHIPPED / file).read_text())
            for group in groups["groups"]:
                for rule in group["rules"]:
                    change(rule)
            (folder / file).write_text(yaml.safe_dump(groups))
        for test in SHIPPED.glob(f"tests/{tests}"):
            (folder / "tests" / test.name).write_text(test.read_text())
        return promtool("test", "rules", *folder.glob("tests/*.yml"))
