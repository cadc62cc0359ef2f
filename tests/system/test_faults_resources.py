"""What there is too little of: shared memory, descriptors, memory, room for the log; and a clock, a port and a pid file that
are not as they were. See faults.py for what must be true after each."""
import contextlib
import datetime
import email.utils
import http.client
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import time

import pytest

import faults
import harness
from harness import until
from namespaces import needs_namespace, small_shm


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return faults.Shop(tmp_path_factory.mktemp("shop"), 1)


@pytest.fixture
def serve(start, shop, tmp_path):
    def serve(*arguments, **settings):
        path = tmp_path / "served.model"
        path.write_bytes(shop.bytes)
        return start(path, *arguments, **{"workers": 2, "threads": 32, **settings})
    return serve


def kill_one(server, but=None):
    """One that does not have this port's connection; and wait for another."""
    victim = until(lambda: [w for w in server.workers() if but not in faults.ports_of(w)], "one to kill")[0]
    count = len(server.workers())
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.workers() and len(server.workers()) == count, "a new worker")
    return victim


def serving(server):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return server.metric("akin_workers", state="serving") == len(server.workers())


# -- shared memory --------------------------------------------------------------------------------------------------

@needs_namespace
def test_full_shared_memory_at_the_start(start, model):
    server = start(model, wrapper=small_shm("2m"), wait=False)
    assert server.process.wait(harness.PATIENCE) == 1
    assert "No space left on device" in server.logged()
    harness.no_sanitizer_report(server.logged())


@needs_namespace
def test_full_shared_memory_later(serve, shop, model):
    """A model that does not fit is refused, also when others have filled the room to the last byte. Workers are replaced
    all the same. What was begun is gone. One that fits in the place of the generation kept for a rollback takes that."""
    server = serve(wrapper=small_shm("6m"))
    server.shm = pathlib.Path(f"/proc/{server.pid}/root/dev/shm")
    server.hup()
    load = faults.Load(server, [shop])
    with faults.steady(server, load):
        server.hup(model)
        assert "No space left on device" in server.logged()
        kill_one(server)
        with (server.shm / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        server.hup(model)
        kill_one(server)
        load.some()
        until(lambda: serving(server), "the new one to serve")
        samples = server.metrics()
        assert samples["akin_model_generation"] == 2 and "model.2" in " ".join(server.segments())
        assert len(server.segments()) <= 3      # the one kept for a rollback has had to go
        assert samples['akin_reloads_total{result="failure",reason="no_memory"}'] == 2
        server.hup(shop.bytes)
        assert server.generation() == 3 and "generation 1, kept for a rollback, gives way" in server.logged()
        (server.shm / "filler").unlink()
        server.hup(shop.bytes)
        assert server.generation() == 4
        until(lambda: load.generations[4], "it to be served")


# -- descriptors ----------------------------------------------------------------------------------------------------

def no_leaks():
    """They are looked for at the end of a process, with descriptors and memory of their own."""
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def limit(pid, which, soft):
    hard = resource.prlimit(pid, which)[1]
    resource.prlimit(pid, which, (soft, hard))


def test_no_descriptors_in_the_master(serve, shop):
    """A reload fails and says why; whoever is forked then can't serve and is tried again until it can."""
    server = serve(respawn_max_ms=200, env=no_leaks())
    server.hup()
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[0]
        limit(server.pid, resource.RLIMIT_NOFILE, 3)
        server.hup()
        assert server.generation() == 2 and "Too many open files" in server.logged()
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(re.findall("can't serve", server.logged())) >= 3, "its successors to fail")
        load.some()
        limit(server.pid, resource.RLIMIT_NOFILE, before)
        until(lambda: serving(server) and len(server.workers()) == 2, "one to serve")
        server.hup()
        until(lambda: load.generations[3], "the new generation")
    assert s.after['akin_worker_restarts_total{reason="exit"}'] >= 3
    assert not load.refused


def test_no_descriptors_in_a_worker(serve, shop):
    """More connections than descriptors: the surplus is told 503. A generation that can't be mapped for want of one is
    mapped as soon as there is one."""
    server = serve(workers=1, threads=64, open_files=48)
    server.hup()
    (worker,) = server.workers()
    load = faults.Load(server, [shop], kept=4, short=2)
    with faults.steady(server, load, others=("none",)):      # the half requests
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(80)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b"GET /hea")
        until(lambda: "out of file descriptors" in server.logged(), "the lack to be told")
        asked = []

        def missed():
            """A descriptor may be free for a moment, so it may take more than one."""
            if server.logged().count("is published") > 1 + len(asked):
                asked.append(server.send(signal.SIGHUP))
            return "goes on here" in server.logged()

        until(missed, "the worker to miss a reload")
        for client in clients:
            faults.reset(client)
        newest = lambda: server.logged().count("is published")
        until(lambda: load.generations[newest()] >= 20, "it to have it after all")
    assert server.workers() == [worker]
    assert server.metric("akin_connections_refused_total", reason="descriptors") >= load.shed


