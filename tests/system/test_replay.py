"""akin-prep replay: every hit and miss computed another way, by model file and by server, and servers that misbehave."""
import collections
import csv
import datetime
import functools
import hashlib
import http.server
import io
import json
import pathlib
import pickle
import socket
import struct
import threading
import time

import pytest

import harness
import independent
from harness import one_line, prep, refused

HEADER = ("CustomerID", "StockCode", "Quantity", "InvoiceDate")
KEY = "a-key-for-the-shop-0123456789"


def replay(*arguments, **more):
    """What it tells, as JSON."""
    done = prep("replay", "--json", "-q", *arguments, **more)
    assert (done.returncode, done.err) == (0, ""), done.err
    return json.loads(done.out)


def told(answer):
    """All but who was asked."""
    return {k: v for k, v in answer.items() if k not in ("server", "model", "checksum", "fill")}


def table(path, rows, header=HEADER):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


# -- another way -------------------------------------------------------------------------------------------------------

class Nearest(dict):
    """customer -> (most similar other customer, co) or None, when it is asked for: independent.Expected computes all."""

    def __init__(self, expected):
        ids = sorted(expected.baskets, key=str.encode)
        at = {item: n for n, item in enumerate(expected.buyers)}
        self.bits = {who: sum(1 << at[item] for item in expected.baskets[who]) for who in ids}
        self.rows = [(who, self.bits[who], len(expected.baskets[who])) for who in ids]

    def __missing__(self, a):
        best, own = (None, 0, 1), self.bits[a]
        for other, bits, size in self.rows:
            co = (own & bits).bit_count()
            if co * co * best[2] > best[1] * best[1] * size and other != a:
                best = (other, co, size)
        self[a] = best[:2] if best[0] else None
        return self[a]


def shares(seen, unknown):
    return {"all": seen, "unknown": unknown, "share": unknown / seen if seen else 0}


def computed(old, new, n, period=lambda when: None):
    """The replay of new, (customer, item, description, time) in order of time, against a model of old."""
    expected = independent.Expected(old)
    expected.__dict__["best_customers"] = Nearest(expected)
    answer = functools.lru_cache(None)(lambda who: expected.for_customer(who, n))
    count, hits = collections.Counter(), {"user": [0] * n, "popular": [0] * n}
    seen, visits, tried, periods = set(), set(), set(), {}
    unknown_visits = 0
    for who, item, _, when in new:
        at = periods.setdefault(period(when), collections.Counter())
        nobody, nothing = who not in expected.baskets, item not in expected.buyers
        at["rows"] += 1
        at["unknown_lines"] += nothing
        if (who, when) not in visits:
            visits.add((who, when))
            at["visits"] += 1
            at["unknown_visits"] += nobody
        if (who, item) in seen:
            continue
        seen.add((who, item))
        at["purchases"] += 1
        if nobody or nothing or item in expected.baskets[who]:
            count["unknown_customer" if nobody else "unknown_item" if nothing else "repeat"] += 1
            continue
        tried.add(who)
        at["trials"] += 1
        place = next((p for p, (other, _) in enumerate(answer(who)) if other == item), None)
        if place is not None:
            hits[answer(who)[place][1]][place] += 1
            at["hits"] += 1
    all_of = lambda key: sum(at[key] for at in periods.values())
    first = [{"n": k, "hits": sum(hits["user"][:k]) + sum(hits["popular"][:k]), "user": sum(hits["user"][:k]),
              "popular": sum(hits["popular"][:k])} for k in (1, 3, 5, 10, 20, 50) if k < n or k == n]
    for one in first:
        one["rate"] = one["hits"] / all_of("trials")
    customers, items = {row[0] for row in new}, {row[1] for row in new}
    return {"purchases": len(seen), "aside": {**{k: count[k] for k in ("unknown_customer", "unknown_item", "repeat")}, "not_judged": 0},
            "trials": all_of("trials"), "trial_customers": len(tried), "hits": all_of("hits"),
            "hit_rate": all_of("hits") / all_of("trials"), "first": first, "hits_by_place": hits,
            "unknown": {"visits": shares(all_of("visits"), all_of("unknown_visits")),
                        "lines": shares(len(new), all_of("unknown_lines")),
                        "customers": shares(len(customers), len(customers - expected.baskets.keys())),
                        "items": shares(len(items), len(items - expected.buyers.keys()))},
            "periods": [{"begin": begin, "rows": at["rows"], "purchases": at["purchases"], "trials": at["trials"],
                         "hits": at["hits"], "rate": at["hits"] / at["trials"] if at["trials"] else 0,
                         "visits": shares(at["visits"], at["unknown_visits"]), "lines": shares(at["rows"], at["unknown_lines"])}
                        for begin, at in periods.items()]}


