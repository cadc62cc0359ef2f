"""The monitor on a running server: windows of real requests against what their answers say, verdicts, reloads; and that the
monitor can die, hang or be absent without anybody's notice."""
import collections
import json
import os
import random
import re
import signal
import threading
import time

import numpy
import pytest
from scipy import stats

import harness
from harness import alive, until
from tiny import ROWS, fine

QUANTILES = {"median": 0.5, "p10": 0.1, "p25": 0.25, "p75": 0.75, "p90": 0.9, "p99": 0.99}


def told(server):
    """The page as {(family, labels): value}, labels as a frozenset of pairs."""
    found = {}
    for sample, value in server.metrics().items():
        name, _, labels = sample.rstrip("}").partition("{")
        found[name, frozenset(tuple(l.replace('"', "").split("=")) for l in labels.split(",") if l)] = value
    return found


def of(page, name, **labels):
    return page.get((name, frozenset(labels.items())))


def closed(server, kind):
    return server.metric("akin_windows_closed_total", kind=kind)


def begun(server, generation=1):
    """Windows are open, and of this generation: its rate is there from then on."""
    until(lambda: server.metric("akin_hit_rate_trials", generation=generation) == 0 and
          f'akin_hit_rate_trials{{generation="{generation}"}}' in server.metrics(), "windows of the generation")


def looked(server):
    """When the monitor looked last, to a second."""
    return time.time() - server.metric("akin_monitor_age_seconds")


def ask(server, kind, ids, n=5):
    """Request each id, on a few connections; [(id, answer or None for an unknown one)]"""
    answers = []
    with server.client() as client:
        for id in ids:
            answer = client.get(f"/predict/{kind}/{id}?n={n}&details=true")
            assert answer.status in (200, 404), answer.body
            answers.append((id, answer.json["data"][id] if answer.status == 200 else None))
    return answers


def window(server, kind, ids, n=5):
    """Ask for as many as close a window; the answers, and the page when it is closed."""
    before = closed(server, kind)
    answers = ask(server, kind, ids, n)
    until(lambda: closed(server, kind) > before, "the window to be closed")
    return answers, told(server)


def statistics(page, kind, value):
    return {dict(labels)["statistic"]: v for (name, labels), v in page.items()
            if name == "akin_prediction_statistic" and {("kind", kind), ("value", value)} <= labels}


def assert_statistics(page, kind, value, values):
    """By NumPy, of all values as they are."""
    found, x = statistics(page, kind, value), numpy.array(values)
    want = {"number": len(values), "mean": x.mean(), "min": x.min(), "max": x.max(), "stddev": x.std(),
            **{name: numpy.quantile(x, q, method="inverted_cdf") for name, q in QUANTILES.items()}}
    assert found == {name: pytest.approx(v, abs=1e-9) for name, v in want.items()}, (kind, value)


def thousandths(scores):
    return [int(s * 1000 + 0.5) / 1000 for s in scores]


def assert_predictions(page, kind, answers):
    """What a window must say of these answers by themselves."""
    given = [results for _, results in answers if results is not None]
    unknown = [id for id, results in answers if results is None]
    own = [[r for r in results if r["source"] != "popular"] for results in given]
    assert of(page, "akin_window_requests", kind=kind) == len(answers)
    assert of(page, "akin_window_entities", kind=kind) == len({id for id, results in answers if results is not None})
    assert of(page, "akin_window_unknown_ids", kind=kind) == len(set(unknown))
    assert_statistics(page, kind, "own_results", [len(results) for results in own])
    assert_statistics(page, kind, "top_score", thousandths(results[0]["score"] for results in own if results))
    assert_statistics(page, kind, "mean_score", thousandths(sum(r["score"] for r in results) / len(results) for results in given))
    share = len(set(unknown)) / len({id for id, _ in answers})
    assert of(page, "akin_drift_unknown_ratio", feature=f"{kind}_unknown", reference="window") == pytest.approx(share)
    assert of(page, "akin_drift_unknown_ratio", feature=f"{kind}_unknown", reference="window_requests") == \
        pytest.approx(len(unknown) / len(answers))


def assert_returned(page, kind, answers, rank):
    """Of all items in the answers, by their places in the popular ranking."""
    returned = [rank[r["id"]] for _, results in answers for r in results or ()]
    assert_statistics(page, kind, "returned_rank", returned)
    assert of(page, "akin_catalogue_returned_ratio", kind=kind) == pytest.approx(len(set(returned)) / len(rank))


