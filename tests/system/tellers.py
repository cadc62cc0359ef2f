"""Clients that tell what customers did, one at a time or many while workers die; and what must be true of what was acknowledged.

Each event has a second of its own, in the past, so that its row in the log is known by its time. An event is acknowledged when
an answer has come that accepts it, or calls it a duplicate of one that was accepted. A body whose answer did not come is sent
again, as it is."""
import collections
import csv
import datetime
import http.client
import json
import os
import random
import signal
import socket
import threading
import time

import harness

BEGAN = 1_500_000_000           # seconds since 1970 of event 0
COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
ACCEPTED = {"hit", "miss", "repeat", "not_shown", "old_generation", "gone", "unknown_user", "unknown_item"}


def tell(server, body, client=None, **headers):
    body = body if isinstance(body, (bytes, str)) else json.dumps(body)
    connection = client.connection if client else http.client.HTTPConnection("127.0.0.1", server.port, timeout=harness.PATIENCE)
    try:
        connection.request("POST", "/feedback", body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return harness.Answer(response, response.read())
    finally:
        if not client:
            connection.close()


def outcomes(server, *events):
    """Of these, in one body."""
    answer = tell(server, events)
    assert answer.status == 200, answer.body
    found = [r["outcome"] for r in answer.json["results"]]
    assert len(found) == len(events) and answer.json["accepted"] == sum(o in ACCEPTED for o in found)
    assert answer.json["rejected"] == len(found) - answer.json["accepted"]
    return found


def feedback_samples(server):
    return {k: int(v) for k, v in server.metrics().items() if k.startswith("akin_feedback_")}


def grown(server, before):
    """{sample: by how much}, of those that have."""
    return {k: v - before[k] for k, v in feedback_samples(server).items() if v != before[k]}


def ask(server, path):
    answer = server.get(path)
    assert answer.status == 200
    return answer.json["recommendation_id"], next(iter(answer.json["data"].values()))


def rows(folder):
    """Of all files, in order: as dictionaries. Every file is whole lines of eight fields below the header. (A hidden one is
    what somebody was about to make.)"""
    found = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        text = path.read_bytes()
        assert path.suffix == ".csv" and text.endswith(b"\n") and b"\0" not in text, path
        header, *lines = csv.reader(text.decode().splitlines())
        assert header == COLUMNS, path
        assert all(len(line) == 8 for line in lines), path
        found += [dict(zip(COLUMNS, line)) for line in lines]
    return found


def number_of(row):
    """Which event it is."""
    when = datetime.datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=datetime.timezone.utc)
    return int(when.timestamp()) - BEGAN


class Tellers:
    def __init__(self, port, events, batch, threads=4, seed=1):
        """events: number -> dict without a time."""
        self.port, self.events, self.batch, self.seed = port, events, batch, seed
        self.next, self.end = 0, None
        self.lock = threading.Lock()
        self.acknowledged = {}          # number: outcome as it was accepted, or "duplicate"
        self.outcomes = collections.Counter()
        self.again = self.refused = 0
        self.trouble = []
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]

    def tell(self, count):
        """Begin to tell that many."""
        self.end = count
        for thread in self.threads:
            thread.start()

    def join(self, seconds):
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(t.is_alive() for t in self.threads), f"{self.next} of {self.end} within {seconds} s"
        assert not self.trouble, self.trouble

    def some(self):
        with self.lock:
            first, self.next = self.next, min(self.next + self.batch, self.end)
            return range(first, self.next)

    def run(self, which):
        try:
            chance, connection = random.Random(self.seed * 100 + which), None
            while numbers := self.some():
                body = json.dumps([{**self.events(i), "time": BEGAN + i} for i in numbers])
                while True:
                    try:
                        connection = connection or self.connect()
                        connection.request("POST", "/feedback", body)
                        response = connection.getresponse()
                        answer = json.loads(response.read())
                    except (OSError, http.client.HTTPException):
                        connection = None
                        with self.lock:
                            self.again += 1
                        time.sleep(chance.random() / 100)
                        continue
                    if response.getheader("Connection") == "close":
                        connection.close()
                        connection = None
                    if response.status == 503:
                        with self.lock:
                            self.refused += 1
                        time.sleep(chance.random() / 20)
                        continue
                    assert response.status == 200, (response.status, answer)
                    self.take(numbers, answer)
                    break
        except BaseException as e:
            self.trouble.append(repr(e))

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def take(self, numbers, answer):
        found = [r["outcome"] for r in answer["results"]]
        assert len(found) == len(numbers)
        assert answer["accepted"] == sum(o in ACCEPTED for o in found) == len(found) - answer["rejected"]
        assert set(found) <= ACCEPTED | {"duplicate"}, set(found)
        with self.lock:
            self.outcomes.update(found)
            self.acknowledged.update(zip(numbers, found))


def kill_one(server, chance):
    """If there is one to be killed."""
    workers = server.workers()
    if workers:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return 0
    return bool(workers)


def judge(tellers, samples, folder):
    """Everything acknowledged is counted and in the log. What is beyond that was in the hands of those who died: an event is
    logged, then counted, then acknowledged. Returns figures."""
    logged = collections.Counter(map(number_of, rows(folder)))
    counted = {key.partition('"')[2].partition('"')[0]: int(value) for key, value in samples.items()
               if key.startswith("akin_feedback_outcomes_total{")}
    accepted = sum(counted[o] for o in ACCEPTED)
    assert set(tellers.acknowledged) == set(range(tellers.end))
    missing = [i for i in tellers.acknowledged if not logged[i]]
    assert not missing, f"{len(missing)} acknowledged events are not in the log: {missing[:10]}"
    assert set(logged) <= set(tellers.acknowledged)
    for outcome in ACCEPTED:
        assert counted[outcome] >= tellers.outcomes[outcome], outcome
    assert accepted >= len(tellers.acknowledged)
    assert sum(logged.values()) >= samples["akin_feedback_logged_total"] >= accepted
    assert sum(v for k, v in samples.items() if k.startswith("akin_feedback_events_total{")) in range(
        accepted, int(samples["akin_feedback_logged_total"]) + 1)
    return {"acknowledged": len(tellers.acknowledged), "accepted at once": sum(tellers.outcomes[o] for o in ACCEPTED),
            "counted": accepted, "rows in the log": sum(logged.values()), "sent again": tellers.again,
            "rows twice": sum(n - 1 for n in logged.values())}
