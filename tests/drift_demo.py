#!/usr/bin/python3
"""Drift, seen and mended with no hand on it: `make drift-demo`.

usage: drift_demo.py [--deadline SECONDS] [--quick] [--picture PNG] [BUILD]

A model is made of Online Retail until the end of May, and served. The months from June to November arrive in the folder
that retraining builds from, and customers come as they did in December: each visit asks for recommendations for its customer
and feeds back what was bought, and each line of an invoice asks for items like that item, in an order of its own, as where
many look around at once. Debian's Prometheus and Alertmanager watch, with the shipped rules and routes (only `for` and
intervals are shorter, in copies), and the shipped receiver of Alertmanager's messages starts `akinctl retrain`. Nothing else
does anything here: this program builds the stage, plays the customers and tells what it sees. It ends with 0 when all of it
was seen in order: windows, verdicts, the alert firing in Alertmanager, the receiver called, a retraining that goes well, a
new generation, its windows without drift, and the alert resolved.
"""
import argparse
import collections
import csv
import datetime
import http.client
import io
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "system"), str(TESTS / "operator")]

OLD, ARRIVING = "2011-05", "2011-11"        # the last months of the model, and of what retraining finds
LIVE = "2011-12"
PACE = 500                                  # requests a second, at most
QUIET = {"item": 4, "user": 3}              # windows of the new generation that must be without drift
WINDOWS = {"window_requests": 1000, "window_seconds": 15, "window_min": 100}
QUICK = {"window_requests": 500, "window_seconds": 6, "window_min": 60}


def months():
    """{month: (head, rows)} of the shipped data."""
    head, *rows = csv.reader(io.StringIO(independent.unpack().decode("latin-1"), newline=""))
    at, found = head.index("InvoiceDate"), collections.defaultdict(list)
    for row in rows:
        month, _, year = row[at].split(" ")[0].split("/")
        found[f"{year}-{int(month):02}"].append(row)
    return head, found


def visits(head, rows):
    """[(customer, [items])] of the invoices that are purchases."""
    invoice, item, quantity, customer = map(head.index, ("InvoiceNo", "StockCode", "Quantity", "CustomerID"))
    found = {}
    for row in rows:
        if row[customer] and int(row[quantity]) > 0:
            found.setdefault((row[invoice], row[customer]), []).append(row[item])
    return [(who, items) for (_, who), items in found.items()]


class Tale:
    """What happened, with times, as it is printed; and which of the things that must happen have."""
    MUST = ("traffic", "window", "verdict", "firing", "receiver", "retraining", "generation", "retrained", "quiet", "resolved")

    def __init__(self):
        self.start, self.seen = time.monotonic(), {}

    def tell(self, words, *milestones):
        now = time.monotonic() - self.start
        for milestone in milestones:
            self.seen.setdefault(milestone, now)
        print(f"{now:6.1f} s  {datetime.datetime.now():%H:%M:%S}  {words}", flush=True)

    def missing(self):
        return [milestone for milestone in self.MUST if milestone not in self.seen]

    def in_order(self):
        """Those of which one brings about the next."""
        chain = [self.seen[milestone] for milestone in self.MUST]
        return chain == sorted(chain)


