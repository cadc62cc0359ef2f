"""Reload, a worker's death and the end under connections that are always busy: how long it takes, and who notices. Rows of
bench.py."""
import json
import os
import pathlib
import random
import re
import selectors
import signal
import socket
import struct
import subprocess
import time
from urllib.parse import quote

from measured import ROUNDS, WORKERS, ask, spread, start, stop


class Busy:
    """Keep-alive connections that always have a request under way, in one thread."""

    def __init__(self, port, paths, count):
        self.poll, self.chance = selectors.DefaultSelector(), random.Random(2)
        self.requests = [f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for p in paths]
        self.answered = self.failed = self.closed = self.ended = 0      # closed: before an answer; ended: with one
        self.generations = set()
        self.port, self.count = port, count
        self.fill()

    def fill(self):
        """As many connections as in the beginning."""
        while len(self.poll.get_map()) < self.count:
            s = socket.create_connection(("127.0.0.1", self.port))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.poll.register(s, selectors.EVENT_READ, bytearray())
            s.sendall(self.chance.choice(self.requests))

    def step(self, seconds=1):
        for key, _ in self.poll.select(seconds):
            try:
                part = key.fileobj.recv(65536)
            except OSError:
                part = b""
            if not part:
                self.closed += 1
                self.poll.unregister(key.fileobj)
                continue
            key.data.extend(part)
            head, blank, body = bytes(key.data).partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head, re.I)
            if not blank or len(body) < int(length[1]):
                continue
            self.answered += 1
            self.failed += not head.startswith(b"HTTP/1.1 200 ") or len(body) != int(length[1])
            self.generations.add(int(re.search(rb"\r\nAkin-Generation: (\d+)", head, re.I)[1]))
            key.data.clear()
            if re.search(rb"\r\nConnection: close", head, re.I):
                self.ended += 1
                self.poll.unregister(key.fileobj)
                key.fileobj.close()
                continue
            key.fileobj.sendall(self.chance.choice(self.requests))


def bench_reload(pid, port, ids, table):
    quiet = []
    generation = lambda: int(dict((k.lower(), v) for k, v in ask(port, "/predict/item/85123A")[2])["akin-generation"])
    newest = generation()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        os.kill(pid, signal.SIGHUP)
        while generation() <= newest:       # a worker may still be one behind, but none is ahead
            pass
        quiet.append(time.perf_counter() - begun)
        newest += 1
    table("SIGHUP to first answer of the new generation", spread(quiet, " s"), "", "", "")
    busy = Busy(port, [f"/predict/item/{quote(i, safe='')}?n=5" for i in ids["item"]], 64)
    hups, next_hup = 0, 0
    seen = max(busy.generations, default=0)
    end = time.monotonic() + 60
    while hups < 20 and time.monotonic() < end:
        busy.step()
        if busy.generations and max(busy.generations) > seen and time.monotonic() > next_hup:
            seen, hups, next_hup = max(busy.generations), hups + 1, time.monotonic() + 0.2
            os.kill(pid, signal.SIGHUP)
    table(f"{hups} SIGHUPs under 64 busy connections", f"{busy.failed} failed, {busy.closed} closed",
          f"of {busy.answered} answers, {len(busy.generations)} generations", "", "0, 0")


def slots(pid):
    """(process, state) of each worker slot, from the board: state 2 is serving."""
    name = re.search(r"/dev/shm/akin\.\w+\.board", pathlib.Path(f"/proc/{pid}/maps").read_text())[0]
    board = pathlib.Path(name).read_bytes()
    count, size, first = struct.unpack_from("<IQQ", board, 12)
    return [struct.unpack_from("<iI", board, first + i * size) for i in range(count)]


def status(build, pid_file):
    out = subprocess.run([build / "akin-server", "--status=json", "--pid-file", pid_file], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out)


def bench_kill(build, model, folder, ids, table):
    """A worker is killed under load, again and again: how soon its successor serves, and who notices."""
    pid_file = folder / "kill.pid"
    process, port, _ = start(build, model, folder, more=["--pid-file", pid_file])
    try:
        until_serving(process.pid)
        busy = Busy(port, [f"/predict/item/{quote(i, safe='')}?n=5" for i in ids["item"]], 64)
        seconds, had, before = [], 0, 0
        for turn in range(20):
            until = busy.answered + 2000
            while busy.answered < until:
                busy.step()
            number, (victim, _) = turn % WORKERS, slots(process.pid)[turn % WORKERS]
            had += status(build, pid_file)["workers"][number]["connections"]
            begun = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            while (now := slots(process.pid)[number])[0] in (0, -1, victim) or now[1] != 2:
                busy.step(0.001)
            seconds.append(time.perf_counter() - begun)
            until = busy.answered + 2000
            while busy.answered < until and busy.poll.get_map():      # it may have held them all
                busy.step()
            busy.fill()
        table("kill -9 of a worker under 64 busy connections, to its successor's serving", spread(seconds, " s"), "", "", "≤ 0.1 s")
        table("… of those that it did not hold, 20 times", f"{max(busy.closed - had, 0)} closed, {busy.failed} failed",
              f"{busy.closed} closed of {had} that it held, {busy.answered} answers", "", "0, 0")
    finally:
        stop(process)


def until_serving(pid):
    while any(state != 2 for _, state in slots(pid)):
        time.sleep(0.001)


def bench_stop(build, model, folder, ids, table):
    """SIGTERM under load: from the signal to the end of the process, and who has no answer to what was sent before."""
    seconds, closed, failed, answered = [], 0, 0, 0
    for turn in range(ROUNDS):
        process, port, _ = start(build, model, folder)
        until_serving(process.pid)
        busy = Busy(port, [f"/predict/item/{quote(i, safe='')}?n=5" for i in ids["item"]], 64)
        while busy.answered < 2000:
            busy.step()
        begun = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        while process.poll() is None or busy.poll.get_map():
            busy.step(0.001)
            if process.poll() is not None and len(seconds) == turn:
                seconds.append(time.perf_counter() - begun)
        closed, failed, answered = closed + busy.closed, failed + busy.failed, answered + busy.answered
    table("SIGTERM under 64 busy connections, to the end of the process", spread(seconds, " s"), "", "", "≤ 2 s")
    table(f"… requests without an answer, {ROUNDS} times", f"{closed} closed, {failed} failed", f"of {answered} answers", "", "0, 0")
