#!/usr/bin/python3
"""A long time of everything at once, and then the same demands as after a single fault (tests/system/faults.py).

usage: soak.py BUILD [MINUTES]

A server of the shipped data with default settings, but for its address, is asked all the time on kept and on short
connections, every answer checked; slow clients send half requests, take answers slowly or are reset in the middle;
hostile ones send what is no HTTP. Meanwhile the model is reloaded and rolled back, bad ones are offered, workers are
killed, stopped and asked to end, the monitor is killed, what customers did is told and logged, the log is opened again, and
everything is scraped. At the end the crowd goes home and there must be nothing left of it: sums exact, what was
acknowledged in the log, descriptors, threads and segments as at the start, and memory as in the first third.

The table is printed, and left in BUILD/soak.md. The exit status is 1 when a demand is not met.
"""
import contextlib
import csv
import http.client
import json
import os
import pathlib
import random
import select
import signal
import socket
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
os.environ["AKIN_BUILD"] = sys.argv[1] if len(sys.argv) > 1 else str(TOP / "build")
sys.path[:0] = [str(TOP / "tests/system"), str(TOP / "tests")]

import faults
import harness
import independent
from harness import until

MINUTES = float(sys.argv[2]) if len(sys.argv) > 2 else 30
WARM_S = 60 if MINUTES > 4 else MINUTES * 15


class Retail:
    """The shipped data, as faults.Shop has its own: a model, and the right answers to a sample of questions."""

    def __init__(self, folder, expected, *options):
        self.path = folder / f"retail{len(options)}.model"
        done = harness.prep("build", "-o", self.path, *options, independent.DATA)
        assert done.returncode == 0, done.err
        chance = random.Random(1)
        items, users = (chance.sample(sorted(d), 300) for d in (expected.buyers, expected.baskets))
        self.right = {("item", i): [o for o, _ in expected.similar_items(i, 20)] for i in items}
        self.right |= {("user", c): [i for i, _ in expected.for_customer(c, 20)] for c in users}

    @property
    def bytes(self):
        return self.path.read_bytes()


class Pest(threading.Thread):
    """Does one thing over and over until it is told to end, and counts how often."""

    def __init__(self, name, every, act):
        super().__init__(daemon=True, name=name)
        self.every, self.act, self.count, self.failed = every, act, 0, None
        self.over = threading.Event()

    def run(self):
        chance = random.Random(self.name)
        while not self.over.wait(chance.uniform(0.5, 1.5) * self.every):
            try:
                self.act(chance)
                self.count += 1
            except (OSError, http.client.HTTPException):    # the worker that was asked has died
                pass
            except BaseException as e:
                self.failed = f"{self.name}: {e!r}"
                raise

    def end(self):
        self.over.set()
        self.join(2 * harness.PATIENCE)


def connect(server, **options):
    s = socket.socket()
    for option, value in options.items():
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    s.settimeout(harness.PATIENCE)
    s.connect(("127.0.0.1", server.port))
    return s