def test_statistics_of_a_window(start, model, expected):
    """Of 200 for users and 200 for items, unknown ids among them, with a worker's death in between."""
    server = start(model, window_requests=200, window_min=100)
    draw = random.Random(5)
    rank = {item: at for at, item in enumerate(expected.popular, 1)}
    users = draw.choices(sorted(expected.baskets), k=180) + [f"nobody{i % 7}" for i in range(20)]
    items = draw.choices(expected.popular[:500], k=190) + [f"nothing{i}" for i in range(10)]
    asked = ask(server, "user", users[:100])
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.metric("akin_workers", state="serving") == 2, "another worker")
    assert closed(server, "user") == 0
    answers, page = window(server, "user", users[100:])
    asked += answers
    assert_predictions(page, "user", asked)
    assert_returned(page, "user", asked, rank)
    assert_statistics(page, "user", "history", [len(expected.baskets[id]) for id, results in asked if results is not None])
    assert statistics(page, "user", "asked_rank") == {} and closed(server, "item") == 0
    answers, page = window(server, "item", items)
    assert_predictions(page, "item", answers)
    assert_statistics(page, "item", "asked_rank", [rank[id] for id, results in answers if results is not None])
    assert_returned(page, "item", answers, rank)
    assert_returned(page, "user", asked, rank)      # as it was
    assert of(page, "akin_drift_window_samples", feature="item_rank", reference="training") == len(set(items[:190]))
    assert of(page, "akin_drift_window_samples", feature="item_rank", reference="previous") == 190
    assert of(page, "akin_drift_reference_samples", feature="item_rank", reference="training") == len(rank)
    assert of(page, "akin_drift_ks_distance", feature="item_rank", reference="previous") is None
    assert server.metric("akin_monitor_restarts_total") == 0


def drifted(page):
    return {(dict(labels)["feature"], dict(labels)["reference"]) for (name, labels), v in page.items()
            if name == "akin_drift_detected" and v}


def assert_consistent(page):
    """A scrape has one publication, however many windows are closed meanwhile."""
    requests, ratio = (of(page, name, **labels) for name, labels in (
        ("akin_window_requests", {"kind": "item"}),
        ("akin_drift_unknown_ratio", {"feature": "item_unknown", "reference": "window_requests"})))
    if requests is not None:
        known = of(page, "akin_drift_window_samples", feature="item_rank", reference="previous")
        assert known == round(requests * (1 - ratio)), (requests, known, ratio)
        assert of(page, "akin_drift_window_samples", feature="item_unknown", reference="previous") == requests


def verdicts_in_the_log(server):
    return re.findall(r"warn monitor\S+ (\w+) has drifted from (\w+): (?:KS distance [\d.]+, critical [\d.]+; )?PSI [\d.]+, critical [\d.]+, in the "
                      r"last window\n", server.logged())