class Customers(threading.Thread):
    """December's customers, over and over, in an order of their own."""

    def __init__(self, port, live):
        super().__init__(daemon=True)
        self.port, self.live, self.ended = port, list(live), threading.Event()
        self.asked, self.chance = collections.Counter(), random.Random(12)

    def run(self):
        due = time.monotonic()
        lines = [item for _, items in self.live for item in items]
        while not self.ended.is_set():
            self.chance.shuffle(self.live)
            self.chance.shuffle(lines)
            at = 0
            for who, items in self.live:
                if self.ended.is_set():
                    return
                try:
                    self.visit(who, items, lines[at:at + len(items)])
                except (OSError, http.client.HTTPException):
                    self.asked["without an answer"] += 1
                at += len(items)
                due = max(due + (len(items) + 2) / PACE, time.monotonic() - 1)
                self.ended.wait(max(0, due - time.monotonic()))

    def visit(self, who, items, looked_at):
        with harness.Client(self.port) as client:
            shown = client.get(f"/predict/user/{who}")
            self.asked["customers"] += 1
            for item in looked_at:
                client.get(f"/predict/item/{item.replace(' ', '%20')}")
                self.asked["items"] += 1
            after = {"recommendation_id": shown.json["recommendation_id"]} if shown.status == 200 else {"user": who}
            body = json.dumps([{**after, "item": item, "event": "purchase"} for item in items])
            client.connection.request("POST", "/feedback", body, {"Content-Type": "application/json"})
            taken = client.connection.getresponse()
            for result in json.loads(taken.read())["results"]:
                self.asked["purchases: " + result["outcome"]] += 1


