"""The dashboard Model, the rules and the alerts on drift, feedback and retraining, on a real Prometheus: what they show of known
traffic is what its client computes of the answers it got, and what has gone wrong makes the alerts fire that are meant for it."""
import collections
import json
import math
import os
import random
import re
import signal
import time
import urllib.parse

import pytest

import harness
import promql
import stack
from dashboard_lint import BOARDS
from harness import until
from watched import PANELS, SHIPPED_ONLY, annotations, can_be_drawn, panel, watch

pytestmark = SHIPPED_ONLY

WINDOW = 300            # requests, and trials
STRANGE = 3             # of them for unknown ids
N = 10
RETRAINED = "ok 2\nbuild_failed 1\nrefused 0\ndeploy_failed 0\nheld_off 4\nbusy 0\nlast {} {}\n"


def quantile(values, q):
    """The least value that at least q of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered) - 1e-9) - 1)]


def statistics(values):
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    return {"number": len(values), "mean": mean, "min": min(values), "max": max(values), "stddev": math.sqrt(variance),
            "median": quantile(values, 0.5), **{f"p{q}": quantile(values, q / 100) for q in (10, 25, 75, 90, 99)}}


class Shop:
    """A shop's customers: each round fills one window of each kind to the last request, and knows what it was told."""

    def __init__(self, watched, expected):
        self.watched, self.server, self.expected = watched, watched.server, expected
        self.chance, self.users, self.items = random.Random(5), sorted(expected.baskets), sorted(expected.buyers)
        self.outcomes, self.sources, self.hits, self.events = (collections.Counter() for _ in range(4))
        self.rounds = 0

    def closed(self, kind):
        return self.server.metric("akin_windows_closed_total", kind=kind)

    def ask(self, client, kind, ids):
        """The answers of one window."""
        found = []
        for one in ids:
            answer = client.get(f"/predict/{kind}/{urllib.parse.quote(one)}?n={N}&details=true")
            if answer.status == 404:
                self.outcomes[kind, "unknown"] += 1
                continue
            assert answer.status == 200
            results = answer.json["data"][one]
            own = [r for r in results if r["source"] == kind]
            self.outcomes[kind, "short" if len(results) < N else "full" if len(own) == N else "filled"] += 1
            self.sources.update(r["source"] for r in results)
            found.append((one, answer.json["recommendation_id"], results))
        return found

    def feed_back(self, events):
        """Their outcomes."""
        with self.server.client() as client:
            client.connection.request("POST", "/feedback", json.dumps(events), {"Content-Type": "application/json"})
            answer = json.loads(client.connection.getresponse().read())
        assert answer["accepted"] == len(events), answer
        return answer["results"]

    def purchases(self, answers, share):
        """As many as a window has trials; of that share of them something that was shown. Customers bought neither before."""
        events, hits = [], 0
        for at in range(WINDOW):
            who, name, results = answers[at % len(answers)]
            wanted = at // len(answers)                     # another one the second time round
            shown = {r["id"] for r in results}
            if self.chance.random() < share and wanted < len(results):
                place = (at + wanted) % len(results)
                bought, hits = results[place]["id"], hits + 1
                rank = place + 1
                band = str(rank) if rank <= 3 else "4-5" if rank <= 5 else "6-10"
                self.hits[results[place]["source"], band] += 1
            else:
                own = self.expected.baskets[who]
                bought = self.chance.choice([i for i in self.items if i not in own and i not in shown])
            events.append({"recommendation_id": name, "item": bought, "event": "purchase"})
        return events, hits

    def round(self, users=None, items=None, strange=STRANGE, share=0.2):
        before = {kind: self.closed(kind) for kind in ("user", "item", "feedback")}
        users = [*self.chance.sample(users or self.users, WINDOW - strange), *(f"nobody{i}" for i in range(strange))]
        items = [*self.chance.sample(items or self.items, WINDOW - strange), *(f"nothing{i}" for i in range(strange))]
        with self.server.client() as client:
            self.of_users = self.ask(client, "user", users)
            until(lambda: self.closed("user") == before["user"] + 1, "the users' window to be closed")
            self.of_items = self.ask(client, "item", items)
            until(lambda: self.closed("item") == before["item"] + 1, "the items' window to be closed")
        events, self.hit = self.purchases(self.of_users, share)
        outcomes = collections.Counter(result["outcome"] for result in self.feed_back(events))
        assert outcomes == collections.Counter(hit=self.hit, miss=WINDOW - self.hit) + collections.Counter()
        self.events.update(outcomes)
        until(lambda: self.closed("feedback") == before["feedback"] + 1, "the feedback's window to be closed")
        self.rounds += 1


