"""A crowd of clients that runs beside a fault, and what must be true when the fault is over.

Load asks all the time, on kept and on short connections, in one thread, and checks every answer against the one that
belongs to its generation. It counts what it has sent and got, so that a server's own sums can be held against it.

steady() is put around each fault. It lets the crowd ask, has the fault done, and then demands the same of every one:

- the sums of /metrics are the crowd's own counts; what is more was in the hands of a worker that died, or was cut off;
- nothing is in hand, no connection is open, and no counter was ever seen to fall;
- master and workers have the descriptors, the threads and the mappings of shared memory that they had, and no more
  memory than SLACK_MB each beyond what they had;
- /dev/shm holds the board and the models of this master that are in use, and no other; nobody is a zombie.

That nothing is left in /dev/shm after the end is the business of the fixture `start`."""
import collections
import contextlib
import ctypes
import errno
import http.client
import json
import os
import pathlib
import random
import re
import selectors
import socket
import struct
import threading
import time
from urllib.parse import quote

import harness
import independent
from harness import until

SLACK_MB = 64 if harness.SANITIZED else 6       # each process; the sanitizer keeps what is freed
PREDICT = {"item": "/predict/item/{item_id}", "user": "/predict/user/{user_id}"}


class Shop:
    """A small shop's model and its right answers; another seed gives other neighbours for the same ids."""

    def __init__(self, folder, seed, customers=80, items=60):
        chance = random.Random(seed)
        ids = [f"i{i:03}" for i in range(items)]
        rows = [(f"c{c:03}", i) for c in range(customers) for i in sorted(chance.sample(ids, 12))]
        rows += [(f"c{i:03}", f"i{i:03}") for i in range(items)]
        expected = independent.Expected([(c, i, f"THING {i}") for c, i in rows])
        self.path = folder / f"shop{seed}.model"
        done = harness.prep("build", "-o", self.path, "-", stdin=harness.csv_bytes(rows))
        assert done.returncode == 0, done.err
        self.right = {("item", i): [o for o, _ in expected.similar_items(i, 20)] for i in expected.buyers}
        self.right |= {("user", c): [i for i, _ in expected.for_customer(c, 20)] for c in expected.baskets}

    @property
    def bytes(self):
        return self.path.read_bytes()


class Asked:
    """One question, what it is counted under, and the answer that belongs to it."""

    def __init__(self, path, handler, status, method="GET", body=None, headers=""):
        self.path, self.handler, self.status, self.method, self.body = path, handler, status, method, body
        self.head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}"
        self.cell = handler, method, f"{status // 100}xx"


