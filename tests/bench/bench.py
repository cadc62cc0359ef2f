#!/usr/bin/python3
"""Measure Akin against yardsticks on this machine and print one table.

usage: bench.py BUILD [monitoring]

Whatever is compared is measured in turns within this run, so that a slow minute hits both sides; a figure is the
median of its rounds, with the least and the most behind it, and a ratio is the median of the rounds' own ratios.
BENCH_ROUNDS (7) and BENCH_SECONDS (1, of each load) change the length. The table is also left in BUILD/bench.md. When a row
does not reach what its last column asks for, it is named at the end, and the exit status is 1. With `monitoring`, that part
alone is measured, and nothing is left.
"""
import os
import pathlib
import platform
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

import busy
import monitoring
import overload
import paced
import reach as reached
import scrape
from measured import ROUNDS, SECONDS, THREADS, WORKERS, ask, family, free_port, spread, start, stop, until_answer, wrk

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
CONNECTIONS = (16, 64, 256)
DATA = TOP / "tests/data/online-retail/OnlineRetail.csv.lz4"


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


def bench_start(build, model, folder, table):
    seconds = []
    for _ in range(ROUNDS):
        process, _, took = start(build, model, folder)
        seconds.append(took)
        stop(process)
    table("akin-server, start to first answer", spread(seconds, " s"), "", "", "≤ 0.5 s")


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
        scrape.bench_scrape(build, model, folder, table)
        ids = ids_of_the_data()         # not before: a child's peak memory would begin with ours
        process, port, _ = start(build, model, folder)
        try:
            bench_load(build, port, folder, ids, table)
            total, own, shared, pss = memory(process.pid)
            table("process tree after the load, shared memory once", f"{total:.1f} MB",
                  f"{own:.1f} MB of processes and {shared:.1f} MB of segments; sum of PSS {pss:.1f} MB", "", "≤ 60 MB")
            busy.bench_reload(process.pid, port, ids, table)
            paths = [f"/predict/item/{quote(i, safe='')}?n=5" for i in ids["item"]]
            paced.bench_reload_latency(process.pid, port, paths, ROUNDS, spread, table)
        finally:
            stop(process)
        bench_monitoring(build, model, folder, ids, table)
        busy.bench_kill(build, model, folder, ids, table)
        busy.bench_stop(build, model, folder, ids, table)
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
