"""Memory runs out at each place where it is asked for, one after the other: in a build, in a start, in a worker's start, in
a reload, in a request. Either nothing is noticed, or the one thing that needed it fails, says so, and leaves nothing.

A sweep lets request number N for memory fail, once and then from there on, for every N until the program gets through
without coming to it. Such runs are cheap because models are tiny, there is one worker, and a server is used for many N
where that is possible. The library that does it is tests/faults/failing.c; sanitizers have a malloc() of their own."""
import concurrent.futures
import gzip
import http.client
import io
import itertools
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import harness
from failing import FIRST, NEXT_CHILD, Failing, Slot
from harness import PREP, Server, environment, one_line, until

ROWS = [("c1", "a"), ("c1", "b"), ("c1", "c"), ("c2", "b"), ("c2", "c"), ("c2", "d"), ("c3", "a"), ("c3", "d"), ("c3", "e"),
        ("c4", "e"), ("c4", "b"), ("c5", "a"), ("c5", "c"), ("c5", "f"), ("c6", "f"), ("c6", "g")]
BOTH = pytest.mark.parametrize("on", [False, True], ids=["once", "from-then-on"])


@pytest.fixture
def failing(tmp_path):
    return Failing(tmp_path / "control")


@pytest.fixture
def models(small):
    """Two with different answers; heads of one neighbour, so that more must be unpacked."""
    return [small(ROWS[:-2], "one.model", "--neighbours", "1"), small(ROWS, "two.model", "--neighbours", "all")]


def sweep(run, count, width=2):
    """run(n) for n from 1 to count and some more, a few at a time. It returns whether n was come to."""
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        came = list(pool.map(run, range(1, count + 3)))
    assert sum(came) >= count - 2, came         # threads may ask for one more or less


# A build