def questions(shops):
    """What the crowd asks of these shops: each id they all have, and what is not there or not allowed."""
    common = sorted(set.intersection(*(set(shop.right) for shop in shops)))
    asked = [Asked(f"/predict/{kind}/{quote(name)}?n=20", PREDICT[kind], 200,
                   body=[{name: shop.right[kind, name]} for shop in shops]) for kind, name in common]
    rare = [Asked("/", "/", 200), Asked("/healthz", "/healthz", 200), Asked("/nope", "none", 404),
            Asked("/predict/item/nobody", PREDICT["item"], 404), Asked("/predict/user/nobody", PREDICT["user"], 404),
            Asked("/predict/item/i001?n=x", PREDICT["item"], 422), Asked("/predict/item/i001", PREDICT["item"], 405, "DELETE"),
            Asked("/model", "/model", 200)]
    return asked + rare * (len(asked) // 40 + 1)


class Caller:
    """One client in the crowd: a connection, and where it is with its request."""

    def __init__(self, kept):
        self.kept, self.socket, self.port = kept, None, None
        self.asked, self.buffer, self.left = None, b"", 0
        self.sent_at, self.count, self.closing = 0, 0, False


class Load(threading.Thread):
    """The crowd. shops[k] is what generation g has with contents[g] == k, or 0 for one not listed there."""

    def __init__(self, server, shops, kept=12, short=4, seed=1, contents=None, patience=harness.PATIENCE):
        super().__init__(daemon=True)
        self.server, self.shops, self.chance = server, shops, random.Random(seed)
        self.contents = contents if contents is not None else collections.defaultdict(int)
        self.questions = questions(shops)
        self.patience = patience
        self.callers = [Caller(True) for _ in range(kept)] + [Caller(False) for _ in range(short)]
        self.poll = selectors.DefaultSelector()
        self.ended = threading.Event()
        self.sent, self.answered, self.shed = 0, collections.Counter(), 0
        self.lost = []          # (port, bytes that had come): sent, and the connection ended before the answer did
        self.refused = 0        # connections that could not be made
        self.wrong = []
        self.longest = 0        # seconds from a question to its answer
        self.generations = collections.Counter()

    # -- one caller

    def connect(self, c):
        try:
            c.socket = socket.create_connection(("127.0.0.1", self.server.port), timeout=self.patience)
        except OSError:
            self.refused += 1
            c.socket = None
            return False
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.socket.setblocking(False)
        c.port = c.socket.getsockname()[1]
        c.left = self.chance.randrange(20, 200) if c.kept else 1
        self.poll.register(c.socket, selectors.EVENT_READ, c)
        return True

    def drop(self, c):
        if c.socket:
            self.poll.unregister(c.socket)
            c.socket.close()
        c.socket, c.asked, c.buffer = None, None, b""

    def ask(self, c):
        c.asked = self.chance.choice(self.questions)
        c.left -= 1
        c.closing = c.left == 0
        request = c.asked.head + ("Connection: close\r\n\r\n" if c.closing else "\r\n")
        try:
            c.socket.sendall(request.encode())
        except OSError:
            self.lose(c)
            return
        self.sent += 1
        c.sent_at = time.monotonic()

    def lose(self, c):
        self.lost.append((c.port, len(c.buffer)))
        self.drop(c)

    def read(self, c):
        try:
            part = c.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            if c.asked:
                self.lose(c)
            else:
                self.drop(c)
            return
        c.buffer += part
        head, blank, body = c.buffer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\nContent-Length: (\d+)", head, re.I)
        if not blank or length and len(body) < int(length[1]):
            return
        self.judge(c, head, body, int(length[1]) if length else None)

    def judge(self, c, head, body, length):
        asked, took = c.asked, time.monotonic() - c.sent_at
        status = int(head[9:12])
        if asked is None or length is None or len(body) != length:
            self.wrong.append(("not one answer", c.buffer[:300]))
            self.drop(c)
            return
        close = b"\r\nconnection: close" in head.lower()
        if status == 503 and close and b"\r\nretry-after:" in head.lower():
            self.shed += 1
        else:
            self.check(asked, status, head, body)
            self.answered[asked.cell] += 1
            self.longest = max(self.longest, took)
        c.count += 1
        c.asked, c.buffer = None, b""
        if close or c.closing:
            self.drop(c)

    def check(self, asked, status, head, body):
        if status != asked.status:
            self.wrong.append((asked.path, status, body[:200]))
        elif isinstance(asked.body, list):
            generation = int(re.search(rb"\r\nakin-generation: (\d+)", head, re.I)[1])
            self.generations[generation] += 1
            right = asked.body[self.contents[generation]]
            if json.loads(body)["data"] != right:
                self.wrong.append((asked.path, generation, body[:300], right))

    # -- the crowd

    def run(self):
        try:
            while not self.ended.is_set() or any(c.asked for c in self.callers):
                self.turn()
            for c in self.callers:
                self.drop(c)
        except Exception as e:
            self.wrong.append(repr(e))
            raise

    def turn(self):
        tried = False
        for c in self.callers:
            if c.asked:
                if time.monotonic() - c.sent_at > self.patience:
                    self.wrong.append(("no answer in time", c.asked.path, c.port))
                    self.drop(c)
                continue
            if self.ended.is_set():
                continue
            if not c.socket:
                if tried:
                    continue            # a server that is away is asked once a turn
                tried = not self.connect(c)
            if c.socket:
                self.ask(c)
        for key, _ in self.poll.select(0.02 if tried else 0.2):
            if key.data.socket is key.fileobj:
                self.read(key.data)

    def begin(self):
        self.start()
        until(lambda: self.wrong or all(c.count for c in self.callers), "everybody's first answer")
        assert not self.wrong, self.wrong[:3]
        return self

    def some(self, more=100):
        """Until the crowd has had that many more answers."""
        before = sum(self.answered.values())
        until(lambda: self.wrong or sum(self.answered.values()) >= before + more, f"{more} more answers")
        assert not self.wrong, self.wrong[:3]

    def end(self):
        self.ended.set()
        self.join(2 * self.patience)
        assert not self.is_alive(), "the crowd does not come home"
        assert not self.wrong, self.wrong[:3]


# -- what a process has ---------------------------------------------------------------------------------------------

def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}")


