"""What a reload does to those who ask meanwhile.

Requests leave at a fixed rate, whether answers come or not, and each is timed from when it was due: a server that stalls
for 100 ms is seen by all that were due in these, where a client that waits for its answer would send one less. One second
with a reload in it is compared with the quiet second before it, in turns.

The client sleeps until something is due or comes. Were it to spin it would take one of two cores from those it measures, and
they would wait for it and not for the loader."""
import collections
import ctypes
import os
import random
import selectors
import signal
import socket
import time

RATE, CONNECTIONS = 2000, 64
PR_SET_TIMERSLACK = 29


class Paced:
    """Kept connections, and requests that are due every 1/RATE of a second on whichever is free."""

    def __init__(self, port, paths, seed=3):
        chance = random.Random(seed)
        self.requests = [f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for p in paths]
        chance.shuffle(self.requests)
        self.poll = selectors.SelectSelector()      # the one that sleeps for less than a millisecond
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)       # ns
        self.free, self.at, self.failed, self.port = collections.deque(), 0, 0, port
        for _ in range(CONNECTIONS):
            self.connect()

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.poll.register(s, selectors.EVENT_READ)
        self.free.append(s)

    def second(self, what=None, seconds=1.0):
        """Latencies of all that were due in a second, in its third tenth of which something is done."""
        begun, sent, got, due = time.perf_counter(), 0, [], {}
        total = int(RATE * seconds)
        while len(got) < total:
            now = time.perf_counter() - begun
            if what and now > seconds * 0.3:
                what()
                what = None
            while sent < total and self.free and sent / RATE <= now:
                s = self.free.popleft()        # in turn, or some would be idle for too long
                s.sendall(self.requests[self.at % len(self.requests)])
                due[s] = begun + sent / RATE
                self.at, sent = self.at + 1, sent + 1
            left = max(begun + sent / RATE - time.perf_counter(), 0)
            for key, _ in self.poll.select(left if self.free and sent < total else 1):
                self.receive(key.fileobj, due, got)
        return sorted(got)

    def receive(self, s, due, got):
        answer = s.recv(1 << 20)        # small ones come in one piece
        if s in due:
            got.append(time.perf_counter() - due.pop(s))
        self.failed += not answer.startswith(b"HTTP/1.1 200 ")
        if answer:
            self.free.append(s)
        else:
            self.poll.unregister(s)
            if s in self.free:
                self.free.remove(s)
            self.connect()


def p99(latencies):
    return latencies[int(len(latencies) * 0.99)]


def bench_reload_latency(pid, port, paths, rounds, spread, table):
    paced = Paced(port, paths)
    paced.second()
    quiet, loaded = [], []
    for _ in range(max(rounds, 3)):
        quiet.append(p99(paced.second()) * 1e3)
        loaded.append(p99(paced.second(lambda: os.kill(pid, signal.SIGHUP))) * 1e3)
    table(f"p99 in the second of a reload, {RATE} requests/s on {CONNECTIONS} connections", spread(loaded, " ms"),
          "quiet: " + spread(quiet, " ms"), spread([a / b for a, b in zip(loaded, quiet)], digits=2), "≤ 2")
    table("… requests that failed", str(paced.failed), "", "", "0")
