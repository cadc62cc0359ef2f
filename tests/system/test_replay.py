"""akin-prep replay: every hit and miss computed another way, by model file and by server."""
import datetime
import json
import struct

import pytest

import harness
from harness import one_line, prep, refused
from replayed import HEADER, NEW, OLD, PLACES, SPLIT, Shop, by_hand, computed, replay, shares, table, told, url

KEY = "a-key-for-the-shop-0123456789"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def server(shop, tmp_path_factory):
    server = harness.Server(tmp_path_factory.mktemp("server"), shop.model)
    yield server
    try:
        assert server.stop() == 0, server.logged()
    finally:
        server.kill()


def test_online_retail(shop):
    answer = replay("--server", shop.model, "-n", PLACES, "--by", "week", shop.new)
    shop.check(answer)
    assert answer["rows"]["kept"] == answer["rows"]["read"] == answer["unknown"]["lines"]["all"]
    assert answer["rows"]["from"] >= "2011-11-09 12:50:00" and answer["rows"]["until"] == "2011-12-09 12:50:00"
    assert answer["rows"]["not_newer"] == 0 and answer["hits"] > 500


def test_a_backtest_is_a_replay(shop, model):
    """Of the whole data's model the backtest, which splits at the same time, says the same; and what a model promises is its own."""
    backtest = lambda path: json.loads(prep("show", "--json", path).out)["backtest"]
    answer, held = replay("--server", shop.model, "-n", PLACES, shop.new), backtest(model)
    assert held["since"] == str(SPLIT)
    assert (held["trials"], held["customers"]) == (answer["trials"], answer["trial_customers"])
    assert (held["hits_own"], held["hits_popular"]) == (answer["hits_by_place"]["user"], answer["hits_by_place"]["popular"])
    assert [held["hit_percent_5"], held["hit_percent_10"]] == pytest.approx([100 * answer["first"][k]["rate"] for k in (2, 3)], 1e-9)
    assert answer["backtest"] == backtest(shop.model) and answer["backtest"]["since"] < held["since"]


def test_a_server_of_the_same_model(shop, server):
    """With the file beside it, all is the same; alone, what customers have already is not known, and hits are the same."""
    asked = ("--server", url(server), "-n", PLACES, "--by", "week")
    both = replay(*asked, "--model", shop.model, shop.new)
    shop.check(both)
    assert both["server"] == {"url": url(server), "generation": 1, "requests": 1 + both["unknown"]["customers"]["all"], "retried": 0}
    alone = replay(*asked, shop.new)
    want = shop.expected
    assert alone["aside"] == {**want["aside"], "repeat": None}
    assert alone["trials"] == want["trials"] + want["aside"]["repeat"]
    for key in ("purchases", "hits", "hits_by_place", "unknown"):
        assert alone[key] == want[key], key
    assert alone["backtest"] is None is alone["first"][0]["promised"]
    text = prep("replay", "-q", *asked, shop.new)
    assert f"{want['hits']}, " in text.out and "a server does not say so" in text.out


def test_fewer_places_are_a_beginning_of_more(shop):
    more = shop.expected
    for n in (1, 7):
        fewer = replay("--server", shop.model, "-n", n, shop.new)
        assert fewer["hits_by_place"] == {source: places[:n] for source, places in more["hits_by_place"].items()}
        assert fewer["trials"] == more["trials"] and fewer["first"][-1]["n"] == n


# -- by hand -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return by_hand(tmp_path_factory.mktemp("hand"))