class Pests:
    """What goes on beside the crowd. Requests that are sent here are for paths the crowd does not ask, or for none that can
    be read, so that its sums stay exact."""

    def __init__(self, server, good):
        self.server, self.good = server, good
        self.refusals = self.rollbacks = self.reloads = self.kills = self.monitors = self.told = 0
        self.acknowledged = set()               # events, by customer and item, of which no two are the same
        self.generation = threading.Lock()      # one change of generation at a time, so that its outcome is known
        self.deaths = threading.Lock()          # and one death, or two might be the same
        self.pests = [Pest(*p) for p in (
            ("slow", 0.2, self.slow), ("late", 0.5, self.late), ("reset", 0.05, self.reset), ("stuck", 2, self.stuck),
            ("hostile", 0.1, self.hostile), ("connects", 0.02, self.connects), ("reload", 4, self.reload),
            ("bad reload", 7, self.bad_reload), ("rollback", 9, self.roll_back), ("kill", 5, self.kill),
            ("term", 31, self.term), ("stop", 47, self.stop), ("reopen", 3, self.reopen), ("health", 1, self.health),
            ("monitor", 17, self.kill_monitor), ("feedback", 0.05, self.feedback))]

    def slow(self, chance):
        """A request byte by byte, in time."""
        with connect(self.server) as s:
            for byte in b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
                s.sendall(bytes([byte]))
                time.sleep(0.01)
            while s.recv(65536):
                pass

    def late(self, chance):
        """Half of one, and then nothing."""
        with connect(self.server) as s:
            s.sendall(b"GET /predict/item/851")
            while s.recv(65536):
                pass

    def reset(self, chance):
        s = connect(self.server)
        s.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        if chance.random() < 0.5:
            s.recv(100)
        faults.reset(s)

    def stuck(self, chance):
        """Many answers that are not taken, and then not wanted."""
        s = connect(self.server, SO_RCVBUF=4096)
        s.setblocking(False)
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 600
        while asked and select.select([], [s], [], 0.2)[1]:
            asked = asked[s.send(asked):]
        faults.reset(s)

    def hostile(self, chance):
        said = chance.choice((b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET /readyz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
                              b"GET " + b"a" * 20000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\7" * 200, b"GET /readyz\r\n\r\n",
                              b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                              b"\r\n" * 50, bytes(chance.randrange(256) for _ in range(300)) + b"\r\n\r\n"))
        with connect(self.server) as s:
            s.sendall(said)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass

    def connects(self, chance):
        with connect(self.server) as s:
            if chance.random() < 0.3:
                s.sendall(b"G")

    def health(self, chance):
        for path in ("/readyz", "/metrics"):
            assert self.server.get(path).status == 200

    def outcome(self, name, number):
        """Send a signal, and wait until that counter has moved."""
        before = self.server.metric(name)
        self.server.send(number)

        def moved():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.server.metric(name) > before
        until(moved, name)

    def reload(self, chance):
        with self.generation:
            self.outcome("akin_reloads_total", signal.SIGHUP)
            self.reloads += 1

    def bad_reload(self, chance):
        with self.generation:
            raw = bytearray(self.good)
            raw[chance.randrange(32, len(raw))] ^= 1 << chance.randrange(8)
            aside = self.server.folder / "aside"
            aside.write_bytes(raw)
            aside.replace(self.server.model)
            try:
                self.outcome("akin_reloads_total", signal.SIGHUP)
                self.refusals += 1
            finally:
                aside.write_bytes(self.good)
                aside.replace(self.server.model)

    def roll_back(self, chance):
        with self.generation:
            self.outcome("akin_rollbacks_total", signal.SIGRTMIN + 1)
            self.rollbacks += 1

    def signalled(self, number):
        """Always the youngest: the oldest lives as long as the soak, and would show what leaks."""
        with self.deaths:
            victim = until(lambda: by_age(self.server)[1:], "more than one worker")[-1]
            os.kill(victim, number)
            self.kills += 1
            # one that is stopped while it starts is given 20 s more than worker_hung_ms: server/heartbeat.c
            until(lambda: victim not in self.server.workers(), "it to be gone", 60)

    def kill(self, chance):
        self.signalled(signal.SIGKILL)

    def term(self, chance):
        self.signalled(signal.SIGTERM)

    def stop(self, chance):
        """Until it is found to hang."""
        self.signalled(signal.SIGSTOP)

    def reopen(self, chance):
        log = self.server.folder / "akin.log"
        log.replace(self.server.folder / "akin.log.1")
        self.server.send(signal.SIGUSR1)

    def kill_monitor(self, chance):
        victim = until(self.server.monitor, "a monitor")
        os.kill(victim, signal.SIGKILL)
        self.monitors += 1
        until(lambda: self.server.monitor() not in (None, victim), "another monitor")

    def feedback(self, chance):
        """Ten purchases that nobody else tells of."""
        self.told += 1
        events = [{"user": f"soak{self.told}", "item": f"thing{i}", "event": "purchase"} for i in range(10)]
        with self.server.client() as client:
            client.connection.request("POST", "/feedback", json.dumps(events), {"Connection": "close"})
            answer = client.connection.getresponse()
            told = json.loads(answer.read())
        assert answer.status == 200 and told["accepted"] == 10, told
        self.acknowledged |= {(e["user"], e["item"]) for e in events}

    def start(self):
        for pest in self.pests:
            pest.start()

    def end(self):
        for pest in self.pests:
            pest.end()
        return [pest.failed for pest in self.pests if pest.failed] + [f"{pest.name} hangs" for pest in self.pests if pest.is_alive()]


