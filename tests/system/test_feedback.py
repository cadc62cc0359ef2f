"""POST /feedback on a running server: what is joined and counted, what is refused and how, the log that the next model is built
from, and what a full disk, midnight and the death of workers leave of it."""
import collections
import datetime
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

import contract
import faults
import harness
import tellers
from harness import csv_bytes, free_port, prep, until
from tellers import COLUMNS, ask, feedback_samples, grown, outcomes, rows, tell

ACCEPTED = tellers.ACCEPTED
NEVER = "000000000000000000000000"              # a recommendation_id that nobody gave


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return faults.Shop(tmp_path_factory.mktemp("shop"), 1)


@pytest.fixture(scope="module")
def server(shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    server = harness.Server(folder, shop.path, feedback_log=folder / "log", feedback_max_events=50, request_timeout_ms=2000)
    yield server
    try:
        assert server.stop() == 0 and server.segments() == [], server.logged()
    finally:
        server.kill()


def place(rank):
    return next(label for last, label in ((1, "1"), (2, "2"), (3, "3"), (5, "4-5"), (10, "6-10"), (20, "11-20"),
                                          (10**6, "21+")) if rank <= last)


# -- joined and counted ---------------------------------------------------------------------------------------------------

def test_every_place_of_an_answer(server, shop):
    """Each item of some answers, by id and by customer, with its place and source; and the sums of it."""
    before, expected = feedback_samples(server), collections.Counter()
    document = server.get("/openapi.json").json
    for kind, name, n, by_id in (("user", "c001", 40, True), ("user", "c002", 7, False), ("item", "i003", 5, True),
                                 ("user", "c004", 3, True)):
        id, items = ask(server, f"/predict/{kind}/{name}?n={n}&details=true")
        assert len(items) == n or kind == "item"
        who = {"recommendation_id": id} if by_id else {"user": name}
        for event in ("purchase", "click"):
            for at in range(0, len(items), 20):
                told = items[at:at + 20]
                answer = tell(server, [{**who, "item": item["id"], "event": event} for item in told])
                contract.check(document, "/feedback", answer, "post")
                assert answer.json["results"] == [{"outcome": "hit", "rank": at + i + 1, "source": item["source"]}
                                                  for i, item in enumerate(told)]
        for i, item in enumerate(items):
            expected[f'akin_feedback_hits_total{{source="{item["source"]}",rank="{place(i + 1)}"}}'] += 2
        for event in ("purchase", "click"):
            expected[f'akin_feedback_events_total{{event="{event}"}}'] += len(items)
        expected['akin_feedback_outcomes_total{outcome="hit"}'] += 2 * len(items)
        expected["akin_feedback_logged_total"] += 2 * len(items)
        for name in ("trials", "trial_hits"):
            expected[f"akin_feedback_{name}_total"] += len(items) if kind == "user" else 0
    assert grown(server, before) == expected


def test_what_is_no_hit(server, shop):
    """Each outcome that needs no reload, in one body, and neighbours that nothing happens to."""
    id, items = ask(server, "/predict/user/c010?n=3")
    of_item, similar = ask(server, "/predict/item/i010?n=2")
    others = sorted({i for kind, i in shop.right if kind == "item"} - set(items))
    all_new = {i for i in shop.right["user", "c010"]} - set(items)
    owned = next(i for i in others if i not in ask(server, "/predict/user/c010?n=60")[1])
    missed = sorted(all_new)[0]
    before = feedback_samples(server)
    good = {"recommendation_id": id, "item": items[0], "event": "click"}
    events = [
        ({**good, "time": 0}, "hit"),
        ({"recommendation_id": id, "item": missed, "event": "purchase"}, "miss"),
        ({"recommendation_id": id, "item": missed, "event": "cart"}, "miss"),
        ({"recommendation_id": id, "item": owned, "event": "purchase"}, "repeat"),
        ({"recommendation_id": of_item, "item": "i010", "event": "purchase"}, "miss"),
        ({"recommendation_id": of_item, "user": "c010", "item": similar[1], "event": "purchase"}, "hit"),
        ({"recommendation_id": id, "user": "c011", "item": items[0], "event": "click"}, "foreign_id"),
        ({"recommendation_id": NEVER, "item": items[0], "event": "click"}, "foreign_id"),
        ({"recommendation_id": id[:-1] + ("0" if id[-1] != "0" else "1"), "item": items[0], "event": "click"}, "foreign_id"),
        ({"recommendation_id": id.upper() + "é", "item": items[0], "event": "click"}, "foreign_id"),
        ({"user": "c079", "item": shop.right["user", "c079"][0], "event": "purchase"}, "not_shown"),
        ({"user": "nobody", "item": "i001", "event": "purchase"}, "unknown_user"),
        ({"user": "c010", "item": "nothing", "event": "purchase"}, "unknown_item"),
        ({**good, "time": 1}, "hit"),
        ({**good, "time": 1.0}, "duplicate"),
        ({**good, "time": "1970-01-01T00:00:01Z"}, "duplicate"),
        ({**good, "time": "1970-01-01T01:00:01.001+01:00"}, "hit"),
        ({**good, "time": time.time() + 3600}, "future"),
        ({**good, "time": "2999-01-01"}, "future"),
        ({**good, "time": time.time() + 200}, "hit"),
        ({**good, "time": "soon"}, "malformed"),
        ({**good, "event": "look"}, "unknown_event"),
        ({**good, "event": None}, "malformed"),
        ({**good, "item": 85123}, "malformed"),
        ({**good, "item": "x" * 1025}, "malformed"),
        ({**good, "item": "a\0b"}, "malformed"),
        ({"item": items[0], "event": "click"}, "malformed"),
        ([good], "malformed"),
        ("text", "malformed"),
        (None, "malformed"),
        ({**good, "time": 2, "more": {"of": ["it"]}}, "hit"),
    ]
    answer = tell(server, [event for event, _ in events])
    contract.check(server.get("/openapi.json").json, "/feedback", answer, "post")
    found = [r["outcome"] for r in answer.json["results"]]
    assert found == [outcome for _, outcome in events]
    assert all("detail" in r for r in answer.json["results"] if r["outcome"] in ("malformed", "unknown_event", "future"))
    counts = collections.Counter(found)
    accepted = [e for e, o in events if o in ACCEPTED]
    more = grown(server, before)
    assert {k: v for k, v in more.items() if "outcomes" in k} == {
        f'akin_feedback_outcomes_total{{outcome="{o}"}}': n for o, n in counts.items()}
    assert answer.json["accepted"] == len(accepted) == more["akin_feedback_logged_total"] == sum(
        v for k, v in more.items() if "events" in k)
    # trials: the purchases of c010 by the answer for it, but that of what it has, and of what nobody knows
    assert more["akin_feedback_trials_total"] == 1 and "akin_feedback_trial_hits_total" not in more


def test_the_same_event_counts_once(server, shop):
    """Whichever workers it comes to, one after the other and all at a time."""
    id, items = ask(server, "/predict/user/c020?n=5")
    event = {"recommendation_id": id, "item": items[0], "event": "purchase"}
    assert outcomes(server, event, event, event) == ["hit", "duplicate", "duplicate"]
    for _ in range(20):
        assert outcomes(server, event) == ["duplicate"]
    assert outcomes(server, {**event, "event": "click"}, {**event, "time": 7}) == ["hit", "hit"]
    assert outcomes(server, {"user": "c020", "item": items[0], "event": "purchase"}) == ["hit"]
    forged = {**event, "recommendation_id": "f" * 24}       # what is not taken is no first of anything
    assert outcomes(server, forged, forged) == ["foreign_id"] * 2
    others = {**event, "user": "c021"}
    assert [r["detail"] for r in tell(server, [others, others]).json["results"]] == ["the answer was another user's"] * 2


@pytest.mark.parametrize("body, status, words", [
    (b"", 400, "not JSON"), (b"{", 400, "not JSON"), (b"what?", 400, "not JSON"), (b"7", 400, "not JSON"),
    (b'"text"', 400, "not JSON"), (b"null", 400, "not JSON"), (b"[{},]", 400, "not JSON"), (b"[{}]\0", 400, "not JSON"),
    (b'{"user":"\xff"}', 400, "not JSON"), (b'{"user":"a","user":"b"}', 400, "duplicate"), (b"\xef\xbb\xbf[]", 400, "not JSON"),
    (b'{"events":{}}', 400, "array"), (b"[" * 9 + b"]" * 9, 400, "deeper than 8"), (b"[" * 60000, 400, "deeper than 8"),
    (b'{"a":' * 9 + b"1" + b"}" * 9, 400, "deeper"), (b"[" + b"{}," * 50 + b"{}]", 413, "at most 50 events"),
    (b"[" + b"0," * 30000 + b"0]", 413, "too many values"), (b" " * 65537, 413, "max_body_bytes"),
], ids=lambda value: repr(value)[:24] if isinstance(value, bytes) else None)
def test_bodies_that_are_refused(server, body, status, words):
    before = feedback_samples(server)
    with server.client() as client:
        answer = tell(server, body, client)
        assert answer.status == status and words in answer.json["detail"], answer.body
        contract.check(server.get("/openapi.json").json, "/feedback", answer, "post")
        if len(body) <= 65536:
            assert answer.headers["connection"] == "keep-alive" and client.get("/").status == 200
    assert grown(server, before) == {}


def test_empty_bodies_of_a_kind(server):
    for body in ([], {"events": []}):
        answer = tell(server, body)
        assert answer.status == 200 and answer.json == {"accepted": 0, "rejected": 0, "results": []}
    assert outcomes(server, *[{}] * 50) == ["malformed"] * 50


# -- as HTTP has it -------------------------------------------------------------------------------------------------------

def test_bodies_in_every_form(server):
    """Chunks, pieces, a wait for 100, another request behind; one that is late, and one that is too long and says so late."""
    one = json.dumps({"user": "c030", "item": "nothing", "event": "click", "extra": "x" * 3000, "time": 1}).encode()
    head = b"POST /feedback?x=1 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    chunks = b"".join(b"%x;e=f\r\n%s\r\n" % (len(part), part) for part in (one[:1], one[1:700], one[700:])) + b"0\r\nT: t\r\n\r\n"
    ping = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = server.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + ping)
    assert got.count(b"HTTP/1.1 200") == 2 and b'"unknown_item"' in got and got.endswith(b'{"status":"ok"}')
    with socket.create_connection(("127.0.0.1", server.port), timeout=harness.PATIENCE) as s:
        s.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(one))
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for at in range(0, len(one), 100):
            s.sendall(one[at:at + 100])
        assert b'"duplicate"' in s.recv(4096)
        s.sendall(head + b"Content-Length: 10\r\n\r\n{")
        assert s.recv(4096).startswith(b"HTTP/1.1 408 ")
    long = b"POST /feedback HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 5
    assert server.raw(long).startswith(b"HTTP/1.1 413 ")
    assert server.raw(head + b"Content-Length: 10\r\n\r\n[]", shut=True).startswith(b"HTTP/1.1 400 ")
    assert server.raw(b"POST /feedback HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]").startswith(b"HTTP/1.1 200 ")
    assert server.raw(head + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 400 ")      # no body at all
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = server.get("/feedback", method)
        assert answer.status == 405 and answer.headers["allow"] == "POST"
    answer = server.get("/feedback//", "POST")
    assert answer.status == 307 and answer.headers["location"] == "/feedback"


def test_who_may_tell(start, shop, tmp_path):
    """Keys and networks as for predictions; not on the operations listener; not with feedback = off."""
    keys = tmp_path / "keys"
    keys.write_text("shop 0123456789abcdef\n")
    keys.chmod(0o600)
    port = free_port()
    server = start(shop.path, api_keys=keys, ops_listen=f"127.0.0.1:{port}")
    event = {"user": "c001", "item": "nothing", "event": "click"}
    with server.client() as client:
        for headers, status in (({}, 401), ({"X_API_Key": "wrong"}, 401), ({"X_API_Key": "0123456789abcdef"}, 200)):
            assert tell(server, event, client, **headers).status == status        # on one connection, its bodies read
    with harness.Client(port) as ops:
        assert ops.get("/feedback", "POST").status == 404
    allowed = start(shop.path, allow="127.0.0.2")
    assert tell(allowed, event).status == 403
    off = start(shop.path, feedback="off")
    assert tell(off, event).status == 404 and off.get("/feedback").status == 404


def test_without_metrics(start, shop, tmp_path):
    """It is joined, told apart and logged all the same."""
    server = start(shop.path, metrics="off", feedback_log=tmp_path / "log")
    id, items = ask(server, "/predict/user/c001?n=2")
    event = {"recommendation_id": id, "item": items[1], "event": "purchase"}
    assert outcomes(server, event, event) == ["hit", "duplicate"]
    assert [r["StockCode"] for r in rows(tmp_path / "log")] == [items[1]]


def test_what_fills_an_answer_is_a_setting(start, shop):
    """Without a fill nothing of it is a hit, though it would be in any other answer."""
    server = start(shop.path, fill="none")
    id, items = ask(server, "/predict/user/c001?n=20")
    filled = [item for item in shop.right["user", "c001"] if item not in items]
    assert items and filled and items == shop.right["user", "c001"][:len(items)]
    events = [{"recommendation_id": id, "item": item, "event": "purchase"} for item in (items[0], filled[0])]
    assert outcomes(server, *events) == ["hit", "miss"]


# -- generations, and what is forgotten -----------------------------------------------------------------------------------

def test_answers_of_older_generations(start, shop, tmp_path):
    """What the trials of a generation were is kept apart for the monitor; here the sums must only be right."""
    model = tmp_path / "served"
    model.write_bytes(shop.bytes)
    server = start(model, feedback_ring=64, workers=1, feedback_log=tmp_path / "log")
    id, items = ask(server, "/predict/user/c001?n=2")
    event = {"recommendation_id": id, "item": items[0], "event": "purchase"}
    by_user = {"user": "c001", "item": items[0], "event": "purchase"}
    assert outcomes(server, event, by_user) == ["hit", "hit"]
    server.hup()
    later = [{**event, "time": 1}, {**event, "time": 2, "user": "c001"}, {**by_user, "time": 1}]
    assert outcomes(server, *later) == ["old_generation", "old_generation", "not_shown"]
    new, _ = ask(server, "/predict/user/c001?n=2")
    assert outcomes(server, {**event, "recommendation_id": new}, {**by_user, "time": 2}) == ["hit", "hit"]
    with server.client() as client:
        for _ in range(64):
            assert client.get("/predict/item/i001").status == 200
    assert outcomes(server, {**event, "time": 3}, {**event, "recommendation_id": new, "time": 3, "user": "c001"},
                    {**by_user, "time": 3}) == ["gone", "gone", "not_shown"]
    assert server.metric("akin_feedback_trials_total") == server.metric("akin_feedback_trial_hits_total") == 4
    # whose answer it was is known while the generation is; then only who says it
    assert [r["CustomerID"] for r in rows(tmp_path / "log")] == [
        "c001", "c001", "", "c001", "c001", "c001", "c001", "", "c001", "c001"]


# -- the log --------------------------------------------------------------------------------------------------------------

def test_the_next_model_learns_the_purchases(start, shop, tmp_path):
    """Online Retail's dates are m/d/Y, the log's are not; together they make a model that has the purchases and no click."""
    old = tmp_path / "old.csv"
    old.write_bytes(csv_bytes([(f"c{i}", f"i{i % 3}") for i in range(20)] + [("c1", "i2")]))
    model = tmp_path / "model"
    assert prep("build", "-o", model, old).returncode == 0
    log = tmp_path / "log"
    server = start(model, feedback_log=log, feedback_sync="never")
    of_item, similar = ask(server, "/predict/item/i0")
    assert "i1" not in similar
    events = [{"user": "c0", "item": "new, \"quoted\"", "event": "purchase", "time": "2011-02-03T04:05:06Z"},
              {"user": "newcomer é", "item": "i0", "event": "purchase", "time": "2011-02-03"},
              {"user": "c5", "item": "i0", "event": "click"}, {"user": "c5", "item": "i0", "event": "cart"},
              {"recommendation_id": of_item, "item": "i1", "event": "purchase"},
              {"recommendation_id": of_item, "user": "c6", "item": "i1", "event": "purchase"}]
    assert outcomes(server, *events) == ["unknown_item", "unknown_user", "not_shown", "not_shown", "miss", "miss"]
    (today,) = log.iterdir()
    assert today.name == f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}.csv"
    text = today.read_text().splitlines()
    assert text[0].split(",") == COLUMNS
    assert text[1] == 'purchase,"new, ""quoted""",,1,2011-02-03 04:05:06,,c0,'
    assert text[6].startswith(f"purchase-{of_item},i1,,1,20") and text[6].endswith(",,c6,")
    done = prep("build", "-o", tmp_path / "next", old, today)
    assert done.returncode == 0, done.err
    learnt = start(tmp_path / "next")
    page = learnt.get("/model").json
    assert page["customers"] == 21 and page["items"] == 4 and page["interactions"] == 24
    assert {k: v for k, v in page["provenance"]["dropped"].items() if v} == {"not_bought": 2, "no_customer": 1}
    assert ask(learnt, "/predict/user/newcomer%20%C3%A9")[1]
    assert "i0" in ask(learnt, "/predict/item/new%2C%20%22quoted%22")[1]
    assert "i1" not in ask(learnt, "/predict/user/c6?n=10")[1] and "i0" in ask(learnt, "/predict/user/c5?n=10")[1]
    assert page["data_until"] == datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT") + page["data_until"][11:]