def test_by_hand(hand):
    model, new = hand
    answer = replay("--model", model, "-n", 3, "--by", "week", new)
    assert (answer["rows"]["read"], answer["rows"]["kept"], answer["rows"]["undated"]) == (10, 9, 1)
    assert (answer["rows"]["from"], answer["rows"]["until"]) == ("2012-01-30 08:00:00", "2012-02-06 09:00:00")
    assert answer["purchases"] == 8 and answer["trials"] == 5 and answer["trial_customers"] == 3
    assert answer["aside"] == {"unknown_customer": 1, "unknown_item": 1, "repeat": 1, "not_judged": 0}
    # ann's D is at place 2 of bob's, bob's E at 1 of the fill, cid's F at 1 of dot's; ann's F is at 4, cid's D at 5.
    assert answer["hits_by_place"] == {"user": [1, 1, 0], "popular": [1, 0, 0]}
    assert [(p["begin"], p["rows"], p["purchases"], p["trials"], p["hits"], p["visits"]["all"], p["visits"]["unknown"],
             p["lines"]["unknown"]) for p in answer["periods"]] == [
        ("2012-01-30", 4, 3, 1, 1, 4, 1, 0), ("2012-02-06", 4, 4, 3, 1, 3, 0, 1), (None, 1, 1, 1, 1, 0, 0, 0)]
    assert answer["unknown"]["visits"] == shares(7, 1) and answer["unknown"]["items"] == shares(5, 1)
    assert replay("--model", model, "-n", 4, new)["hits_by_place"] == {"user": [1, 1, 0, 0], "popular": [1, 0, 0, 1]}
    assert [p["begin"] for p in replay("--model", model, "--by", "day", new)["periods"]] == [
        "2012-01-30", "2012-01-31", "2012-02-01", "2012-02-05", "2012-02-06", None]
    assert [p["begin"] for p in replay("--model", model, "--by", "month", new)["periods"]] == ["2012-01", "2012-02", None]


def test_the_fill(hand):
    model, new = hand
    hits = {fill: replay("--server", model, "--fill", fill, new)["hits_by_place"] for fill in ("popular", "recent", "none")}
    assert hits["none"] == {"user": [1, 1, 0, 0, 0], "popular": [0] * 5}
    assert hits["popular"] == {"user": [1, 1, 0, 0, 0], "popular": [1, 0, 0, 1, 1]}
    assert hits["recent"] == hits["popular"]            # all of it is of the last 30 days


def test_without_dates(hand, tmp_path):
    model, _ = hand
    new = table(tmp_path / "undated.csv", [row[:3] for row in NEW], HEADER[:3])
    answer = replay("--server", model, new)
    assert answer["rows"]["no_dates"] and answer["rows"]["from"] is None and answer["rows"]["not_newer"] is None
    assert answer["hits_by_place"] == {"user": [1, 1, 0, 0, 0], "popular": [1, 0, 0, 1, 1]}
    assert answer["unknown"]["visits"] == shares(4, 1)
    refused(prep("replay", "-q", "--server", model, "--by", "day", new), "--by must have dates", "no date column")
    assert "in the order of the input: no date column" in prep("replay", "--server", model, new).out


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y"])
def test_dates_that_could_be_either(small, tmp_path, order):
    """A week at a month's beginning proves no order; the model's data did."""
    dates = lambda days: [(who, item, 1, f"{datetime.date(2012, 2, day):{order}} 9:00") for (who, item), day in zip(OLD, days)]
    model = small(table(tmp_path / "old.csv", dates(range(11, 20))).read_bytes())
    new = table(tmp_path / "new.csv", dates([3, 4, 5, 5, 5, 5, 5, 5, 9]))
    answer = replay("--server", model, "--by", "month", new)
    assert answer["rows"]["date_format"] == order.replace("%", "") and answer["rows"]["no_dates"] is None
    assert [period["begin"] for period in answer["periods"]] == ["2012-02"] and answer["rows"]["until"] == "2012-02-09 09:00:00"
    assert "they are taken as: " + order.replace("%", "") in prep("replay", "--server", model, new).err
    other = "dmy" if order.startswith("%m") else "mdy"
    assert replay("--server", model, "--date-format", other, new)["rows"]["until"] == "2012-09-02 09:00:00"
    refused(prep("replay", "-q", "--server", "http://127.0.0.1:1", "--by", "day", new), "must have dates, but ambiguous dates")


