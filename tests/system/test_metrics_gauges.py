"""What /metrics says of workers, threads, connections and processes, against what was done to them and what the kernel says."""
import collections
import os
import random
import re
import shutil
import signal
import socket

import pytest

import harness
from harness import until
from mixture import ask
from namespaces import own_proc
from tiny import ROWS

# -- workers, threads, connections ---------------------------------------------------------------------------------

def of_workers(samples, name):
    return {int(m[1]): v for k, v in samples.items() if (m := re.fullmatch(name + r'\{worker="(\d+)"\}', k))}


def test_threads_and_connections(start, small):
    """Kept connections are active and idle; one that has said half a request keeps its thread busy."""
    server = start(small(ROWS), workers=1, threads=5, keep_alive_ms=600000)

    def gauges():
        samples = server.metrics()      # a connection more, with a request in hand
        return [of_workers(samples, "akin_" + name)[0] for name in ("threads", "threads_busy", "connections_active")]

    until(lambda: gauges() == [5, 1, 1], "the scrape's own connection alone")
    accepted = server.metric("akin_connections_accepted_total")
    with server.client() as one, server.client() as two, server.client() as three:
        for client in (one, two, three):
            assert client.get("/").status == 200
        until(lambda: gauges() == [5, 1, 4], "idle connections")
        three.connection.sock.sendall(b"GET / HT")
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"GET / HT")
            until(lambda: gauges()[1:] == [2, 5], "a connection whose first request does not come")
            half.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in half.recv(65536)
            until(lambda: gauges()[1:] == [1, 5], "it to be idle")
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"G")
            until(lambda: gauges()[1] == 2, "another such connection")
        until(lambda: gauges()[1:] == [1, 4], "it to be gone without a word")
    until(lambda: gauges() == [5, 1, 1], "the scrape's own connection alone")
    assert server.metric("akin_connections_accepted_total") >= accepted + 5


def test_connections_that_wait_for_a_thread(start, small):
    """All threads but one are held by half requests; what comes then waits in the kernel, and is told by that one."""
    server = start(small(ROWS), workers=1, threads=3)
    with server.client() as client:
        assert client.get("/").status == 200
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        for s in held:
            s.sendall(b"GET / HT")
        until(lambda: b'akin_threads_busy{worker="0"} 3\n' in client.get("/metrics").body, "three busy threads")
        # From now on there is no thread for anybody else, and this one is never idle for long.
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        for s in waiting:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            until(lambda: re.search(rb"^akin_connections_waiting [34]$", client.get("/metrics").body, re.M), "them to wait")
        finally:
            for s in held:
                s.close()
        for s in waiting:
            assert b" 200 " in s.recv(65536)
            s.close()
    until(lambda: server.metric("akin_connections_waiting") == 0, "nobody to wait")


def test_refused_connections_are_those_that_were_told(start, small):
    server = start(small(ROWS), workers=1, threads=64, open_files=48)
    clients, told = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)], 0
    for client in clients:
        client.sendall(b"GET /hea")         # half a request: it holds its thread
    until(lambda: server.logged().count("out of file descriptors"), "a refusal")
    for client in clients:
        client.setblocking(False)

    def refused():
        nonlocal told
        for client in clients:
            try:
                told += b" 503 " in client.recv(65536)
            except OSError:                 # nothing there
                pass
        return told

    until(lambda: refused() >= 5, "refusals")
    until(lambda: refused() == refused(), "no more of them")
    for client in clients:
        client.close()
    until(server.answers, "answers again")
    assert server.metric("akin_connections_refused_total", reason="descriptors") >= told >= 5


def test_states_of_workers(start, small):
    server = start(small(ROWS), workers=3)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")
    samples = server.metrics()
    assert [samples[f'akin_workers{{state="{s}"}}'] for s in ("missing", "starting", "draining")] == [0, 0, 0]
    # One that can't be replaced is missing: nobody can, once the limit on processes is reached by a stopped master.
    victim = server.workers()[0]
    server.send(signal.SIGSTOP)
    os.kill(victim, signal.SIGTERM)
    until(lambda: server.metric("akin_workers", state="draining") == 1, "one to drain, and nobody to reap it")
    server.send(signal.SIGCONT)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve again")
    assert server.metric("akin_worker_restarts_total", reason="exit") == 1


