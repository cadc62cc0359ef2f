"""A server that is measured: started, asked, loaded and stopped; and how a figure is written. For bench.py and its parts."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS", 7)), int(os.environ.get("BENCH_SECONDS", 1))
WORKERS = len(os.sched_getaffinity(0))
THREADS = max(64, -(-1024 // WORKERS))      # as with threads = 0


def spread(values, unit="", digits=3):
    return f"{statistics.median(values):.{digits}f}{unit} ({min(values):.{digits}f}–{max(values):.{digits}f})"


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


def family(pid):
    return [pid, *map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def wrk(port, paths, connections):
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", HERE / "ids.lua",
                          f"http://127.0.0.1:{port}", "--", paths], check=True, stdout=subprocess.PIPE).stdout.decode()
    found = json.loads(re.search(r"^JSON (.*)$", out, re.M)[1])
    if found["errors"]:
        print(f"wrk saw {found['errors']} errors", file=sys.stderr)
    return found["requests"] / found["us"] * 1e6, found["p50"], found["p99"], found["requests"]