# -- Online Retail -----------------------------------------------------------------------------------------------------

SPLIT = datetime.datetime(2011, 11, 9, 12, 50)          # 30 days before its end


@functools.lru_cache(None)
def moment(text):
    date, clock = text.split()
    month, day, year = map(int, date.split("/"))
    hour, minute = map(int, clock.split(":"))
    return datetime.datetime(year, month, day, hour, minute)


def monday(when):
    return str((when - datetime.timedelta(when.weekday())).date())


PLACES = 20


def cut_in_two(cache):
    """(rows before SPLIT, rows from then on, what a replay of these must tell): kept in a file, for it takes seconds."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in map(pathlib.Path, (independent.DATA, independent.__file__, __file__))))
    if cache.exists():
        found, *made = pickle.loads(cache.read_bytes())
        if found == digest.digest():
            return made
    rows = [(*row[:3], moment(row[3])) for row in independent.online_retail_rows(independent.unpack())]
    old, new = ([row for row in rows if (row[3] >= SPLIT) == late] for late in (False, True))
    made = [*([(who, item, 1, str(when)) for who, item, _, when in part] for part in (old, new)), computed(old, new, PLACES, monday)]
    aside = cache.with_suffix(".part")
    aside.write_bytes(pickle.dumps((digest.digest(), *made)))
    aside.replace(cache)
    return made


class Shop:
    """Online Retail, cut in two: the model of what was before, the file of what came then, and what a replay must tell."""

    def __init__(self, folder):
        old, new, self.expected = cut_in_two(harness.TOP / "build/replay.pickle")
        self.new, self.model = table(folder / "new.csv", new), folder / "old.model"
        done = prep("build", "-q", "-o", self.model, table(folder / "old.csv", old))
        assert done.returncode == 0, done.err

    def check(self, answer):
        """To the last hit."""
        promised = [one.pop("promised") for one in answer["first"]]
        assert {k: answer[k] for k in self.expected} == self.expected
        assert promised == [sum(answer["backtest"]["hits_own"][:one["n"]] + answer["backtest"]["hits_popular"][:one["n"]])
                            / answer["backtest"]["trials"] for one in answer["first"]]


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


def url(server):
    return f"http://127.0.0.1:{server.port}"


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

OLD = [("ann", "A"), ("ann", "B"), ("bob", "A"), ("bob", "B"), ("bob", "C"), ("bob", "D"), ("cid", "E"), ("dot", "E"), ("dot", "F")]
# ann is shown C, D (bob's), then E, F (popular by 2 and 1); cid is shown F (dot's), then A, B, C, D; bob's nearest is ann, who
# has nothing new: E, F.
NEW = [("ann", "D", 1, "2012-01-31 10:00"), ("bob", "E", 1, "2012-02-06 09:00"), ("ann", "D", 1, "2012-01-30 08:00"),
       ("ann", "A", 1, "2012-02-01 12:00"), ("eve", "A", 1, "2012-02-05 23:59"), ("cid", "X", 1, "2012-02-06 00:00"),
       ("cid", "F", 1, ""), ("ann", "F", 1, "2012-02-06 09:00"), ("ann", "C", -1, "2012-02-06 09:00"),
       ("cid", "D", 1, "2012-02-06 00:00")]


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    """The model of OLD and the file of NEW."""
    folder = tmp_path_factory.mktemp("hand")
    model = folder / "small.model"
    done = prep("build", "-q", "-o", model, "-", stdin=harness.csv_bytes(OLD))
    assert done.returncode == 0, done.err
    return model, table(folder / "new.csv", NEW)


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


class Fake(http.server.ThreadingHTTPServer):
    """A server that answers as its script says: script(number of the request, method and path) -> (status, body, headers),
    or a word on how to misbehave."""
    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.port = script, [], self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, body))
        answer = self.server.script(len(self.server.requests), f"{self.command} {self.path}")
        if answer == "hang up":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if answer == "silence":
            time.sleep(3)
            self.close_connection = True
            return
        status, body, *headers = answer
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Akin-Generation": 1, **(headers[0] if headers else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    do_POST = do_GET

    def log_message(self, *_):
        pass


def good(request):
    """An akin-server that recommends X and A to everybody."""
    if "/predict/item/" in request:
        return 200, {"success": True, "data": {"x": []}}
    return 200, {"success": True, "type": "user_based", "total": 2, "recommendation_id": "0" * 24, "data": {"x": [
        {"id": "X", "description": "", "score": 1, "source": "user"}, {"id": "A", "description": "", "score": 0.5, "source": "popular"}]}}


def ask(fake, hand, *more):
    return prep("replay", "-q", "--json", "--server", url(fake), "--timeout", "10", *more, hand[1])


def test_the_fake_is_good_enough(hand):
    with Fake(lambda n, request: good(request)) as fake:
        answer = json.loads(ask(fake, hand).out)
        assert answer["hits_by_place"] == {"user": [1, 0, 0, 0, 0], "popular": [0, 2, 0, 0, 0]}
        assert answer["unknown"]["customers"] == shares(4, 0) and answer["server"]["requests"] == 9 == len(fake.requests)
        assert [path for _, path, _ in fake.requests[5:]] == [f"/predict/user/{who}?n=5&details=true" for who in
                                                              ("ann", "eve", "cid", "bob")], "in the order of the first purchases"


@pytest.mark.parametrize("trouble", [(503, {"detail": "full"}), "hang up"], ids=["busy", "hangs up"])
def test_a_request_is_sent_again(hand, trouble):
    with Fake(lambda n, request: trouble if n in (2, 3, 9) else good(request)) as fake:
        answer = json.loads(ask(fake, hand, "--retries", "2").out)
        assert answer["hits"] == 3 and len(fake.requests) == 12
        # libcurl tries a kept connection that was closed once more by itself.
        assert answer["server"]["retried"] == (1 if trouble == "hang up" else 3)
    with Fake(lambda n, request: trouble if n > 1 else good(request)) as fake:
        refused(ask(fake, hand, "--retries", "2"), r"http://.*: must answer, (not 503: .*full|Empty reply|Recv failure)")
        assert len(fake.requests) == (5 if trouble == "hang up" else 4)


def test_a_server_that_asks_for_time_gets_it(hand):
    with Fake(lambda n, request: (503, {}, {"Retry-After": 1}) if n == 1 else good(request)) as fake:
        begun = time.monotonic()
        assert json.loads(ask(fake, hand).out)["hits"] == 3
        assert time.monotonic() - begun >= 1


LIES = {
    "no JSON": b"hello", "no object": b"[]", "no data": {}, "two users": {"data": {"a": [], "b": []}},
    "ids only": {"data": {"a": ["A"]}}, "too many": {"data": {"a": good("")[1]["data"]["x"] * 3}},
    "another source": {"data": {"a": [{"id": "A", "source": "moon"}]}}, "no id": {"data": {"a": [{"source": "user"}]}},
    "empty": b"", "cut": json.dumps(good("")[1]).encode()[:-1], "a NUL": b'{"data":{"a":["\\u0000"]}}'}


def test_answers_that_are_not_akin_s(hand):
    for what, lie in LIES.items():
        with Fake(lambda n, request: (200, lie) if "user" in request else good(request)) as fake:
            line = refused(ask(fake, hand), "/predict/user/ann")
            assert "must answer as an akin-server does" in line, what


def test_other_troubles(hand):
    cases = [(lambda n, r: (404, {"detail": "Not Found"}), "/predict/item/.*must be an akin-server's, not 404"),
             (lambda n, r: (302, b"", {"Location": "/x"}), "must answer 200 or 404, not 302"),
             (lambda n, r: (422, {"detail": [{"msg": "ensure this"}]}) if "user" in r else good(r), "not 422: .*ensure this"),
             (lambda n, r: (*good(r), {"Akin-Generation": 1 if n < 8 else 2}), "one model until all is asked, but generation 1 became 2"),
             (lambda n, r: (200, b"x" * (17 << 20)), "at most 16 MiB")]
    for script, words in cases:
        with Fake(script) as fake:
            refused(ask(fake, hand), words)
    with Fake(lambda n, request: "silence" if n == 8 else good(request)) as fake:
        refused(ask(fake, hand, "--timeout", "1"), "/predict/user/.*must answer, Operation timed out")
    with Fake(lambda n, request: (404, {"detail": "Not Found"})) as fake:
        refused(ask(fake, hand, "--model", hand[0]), "/model: must tell what it serves, not 404")
    with Fake(lambda n, request: (200, {"generation": 1})) as fake:
        refused(ask(fake, hand, "--model", hand[0]), "/model: must tell the checksum")


def test_a_server_that_goes_away(hand):
    """In the middle; whoever listens no more is not asked again."""
    with Fake(lambda n, request: good(request)) as fake:
        def script(n, request):
            if n == 8:
                fake.socket.close()
                return "hang up"
            return good(request)
        fake.script = script
        refused(ask(fake, hand), "/predict/user/.*must answer, Failed to connect")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        refused(prep("replay", "-q", "--server", f"http://127.0.0.1:{s.getsockname()[1]}", hand[1]), "Failed to connect")


# -- telling the server ------------------------------------------------------------------------------------------------

class Listening(Fake):
    """A fake that takes feedback: what becomes of an event, judge(event, how often it came) says. Answers have names."""

    def __init__(self, judge, results=lambda found: found):
        self.judge, self.results, self.asked, self.events, self.bodies = judge, results, 0, [], []
        super().__init__(self.answer)

    def answer(self, n, request):
        if request.startswith("GET"):
            status, body = good(request)
            self.asked += 1
            return status, {**body, "recommendation_id": f"{self.asked:024x}"}
        body = self.requests[-1][2]
        events = json.loads(body)
        self.bodies.append((len(events), len(body)))
        found = []
        for event in events:
            self.events.append(event)
            result = self.judge(event, sum(e["item"] == event["item"] for e in self.events))
            found.append(result if isinstance(result, dict) else {"outcome": result})
        found = self.results(found)
        return 200, {"accepted": len(found), "rejected": 0, "results": found}


BOUGHT = [("ann", "D", "2012-01-30T08:00:00"), ("ann", "A", "2012-02-01T12:00:00"), ("eve", "A", "2012-02-05T23:59:00"),
          ("cid", "X", "2012-02-06T00:00:00"), ("cid", "D", "2012-02-06T00:00:00"), ("bob", "E", "2012-02-06T09:00:00"),
          ("ann", "F", "2012-02-06T09:00:00"), ("cid", "F", None)]
NAMED = {"ann": 6, "eve": 7, "cid": 8, "bob": 9}       # five items are asked for first


def posted(who, item, when, name=None):
    event = {"recommendation_id": f"{name or NAMED[who]:024x}", "item": item, "event": "purchase", "time": when}
    return {k: v for k, v in event.items() if v}


def like_the_fake(event, _):
    """X is shown first, then A."""
    return {"outcome": "hit", "rank": "XA".index(event["item"]) + 1, "source": "user"} if event["item"] in "XA" else "miss"


def test_what_is_posted(hand):
    for batch, bodies in ((400, [8]), (3, [3, 3, 2]), (1, [1] * 8)):
        with Listening(like_the_fake) as fake:
            answer = json.loads(ask(fake, hand, "--feedback", "--batch", batch).out)
            assert fake.events == [posted(*row) for row in BOUGHT]
            assert [count for count, _ in fake.bodies] == bodies
            assert answer["feedback"] == {"posted": 8, "contradicted": 0, "outcomes": {"hit": 3, "miss": 5}}
            assert (answer["hits"], answer["trials"]) == (3, 8) and answer["aside"]["repeat"] == 0


def test_who_is_unknown_is_not_posted(hand):
    class Choosy(Listening):
        def answer(self, n, request):
            return (404, {"detail": "User 'eve' not found"}) if "/eve?" in request else super().answer(n, request)
    with Choosy(like_the_fake) as fake:
        answer = json.loads(ask(fake, hand, "--feedback").out)
        assert [event["item"] for event in fake.events] == [item for who, item, _ in BOUGHT if who != "eve"]
        assert answer["aside"]["unknown_customer"] == 1 and answer["trials"] == 7


def test_what_the_server_makes_of_it(hand):
    """It tells repeats; what it does not judge is set aside; where it contradicts, that is said."""
    outcomes = {"D": "repeat", "E": "old_generation", "F": "miss", "A": "miss", "X": {"outcome": "hit", "rank": 2}}
    with Listening(lambda event, _: outcomes[event["item"]]) as fake:
        done = ask(fake, hand, "--feedback")
        answer = json.loads(done.out)
        assert answer["aside"] == {"unknown_customer": 0, "unknown_item": 0, "repeat": 2, "not_judged": 1}
        assert (answer["hits"], answer["trials"]) == (3, 5)
        assert answer["feedback"]["contradicted"] == 3         # two As that are none to it, and X at another place
        text = prep("replay", "-q", "--server", url(fake), "--feedback", hand[1]).out
        assert "3 of them judged by the server otherwise than here" in text and "1 not judged by the server" in text
        assert all(piece in text for piece in ("8 events: ", "1 hit", "4 miss", "1 old_generation", "2 repeat"))


def test_an_answer_that_is_gone_is_asked_for_again(hand):
    with Listening(lambda event, times: "gone" if event["item"] == "F" or times == 1 and event["item"] == "E"
                   else like_the_fake(event, times)) as fake:
        answer = json.loads(ask(fake, hand, "--feedback").out)
        assert fake.events == [*(posted(*row) for row in BOUGHT), posted(*BOUGHT[5], 10), posted(*BOUGHT[6], 11), posted(*BOUGHT[7], 12)]
        assert answer["feedback"] == {"posted": 11, "contradicted": 0, "outcomes": {"hit": 3, "miss": 3, "gone": 5}}
        assert answer["aside"]["not_judged"] == 2 and answer["trials"] == 6


def test_a_server_that_does_not_listen_well(hand):
    for results in (lambda found: found[1:], lambda found: found + found[:1], lambda found: [{}] * len(found), lambda found: {}, lambda found: ["hit"] * len(found)):
        with Listening(like_the_fake, results) as fake:
            refused(ask(fake, hand, "--feedback"), "/feedback: must say what became of each event")
    for status, body in ((404, {"detail": "Not Found"}), (413, {"detail": "at most 2 events"}), (400, b"")):
        with Fake(lambda n, request: (status, body) if request.startswith("POST") else good(request)) as fake:
            refused(ask(fake, hand, "--feedback"), f"/feedback: must take what was bought, not {status}")
    with Fake(lambda n, request: (200, {k: v for k, v in good(request)[1].items() if k != "recommendation_id"})) as fake:
        refused(ask(fake, hand, "--feedback"), "must have a recommendation_id in its answers")


def test_long_bodies_are_cut(hand, tmp_path):
    """No request over 60,000 bytes, whatever --batch allows."""
    rows = [("ann", "i%03d" % n + "x" * 1000, 1, "2012-01-30 08:00") for n in range(200)]
    with Listening(lambda event, _: "miss") as fake:
        answer = json.loads(ask(fake, (None, table(tmp_path / "new.csv", rows)), "--feedback").out)
        assert answer["feedback"]["posted"] == 200 == len(fake.events) and len(fake.bodies) < 6
        assert all(bytes <= 60000 for _, bytes in fake.bodies)


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


def test_the_log_of_what_was_told_is_transactions(start, hand, tmp_path):
    """What the server writes down is what was replayed, at its own times: replayed once more, it is the same."""
    model, new = hand
    server = start(model, feedback_log=tmp_path / "log")
    told_it = replay("--server", url(server), "--feedback", "--by", "day", new)
    assert told_it["feedback"]["outcomes"] == {"hit": 5, "repeat": 1, "unknown_item": 1}
    again = replay("--server", model, "--by", "day", *sorted((tmp_path / "log").glob("*.csv")))
    assert again["hits_by_place"] == told_it["hits_by_place"]
    assert [(p["begin"], p["trials"], p["hits"]) for p in again["periods"] if p["trials"]][:2] == [("2012-01-30", 1, 1), ("2012-02-06", 3, 3)]


def test_a_server_without_feedback(start, hand):
    server = start(hand[0], feedback="off")
    refused(prep("replay", "-q", "--server", url(server), "--feedback", hand[1]), "must have a recommendation_id")
    assert replay("--server", url(server), "--model", hand[0], hand[1])["hits"] == 5
