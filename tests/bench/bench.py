#!/usr/bin/python3
"""Measure Akin against yardsticks on this machine and print one table.

usage: bench.py BUILD [monitoring]

Whatever is compared is measured in turns within this run, so that a slow minute hits both sides; a figure is the
median of its rounds, with the least and the most behind it, and a ratio is the median of the rounds' own ratios.
BENCH_ROUNDS (7) and BENCH_SECONDS (1, of each load) change the length. The table is also left in BUILD/bench.md. When a row
does not reach what its last column asks for, it is named at the end, and the exit status is 1. With `monitoring`, that part
alone is measured, and nothing is left.
"""
import http.client
import json
import os
import pathlib
import platform
import random
import re
import selectors
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote

import monitoring
import overload
import paced
import reach as reached

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
DATA = TOP / "tests/data/online-retail/OnlineRetail.csv.lz4"
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS", 7)), int(os.environ.get("BENCH_SECONDS", 1))
CONNECTIONS = (16, 64, 256)
WORKERS = len(os.sched_getaffinity(0))
THREADS = max(64, -(-1024 // WORKERS))      # as with threads = 0


def spread(values, unit="", digits=3):
    return f"{statistics.median(values):.{digits}f}{unit} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def timed(command):
    """Wall seconds and peak megabytes of a program."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def bench_prep(build, folder, table):
    plain = folder / "OnlineRetail.csv"
    plain.write_bytes(subprocess.run(["lz4", "-dcq", DATA], check=True, stdout=subprocess.PIPE).stdout)
    pandas = ("import sys, time, pandas, resource; begun = time.perf_counter(); "
              "pandas.read_csv(sys.argv[1], encoding='latin-1'); "
              "print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)")
    ours, theirs, packed = [], [], []
    for _ in range(ROUNDS):
        ours.append(timed([build / "akin-prep", "build", "-q", "-o", folder / "m", plain]))
        out = subprocess.run(["/usr/bin/python3", "-c", pandas, plain], check=True, stdout=subprocess.PIPE).stdout
        theirs.append(tuple(map(float, out.split())))
        packed.append(timed([build / "akin-prep", "build", "-q", "-o", folder / "m", DATA]))
    table("akin-prep build, whole run", spread([s for s, _ in ours], " s"),
          "pandas.read_csv alone: " + spread([s for s, _ in theirs], " s"),
          spread([a / b for (a, _), (b, _) in zip(ours, theirs)], digits=2), "≤ 0.6")
    table("akin-prep build, peak memory", spread([m for _, m in ours], " MB", 0),
          "pandas: " + spread([m for _, m in theirs], " MB", 0),
          spread([a / b for (_, a), (_, b) in zip(ours, theirs)], digits=2), "≤ 150 MB")
    table("akin-prep build from LZ4", spread([s for s, _ in packed], " s"), "", "", "")


def ids_of_the_data():
    sys.path.insert(0, str(HERE.parent))
    import independent
    kept = list(independent.online_retail_rows(independent.unpack()))
    return {"item": sorted({row[1] for row in kept}), "user": sorted({row[0] for row in kept})}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, path, timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(), response.getheaders()
    finally:
        connection.close()


def until_answer(process, port, path):
    while process.poll() is None:
        try:
            if ask(port, path)[0] == 200:
                return
        except OSError:
            time.sleep(0.0005)
    sys.exit(f"{process.args} ended with {process.returncode}")


def start(build, model, folder, workers=WORKERS, threads=THREADS, more=()):
    port = free_port()
    (folder / "empty.conf").touch()
    log = (folder / "server.log").open("ab")
    begun = time.perf_counter()
    process = subprocess.Popen([build / "akin-server", "-c", folder / "empty.conf", "--model", model, "--address", "127.0.0.1",
                                "--port", str(port), "--workers", str(workers), "--threads", str(threads), *more],
                               stdout=log, stderr=log)
    until_answer(process, port, "/predict/item/85123A")
    return process, port, time.perf_counter() - begun


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def bench_start(build, model, folder, table):
    seconds = []
    for _ in range(ROUNDS):
        process, _, took = start(build, model, folder)
        seconds.append(took)
        stop(process)
    table("akin-server, start to first answer", spread(seconds, " s"), "", "", "≤ 0.5 s")


def family(pid):
    return [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def memory(pid):
    """Megabytes of a process tree: each process's own share of private and file pages, and the shared-memory
    segments once, whether anybody has touched their pages yet or not."""
    own, pss, names = 0, 0, set()
    for one in family(pid):
        rollup = dict(re.findall(r"^(\w+): +(\d+) kB", pathlib.Path(f"/proc/{one}/smaps_rollup").read_text(), re.M))
        own += int(rollup["Pss"]) - int(rollup["Pss_Shmem"])
        pss += int(rollup["Pss"])
        names |= set(re.findall(r"/dev/shm/akin\.\S+", pathlib.Path(f"/proc/{one}/maps").read_text()))
    shared = sum(os.stat(name).st_blocks * 512 for name in names if os.path.exists(name))
    return own / 1024 + shared / 2**20, own / 1024, shared / 2**20, pss / 1024


def wrk(port, paths, connections):
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", HERE / "ids.lua",
                          f"http://127.0.0.1:{port}", "--", paths], check=True, stdout=subprocess.PIPE).stdout.decode()
    found = json.loads(re.search(r"^JSON (.*)$", out, re.M)[1])
    if found["errors"]:
        print(f"wrk saw {found['errors']} errors", file=sys.stderr)
    return found["requests"] / found["us"] * 1e6, found["p50"], found["p99"], found["requests"]


def bench_load(build, port, folder, ids, table):
    """Routes at three numbers of connections, each in turns with the constant body of the same size."""
    chance = random.Random(1)
    kinds = {kind: [f"/predict/{kind}/{quote(i, safe='')}?n=5" for i in chance.sample(ids[kind], min(2000, len(ids[kind])))]
             for kind in ("item", "user")}
    for kind, many in kinds.items():
        fixed = "/predict/item/85123A?n=5" if kind == "item" else "/predict/user/12350?n=5"
        status, body, headers = ask(port, fixed)
        # As Akin sends it on a kept connection, so that the yardstick writes as many bytes.
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(f"GET {fixed} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            message = b""
            while b"\r\n\r\n" not in message or len(message.partition(b"\r\n\r\n")[2]) < len(body):
                message += s.recv(65536)
        (folder / "message").write_bytes(message)
        other = free_port()
        constant = subprocess.Popen([build / "bench/constant", str(other), str(WORKERS), str(THREADS), folder / "message"])
        try:
            until_answer(constant, other, "/")
            compare(kind, fixed, many, port, other, folder, table)
        finally:
            constant.terminate()
            constant.wait(10)


def compare(kind, fixed, many, port, other, folder, table):
    for label, paths in (("one id", [fixed]), (f"{len(many)} ids", many)):
        (folder / "paths").write_text("\n".join(paths) + "\n")
        for connections in CONNECTIONS:
            ours, theirs = [], []
            for turn in range(ROUNDS):
                pair = [(port, ours), (other, theirs)]
                for where, result in pair if turn % 2 else reversed(pair):
                    result.append(wrk(where, folder / "paths", connections))
            ratio = [[a[k] / b[k] for a, b in zip(ours, theirs)] for k in range(3)]
            name = f"/predict/{kind}?n=5, {label}, {connections} connections"
            show = lambda all, k, unit, by: spread([v[k] / by for v in all], unit, 0)
            table(name + ": requests/s", show(ours, 0, " k", 1e3), "constant body: " + show(theirs, 0, " k", 1e3),
                  spread(ratio[0], digits=2), "≥ 0.9")
            table("… p50", show(ours, 1, " µs", 1), show(theirs, 1, " µs", 1), spread(ratio[1], digits=2), "")
            table("… p99", show(ours, 2, " µs", 1), show(theirs, 2, " µs", 1), spread(ratio[2], digits=2), "≤ 1.5")


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


PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}


class Scraper:
    """One kept connection that asks as Prometheus does."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(self, headers):
        begun = time.perf_counter()
        self.connection.request("GET", "/metrics", headers=headers)
        body = self.connection.getresponse().read()
        return time.perf_counter() - begun, body

    def cpu(self):
        return float(re.search(rb"^process_cpu_seconds_total (\S+)", self.get({})[1], re.M)[1])

    def round(self, count=100):
        """Milliseconds: the median a client waits, and the CPU time of the whole tree for each."""
        before = self.cpu()
        waited = [self.get(PROMETHEUS)[0] for _ in range(count)]
        return statistics.median(waited) * 1e3, (self.cpu() - before) / (count + 1) * 1e3


def bench_scrape(build, model, folder, table):
    """What a scrape costs by the number of worker slots, and what it costs the others."""
    slots = (1, 16, 64)
    servers = [start(build, model, folder, workers, 4)[:2] for workers in slots]
    try:
        scrapers = [Scraper(port) for _, port in servers]
        for _, port in servers:     # not only zeros
            for path in ("/", "/model", "/nope", "/predict/item/85123A", "/predict/item/nope", "/predict/user/12350"):
                ask(port, path)
        rounds = [[scraper.round() for scraper in scrapers] for _ in range(ROUNDS)]
        for at, count in enumerate(slots):
            ours = [r[at] for r in rounds]
            least = [r[0] for r in rounds]
            other = "1 slot: " if at else ""
            table(f"scrape as Prometheus does it, {count} worker slot{'s' * (count > 1)}: round trip", spread([w for w, _ in ours], " ms"),
                  other and other + spread([w for w, _ in least], " ms"),
                  other and spread([a[0] / b[0] for a, b in zip(ours, least)], digits=2), "≤ 1 ms")
            table("… CPU time of master and workers", spread([c for _, c in ours], " ms"),
                  other and other + spread([c for _, c in least], " ms"),
                  other and spread([a[1] / b[1] for a, b in zip(ours, least)], digits=2), "≤ 1 ms")
    finally:
        for process, _ in servers:
            stop(process)
    process, port, _ = start(build, model, folder)
    try:
        (folder / "paths").write_text("/predict/item/85123A?n=5\n")
        ours, quiet = [], []
        for turn in range(2 * ROUNDS):
            over = threading.Event()
            scraper, scrapes = Scraper(port), []

            def scrape():
                while not over.wait(0.1):
                    scrapes.append(scraper.get(PROMETHEUS))

            thread = threading.Thread(target=scrape)
            if turn % 2:
                thread.start()
            (ours if turn % 2 else quiet).append(wrk(port, folder / "paths", 64))
            over.set()
            if turn % 2:
                thread.join()
        table("/predict/item, 64 connections, scraped 10 times a second: requests/s",
              spread([r[0] / 1e3 for r in ours], " k", 0), "not scraped: " + spread([r[0] / 1e3 for r in quiet], " k", 0),
              spread([a[0] / b[0] for a, b in zip(ours, quiet)], digits=2), "≥ 0.98")
        table("… p99", spread([r[2] for r in ours], " µs", 0), spread([r[2] for r in quiet], " µs", 0),
              spread([a[2] / b[2] for a, b in zip(ours, quiet)], digits=2), "")
    finally:
        stop(process)


def bench_monitoring(build, model, folder, ids, table):
    def begin(*more):
        process, port, _ = start(build, model, folder, more=more)
        return process, port

    monitoring.bench_monitoring(begin, stop, family, wrk, ids, folder, ROUNDS, spread, table)


def machine(build):
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1]) / 2**20
    name = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)["PRETTY_NAME"].strip('"')
    gcc = subprocess.run(["cc", "--version"], stdout=subprocess.PIPE).stdout.decode().splitlines()[0]
    version = subprocess.run([build / "akin-server", "-V"], stdout=subprocess.PIPE).stdout.decode().strip()
    return (f"{version}; {cpu[1].strip() if cpu else platform.machine()}, {WORKERS} cores, {total:.0f} GiB; {name}, "
            f"Linux {platform.release()}, {gcc}; {time.strftime('%d %B %Y', time.gmtime())}; "
            f"{ROUNDS} rounds, loads of {SECONDS} s, {WORKERS} workers × {THREADS} threads, client on the same cores")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    model = build / "online-retail.model"
    rows, missed = [], []

    def table(what, ours, other, ratio, reach):
        if reached.missed(ours, ratio, reach):
            missed.append(f"not reached: {what}: {ours}{', ratio ' + ratio if ratio else ''}, to be {reach}")
        rows.append(f"| {what} | {ours} | {other} | {ratio} | {reach} |")
        print(rows[-1], flush=True)

    rows += [machine(build), "", "| what | Akin | yardstick | ratio | to reach |", "|---|---|---|---|---|"]
    print(*rows, sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if sys.argv[2:] == ["monitoring"]:
            bench_monitoring(build, model, folder, ids_of_the_data(), table)
            sys.exit("\n".join(missed) or 0)
        bench_prep(build, folder, table)
        bench_start(build, model, folder, table)
        bench_scrape(build, model, folder, table)
        ids = ids_of_the_data()         # not before: a child's peak memory would begin with ours
        process, port, _ = start(build, model, folder)
        try:
            bench_load(build, port, folder, ids, table)
            total, own, shared, pss = memory(process.pid)
            table("process tree after the load, shared memory once", f"{total:.1f} MB",
                  f"{own:.1f} MB of processes and {shared:.1f} MB of segments; sum of PSS {pss:.1f} MB", "", "≤ 60 MB")
            bench_reload(process.pid, port, ids, table)
            paths = [f"/predict/item/{quote(i, safe='')}?n=5" for i in ids["item"]]
            paced.bench_reload_latency(process.pid, port, paths, ROUNDS, spread, table)
        finally:
            stop(process)
        bench_monitoring(build, model, folder, ids, table)
        bench_kill(build, model, folder, ids, table)
        bench_stop(build, model, folder, ids, table)
        process, port, _ = start(build, model, folder, 0, 0)
        try:
            overload.bench_busy(port, table)
            overload.bench_slow(port, table, ROUNDS, SECONDS)
        finally:
            stop(process)
    (build / "bench.md").write_text("\n".join(rows) + "\n")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