def limit_files(server, size):
    """What a worker's files may grow to; None: as much as they like."""
    for pid in server.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size is not None else resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk(start, shop, tmp_path):
    """Nothing is accepted, and everybody is told, that can't be logged; afterwards the same events are new."""
    log = tmp_path / "log"
    server = start(shop.path, feedback_log=log)
    events = [{"user": "c001", "item": "nothing", "event": "purchase", "time": i} for i in range(20)]
    assert outcomes(server, *events[:10]) == ["unknown_item"] * 10
    (today,) = log.iterdir()
    whole = today.read_bytes()
    before = feedback_samples(server)
    limit_files(server, len(whole) + 100)
    for _ in range(6):          # some at each worker
        answer = tell(server, [*events[5:], *events[15:17], {}])
        assert answer.status == 503 and answer.headers["retry-after"] == "1"
        contract.check(server.get("/openapi.json").json, "/feedback", answer, "post")
        assert [r["outcome"] for r in answer.json["results"]] == ["duplicate"] * 5 + ["not_logged"] * 12 + ["malformed"]
        assert (answer.json["accepted"], answer.json["rejected"]) == (0, 18)
    assert today.read_bytes() == whole
    assert outcomes(server, *events[:10]) == ["duplicate"] * 10         # what needs no log is answered
    assert server.get("/predict/user/c001").status == 200
    limit_files(server, None)
    assert outcomes(server, *events) == ["duplicate"] * 10 + ["unknown_item"] * 10
    assert [tellers.number_of(r) + tellers.BEGAN for r in rows(log)] == list(range(20))
    more = grown(server, before)
    assert more["akin_feedback_log_errors_total"] == 6
    assert more['akin_feedback_outcomes_total{outcome="not_logged"}'] == 6 * 12
    assert more["akin_feedback_logged_total"] == more['akin_feedback_events_total{event="purchase"}'] == 10
    said = [line for line in server.logged().splitlines() if "answered not_logged until" in line]
    assert 1 <= len(said) <= 2 and "No space left on device" in said[0]          # one line a worker, not one a request
    for i in range(20, 26):
        assert outcomes(server, {**events[0], "time": i}) == ["unknown_item"]
    assert 1 <= server.logged().count("is written again") <= len(server.workers())