def test_drift(start, model, expected):
    """Uniform requests have none. Then customers ask for what hardly anybody bought: seen in the second window. A reload
    of the same model begins anew. A monitor that is killed has a successor that goes on."""
    server = start(model, window_requests=300, baseline_windows=2)
    begun(server)
    draw = random.Random(11)
    items, cold = sorted(expected.popular), expected.popular[-300:]
    rank = {item: at for at, item in enumerate(expected.popular, 1)}
    stop, pages = threading.Event(), collections.Counter()

    def scrape():
        while not stop.is_set():
            assert_consistent(told(server))
            pages["good"] += 1
        pages["done"] = 1

    scraper = threading.Thread(target=scrape)
    scraper.start()
    usual = []
    for number in range(4):
        usual.append(draw.choices(items, k=300))
        _, page = window(server, "item", usual[-1])
        assert drifted(page) == set(), number
        assert of(page, "akin_drift_insufficient", feature="item_rank", reference="training") == 0
        assert of(page, "akin_drift_insufficient", feature="item_rank", reference="baseline") == (number < 2)
        assert of(page, "akin_drift_insufficient", feature="item_rank", reference="previous") == (number < 1)
    assert of(page, "akin_drift_reference_samples", feature="item_rank", reference="baseline") == 600
    # bins hide a little of the exact distances
    ranks = [[rank[i] for i in ids] for ids in usual]
    exact = stats.ks_2samp(ranks[3], ranks[0] + ranks[1] + ranks[2]).statistic
    assert exact - 0.03 < of(page, "akin_drift_ks_distance", feature="item_rank", reference="previous") < exact + 1e-9
    exact = stats.ks_2samp(ranks[3], ranks[0] + ranks[1]).statistic
    assert exact - 0.03 < of(page, "akin_drift_ks_distance", feature="item_rank", reference="baseline") < exact + 1e-9
    exact = stats.ks_2samp(sorted(set(ranks[3])), list(rank.values())).statistic
    assert of(page, "akin_drift_ks_distance", feature="item_rank", reference="training") < exact + 1e-9
    _, page = window(server, "item", draw.choices(cold, k=300))
    assert drifted(page) == set()
    assert of(page, "akin_drift_ks_p_value", feature="item_rank", reference="training") < 1e-6
    monitor = server.monitor()
    os.kill(monitor, signal.SIGKILL)
    until(lambda: server.monitor() not in (None, monitor), "its successor")
    until(lambda: server.metric("akin_monitor_restarts_total") == 1 and server.metric("akin_monitor_age_seconds") <= 1 and
          "replaced in" in server.logged(), "it to look")
    seen = looked(server)
    until(lambda: looked(server) > seen + 1, "its windows to be open")
    _, page = window(server, "item", draw.choices(cold, k=300))
    assert {("item_rank", "training"), ("item_rank", "baseline")} <= drifted(page)
    assert of(page, "akin_windows_closed_total", kind="item") == 6 and of(page, "akin_window_requests", kind="item") == 300
    alarming = sorted(pair for pair in drifted(page) if pair[1] != "previous")
    until(lambda: sorted(verdicts_in_the_log(server)) == alarming, "each verdict to be in the log, once")
    stop.set()
    scraper.join()
    assert pages["done"] and pages["good"] > 5
    os.kill(server.monitor(), signal.SIGKILL)       # whose successor says nothing twice
    until(lambda: server.metric("akin_monitor_restarts_total") == 2 and server.metric("akin_monitor_age_seconds") <= 1, "its successor")
    server.hup()
    begun(server, 2)
    page = told(server)
    assert drifted(page) == set() and of(page, "akin_windows_closed_total", kind="item") == 6
    assert sorted(verdicts_in_the_log(server)) == alarming and "no longer" not in server.logged()
    assert of(page, "akin_window_requests", kind="item") is None and statistics(page, "item", "top_score") == {}
    assert of(page, "akin_drift_insufficient", feature="item_rank", reference="baseline") == 1
    _, page = window(server, "item", draw.choices(items, k=300))
    assert of(page, "akin_windows_closed_total", kind="item") == 7 and of(page, "akin_window_requests", kind="item") == 300
    assert server.metric("akin_worker_restarts_total") == 0


def test_hit_rate(start, model, expected):
    """Of 100 purchases after recommendations, those of items that had been recommended; to the last one."""
    server = start(model, window_requests=100, window_min=30)
    begun(server)
    draw = random.Random(3)
    users, events, hits = draw.sample(sorted(expected.baskets), 100), [], 0
    with server.client() as client:
        for at, user in enumerate(users):
            answer = client.get(f"/predict/user/{user}?n=5").json
            shown = answer["data"][user]
            others = [i for i in expected.popular if i not in shown and i not in expected.baskets[user]]
            hit = at % 4 == 0
            hits += hit
            events.append({"recommendation_id": answer["recommendation_id"], "event": "purchase",
                           "item": draw.choice(shown if hit else others)})
        connection = client.connection
        connection.request("POST", "/feedback", json.dumps(events))
        response = connection.getresponse()
        results = json.loads(response.read())["results"]
    assert collections.Counter(r["outcome"] for r in results) == {"hit": hits, "miss": 100 - hits}
    until(lambda: closed(server, "feedback") == 1, "the window to be closed")
    page = told(server)
    assert of(page, "akin_hit_rate", generation="1") == hits / 100 and of(page, "akin_hit_rate_trials", generation="1") == 100
    assert of(page, "akin_window_requests", kind="feedback") == 100
    assert sum(of(page, "akin_concept_drift_state", state=s) for s in ("unknown", "stable", "warning", "drifted")) == 1
    # a worker that has not heard of the next generation still answers from this one: windows of that are not begun
    slow = server.workers()[0]
    os.kill(slow, signal.SIGSTOP)
    try:
        server.hup()
        seen = looked(server)
        until(lambda: looked(server) > seen + 1, "the monitor to look some times")
        assert 'akin_hit_rate_trials{generation="2"}' not in server.metrics()
    finally:
        os.kill(slow, signal.SIGCONT)
    begun(server, 2)
    page = told(server)
    assert of(page, "akin_hit_rate", generation="1") == hits / 100 and of(page, "akin_hit_rate", generation="2") is None