def held(pid):
    """What must not grow: descriptors, threads, mappings of shared memory."""
    maps = proc(pid, "maps").read_text()
    return {"descriptors": len(list(proc(pid, "fd").iterdir())), "threads": len(list(proc(pid, "task").iterdir())),
            "segments": len(set(re.findall(r"/dev/shm/akin\.\S+", maps))), "mappings": maps.count("/dev/shm/akin.")}


def memory(pid):
    """Resident megabytes that are this process's own: without the pages of files and of shared memory."""
    return int(re.search(r"RssAnon:\s+(\d+)", proc(pid, "status").read_text())[1]) / 1024


LIBC, PIDFD_GETFD = ctypes.CDLL(None, use_errno=True), 438


def ports_of(pid):
    """The ports of the clients whose connections a process has. /proc/net/tcp would tell, too, but takes a second to be
    read where many connections have been."""
    ports, handle = set(), os.pidfd_open(pid)
    try:
        for entry in proc(pid, "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(entry).startswith("socket:"):
                    fd = LIBC.syscall(PIDFD_GETFD, handle, int(entry.name), 0)
                    if fd < 0 and ctypes.get_errno() == errno.EBADF:
                        continue        # closed meanwhile
                    assert fd >= 0, os.strerror(ctypes.get_errno())
                    with socket.socket(fileno=fd) as s:
                        ports.add(s.getpeername()[1])
    finally:
        os.close(handle)
    return ports


def zombies(server):
    return [pid for pid in harness.children(server.pid) if not harness.alive(pid)]


def is_counter(sample):
    name = sample.partition("{")[0]
    return name.endswith(("_total", "_count", "_sum", "_bucket"))


class Scraper(threading.Thread):
    """Scrapes without a pause, a connection each, and never sees a counter fall."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.last, self.fallen, self.scrapes = server, {}, [], 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            # asked of the dead, or refused for want of something
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                self.look(self.server.metrics())

    def look(self, samples):
        for sample, value in self.last.items():
            if is_counter(sample) and samples.get(sample, 0) < value:
                self.fallen.append((sample, value, samples.get(sample)))
        self.last = samples
        self.scrapes += 1

    def end(self):
        self.ended.set()
        self.join(harness.PATIENCE)
        self.look(self.server.metrics())
        assert not self.fallen, self.fallen[:5]


# -- the invariants -------------------------------------------------------------------------------------------------

OWN = ("/metrics", "/readyz")       # asked by the tests themselves too, so the crowd does not


def counted(samples):
    """{(handler, method, class): n} of what the crowd asks."""
    found = {}
    for sample, value in samples.items():
        match = re.fullmatch(r'http_requests_total\{handler="(.*?)",method="(.*?)",status="(.*?)"\}', sample)
        if match and match[1] not in OWN and value:
            found[match.groups()] = value
    return found


def total(samples, name, **labels):
    return sum(v for k, v in samples.items()
               if k.partition("{")[0] == name and all(f'{a}="{b}"' in k for a, b in labels.items()))


def at_rest(server, seconds=harness.PATIENCE):
    """A scrape that finds nothing but itself."""
    def look():
        try:
            s = server.metrics()
        except (OSError, http.client.HTTPException):
            return None
        alone = s["http_requests_inprogress"] == 1 and total(s, "akin_connections_active") == 1 and \
            total(s, "akin_threads_busy") == 1 and total(s, "akin_workers", state="serving") == total(s, "akin_workers") == len(server.workers())
        return s if alone else None
    return until(look, "the server to be at rest", seconds)


def segments_in_use(server):
    """Board and model; a model more when the one before is kept."""
    names = server.segments()
    models = [n for n in names if ".model." in n]
    assert len(names) - len(models) == 1 and 1 <= len(models) <= 2, names


def sums_agree(samples, before, load, unknown=0, others=()):
    """unknown: requests of which it can't be said whether they were counted, beside those of dead workers. others: handlers
    that somebody else has asked."""
    now, then = counted(samples), counted(before)
    more = {cell: now.get(cell, 0) - then.get(cell, 0) - load.answered[cell] for cell in now.keys() | load.answered.keys()
            if cell[0] not in others}
    unanswered = samples["akin_requests_unanswered_total"] - before["akin_requests_unanswered_total"]
    assert all(n >= 0 for n in more.values()), f"answers that were not counted: {more}"
    assert sum(more.values()) <= unanswered + unknown, f"counted, and nobody has them: {more}, {unanswered} in dead hands"
    assert total(samples, "akin_worker_requests_total") == total(samples, "http_requests_total")
    timed, untimed = total(samples, "http_request_duration_seconds_count"), total(samples, "http_requests_total")
    assert timed <= untimed <= timed + samples["akin_requests_unanswered_total"]


def processes(server):
    return [server.pid, *server.workers()]


class Steady:
    """See the top of this file. unknown is for faults whose clients can't tell what was counted."""

    def __init__(self, server, load, unknown=0, others=()):
        self.server, self.load, self.unknown, self.others = server, load, unknown, others

    def __enter__(self):
        workers = self.workers = self.server.metric("akin_workers")      # of all states: as many as are wanted
        until(lambda: self.server.metric("akin_workers", state="serving") == workers, "all workers to serve")
        self.before = at_rest(self.server)
        self.scraper = Scraper(self.server)
        self.held = self.settled()
        self.scraper.start()
        self.load.begin()
        self.load.some(300)                 # buffers have been allotted by now
        self.memory = self.most_memory()
        return self

    def sorted_held(self):
        return [held(self.server.pid), *sorted((held(w) for w in self.server.workers()), key=str)]

    def settled(self):
        """The same five times: the connection of the last scrape may just be closing."""
        seen = []
        until(lambda: seen.append(self.sorted_held()) or len(seen) > 4 and all(s == seen[-1] for s in seen[-5:]), "all to be quiet")
        return seen[-1]

    def most_memory(self):
        return memory(self.server.pid), max(memory(w) for w in self.server.workers())

    def same_held(self):
        with contextlib.suppress(OSError):
            return self.sorted_held() == self.held
        return False

    def __exit__(self, kind, *_):
        if kind:
            self.load.ended.set()
            self.scraper.ended.set()
            return
        self.load.end()
        self.scraper.end()
        server = self.server
        until(lambda: len(server.workers()) == self.workers, "all workers to be there")
        self.after = at_rest(server)
        self.scraper.look(self.after)
        assert not self.scraper.fallen, self.scraper.fallen[:5]
        sums_agree(self.after, self.before, self.load, self.unknown, self.others)
        until(self.same_held, lambda: f"{self.held} to be held again: {self.sorted_held()}")
        for at, (now, then) in enumerate(zip(self.most_memory(), self.memory)):
            assert now <= then + SLACK_MB, f"{'worker' if at else 'master'}: {now:.1f} MB, {then:.1f} before"
        segments_in_use(server)
        assert zombies(server) == []


steady = Steady


def reset(sock):
    """Close it with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