def test_midnight_and_renaming(start, shop, tmp_path):
    """A day has a file; one that was renamed is left when it is said so, and one that was removed, at once."""
    clock, log = tmp_path / "clock", tmp_path / "log"
    today = datetime.datetime(2030, 5, 1, 12, tzinfo=datetime.timezone.utc)

    def turn(when):
        clock.write_bytes(struct.pack("<q", int(when.timestamp() - time.time())))

    turn(today)
    server = start(shop.path, feedback_log=log, feedback_sync="second", workers=2,
                   env={"LD_PRELOAD": str(harness.BUILD / "faults/clock.so"), "CLOCK_FILE": str(clock)}
                   if not harness.SANITIZED else None)
    if harness.SANITIZED:       # a sanitizer wants to be loaded first; the rest is true on any day
        today = datetime.datetime.now(datetime.timezone.utc)

    def count(name):
        return len((log / name).read_text().splitlines()) - 1 if (log / name).exists() else None

    event = {"user": "c001", "item": "nothing", "event": "click"}
    names = [f"{today:%Y-%m-%d}.csv", f"{today + datetime.timedelta(days=1):%Y-%m-%d}.csv"]
    assert outcomes(server, *({**event, "time": i} for i in range(3))) == ["unknown_item"] * 3
    assert count(names[0]) == 3
    if not harness.SANITIZED:
        turn(today + datetime.timedelta(days=1))
        for i in range(3, 9):   # both workers are there soon, and no row is where it does not belong
            assert outcomes(server, {**event, "time": i}) == ["unknown_item"]
        assert count(names[0]) == 3 and count(names[1]) == 6
        turn(today)
        assert outcomes(server, {**event, "time": 9}) == ["unknown_item"]
        assert count(names[0]) == 4
    moved = log / "moved.csv"
    (log / names[0]).rename(moved)
    server.send(signal.SIGUSR1)
    told = iter(range(100, 10**6))
    until(lambda: outcomes(server, {**event, "time": next(told)}) and count(names[0]), "a new file")
    for i in range(50, 60):
        assert outcomes(server, {**event, "time": i}) == ["unknown_item"]
    (log / names[0]).unlink()
    for i in range(60, 70):
        assert outcomes(server, {**event, "time": i}) == ["unknown_item"]
    assert count(names[0]) == 10