def test_age_and_retrainings(start, small):
    """What comes by itself: windows that are closed by their age, and what akinctl has written down."""
    model = small(ROWS)
    server = start(model, window_seconds=1)
    until(lambda: closed(server, "item") >= 1 and closed(server, "user") >= 1 and closed(server, "feedback") >= 1, "one of each")
    page = told(server)
    assert of(page, "akin_window_limit_seconds") == 1 and of(page, "akin_window_duration_seconds", kind="item") >= 1
    assert of(page, "akin_window_requests", kind="user") == 0 and statistics(page, "user", "top_score") == {}
    assert of(page, "akin_drift_insufficient", feature="user_history", reference="training") == 1 and drifted(page) == set()
    assert of(page, "akin_drift_ks_distance", feature="user_history", reference="training") is None
    assert of(page, "akin_retrain_total", result="ok") == 0 and of(page, "akin_retrain_last_successful") is None
    folder = model.parent / "models"
    folder.mkdir()
    aside = folder / "aside"
    aside.write_text("ok 3\nrefused 1\nlast 1322438400 refused\n")
    aside.rename(folder / "retrain.state")
    until(lambda: server.metric("akin_retrain_total", result="ok") == 3, "the file to be read")
    page = told(server)
    assert of(page, "akin_retrain_total", result="refused") == 1 and of(page, "akin_retrain_total", result="busy") == 0
    assert of(page, "akin_retrain_last_timestamp_seconds") == 1322438400 and of(page, "akin_retrain_last_successful") == 0
    assert of(page, "akin_retrain_age_seconds") > 400e6


# -- the process --------------------------------------------------------------------------------------------------

def test_it_is_harmless(start, small):
    """Killed again and again it comes back after longer and longer pauses; stopped it stops nobody else."""
    server = start(small(ROWS), stop_timeout_ms=60000)
    for wait in (100, 200, 400):
        until(server.monitor, "a monitor")
        cpu = server.metric("process_cpu_seconds_total")
        os.kill(server.monitor(), signal.SIGKILL)
        until(lambda: f"replaced in {wait} ms, and clients are served as before" in server.logged(), f"a pause of {wait} ms")
        assert fine(server) and server.metric("process_cpu_seconds_total") >= cpu
    until(server.monitor, "a monitor")
    assert server.metric("akin_monitor_restarts_total") == 3 and server.metric("akin_worker_restarts_total") == 0
    hung = server.monitor()
    os.kill(hung, signal.SIGSTOP)
    until(lambda: server.metric("akin_monitor_age_seconds") >= 2, "its age to show")
    assert fine(server)
    assert server.stop() == 0 and not alive(hung)
    assert "workers had to be killed" not in server.logged()


def test_it_hangs_and_it_goes_with_its_master(start, small):
    server = start(small(ROWS), worker_hung_ms=1000)
    until(lambda: "akin_monitor_age_seconds" in server.metrics(), "the monitor to look")
    hung = server.monitor()
    os.kill(hung, signal.SIGSTOP)
    monitor = until(lambda: server.monitor() not in (None, hung) and server.monitor(), "another one")
    assert f"the monitor (pid {hung}) has given no sign of life for" in server.logged()
    assert server.metric("akin_monitor_restarts_total") == 1 and server.metric("akin_worker_restarts_total") == 0
    server.send(signal.SIGKILL)
    until(lambda: not alive(monitor), "its end")
    server.kill()


def test_without_metrics_there_is_none(start, small):
    server = start(small(ROWS), metrics="off")
    assert fine(server) and server.monitor() is None
    server.send(signal.SIGUSR1)         # an order that goes to all
    until(lambda: "the log was opened again" in server.logged(), "the order to be done")
    assert server.monitor() is None and all(harness.name_of(pid) != "akin-monitor" for pid in server.family())
