"""Processes that are killed, stopped, signalled too often, or do what they must not: see faults.py for what must be true
after each of them, and docs/reliability.md for what is promised."""
import os
import random
import re
import signal
import time

import pytest

import faults
import harness
from harness import alive, until

KILLS = 8 if harness.SANITIZED else 20
STORM_S = 1 if harness.SANITIZED else 3


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return faults.Shop(tmp_path_factory.mktemp("shop"), 1)


@pytest.fixture
def serving(start, shop, tmp_path):
    path = tmp_path / "served.model"
    path.write_bytes(shop.bytes)
    return start(path, workers=3, threads=32)


def state(pid):
    try:
        return faults.proc(pid, "stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def replaced(server, victim, count):
    return lambda: victim not in server.workers() and len(server.workers()) == count


def test_kill_9_of_a_worker_under_load(serving, shop):
    """Only what was in its hands fails: no connection of another worker breaks."""
    load, chance = faults.Load(serving, [shop]), random.Random(2)
    with faults.steady(serving, load) as s:
        for _ in range(KILLS):
            victim = chance.choice(serving.workers())
            until(lambda: faults.ports_of(victim), "it to have a connection")
            load.some(50)                           # nor is it new: a new one's successor would have to wait
            os.kill(victim, signal.SIGSTOP)         # so that what it has can be seen
            until(lambda: state(victim) == "T", "it to stand still")
            its, lost = faults.ports_of(victim), len(load.lost)
            os.kill(victim, signal.SIGKILL)
            until(replaced(serving, victim, 3), "a new worker")
            load.some(50)
            assert {port for port, _ in load.lost[lost:]} <= its
        until(lambda: serving.metric("akin_workers", state="serving") == 3, "all to serve")
    assert s.after['akin_worker_restarts_total{reason="killed"}'] == KILLS
    assert not load.refused and not load.shed
    assert s.after["akin_requests_unanswered_total"] <= len(load.lost) + KILLS      # a scrape may be among each's


def test_kill_9_of_the_master_under_load(start, shop, tmp_path):
    """The workers answer what they have in hand and are gone in two seconds; then the port is free, and the pid file and
    /dev/shm are as good as new."""
    pid_file = tmp_path / "akin.pid"
    server = start(shop.path, workers=3, threads=32, pid_file=pid_file)
    load = faults.Load(server, [shop]).begin()
    load.some()
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    killed = time.monotonic()
    server.process.wait(harness.PATIENCE)
    until(lambda: not any(alive(w) for w in workers), "the workers to leave")
    took = time.monotonic() - killed
    assert took < (10 if harness.SANITIZED else 5), took    # two, and what a busy machine adds
    load.end()
    assert not [n for _, n in load.lost if n], "an answer was cut off"
    again = start(shop.path, workers=3, threads=32, pid_file=pid_file, port=server.port)
    assert server.segments() == []                          # nobody was left to remove them, until now
    assert int(pid_file.read_text()) == again.pid
    with faults.steady(again, load := faults.Load(again, [shop])):
        load.some()
    assert not load.lost and not load.refused


def test_a_stopped_worker(start, shop):
    """What it has in hand hangs; all others are served by the others, and a reload and a scrape, too. It goes on where it
    was."""
    server = start(shop.path, workers=3, threads=32, worker_hung_ms=0)
    server.hup()
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        victim = server.workers()[1]
        os.kill(victim, signal.SIGSTOP)
        try:
            until(lambda: state(victim) == "T", "it to stand still")
            its = faults.ports_of(victim)
            for _ in range(5):
                with server.client() as client:     # a new one is taken by a worker that can
                    assert client.get("/readyz").status == 200
            assert [c for c in load.callers if c.port not in its], "the others have some"
            load.some(500)
            server.hup()
            until(lambda: load.generations[3], "the new generation")
            held = [c for c in load.callers if c.port in its]
        finally:
            os.kill(victim, signal.SIGCONT)
        until(lambda: all(c.port not in its or not c.asked or time.monotonic() - c.sent_at < 1 for c in held), "them to be answered")
        until(lambda: "model.3" in faults.proc(victim, "maps").read_text(), "it to have the new generation")
    assert not load.lost and not load.refused
    assert s.after["akin_worker_restarts_total{reason=\"killed\"}"] == 0


def test_a_worker_that_hangs_is_replaced(start, shop):
    """Nobody wakes it: its master notices, says so, and gives its place to another. A stop does not wait for it."""
    server = start(shop.path, workers=3, threads=32, worker_hung_ms=2000, stop_timeout_ms=1000)
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        victim = server.workers()[1]
        os.kill(victim, signal.SIGSTOP)
        until(lambda: state(victim) == "T", "it to stand still")
        its = faults.ports_of(victim)
        until(replaced(server, victim, 3), "a new worker")
        assert re.search(rf"warn .*worker \d \(pid {victim}\) has given no sign of life for [2-9]\.\d s", server.logged())
        load.some()
        assert {port for port, _ in load.lost} <= its
    assert s.after["akin_worker_restarts_total{reason=\"hung\"}"] == 1
    assert s.after["akin_worker_restarts_total{reason=\"killed\"}"] == 0
    os.kill(server.workers()[0], signal.SIGSTOP)
    began = time.monotonic()
    server.send(signal.SIGTERM)
    server.process.wait(harness.PATIENCE)
    assert time.monotonic() - began < harness.PATIENCE and server.segments() == []


def test_a_tree_that_stood_still_is_not_hung(start, shop):
    """Whoever stops all of it, as a suspend, a frozen container or a debugger does, finds all of it again."""
    server = start(shop.path, workers=3, threads=32, worker_hung_ms=1000)
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        tree = [server.pid, *server.workers()]
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: time.monotonic() > began + 2.5, "longer than anybody may be silent")
        for pid in tree:
            os.kill(pid, signal.SIGCONT)        # the master first
        load.some()
        assert faults.processes(server) == tree
    assert s.after["akin_worker_restarts_total{reason=\"hung\"}"] == 0
    assert not load.lost


