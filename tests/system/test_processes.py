"""Masters, workers, signals, and what each leaves behind when it goes."""
import http.client
import os
import re
import signal
import socket
import threading
import time

import pytest

import harness
from harness import alive, until
from slow import SlowReader, in_hand, stuck, until_stuck
from tiny import ANSWER, ROWS, fine


def test_as_many_workers_as_asked_for(start, small):
    server = start(small(ROWS), workers=3)
    until(lambda: len(server.workers()) == 3, "three workers")
    assert fine(server)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")


def test_a_worker_that_crashes_is_replaced(start, small):
    server = start(small(ROWS), workers=2)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGABRT)
    until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a new worker")
    assert fine(server)
    assert str(victim) in server.logged()


def test_workers_are_replaced_when_the_names_are_gone(start, small):
    """As systemd's RemoveIPC or an rm leaves it."""
    server = start(small(ROWS), workers=2)
    until(lambda: server.metric("akin_workers", state="serving") == 2, "both to serve")
    for generation in (1, 2):
        assert server.segments()
        for name in server.segments():
            (harness.SHM / name).unlink()
        for victim in server.workers():
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a new worker")
        until(lambda: server.answers() and server.metric("akin_workers", state="serving") == 2, "both to serve")
        for _ in range(10):
            assert fine(server) and server.get("/predict/item/A").generation == generation
        if generation == 1:
            server.hup()
    assert "never served" not in server.logged()


def test_a_living_masters_segments_are_left_alone(start, small):
    one = start(small(ROWS), workers=1)
    segments = one.segments()
    two = start(small(ROWS), workers=1)
    assert one.segments() == segments and len(two.segments()) == 2
    assert two.stop() == 0
    assert one.segments() == segments and fine(one)


def test_foreign_segments_are_left_alone(start, small):
    foreign = harness.SHM / f"akinder.{os.getpid()}.board"
    foreign.touch()
    try:
        start(small(ROWS), workers=1)
        assert foreign.exists()
    finally:
        foreign.unlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_stop_finishes_what_it_has_begun(start, small, number):
    """Every answer that begins also ends, and the end comes soon although connections are busy."""
    server = start(small(ROWS), workers=2, threads=24)
    broken, counts = [], [0] * 8

    def busy(me):
        while not broken:
            try:
                with server.client() as client:
                    while True:
                        answer = client.get("/predict/item/A?n=5")
                        if answer.status not in (200, 503) or (answer.status == 200 and answer.json["data"] != ANSWER):
                            broken.append(answer.body)
                        counts[me] += 1
                        if answer.headers.get("connection") == "close":
                            break
            except http.client.IncompleteRead as e:
                broken.append(repr(e))
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException):
                pass            # closed between two requests

    threads = [threading.Thread(target=busy, args=(me,), daemon=True) for me in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: all(counts), "every client's first answer")
    assert server.stop(number) == 0
    for thread in threads:
        thread.join(harness.PATIENCE)
    assert not broken and server.segments() == []
    assert "AddressSanitizer" not in server.logged()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stop_finishes_an_answer_that_is_slow_to_be_taken(start, model, number):
    server = start(model, max_n=10000, request_timeout_ms=600000, stop_timeout_ms=600000, drain_timeout_ms=600000)
    reader = SlowReader(server)
    until_stuck(server)
    server.send(number)
    until(lambda: "stopping" in server.logged(), "the drain to begin")
    whole, rest = reader.read()
    reader.close()
    assert 1 <= whole <= reader.count and not rest, (whole, rest[:100])
    assert server.process.wait(harness.PATIENCE) == 0


def test_an_orphan_waits_for_nobody_long(start, model):
    """It leaves within two seconds of its master, for the port's sake, whoever still takes an answer."""
    server = start(model, workers=1, max_n=10000, request_timeout_ms=60000)
    reader = SlowReader(server)
    until(stuck(server), "the answer to fill all buffers")
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE)
    until(lambda: not any(alive(w) for w in workers), "the worker to leave", 8)
    reader.close()
    for name in server.segments():          # nobody was left to remove them
        (harness.SHM / name).unlink()


def worker_state(server):
    """Of slot 0, as its board has it: 1 starting, 2 serving, 3 draining."""
    board = (harness.SHM / f"akin.{server.token}.board").read_bytes()
    slots = int.from_bytes(board[24:32], "little")
    return int.from_bytes(board[slots + 4:slots + 8], "little")


def test_a_request_sent_just_after_the_stop_is_answered(start, small):
    """On a connection that was open: its client could not know yet, and has a quarter of a second."""
    for _ in range(5):
        server = start(small(ROWS), workers=1)
        until(lambda: worker_state(server) == 2, "the worker to serve")
        with server.client() as client:
            assert client.get("/").status == 200
            server.send(signal.SIGTERM)
            until(lambda: worker_state(server) == 3, "the drain to begin")
            seen = time.monotonic()
            until(lambda: time.monotonic() > seen + 0.05, "the door to be shut")
            if time.monotonic() > seen + 0.15:
                continue                # this machine is too busy just now
            answer = client.get("/predict/item/A?n=5")
            assert answer.json["data"] == ANSWER and answer.headers["connection"] == "close"
        assert server.process.wait(harness.PATIENCE) == 0
        return
    raise AssertionError("five times the machine was too busy to tell")