def build(folder, failing, at, on, *arguments):
    failing.arm(FIRST, at, on)
    return subprocess.run([PREP, "build", "-j2", *arguments, "-o", "out.model", "in.csv"], cwd=folder, env=environment(
        SOURCE_DATE_EPOCH="1000000000", **failing.env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)


@BOTH
@pytest.mark.parametrize("arguments", [("-q",), ("--json",)], ids=["quiet", "json"])
def test_build(tmp_path, on, arguments):
    def folder(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.csv").write_bytes(harness.csv_bytes(ROWS))
        return tmp_path / name, Failing(tmp_path / f"{name}.control")

    whole, counting = folder("whole")
    done = build(whole, counting, 0, False, *arguments)
    assert done.returncode == 0 and counting.failed == 0
    right = (whole / "out.model").read_bytes()

    def run(n):
        place, failing = folder(f"{n:05}")
        done = build(place, failing, n, on, *arguments)
        err, told = done.stderr.decode(), f"{n} at {failing.where}"
        left = sorted(p.name for p in place.iterdir())
        if done.returncode == 0:
            assert left == ["in.csv", "out.model"] and not err, told
        else:
            assert done.returncode == 1 and failing.failed, (done.returncode, err, told)
            assert one_line(err).startswith("akin-prep: "), told
            # a summary that could not be printed comes after the model
            assert left == ["in.csv"] or (arguments == ("--json",) and left == ["in.csv", "out.model"]), (left, err, told)
        if "out.model" in left:
            assert (place / "out.model").read_bytes() == right, told
        return failing.failed > 0

    sweep(run, counting.seen)


# A start

def start(folder, failing, model, **settings):
    return Server(folder, model, env=failing.env, wait=False, workers=1, threads=3, respawn_max_ms=100, **settings)


@BOTH
def test_start(tmp_path, models, on):
    """The master: it ends with one line and leaves nothing, or it serves, at the latest when there is memory again."""
    counting = Failing(tmp_path / "control")
    counting.arm(FIRST, 0)
    server = start(tmp_path / "counted", counting, models[0])
    server.ready()
    count = counting.seen
    assert server.stop() == 0
    assert count > 20

    def run(n):
        failing = Failing(tmp_path / f"control{n}")
        failing.arm(FIRST, n, on)
        server = start(tmp_path / f"server{n}", failing, models[0])
        try:
            until(lambda: failing.failed or server.process.poll() is not None or server.answers(), "something")
            came = failing.failed > 0
            told = f"{n} at {failing.where}"
            try:
                status = server.process.wait(0.05 if came else 0)
            except subprocess.TimeoutExpired:
                failing.disarm()
                server.ready()
                assert server.get("/predict/item/a?n=2").status == 200, told
                status = server.stop()
                assert status == 0, (status, told, server.logged())
            else:
                assert status == 1 and came, (status, told, server.logged())
                last = server.logged().splitlines()[-1]
                assert last.startswith("akin-server: "), (told, server.logged())
                assert sum("akin-server: " in line for line in server.logged().splitlines()) == 1, server.logged()
            assert failing.segments_left() == [], (told, server.logged())
            return came
        finally:
            server.kill()

    sweep(run, count)


class Said(io.BytesIO):
    """What a server has said, for http.client."""

    def makefile(self, _):
        return self


class Kept:
    """A server that outlives many failures, and what every one of them has to leave as it was."""

    def __init__(self, folder, model, **settings):
        self.failing = Failing(folder / "control")
        self.server = start(folder / "server", self.failing, model, **settings)
        try:
            self.server.ready()
            self.slot = Slot(self.server.token)
            self.sent = 0
            self.before = None
            until(lambda: b"\nhttp_requests_inprogress 1\n" in self.ask("/metrics").body, "what asked whether it is ready to go")
            self.count()
        except BaseException:       # nobody has it yet who would end it
            self.server.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.failing.disarm()
                assert self.server.stop() == 0, self.server.logged()
                assert self.failing.segments_left() == []
        finally:
            self.server.kill()

    def ask(self, path, method="GET", **headers):
        """One request on a connection of its own, to its very end: then nothing of it is in hand. None: no answer."""
        fields = {"Host": "akin", "Connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()}}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=harness.PATIENCE) as s:
            s.sendall(head.encode())
            data = b"".join(iter(lambda: s.recv(65536), b""))
        if not data:
            return None
        self.sent += 1
        response = http.client.HTTPResponse(Said(data), method=method)
        response.begin()
        return harness.Answer(response, response.read())

    def ask_twice(self, path, **headers):
        """On one connection, where the first answer leaves it open; what is said of it must be what happens. The memory
        that is missing for the first is there again for the second."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=harness.PATIENCE) as s:
            fields = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: akin\r\n{fields}\r\n".encode())
            response = http.client.HTTPResponse(s, method="GET")
            response.begin()
            first = harness.Answer(response, response.read())
            self.sent += 1
            came = self.failing.failed > 0
            self.failing.disarm()
            if first.headers["connection"] == "close":
                assert s.recv(1) == b""
                return came, first, self.ask(path, **headers)
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: akin\r\nConnection: close\r\n{fields}\r\n".encode())
            data = b"".join(iter(lambda: s.recv(65536), b""))
        response = http.client.HTTPResponse(Said(data), method="GET")
        response.begin()
        self.sent += 1
        return came, first, harness.Answer(response, response.read())

    def tell(self, events):
        """POST /feedback, of these."""
        body = json.dumps(events)
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=harness.PATIENCE) as s:
            s.sendall(f"POST /feedback HTTP/1.1\r\nHost: akin\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            data = b"".join(iter(lambda: s.recv(65536), b""))
        self.sent += 1
        response = http.client.HTTPResponse(Said(data), method="POST")
        response.begin()
        return harness.Answer(response, response.read())

    def count(self):
        """What was sent since the last time is what was counted; nothing is in hand."""
        answer = self.ask("/metrics")
        assert answer.status == 200
        m = {k: float(v) for k, v in (line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if line[0] != "#")}
        total = sum(v for k, v in m.items() if k.startswith("http_requests_total{"))
        if self.before is not None:
            assert total == self.before + self.sent, (total, self.before, self.sent)  # the scrape before, but not this one
        self.before, self.sent = total, 0
        assert m["http_requests_inprogress"] == 1 and m["akin_requests_unanswered_total"] == 0, m
        assert m["http_request_duration_highr_seconds_count"] == total, m
        return m

    def fresh_worker(self, at=0, on=False, starting=False):
        """Kill the worker and wait for its successor to serve. starting: let that one be short of memory from its birth."""
        pid = self.slot.serving()
        if starting:
            self.failing.arm(NEXT_CHILD, at, on)
        os.kill(pid, signal.SIGKILL)
        new = until(lambda: (now := self.slot.serving()) != pid and now, "another worker")
        if not starting:
            self.failing.arm(new, at, on)
        return new


# A worker's start

SEGMENTATION = "was killed by signal 11 (Segmentation fault)"


@BOTH
def test_start_of_a_worker(tmp_path, models, on):
    """It ends and is replaced, or it serves."""
    with Kept(tmp_path, models[0]) as kept:
        kept.fresh_worker(starting=True)
        count = kept.failing.seen
        assert count > 10
        seen = set()
        for n in range(1, count + 2):
            said = len(kept.server.logged())
            kept.fresh_worker(n, on, starting=True)
            kept.failing.disarm()
            failed, told = kept.failing.failed, f"{n} at {kept.failing.where}"
            assert bool(failed) or n > count - 2, n
            answer = kept.ask("/predict/item/a?n=2")
            assert answer and answer.status == 200, (told, kept.server.logged()[-600:])
            ends = re.findall(r"worker 0 \(pid \d+\) (.*?) after", kept.server.logged()[said:])[1:]
            assert len(ends) <= 1, (told, ends)
            # civetweb reads its options without looking whether it had memory for them
            assert set(ends) <= {"exited with status 1", SEGMENTATION if "libcivetweb" in told else ""}, (told, ends)
            assert ("can't serve: " in kept.server.logged()[said:]) == ("exited with status 1" in ends), told
            seen.update(ends)
        kept.count()
        assert "exited with status 1" in seen


# A reload

class Reloads(Kept):
    """A server to which one of two models is given after the other."""

    def __init__(self, folder, models):
        self.models, self.right, self.served = [m.read_bytes() for m in models], [], 0
        served = folder / "served.model"
        for model in self.models[::-1]:
            served.write_bytes(model)
            with Kept(folder, served) as kept:
                self.right.insert(0, kept.ask(self.question).nameless)
        super().__init__(folder, served, gate_lost_items=100, gate_lost_customers=100, gate_overlap=0, gate_older="take")
        self.generation = 1

    question = "/predict/item/a?n=10&details=true"

    def outcomes(self):
        """Without a request: the log tells each. (published, failed)"""
        text = self.server.logged()
        return text.count("is published") - 1, text.count("the reload failed, ")

    def reload(self, n, on, of):
        """Have the other model loaded, with memory number n failing in that process. Whether it was come to."""
        aside = self.server.folder / "aside"
        aside.write_bytes(self.models[1 - self.served])
        aside.replace(self.server.model)
        ok, bad = self.outcomes()
        self.failing.arm({"master": self.server.pid, "loader": NEXT_CHILD, "worker": self.slot.serving()}[of], n, on)
        self.server.send(signal.SIGHUP)
        until(lambda: sum(self.outcomes()) > ok + bad, "the reload to end")
        if self.outcomes()[0] > ok:
            self.generation, self.served = self.generation + 1, 1 - self.served
            if of == "worker":      # it may be short of memory; a moment later there is some again
                until(lambda: self.failing.failed or self.slot.generation() == self.generation, "the worker to move")
                came = self.failing.failed
                self.failing.disarm()
            until(lambda: self.slot.generation() == self.generation, f"the worker to take on {self.generation}")
        came, told = self.failing.failed > 0, f"{n} at {self.failing.where}"
        self.failing.disarm()
        if self.outcomes()[1] > bad:
            assert came and of != "worker", told
        answer = self.ask(self.question)
        assert answer.status == 200 and answer.generation == self.generation, told
        assert answer.nameless == self.right[self.served], told
        left = [name for name in self.server.segments() if not name.endswith(".board")]
        assert f"akin.{self.server.token}.model.{self.generation}" in left and len(left) <= 2, (left, told)
        return came


@BOTH
@pytest.mark.parametrize("of", ["master", "loader", "worker"])
def test_reload(tmp_path, models, on, of):
    """The generation before goes on, or the new one is right; with memory, the next reload succeeds."""
    with Reloads(tmp_path, models) as kept:
        assert kept.right[0] != kept.right[1]
        assert not kept.reload(0, False, of)
        for n in itertools.count(1):
            if not kept.reload(n, on, of):
                break
        assert n > {"master": 1, "loader": 40, "worker": 1}[of]
        kept.count()


# A request

KINDS = {
    "user": ("/predict/user/c1?n=3&details=true", {}),
    "user-recent": ("/predict/user/c3", {}),
    "item": ("/predict/item/a?n=1", {}),
    "item-beyond": ("/predict/item/a?n=50&details=true", {}),
    "user-unknown": ("/predict/user/%e2%82%acnobody", {}),
    "bad-n": ("/predict/item/a?n=x", {}),
    "metrics": ("/metrics", {}),
    "metrics-gzip": ("/metrics", {"Accept_Encoding": "gzip"}),
    "openmetrics": ("/metrics", {"Accept": "application/openmetrics-text"}),
    "model": ("/model", {}),
    "docs": ("/docs", {}),
    "docs-gzip": ("/docs", {"Accept_Encoding": "gzip"}),
    "openapi": ("/openapi.json", {}),
    "root": ("/", {}),
    "readyz": ("/readyz", {}),
    "redirect": ("/healthz/", {}),
    "not-found": ("/nothing", {}),
}


def same(kind, a, b):
    """The same answer but for what changes by itself: figures, ages, names, and how well zlib packs them."""
    unpacked = [gzip.decompress(x.body) if x.headers.get("content-encoding") == "gzip" else x.nameless for x in (a, b)]
    if "metrics" in kind:
        unpacked = [sorted(line.split(b" ")[0] for line in body.splitlines() if not line.startswith(b"#")) for body in unpacked]
        unpacked = [[name for name in names if b"_bucket" not in name and b"http_" not in name] for names in unpacked]
    if kind == "model":
        unpacked = [{k: v for k, v in json.loads(body).items() if "age" not in k} for body in unpacked]
    return a.status == b.status and unpacked[0] == unpacked[1]


@BOTH
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "counted"])
def test_requests(tmp_path, small, on, packed):
    """A 500 that is JSON, or the right answer; the next request is right; figures are exact."""
    model = small(ROWS, "packed.model", "--neighbours", "all" if packed else "1")
    kinds = KINDS if packed else {k: v for k, v in KINDS.items() if k.startswith(("user", "item"))}
    with Kept(tmp_path, model, fill="recent") as kept:
        most = 0
        for kind, (path, headers) in kinds.items():
            right = kept.ask(path, **headers)
            for n in itertools.count(1):
                kept.fresh_worker(n, on)
                came, answer, again = kept.ask_twice(path, **headers)
                told = f"{kind} {n} at {kept.failing.where}"
                if answer.status == 500:
                    assert came and answer.json == {"detail": "Internal Server Error"}, told
                    assert answer.headers["content-type"] == "application/json", told
                else:
                    assert same(kind, right, answer), (told, answer.status, answer.body[:300])
                assert same(kind, right, again), told
                kept.count()
                if not came:
                    break
            most = max(most, n)
        assert most > 2


@BOTH
def test_feedback(tmp_path, models, on):
    """A 500 of which nothing is counted or logged, or the right answer; and each event at last once in both."""
    log = tmp_path / "log"
    with Kept(tmp_path, models[0], feedback_log=log) as kept:
        told = 0
        for n in itertools.count(1):
            kept.fresh_worker()
            asked = kept.ask("/predict/user/c1?n=9").json
            id, items = asked["recommendation_id"], asked["data"]["c1"]
            events = [{"recommendation_id": id, "item": item, "event": "click", "time": f"2026-01-01T00:00:{i:02}Z"}
                      for i, item in enumerate(items)] + [{"user": "c2", "item": "x" * 600, "event": "cart", "time": 1000 + n}]
            kept.failing.arm(kept.slot.serving(), n, on)
            answer = kept.tell(events)
            came, where = kept.failing.failed > 0, f"{n} at {kept.failing.where}"
            kept.failing.disarm()
            if answer.status == 500:
                assert came and answer.json == {"detail": "Internal Server Error"}, where
                answer = kept.tell(events)
            assert answer.status == 200, (where, answer.body)
            assert [r["outcome"] for r in answer.json["results"]] == ["hit"] * len(items) + ["unknown_item"], where
            told += len(events)
            assert len([p.read_text() for p in log.iterdir()][0].splitlines()) == told + 1, where
            if not came:
                break
        assert n > 20
        m = kept.count()
        assert m["akin_feedback_logged_total"] == told == sum(v for k, v in m.items() if k.startswith("akin_feedback_events"))