def by_age(server):
    """Workers, the oldest first, without a loader."""
    stat = lambda pid: pathlib.Path(f"/proc/{pid}/stat").read_text()
    found = {pid: stat(pid) for pid in server.workers()}
    return sorted((pid for pid in found if "(akin-worker" in found[pid]), key=lambda pid: int(found[pid].rsplit(")", 1)[1].split()[19]))


def has_open(pid, folder):
    """Whether a process has a file of this folder open."""
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if str(entry.readlink()).startswith(f"{folder}/"):
                return True
    return False


def all_log(server, pests, folder):
    """A worker opens the log of events when it is told of the first, and then has it."""
    until(lambda: pests.feedback(None) or all(has_open(pid, folder) for pid in server.workers()), "every worker to log")


def size_of(server, held=None):
    """What the tree holds."""
    tree = faults.processes(server)
    held = held or [faults.held(pid) for pid in tree]
    segments = [harness.SHM / name for name in server.segments()]
    return {"segments in /dev/shm": f"{len(segments)}, {sum(s.stat().st_size for s in segments) / 2**20:.1f} MB",
            "descriptors without clients": str(sum(h["descriptors"] for h in held)),
            "threads": str(sum(h["threads"] for h in held)),
            "mappings of segments": str(sum(h["mappings"] for h in held))}