def test_what_waited_at_the_door_is_answered(start, small):
    """Connections that the kernel had taken in when the stop came, and the worker had not."""
    server = start(small(ROWS), workers=1, threads=64)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    until(lambda: harness.pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "the stop")
    waiting = [server.client() for _ in range(40)]
    for client in waiting:
        client.connection.request("GET", "/predict/item/A?n=5")
    server.send(signal.SIGTERM)
    until(lambda: "stopping" in server.logged(), "the drain to begin")
    os.kill(worker, signal.SIGCONT)
    for client in waiting:
        assert harness.json.loads(client.connection.getresponse().read())["data"] == ANSWER
        client.close()
    assert server.process.wait(harness.PATIENCE) == 0


def test_what_was_in_a_dead_workers_hands_is_told(start, model):
    server = start(model, workers=1, max_n=10000, request_timeout_ms=600000)
    reader = SlowReader(server)
    until_stuck(server)
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.answers() and in_hand(server, 0)(), "nothing to be in hand")
    assert server.metric("akin_requests_unanswered_total") in (1, 2)    # the scrape may not have been over either
    reader.close()


def test_a_reload_waits_for_nobody(start, model, tmp_path):
    """An answer that is slow to be taken comes whole from the generation it began with; others have the new one."""
    path = tmp_path / "served.model"
    path.write_bytes(model.read_bytes())
    server = start(path, workers=1, max_n=10000, request_timeout_ms=600000)
    reader = SlowReader(server)
    until_stuck(server)
    for generation in range(2, 9):
        server.hup()
        assert server.generation() == generation
        until(lambda: server.get("/predict/item/85123A").generation > 1, "a new generation here")
    reader.socket.shutdown(socket.SHUT_WR)
    whole, rest = reader.read()
    reader.close()
    assert whole == reader.count and not rest
    until(lambda: server.get("/predict/item/85123A").generation == 8, "the newest generation", 5)


def test_stop_is_bounded(start, small):
    """Idle connections and half a request do not keep it."""
    server = start(small(ROWS), stop_timeout_ms=1000)
    with server.client() as idle, server.client() as half:
        assert idle.get("/").status == 200
        half.connection.sock.sendall(b"GET / HTTP/1.1\r\nHo")
        server.send(signal.SIGTERM)
        assert server.process.wait(10) in (0, 1)
    assert server.segments() == []


def test_usr1_opens_the_log_again(start, small, tmp_path):
    log = tmp_path / "akin.log"
    server = start(small(ROWS), log=log)
    until(lambda: log.stat().st_size, "something in the log")
    log.rename(tmp_path / "akin.log.1")
    server.hup()
    assert not log.exists()
    server.send(signal.SIGUSR1)
    until(log.exists, "the new log")
    size = (tmp_path / "akin.log.1").stat().st_size
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)     # something to log
    until(lambda: log.stat().st_size and len(server.workers()) == 2, "a line in the new log")
    server.hup()
    until(lambda: fine(server), "right answers")
    assert (tmp_path / "akin.log.1").stat().st_size == size


def test_workers_open_the_log_again_too(start, small, tmp_path):
    log = tmp_path / "akin.log"
    server = start(small(ROWS), log=log)
    workers = server.workers()
    log.rename(tmp_path / "akin.log.1")
    server.send(signal.SIGUSR1)
    until(log.exists, "the new log")
    until(lambda: all(str(log) in files(w) for w in workers), "the workers to have it open")
    assert not any(str(tmp_path / "akin.log.1") in files(w) for w in workers)


def files(pid):
    """What a process has open."""
    found = set()
    for entry in harness.pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(os.readlink(entry))
        except FileNotFoundError:
            pass
    return found


def test_every_log_line_is_one_sentence(start, small):
    server = start(small(ROWS))
    server.hup()
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.metric("akin_worker_restarts_total") == 1 and len(server.workers()) == 2, "a new worker")
    assert server.stop() == 0
    for line in server.logged().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) \S+\[\d+\]: \S", line), line


def test_a_log_that_nobody_reads_stops_nothing(start, small, tmp_path):
    """stderr is a pipe, as under a supervisor, and its reader has stalled."""
    pipe = tmp_path / "stderr"
    os.mkfifo(pipe)
    reader, filler = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)

    def fill():
        for size in (4096, 1):
            try:
                while True:
                    os.write(filler, b"#" * size)
            except BlockingIOError:
                pass

    def read():
        parts = []
        try:
            while part := os.read(reader, 1 << 16):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts).decode()

    server = start(small(ROWS), wrapper=["sh", "-c", 'exec "$@" 2> "$0"', str(pipe)], log_level="debug")
    flags = re.search(r"flags:\s+(\d+)", harness.pathlib.Path(f"/proc/{server.pid}/fdinfo/2").read_text())[1]
    assert not int(flags, 8) & os.O_NONBLOCK        # that would be everybody's who has this pipe
    fill()
    for generation in range(2, 6):
        server.hup()
        assert server.generation() == generation
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.workers() and len(server.workers()) == 2 and fine(server), "a new worker")
    read()
    server.hup()
    said = read()
    lost = re.search(r"warn master\S+ (\d+) log lines before this one could not be written\n(?s:.*)generation 6 is", said)
    assert lost and int(lost[1]) >= 5, said
    fill()
    assert server.stop() == 0
    os.close(reader)
    os.close(filler)


def test_pid_file(start, small, tmp_path):
    path = tmp_path / "akin.pid"
    server = start(small(ROWS), pid_file=path)
    assert int(path.read_text()) == server.pid
    second = start(small(ROWS), pid_file=path, wait=False)
    assert second.process.wait(harness.PATIENCE) == 1
    assert str(path) in second.logged()
    assert int(path.read_text()) == server.pid and fine(server)
    assert server.stop() == 0
    assert not path.exists() or not path.read_text().strip()