# -- memory ---------------------------------------------------------------------------------------------------------

def address_space(pid):
    return int(re.search(r"VmSize:\s+(\d+)", faults.proc(pid, "status").read_text())[1]) * 1024


def test_no_memory_in_the_master(serve, shop, model):
    """The same for address space: a large model is refused, a small one may be, and what is forked fails until there is
    some."""
    server = serve(respawn_max_ms=200, env=no_leaks())
    server.hup()
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        limit(server.pid, resource.RLIMIT_AS, address_space(server.pid) + (2 << 20))
        server.hup(model)
        assert "Cannot allocate memory" in server.logged()
        if not harness.SANITIZED:       # which can't do without memory itself
            os.kill(server.workers()[0], signal.SIGKILL)
            until(lambda: len(re.findall("since it never served", server.logged())) >= 2, "its successors to fail")
        load.some()
        limit(server.pid, resource.RLIMIT_AS, resource.RLIM_INFINITY)
        until(lambda: serving(server) and len(server.workers()) == 2, "one to serve")
        server.hup(shop.bytes)
        until(lambda: load.generations[3], "the new generation")
    assert s.after['akin_reloads_total{result="failure",reason="no_memory"}'] == 1
    assert not load.refused


def test_no_memory_in_a_worker(serve, shop):
    """Whoever needs more than there is gets a 500; who does not, an answer; and the worker lives. It can't map a new
    generation either, and serves the one it has, until it can."""
    server = serve(workers=1, threads=32)
    server.hup()
    (worker,) = server.workers()
    load = faults.Load(server, [shop], kept=4, short=0)
    with faults.steady(server, load):
        limit(worker, resource.RLIMIT_AS, address_space(worker))
        statuses = set()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for _ in range(20)]
            for path in ("/readyz", "/metrics") * 2:
                statuses |= {client.get(path, Accept_Encoding="gzip").status for client in clients}
        load.some()
        server.send(signal.SIGHUP)
        until(lambda: "generation 2 goes on here" in server.logged(), "the worker to miss the reload")
        limit(worker, resource.RLIMIT_AS, resource.RLIM_INFINITY)
        until(lambda: load.generations[3] >= 20, "it to have it after all")
    assert 200 in statuses and statuses <= {200, 500}
    assert server.workers() == [worker]


# -- the log --------------------------------------------------------------------------------------------------------

def small_log(size):
    """A file system for the log alone."""
    shm = small_shm("64m")
    shm[-2] = shm[-2].replace("&& exec", f"&& mkdir /dev/shm/log && mount -t tmpfs -o size={size} tmpfs /dev/shm/log && exec")
    return shm


def keeps_a_deleted_log(pid):
    links = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):        # closed meanwhile
            links.append(os.readlink(fd))
    return any(link.endswith("akin.log (deleted)") for link in links)


@needs_namespace
def test_the_logs_disk_is_full(serve, shop):
    """Lines are lost, and counted; nothing else is. With room again, the log goes on and says how many."""
    server = serve(wrapper=small_log("8k"), log="/dev/shm/log/akin.log", log_level="debug")
    folder = pathlib.Path(f"/proc/{server.pid}/root/dev/shm")
    server.shm = folder
    log = folder / "log/akin.log"
    load = faults.Load(server, [shop])
    server.hup()
    with faults.steady(server, load):
        for _ in range(80):
            server.hup()
        kill_one(server)
        assert log.stat().st_size <= 8192
        load.some()
        log.unlink()
        server.send(signal.SIGUSR1)
        until(lambda: log.exists() and not any(keeps_a_deleted_log(pid) for pid in (server.pid, *server.workers())),
              "all to have the new log: the old one has its room until then")
        server.hup()
        told = until(lambda: re.search(r"warn master\S+ (\d+) log lines before this one could not be written\n", log.read_text()),
                     "the number of lost lines")        # which is written after the reload has been counted
        assert int(told[1]) > 10
    assert server.generation() == 83 and not load.refused