def watch(load, pests, server):
    """Until the time is over, or something is wrong."""
    end, line, sizes = time.monotonic() + MINUTES * 60, 0, []
    while time.monotonic() < end and not load.wrong and not any(p.failed for p in pests.pests):
        assert server.process.poll() is None, "the master has ended"
        time.sleep(min(1, max(0, end - time.monotonic())))
        with contextlib.suppress(OSError, TypeError):      # a worker has just died, or is a zombie, which has no memory
            sizes.append((faults.memory(server.pid), faults.memory(by_age(server)[0])))
        if time.monotonic() > line:
            line = time.monotonic() + 60
            print(f"{(end - time.monotonic()) / 60:5.1f} minutes left: {sum(load.answered.values())} answers, "
                  f"{len(load.lost)} lost, {pests.reloads} reloads, {pests.kills} kills, "
                  f"{sizes[-1][0]:.1f} MB in the master, {sizes[-1][1]:.1f} MB in the oldest worker", flush=True)
    most = lambda part: tuple(max(size[k] for size in part) for k in (0, 1))
    return most(sizes[:len(sizes) // 3]), most(sizes[-int(WARM_S):])        # threads take theirs when they are first used


def check_feedback(samples, pests, log):
    """What was acknowledged is counted and in the log; what was not, because its worker died, may be."""
    logged = [(row["CustomerID"], row["StockCode"]) for path in log.glob("*.csv") for row in csv.DictReader(path.open())]
    assert pests.acknowledged <= set(logged), "an acknowledged event is not in the log"
    assert len(set(logged)) == len(logged), "a row stands twice"
    counted = faults.total(samples, "akin_feedback_events_total")
    assert len(pests.acknowledged) <= counted <= 10 * pests.told, (len(pests.acknowledged), counted, pests.told)
    assert len(logged) >= counted


def soak(folder, rows):
    expected = independent.online_retail(TOP / "build/expected.pickle")
    shop = Retail(folder, expected)
    served = folder / "served.model"
    served.write_bytes(shop.bytes)
    events = folder / "events"
    events.mkdir()
    server = harness.Server(folder / "server", served, workers=None, threads=None, gate=None, log=folder / "server/akin.log",
                            feedback_log=events)
    server.log = folder / "server/akin.log"
    try:
        for _ in range(2):                      # a generation before this one is kept from now on
            server.hup()
        load = faults.Load(server, [shop], kept=48, short=16)
        pests = Pests(server, shop.bytes)
        all_log(server, pests, events)
        steady = faults.steady(server, load, others=("/openapi.json", "none", "/feedback"))
        steady.__enter__()
        before = size_of(server, steady.held)
        pests.start()
        steady.memory, last = watch(load, pests, server)
        failed = pests.end()
        assert not failed, failed
        server.hup()            # after which no worker has the descriptor of a model from its birth, as at the start
        until(lambda: faults.total(server.metrics(), "akin_workers", state="serving") == steady.workers, "all workers")
        all_log(server, pests, events)
        steady.__exit__(None)
        after, samples = size_of(server), steady.after
        for at, who in enumerate(("the master", "the oldest worker")):
            rows.append((f"anonymous memory of {who}, in the first third and the last {WARM_S:g} s", f"{steady.memory[at]:.1f} MB", f"{last[at]:.1f} MB"))
            assert last[at] <= steady.memory[at] + faults.SLACK_MB, rows[-1]
        rows += [(name, before[name], after[name]) for name in before]
        requests = sum(load.answered.values())
        rows += [("answers checked", "", str(requests)), ("wrong, late or out of order", "", str(len(load.wrong))),
                 ("requests lost with a worker", "", str(len(load.lost))),
                 ("of these told by akin_requests_unanswered_total", "", f"{samples['akin_requests_unanswered_total']:.0f}"),
                 ("told 503", "", str(load.shed)), ("connections refused", "", str(load.refused)),
                 ("longest wait for an answer", "", f"{load.longest * 1000:.0f} ms"),
                 ("reloads, bad models refused, rollbacks", "", f"{pests.reloads}, {pests.refusals}, {pests.rollbacks}"),
                 ("workers killed, ended or stopped", "", str(pests.kills)),
                 ("workers replaced", "", f"{faults.total(samples, 'akin_worker_restarts_total'):.0f}"),
                 ("monitors killed, windows closed", "", f"{pests.monitors}, {faults.total(samples, 'akin_windows_closed_total'):.0f}"),
                 ("events of feedback acknowledged", "", str(len(pests.acknowledged))),
                 ("slow, hostile and rude clients", "", str(sum(p.count for p in pests.pests[:6]))),
                 ("scrapes in which no counter had fallen", "", str(steady.scraper.scrapes))]
        assert faults.total(samples, "akin_worker_restarts_total") == pests.kills, "each death has one successor"
        assert samples["akin_monitor_restarts_total"] == pests.monitors
        assert faults.total(samples, "akin_windows_closed_total") > 0
        check_feedback(samples, pests, events)
        assert samples["akin_model_generation"] == 4 + pests.reloads + pests.rollbacks, "each change was one"
        assert faults.total(samples, "akin_reloads_total", result="failure") == pests.refusals
        status = server.stop()
        assert status == 0 and server.segments() == [], (status, server.segments())
        rows.append(("exit status and segments after the stop", "", "0, none"))
    finally:
        server.kill()


def main():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        soak(pathlib.Path(folder), rows)
    table = [f"{MINUTES:g} minutes, {len(os.sched_getaffinity(0))} cores, the clients among them; {time.strftime('%d %B %Y', time.gmtime())}", "",
             "| what | at the start | at the end |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows)]
    (harness.BUILD / "soak.md").write_text("\n".join(table) + "\n")
    print(*table, sep="\n")


if __name__ == "__main__":
    main()