class Stage:
    """Everything that runs, and the folder it runs in."""

    def __init__(self, folder, tale, windows):
        self.folder, self.tale, self.running = folder, tale, []
        self.sales = folder / "sales"
        self.sales.mkdir()
        head, self.by_month = months()
        self.head = head
        self.live = visits(head, self.by_month[LIVE])
        self.place = operated.Place(
            folder / "akin", threads=16, **windows, baseline_windows=2, feedback_log=folder / "feedback", transactions=self.sales,
            retrain_hold_off_s=20, retrain_max_per_day=20)

    def arrive(self, first, last):
        """Months of transactions, each a file of its own."""
        for month, rows in sorted(self.by_month.items()):
            if first <= month <= last:
                with open(self.sales / f"{month}.csv", "w", encoding="latin-1", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows([self.head, *rows])

    def begin(self):
        tell, place = self.tale.tell, self.place
        self.arrive("", OLD)
        done = harness.prep("build", "-q", "-o", self.folder / "may.akin", *sorted(self.sales.iterdir()))
        assert done.returncode == 0, done.err
        place.good("model", "deploy", self.folder / "may.akin")
        place.good("start")
        served = self.asked("/model")
        tell(f"akin-server serves a model until {OLD}: {served['items']} items, {served['customers']} customers")
        self.receiver_log = self.folder / "receiver.log"
        port = harness.free_port()
        with self.receiver_log.open("wb") as log:
            self.running.append(subprocess.Popen(
                ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork",
                 f"EXEC:{harness.TOP}/etc/akin-webhook -c {place.conf}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=place.environment(), start_new_session=True))
        self.alertmanager = stack.Alertmanager(self.folder / "alertmanager", "http://127.0.0.1:9/nobody",
                                               f"http://127.0.0.1:{port}/retrain")
        self.running.append(self.alertmanager.process)
        self.prometheus = stack.Prometheus(self.folder / "prometheus", [f"127.0.0.1:{place.port}"], interval="1s", hold="2s",
                                           alertmanager=self.alertmanager)
        self.running.append(self.prometheus.process)
        harness.until(self.prometheus.up, "the first scrape", 60)
        tell("Prometheus, Alertmanager and the receiver of its messages run")
        self.arrive("2011-06", ARRIVING)
        tell(f"transactions until {ARRIVING} have arrived in the folder that retraining builds from")

    def asked(self, path):
        with harness.Client(self.place.port) as client:
            return client.get(path).json

    def end(self):
        for process in reversed(self.running):
            try:
                os.killpg(process.pid, signal.SIGTERM) if os.getpgid(process.pid) == process.pid else process.terminate()
                process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                process.kill()
        self.place.end()


class Watch:
    """What has changed since the last look, told."""

    def __init__(self, stage, tale):
        self.stage, self.tale = stage, tale
        self.generation, self.closed, self.since, self.drifted, self.firing = 1, {}, {}, set(), set()
        self.read, self.results, self.rated, self.concept = 0, {}, None, "unknown"

    def look(self):
        with harness.Client(self.stage.place.port) as client:
            text = client.get("/metrics").body.decode()
        self.now = collections.defaultdict(dict)
        for name, labels, value in re.findall(r"(?m)^(akin_\w+)(?:\{(.*)\})? (\S+)$", text):
            pairs = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))
            self.now[name][pairs] = float(value)
        for part in (self.windows, self.verdicts, self.rates, self.alerts, self.receiver, self.generations, self.retrainings):
            part()

    def value(self, name, **labels):
        return self.now[name].get(tuple(sorted(labels.items())))

    def generations(self):
        generation = int(self.value("akin_model_generation"))
        if generation != self.generation:
            self.generation, self.since = generation, dict(self.closed)
            served = self.stage.asked("/model")
            self.tale.tell(f"generation {generation} is served: {served['items']} items, {served['customers']} customers", "generation")

    def windows(self):
        for kind in ("item", "user"):
            closed = int(self.value("akin_windows_closed_total", kind=kind) or 0)
            if closed > self.closed.get(kind, 0):
                self.closed[kind] = closed
                number = closed - self.since.get(kind, 0)
                requests = self.value("akin_window_requests", kind=kind) or 0
                if number <= 3 and requests:
                    self.tale.tell(f"window {number} of {kind}s is closed: "
                                   f"{requests:.0f} requests, "
                                   f"{self.value('akin_window_entities', kind=kind):.0f} distinct known ids, "
                                   f"{self.value('akin_window_unknown_ids', kind=kind):.0f} unknown ones", "window")

    def figures(self, feature, reference):
        these = {"feature": feature, "reference": reference}
        share = self.value("akin_drift_unknown_ratio", feature=feature, reference="window")
        if share is not None:
            return f"{share:.1%} of the ids, where {self.value('akin_drift_unknown_ratio', **these) or 0:.1%} were expected"
        words = []
        for name, distance in (("KS", "ks_distance"), ("PSI", "psi")):
            found = self.value(f"akin_drift_{distance}", **these)
            if found is not None:
                limit = self.value(f"akin_drift_{distance.split('_')[0]}_critical", **these)
                words.append(f"{name} {found:.3f}" + (f", critical {limit:.3f}" if limit is not None else ""))
        return "; ".join(words)

    def verdicts(self):
        now = {labels for labels, value in self.now["akin_drift_detected"].items() if value == 1 and ("reference", "previous") not in labels}
        for labels in sorted(now - self.drifted):
            of = dict(labels)
            self.tale.tell(f"verdict: {of['feature']} has drifted against {of['reference']} ({self.figures(**of)})",
                           *["verdict"] * (self.generation == 1))
            if self.generation > 1:
                self.since = dict(self.closed)
        for labels in sorted(self.drifted - now):
            of = dict(labels)
            self.tale.tell(f"verdict: {of['feature']} against {of['reference']} no longer")
        self.drifted = now
        if self.generation > 1 and not now and all(
                self.closed.get(kind, 0) - self.since.get(kind, 0) >= least for kind, least in QUIET.items()):
            if "quiet" not in self.tale.seen:
                self.tale.tell(f"generation {self.generation} has had {QUIET['item']} windows of items and {QUIET['user']} of users "
                               "running without a verdict of drift", "quiet")

    def rates(self):
        rate = self.value("akin_hit_rate", generation=str(self.generation))
        trials = self.value("akin_hit_rate_trials", generation=str(self.generation))
        if rate is not None and trials and (self.generation, rate, trials) != self.rated:
            self.rated = (self.generation, rate, trials)
            baseline = self.value("akin_hit_rate_baseline")
            self.tale.tell(f"hit rate of a window: {rate:.2%} of {trials:.0f} purchases"
                           + (f", backtest {baseline:.2%}" if baseline is not None else ""))
        concept = next((dict(labels)["state"] for labels, value in self.now["akin_concept_drift_state"].items() if value), self.concept)
        if concept != self.concept:
            self.tale.tell(f"concept: {self.concept}, now {concept}")
            self.concept = concept

    def alerts(self):
        now = set()
        for alert in self.stage.alertmanager.alerts():
            labels = alert["labels"]
            if labels.get("retrain") == "true":
                now.add((labels["alertname"], labels.get("feature", ""), labels.get("reference", "")))
        for name, feature, reference in sorted(now - self.firing):
            self.tale.tell(f"Alertmanager: {name} fires {feature and f'({feature} against {reference})'}".rstrip(), "firing")
        for name, feature, reference in sorted(self.firing - now):
            self.tale.tell(f"Alertmanager: {name} {feature and f'({feature} against {reference}) '}is resolved")
        self.firing = now
        if not now and "quiet" in self.tale.seen and "resolved" not in self.tale.seen:
            self.tale.tell("Alertmanager: nothing that asks for retraining fires any more", "resolved")

    def receiver(self):
        text = self.stage.receiver_log.read_bytes()
        whole = text.rfind(b"\n") + 1
        for line in text[self.read:whole].decode(errors="replace").splitlines():
            self.tale.tell("receiver: " + line, *(["receiver"] if "fires" in line else ["retraining"] if "retraining:" in line else []))
        self.read = max(self.read, whole)

    def retrainings(self):
        for labels, value in self.now["akin_retrain_total"].items():
            result = dict(labels)["result"]
            if value > self.results.get(result, 0):
                self.tale.tell(f"retraining ended: {result}, number {value:.0f}", *(["retrained"] if result == "ok" else []))
            self.results[result] = value


def draw(prometheus, began, png):
    """As far as the panels of drift: the whole is long."""
    from render import page
    board = json.loads((TESTS.parent / "grafana/dashboards/akin-model.json").read_text())
    text, height = page.page(prometheus, board, began, time.time(), 1, "5s", rows=43)
    page.shoot(text, height, png)
    subprocess.run(["pngquant", "--force", "--strip", "--output", png, "256", png], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deadline", type=float, default=170)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter windows")
    parser.add_argument("--picture", type=pathlib.Path, help="draw the dashboard Model of it, as `make screenshots` does")
    parser.add_argument("build", nargs="?", default=os.environ.get("AKIN_BUILD", TESTS.parent / "build"))
    options = parser.parse_args()
    os.environ["AKIN_BUILD"] = str(options.build)
    global harness, independent, operated, stack
    import harness
    import independent
    import operated
    import stack
    tale, began = Tale(), time.time()
    with tempfile.TemporaryDirectory(prefix="akin-drift-demo-") as name:
        stage = Stage(pathlib.Path(name), tale, QUICK if options.quick else WINDOWS)
        try:
            stage.begin()
            customers, watch = Customers(stage.place.port, stage.live), Watch(stage, tale)
            tale.tell(f"traffic begins: {len(stage.live)} visits of {LIVE}, over and over", "traffic")
            customers.start()
            while tale.missing() and time.monotonic() - tale.start < options.deadline:
                watch.look()
                time.sleep(0.25)
            customers.ended.set()
            customers.join()
            tale.tell("traffic ends: " + ", ".join(f"{n} {what}" for what, n in sorted(customers.asked.items())))
            if options.picture:
                draw(stage.prometheus, began, options.picture)
        finally:
            stage.end()
    if tale.missing():
        print("not seen within " + f"{options.deadline:.0f} s: " + ", ".join(tale.missing()), file=sys.stderr)
        return 1
    if not tale.in_order():
        print("not seen in the order in which one brings about the next", file=sys.stderr)
        return 1
    print("\n" + ", ".join(f"{milestone} {tale.seen[milestone]:.1f} s" for milestone in Tale.MUST))
    return 0


if __name__ == "__main__":
    sys.exit(main())