def test_50_hups_a_second_under_load(serving, shop):
    """No request fails and no connection closes. Hups that come during a reload are one reload more."""
    serving.hup()
    load = faults.Load(serving, [shop])
    with faults.steady(serving, load) as s:
        sent, began = 0, time.monotonic()
        while (now := time.monotonic()) < began + STORM_S:
            if now >= began + sent / 50:
                serving.send(signal.SIGHUP)
                sent += 1
            time.sleep(0.001)
        now = lambda: (serving.loader(), serving.metric("akin_reloads_total"))
        seen = [now()]
        until(lambda: seen.append(now()) or seen[-5:] == [(None, seen[-1][1])] * 5, "the storm's end")
        serving.hup()
        newest = serving.generation()
        until(lambda: load.generations[newest], "the newest generation")
        until(lambda: all(f"model.{newest}" in faults.proc(w, "maps").read_text() for w in serving.workers()), "it everywhere")
    after = s.after
    assert 3 <= faults.total(after, "akin_reloads_total") == newest - 1 <= sent + 2
    assert faults.total(after, "akin_reloads_total", result="success") == newest - 1
    assert not load.lost and not load.refused and not load.shed


# -- what a worker must not do: traps.c is preloaded, and a signal makes it do it -------------------------------------

@pytest.fixture
def trapped(start, shop):
    def trapped(**settings):
        traps = harness.BUILD / "faults/traps.so"
        env = {"LD_PRELOAD": str(traps)}
        if harness.SANITIZED:           # its own handler would turn the signal into a report and an exit
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:handle_segv=0"
        return start(shop.path, workers=3, threads=32, env=env, **settings)
    return trapped


@pytest.mark.skipif(harness.BUILD.name == "valgrind", reason="it reports the very fault that is made; SIGSYS is its own")
@pytest.mark.parametrize("where, number", [("the model", signal.SIGTRAP), ("the board", signal.SIGSYS)])
def test_a_worker_that_writes_where_it_must_not_dies_alone(trapped, shop, where, number):
    server = trapped()
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        for _ in range(3):
            victim = random.choice(server.workers())
            os.kill(victim, number)
            until(replaced(server, victim, 3), "a new worker")
            assert re.search(rf"\(pid {victim}\) was killed by signal 11 ", server.logged()), where
            load.some()             # whose answers are checked
    assert s.after['akin_worker_restarts_total{reason="signal"}'] == 3
    assert not load.refused


@pytest.mark.skipif(harness.BUILD.name == "valgrind", reason="it gives the signal to any thread, not to the main one")
def test_a_worker_in_a_loop_is_replaced(trapped, shop):
    """Its main thread never comes back, though its others serve."""
    server = trapped(worker_hung_ms=1000)
    load = faults.Load(server, [shop])
    with faults.steady(server, load) as s:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGFPE)
        until(replaced(server, victim, 3), "a new worker")
        load.some()
    assert s.after['akin_worker_restarts_total{reason="hung"}'] == 1