# -- the clock ------------------------------------------------------------------------------------------------------

def last_line(server):
    """When it was written, as it says."""
    return datetime.datetime.fromisoformat(server.logged().splitlines()[-1].split("Z ")[0] + "+00:00").timestamp()


def test_the_clock_is_set(serve, shop, tmp_path):
    """By a day, back and forth: nothing waits for longer or shorter, nothing ends, nothing falls but the ages that are told
    and the dates."""
    clock = tmp_path / "clock"
    clock.write_bytes(struct.pack("<q", 0))
    env = {"LD_PRELOAD": str(harness.BUILD / "faults/clock.so"), "CLOCK_FILE": str(clock)}
    if harness.SANITIZED:
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    server = serve(env=env, request_timeout_ms=3000, keep_alive_ms=60000)
    server.hup()
    load = faults.Load(server, [shop])
    with faults.steady(server, load, others=("none",)) as s, server.client() as idle:    # the two 408
        assert idle.get("/readyz").status == 200
        for offset in (-86400, 0, 86400, -3600, 40 * 365 * 86400):
            with socket.create_connection(("127.0.0.1", server.port), timeout=harness.PATIENCE) as half:
                began = time.monotonic()
                half.sendall(b"GET /readyz H")
                port = half.getsockname()[1]
                until(lambda: any(port in faults.ports_of(w) for w in server.workers()), "it to be taken")
                load.some(20)           # and its time to have begun, before the clock moves
                with clock.open("r+b") as f:
                    f.write(struct.pack("<q", offset))
                half.sendall(b"T")      # whoever waits looks at the time that is left
                now = lambda: time.time() + offset
                told = email.utils.parsedate_to_datetime(idle.get("/readyz").headers["date"]).timestamp()
                assert abs(told - now()) < 5
                samples = server.metrics()
                age = samples["akin_model_age_seconds"]
                assert abs(age + samples["akin_model_created_timestamp_seconds"] - now()) < 5
                if offset == -3600:
                    for _ in range(4):
                        kill_one(server, idle.connection.sock.getsockname()[1])
                        load.some(20)
                else:
                    server.hup()
                until(lambda: abs(last_line(server) - now()) < 5, "a line of that time")
                load.some(20)
                if offset in (-86400, 86400):
                    assert half.recv(65536).startswith(b"HTTP/1.1 408 ")
                    assert 2.5 < time.monotonic() - began < harness.PATIENCE
                else:
                    with contextlib.suppress(ConnectionError):
                        half.sendall(b"TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                        assert half.recv(65536).startswith(b"HTTP/1.1 200 ") or offset == -3600    # whose worker died
    # four were killed, and their successors had as long as ever to start
    assert [s.after[f'akin_worker_restarts_total{{reason="{r}"}}'] for r in ("killed", "exit", "hung")] == [4, 0, 0]
    began = time.monotonic()
    assert server.stop() == 0 and time.monotonic() - began < harness.PATIENCE


# -- what others hold -----------------------------------------------------------------------------------------------

def test_the_port_is_taken(serve, start, shop):
    """The second one says so and ends; the first has not noticed."""
    server = serve()
    segments = set(harness.SHM.glob("akin.*.board"))
    load = faults.Load(server, [shop])
    with faults.steady(server, load):
        second = start(shop.path, port=server.port, wait=False)
        assert second.process.wait(harness.PATIENCE) == 1
        assert str(server.port) in second.logged().splitlines()[-1]
        load.some()
    left = [p for p in harness.SHM.glob("akin.*.board") if p not in segments and int.from_bytes(p.read_bytes()[52:56], "little") == second.pid]
    assert not left and not load.lost


def test_a_pid_file_of_somebody_else(start, shop, tmp_path):
    """What it says is of no account; the lock is. So a number that names a living process is overwritten, and a file that a
    master holds is left alone, whatever it says."""
    path = tmp_path / "akin.pid"
    path.write_text(f"{os.getpid()}\n")             # a living process, but no master
    server = start(shop.path, workers=2, threads=32, pid_file=path)
    assert int(path.read_text()) == server.pid
    load = faults.Load(server, [shop])
    with faults.steady(server, load):
        path.write_text("1\n")                      # and now the other way round
        second = start(shop.path, pid_file=path, wait=False)
        assert second.process.wait(harness.PATIENCE) == 1
        line = harness.one_line(second.logged())
        assert str(path) in line and str(server.pid) in line
        load.some()
    assert server.stop() == 0 and not path.exists()