def test_rows_the_model_was_made_from(small, tmp_path):
    path = tmp_path / "same.csv"
    path.write_bytes(harness.csv_bytes(OLD))
    answer = replay("--server", small(OLD, "m", "--date-format", "mdy"), "--date-format", "mdy", path)
    assert answer["aside"]["repeat"] == answer["purchases"] == len(OLD) and answer["trials"] == answer["hit_rate"] == 0
    assert answer["rows"]["not_newer"] == len(OLD)


def test_standard_input_and_several_files(hand, tmp_path):
    model, new = hand
    want = told(replay("--server", model, new))
    assert told(replay("--server", model, stdin=new.read_bytes())) == want
    parts = [table(tmp_path / f"{n}.csv", NEW[n::2]) for n in (0, 1)]
    assert told(replay(*reversed(parts), "--server", model)) == want


ODD = ["a/b", "..", "50%", "a b", "Zoë", "?n=1", "#x", "%2e%2e", "+", "a&b=c", '"q"', "ß" * 300]


def test_odd_ids(start, small, tmp_path):
    """Ids that a path must not take for something else: each is asked for as it is."""
    old = [(who, item) for who in ODD for item in ("A", who)] + [("other", "B"), ("other", "A")]
    header = HEADER[:3]
    model = small(table(tmp_path / "old.csv", [(who, item, 1) for who, item in old], header).read_bytes())
    new = table(tmp_path / "new.csv", [(who, item, 1) for who in ODD for item in ("B", *ODD)], header)
    by_file, server = replay("--server", model, "-n", 50, new), start(model)
    assert by_file["aside"]["unknown_customer"] == by_file["aside"]["unknown_item"] == 0 and by_file["hits"] == 12 * 12
    assert told(replay("--server", url(server), "--model", model, "-n", 50, new)) == told(by_file)
    assert replay("--server", url(server) + "//", "-n", 50, new)["hits_by_place"] == by_file["hits_by_place"]


def test_a_key(start, hand, tmp_path):
    model, new = hand
    keys, mine = tmp_path / "keys", tmp_path / "mine"
    keys.write_text(f"shop {KEY}\n")
    mine.write_text(f"{KEY}\n")
    mine.chmod(0o644)
    keys.chmod(0o600)
    server = start(model, api_keys=keys)
    ask = lambda *more: prep("replay", "-q", "--server", url(server), "--model", model, *more, new)
    refused(ask(), "/predict/user/", "not 401: .*a valid API key is needed")
    assert KEY not in refused(ask("--key-file", mine), "mine: must be closed to others", "not of mode 644")
    mine.chmod(0o600)
    assert ask("--key-file", mine).returncode == 0
    for wrong in ("", "\n", "two words\n", "x" * 1025):
        mine.write_text(wrong)
        refused(ask("--key-file", mine), "mine: a key must")
    mine.write_text(KEY + "x")
    assert KEY not in refused(ask("--key-file", mine), "not 401")
    refused(ask("--key-file", tmp_path), "must be a file")
    refused(ask("--key-file", tmp_path / "nope"), "No such file")


# -- what can go wrong -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, words", [
    ((), "must have --server"), (("--server", ""), "URL or the path"), (("--server", "M", "--model", "M"), "one model"),
    (("--model", "http://x"), "path of a model"), (("--server", "M", "-n", "0"), "1 to 1000"),
    (("--server", "M", "-n", "1001"), "1 to 1000"), (("--server", "M", "--by", "year"), "day, week or month"),
    (("--server", "http://x", "--fill", "none"), "a server fills as it is set"), (("--server", "M", "--fill", "all"), "popular, recent"),
    (("--server", "M", "--feedback"), "--feedback is for a server"), (("--server", "M", "--key-file", "k"), "--key-file is for"),
    (("--server", "http://x", "--batch", "0"), "1 to 100000"), (("--server", "http://x", "--timeout", "0"), "1 to 3600"),
    (("--server", "http://x", "--retries", "-1"), "0 to 1000"), (("--server", "M", "--max-bad", "2"), "0 to 1"),
    (("--server", "M", "--date-format", "x"), "mdy"), (("--nope",), "unrecognized")])