def test_starts(shop, tmp_path):
    """The folder is made, or the start says why not, as -t does."""
    (tmp_path / "conf").touch()

    def run(*arguments):
        done = subprocess.run([harness.SERVER, "-c", tmp_path / "conf", "--model", shop.path, "--port", "0", *arguments],
                              capture_output=True, timeout=harness.PATIENCE, env=harness.environment())
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        return done

    harness.refused(run("-t", "--feedback-log", tmp_path / "none/log"), "none/log: can't make the folder for the log of events")
    harness.refused(run("-t", "--feedback-log", "/dev/null"), "/dev/null: can't use the folder", "Not a directory")
    assert run("-t", "--feedback-log", tmp_path / "log").returncode == 0 and not (tmp_path / "log").exists()
    done = run("--feedback-log", tmp_path / "none/log", "--log", "stderr")
    assert done.returncode == 1 and "can't make the folder for the log of events" in done.err


# -- many, and death ------------------------------------------------------------------------------------------------------

def test_many_tell_at_a_time(start, shop, tmp_path):
    """The same events from eight clients at once: of two that reach one worker together one counts, and nobody hangs. Two
    workers may both count what comes to both at the same instant; the log says as much as the counters."""
    server = start(shop.path, feedback_log=tmp_path / "log", workers=1, threads=16)
    many = [tellers.Tellers(server.port, lambda i: {"user": f"c{i % 80:03}", "item": f"i{i * 7 % 60:03}", "event": "purchase"},
                            10, threads=1, seed=seed) for seed in range(8)]
    for teller in many:
        teller.tell(400)
    for teller in many:
        teller.join(harness.PATIENCE * 3)
    accepted = sum(teller.outcomes[o] for teller in many for o in ACCEPTED)
    assert accepted == 400 and sum(t.outcomes["duplicate"] for t in many) == 7 * 400
    assert sorted(map(tellers.number_of, rows(tmp_path / "log"))) == list(range(400))