def test_requests_by_worker(start, small):
    server = start(small(ROWS), workers=3)
    asked = collections.Counter()
    ask(server, asked, random.Random(3), 90)
    found = of_workers(server.metrics(), "akin_worker_requests_total")
    assert set(found) == {0, 1, 2} and max(found.values()) >= 90      # one connection is one worker's


# -- the process tree ---------------------------------------------------------------------------------------------

def proc(pid, name):
    return harness.pathlib.Path(f"/proc/{pid}/{name}")


def stat(pid):
    return proc(pid, "stat").read_text().rsplit(")", 1)[1].split()


def test_process_figures_are_the_kernels(start, small):
    server = start(small(ROWS), workers=3, threads=8)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")
    until(lambda: "akin_monitor_age_seconds" in server.metrics(), "the monitor to have looked")
    tree = [server.pid, server.monitor(), *server.workers()]
    samples = server.metrics()
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    cpu = sum(int(stat(p)[11]) + int(stat(p)[12]) for p in tree) / tick
    assert cpu - 0.5 <= samples["process_cpu_seconds_total"] <= cpu + 0.01 * len(tree)
    assert samples["process_threads"] == sum(len(list(proc(p, "task").iterdir())) for p in tree)
    assert samples["process_virtual_memory_bytes"] == pytest.approx(sum(int(stat(p)[20]) for p in tree), rel=0.01)
    assert samples["process_resident_memory_bytes"] == pytest.approx(sum(int(stat(p)[21]) for p in tree) * page, rel=0.1)
    own_connection = 1      # and maybe the one before, which is about to be closed
    until(lambda: server.metrics()["process_open_fds"] == sum(len(list(proc(p, "fd").iterdir())) for p in tree) + own_connection,
          "as many descriptors as there are")
    limits = proc(server.pid, "limits").read_text()
    assert samples["process_max_fds"] == int(re.search(r"Max open files +(\d+)", limits)[1])
    boot = int(re.search(r"btime (\d+)", harness.pathlib.Path("/proc/stat").read_text())[1])
    assert samples["process_start_time_seconds"] == pytest.approx(boot + int(stat(server.pid)[19]) / tick, abs=2)
    pss = sum(int(re.search(r"^Pss: +(\d+)", proc(p, "smaps_rollup").read_text(), re.M)[1]) for p in tree) * 1024
    assert samples["akin_process_proportional_memory_bytes"] == pytest.approx(pss, rel=0.3)
    assert samples["akin_process_proportional_memory_bytes"] < samples["process_resident_memory_bytes"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and process namespaces")
def test_a_foreign_proc_is_not_believed(start, small):
    """In a namespace of process ids of its own, with the /proc of another one, the ids there are other processes."""
    no_leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}     # they look into /proc, too
    wrapper = ["unshare", "--pid", "--fork", "--kill-child"]
    samples = start(small(ROWS), wrapper=wrapper, env=no_leaks).metrics()
    assert samples["process_cpu_seconds_total"] > 0
    for name in ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads", "process_open_fds"):
        assert name not in samples
    samples = start(small(ROWS), wrapper=own_proc()).metrics()
    assert samples["process_resident_memory_bytes"] > 1e6 and samples["process_open_fds"] > 10


def test_cpu_time_never_goes_back(start, small):
    """Scrapes without a pause, while workers that have worked are killed."""
    server = start(small(ROWS), workers=2)
    last, kills = 0, 8
    for _ in range(kills):
        ask(server, collections.Counter(), random.Random(1), 100)
        victim = server.workers()[-1]
        used = (int(stat(victim)[11]) + int(stat(victim)[12])) / os.sysconf("SC_CLK_TCK")
        before = server.metrics()["process_cpu_seconds_total"]
        os.kill(victim, signal.SIGKILL)
        gone = False
        while not gone:
            gone = victim not in server.workers() and len(server.workers()) == 2
            try:
                now = server.metrics()["process_cpu_seconds_total"]
            except (OSError, harness.http.client.HTTPException):    # it was asked of the dead
                continue
            assert now >= last, "CPU time went back"
            last = now
        assert last >= before >= used