def test_wrong_usage(arguments, words):
    done = prep("replay", *arguments, "new.csv")
    assert done.returncode == 64 and words in one_line(done.err), done.err


@pytest.mark.parametrize("address, words", [
    ("http://", "an address must be"), ("http://127.0.0.1:99999", "an address must be"), ("http://a b", "an address must be"),
    ("http://127.0.0.1:1/?x=1", "an address must be"), ("http://127.0.0.1:1/#x", "an address must be"),
    ("https://127.0.0.1:1", "must answer, Failed to connect"), ("ftp://127.0.0.1:1", "can't open it: No such file"),
    ("http://me:secret@127.0.0.1:1", "an address must be")])
def test_addresses(hand, address, words):
    line = refused(prep("replay", "-q", "--server", address, hand[1]), words)
    assert "secret" not in line


def test_models_that_are_none(hand, tmp_path):
    model, new = hand
    raw = bytearray(model.read_bytes())
    struct.pack_into("<I", raw, 12, 99)
    other = tmp_path / "other.model"
    other.write_bytes(raw)
    refused(prep("replay", "-q", "--server", other, new), "other.model", "version", "99")
    refused(prep("replay", "-q", "--server", new, new), "new.csv")
    refused(prep("replay", "-q", "--server", tmp_path / "nope", new), "nope", "No such file")
    refused(prep("replay", "-q", "--server", model, tmp_path / "nope.csv"), "nope.csv", "No such file")
    refused(prep("replay", "-q", "--server", model, stdin=b"CustomerID,StockCode\n"), "must have rows")


def test_another_model_than_the_server_s(start, small, hand):
    server = start(hand[0])
    line = refused(prep("replay", "-q", "--server", url(server), "--model", small(OLD[:4], "other.model"), hand[1]),
                   "must serve .*other.model, whose checksum is [0-9a-f]{16}, not [0-9a-f]{16}")
    assert server.get("/model").json["checksum"] in line
    assert server.get("/model").json["checksum"] == json.loads(prep("show", "--json", hand[0]).out)["checksum"]


# -- telling the server ------------------------------------------------------------------------------------------------

def test_the_server_counts_the_same(start, shop):
    """Told of everything, with a memory for fewer answers than there are customers, it comes to the same hits at the same places,
    and knows the repeats."""
    server, want = start(shop.model, workers=1, feedback_ring=1024), shop.expected
    answer = replay("--server", url(server), "--feedback", "-n", PLACES, shop.new)
    for key in ("purchases", "aside", "trials", "trial_customers", "hits", "hits_by_place", "unknown"):
        assert answer[key] == want[key], key
    found = answer["feedback"]["outcomes"]
    assert {k: v for k, v in found.items() if k != "gone"} == {
        "hit": want["hits"], "miss": want["trials"] - want["hits"], "repeat": want["aside"]["repeat"],
        "unknown_item": want["aside"]["unknown_item"]}
    assert answer["feedback"]["contradicted"] == 0 < found["gone"] and answer["feedback"]["posted"] == sum(found.values())
    metrics = server.metrics()
    assert (metrics["akin_feedback_trials_total"], metrics["akin_feedback_trial_hits_total"]) == (want["trials"], want["hits"])
    for outcome, count in found.items():
        assert metrics[f'akin_feedback_outcomes_total{{outcome="{outcome}"}}'] == count
    for source, places in want["hits_by_place"].items():
        for rank, hits in (("1", places[:1]), ("2", places[1:2]), ("3", places[2:3]), ("4-5", places[3:5]), ("6-10", places[5:10]),
                           ("11-20", places[10:])):
            assert metrics[f'akin_feedback_hits_total{{source="{source}",rank="{rank}"}}'] == sum(hits)