def test_workers_die(start, shop, tmp_path):
    """Killed in the middle of anything, for some seconds: what was acknowledged is counted, and in the log."""
    server = start(shop.path, feedback_log=tmp_path / "log", workers=3, threads=8, respawn_max_ms=100)
    given = {name: ask(server, f"/predict/user/{name}?n=20") for name in (f"c{i:03}" for i in range(80))}
    chance = random.Random(5)

    def event(i):
        name = f"c{i % 80:03}"
        id, items = given[name]
        who = {"recommendation_id": id} if i % 3 else {"user": name}
        return {**who, "item": items[i % len(items)] if i % 2 else f"i{i % 60:03}", "event": ("purchase", "click", "cart")[i % 7 % 3]}

    count = 30000 if not harness.SANITIZED else 8000
    t = tellers.Tellers(server.port, event, 20)
    t.tell(count)
    killed = 0
    while any(thread.is_alive() for thread in t.threads):
        killed += tellers.kill_one(server, chance)
        time.sleep(chance.random() / 5)
    t.join(harness.PATIENCE * 3)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all workers")
    until(lambda: server.metric("http_requests_inprogress") == 1, "all to be answered")
    until(lambda: not list((tmp_path / "log").glob(".*")), "what the dead had begun to be removed")
    figures = tellers.judge(t, server.metrics(), tmp_path / "log")
    assert killed >= 2 and figures["acknowledged"] == count, (killed, figures)
    assert t.outcomes["hit"] > count / 10, t.outcomes