@pytest.fixture(scope="module")
def shop(model, expected, tmp_path_factory):
    """Four windows of customers and items drawn from the model: nothing drifts."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "models").mkdir()
    retrained(folder, "ok")
    for watched in watch(folder, model, window_requests=WINDOW, window_seconds=86400, window_min=100, baseline_windows=1):
        watched.folder = folder
        shop = Shop(watched, expected)
        watched.prometheus.scraped()
        for _ in range(4):
            shop.round()
        watched.prometheus.scraped()
        yield shop


def retrained(folder, result):
    aside = folder / "models/.new"
    aside.write_text(RETRAINED.format(int(time.time()) - 60, result))
    aside.rename(folder / "models/retrain.state")


def model_panel(title, legend=None):
    return panel(title, legend, "akin-model")


@pytest.mark.parametrize("expr", [pytest.param(expr, id=f"{title}, {number}") for board, title, number, expr in PANELS
                                  if board == "akin-model"])
def test_every_panel_has_an_answer(shop, expr):
    everything = shop.watched.all(expr)
    assert everything and all(math.isfinite(value) for _, value in everything), everything
    other = shop.watched.prometheus.query(stack.fill(expr, job="reco-app", instance="elsewhere:8000"))
    assert not other or other == [({}, 0.0)]


def test_every_rule_and_alert_has_an_answer(shop):
    """What compares with a day before this hour is asked with the present for its past."""
    for record in stack.rules("record"):
        found = shop.watched.prometheus.query(record)
        assert found and all(math.isfinite(value) for _, value in found), record
    for alert, (rule,) in stack.rules("alert").items():
        found = shop.watched.prometheus.query(promql.counting(rule["expr"].replace("offset 1h", "")))
        assert found and all(math.isfinite(value) for _, value in found), alert


def test_what_is_read_is_exported_and_what_is_exported_is_read(shop):
    text = shop.server.get("/metrics").body.decode()
    families = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
    series = set(families) | {f + suffix for f, kind in families.items() if kind in ("histogram", "summary")
                              for suffix in ("_sum", "_count", "_bucket")}
    read = set()
    for expr in ([expr for *_, expr in PANELS] + [expr for board in BOARDS for expr in annotations(board).values()] +
                 [r["expr"] for kind in ("alert", "record") for rules in stack.rules(kind).values() for r in rules]):
        read |= {name for name in promql.names(expr) if ":" not in name}
    # Two are Prometheus's own; and without API keys there are no requests that have one.
    assert read - {"up", "scrape_duration_seconds", "akin_api_key_requests_total"} <= series
    unread = {f for f in families if not {f, f + "_sum", f + "_count", f + "_bucket"} & read}
    assert unread == {"akin_model_data_timestamp_seconds"}      # its age is read


def test_only_what_is_true_fires(shop):
    assert set(shop.watched.prometheus.alerts()) == {"AkinDataStale"}


def test_counters_are_the_clients_own(shop):
    by = shop.watched.by
    assert {key: n for key, n in by("akin_predictions_total", "kind", "outcome").items() if n} == dict(shop.outcomes)
    assert by("akin_predicted_ids_total", "source") == {(source,): n for source, n in shop.sources.items()}
    assert {key: n for key, n in by("akin_feedback_hits_total", "source", "rank").items() if n} == dict(shop.hits)
    assert {key: n for (key,), n in by("akin_feedback_outcomes_total", "outcome").items() if n} == dict(shop.events)
    assert by("akin_feedback_events_total", "event")["purchase",] == shop.rounds * WINDOW
    assert shop.watched.value("akin_feedback_trials_total") == shop.rounds * WINDOW
    assert shop.watched.value("akin_feedback_trial_hits_total") == shop.events["hit"]


def test_windows_are_the_clients_own(shop):
    by = shop.watched.by
    legends = ("requests", "ids", "unknown ids")
    requests, known, unknown = (by(model_panel("Last window", f"{{{{kind}}}} {name}"), "kind") for name in legends)
    for kind in ("user", "item"):
        assert (requests[kind,], known[kind,], unknown[kind,]) == (WINDOW, WINDOW - STRANGE, STRANGE)
    assert requests["feedback",] == WINDOW
    ages = by(model_panel("Age of the last window", "{{kind}}"), "kind")
    assert set(ages) == {("user",), ("item",), ("feedback",)} and all(-2 < age < 600 for age in ages.values())
    shares = by(model_panel("Unknown ids"), "feature", "reference")
    for feature in ("user_unknown", "item_unknown"):
        assert shares[feature, "window"] == pytest.approx(STRANGE / WINDOW)
    catalogue = by(model_panel("Catalogue shown"), "kind")
    for kind, answers in (("user", shop.of_users), ("item", shop.of_items)):
        shown = {r["id"] for _, _, results in answers for r in results}
        assert catalogue[kind,] == pytest.approx(len(shown) / len(shop.items))


def test_statistics_are_the_clients_own(shop):
    """Of the answers of the last window. Scores are counted in thousandths."""
    rank = {item: at for at, item in enumerate(shop.expected.popular, 1)}
    mine = {("user", "history"): [len(shop.expected.baskets[who]) for who, _, _ in shop.of_users],
            ("item", "asked_rank"): [rank[item] for item, _, _ in shop.of_items]}
    for kind, answers in (("user", shop.of_users), ("item", shop.of_items)):
        own = [[r["score"] for r in results if r["source"] == kind] for _, _, results in answers]
        mine[kind, "top_score"] = [scores[0] for scores in own if scores]
        mine[kind, "mean_score"] = [sum(r["score"] for r in results) / len(results) for _, _, results in answers if results]
        mine[kind, "returned_rank"] = [rank[r["id"]] for _, _, results in answers for r in results]
        mine[kind, "own_results"] = [len(scores) for scores in own]
    told = shop.watched.by("akin_prediction_statistic", "kind", "value", "statistic")
    for (kind, value), values in mine.items():
        for name, right in statistics(values).items():
            assert told[kind, value, name] == pytest.approx(right, abs=0.00051 if "score" in value else 1e-6), (kind, value, name)
    assert {key[:2] for key in told} == set(mine)


def test_hit_rate_is_the_clients_own(shop):
    assert shop.watched.by(model_panel("Hit rate", "generation {{generation}}"), "generation") == {
        ("1",): pytest.approx(shop.hit / WINDOW)}
    assert shop.watched.by(model_panel("Trials in a window"), "generation") == {("1",): WINDOW}
    assert 0 < shop.watched.value(model_panel("Hit rate", "backtest")) < 0.5
    assert shop.watched.value(model_panel("Concept")) == 1      # stable


def test_nothing_has_drifted(shop):
    verdicts = shop.watched.by(model_panel("Verdicts"), "feature", "reference")
    features = {"user_top_score", "user_results", "user_history", "item_top_score", "item_results", "item_rank", "item_mix",
                "user_unknown", "item_unknown"}
    assert verdicts == {(f, r): 0 for f in features for r in ("training", "baseline", "previous")}
    for reference in ("training", "baseline", "previous"):
        distance, critical = (shop.watched.by(model_panel(f"KS distance, {reference}", legend), "feature")
                              for legend in ("{{feature}}", "{{feature}} critical"))
        assert set(distance) == set(critical) == {(f,) for f in features if not f.endswith(("unknown", "mix"))}
        assert all(0 < distance[f] < 2 * critical[f] for f in distance)


def test_annotations_answer_or_wait_for_trouble(shop):
    found = {name: shop.watched.all(expr) for name, expr in annotations("akin-model").items()}
    assert {name for name in found if found[name]} == {"Model published", "Retraining ended"}
    assert abs(found["Retraining ended"][0][1] / 1000 - time.time()) < 3600


def test_a_picture_can_be_drawn(shop, tmp_path):
    can_be_drawn(shop.watched, "akin-model", tmp_path / "board.png")


# Trouble, in this order: what one leaves behind, the next has.


def test_a_retraining_that_fails_shows(shop):
    retrained(shop.watched.folder, "build_failed")
    shop.watched.fires("AkinRetrainFailing", instance=shop.watched.instance)
    assert shop.watched.value(model_panel("Last retraining successful")) == 0
    retrained(shop.watched.folder, "ok")
    until(lambda: "AkinRetrainFailing" not in shop.watched.prometheus.alerts(), "the alert to end")


def test_a_monitor_that_dies_shows_and_windows_go_on(shop):
    monitor, = (pid for pid in harness.children(shop.server.pid) if harness.name_of(pid) == "akin-monitor")
    os.kill(monitor, signal.SIGKILL)
    shop.watched.fires("AkinMonitorRestarts", instance=shop.watched.instance)
    shop.round()


def test_drift_fires_and_ends_with_another_model(shop):
    """The customers with the longest histories, the rarest items, and many ids that nobody has heard of."""
    loyal = sorted(shop.users, key=lambda who: -len(shop.expected.baskets[who]))[:400]
    for _ in range(3):
        shop.round(users=loyal, items=shop.expected.popular[-400:], strange=100)
    for feature in ("user_history", "item_rank"):
        for reference in ("training", "baseline"):
            shop.watched.fires("AkinDataDrift", feature=feature, reference=reference, retrain="true", instance=shop.watched.instance)
    for feature in ("user_unknown", "item_unknown"):
        shop.watched.fires("AkinUnknownIdsRising", feature=feature, retrain="true")
    verdicts = shop.watched.by(model_panel("Verdicts"), "feature", "reference")
    assert verdicts["item_rank", "training"] == verdicts["user_unknown", "training"] == 1
    assert shop.watched.value(model_panel("Features drifted")) >= 4
    assert {labels["feature"] for labels, _ in shop.watched.all(annotations("akin-model")["Drifted"])} >= {"user_history", "item_rank"}
    assert shop.watched.value(model_panel("Unknown items")) == pytest.approx(100 / WINDOW)
    shop.server.hup()
    ours = {"AkinDataDrift", "AkinUnknownIdsRising"}
    until(lambda: not ours & set(shop.watched.prometheus.alerts()), "the alerts to end")
    assert shop.watched.value(model_panel("Features drifted")) == -1    # no verdict: its first windows are open


def test_purchases_that_follow_no_more_fire(shop):
    """Customers who buy nothing of what they are shown, until nobody believes in chance."""
    for _ in range(12):
        if shop.watched.value(model_panel("Concept")) == 3:
            break
        shop.round(share=0)
        shop.watched.prometheus.scraped()
    assert shop.watched.value(model_panel("Features drifted")) == 0
    shop.watched.fires("AkinConceptDrift", instance=shop.watched.instance, retrain="true")
    assert re.search(r"warn monitor\S+ concept drift: [\d.]+ hits are missing among the purchases of generation 2, more than \d+ \(hit_lambda\)",
                     shop.server.logged())
    assert re.search(r"warn monitor\S+ user_unknown has drifted from training: [\d.]+ % unknown, [\d.]+ % expected, in the last window",
                     shop.server.logged())
    statistic, threshold = (shop.watched.value(model_panel("Page-Hinkley", name)) for name in ("statistic", "threshold"))
    assert statistic > threshold > 0
    assert shop.watched.by(model_panel("Hit rate", "generation {{generation}}"), "generation")["2",] == 0
