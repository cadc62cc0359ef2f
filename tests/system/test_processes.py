"""Masters, workers, signals, and what each leaves behind when it goes."""
import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import harness
from harness import alive, until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]
ANSWER = {"A": ["B", "C"]}


def fine(server):
    return server.get("/predict/item/A?n=5").json["data"] == ANSWER


def test_as_many_workers_as_asked_for(start, small):
    server = start(small(ROWS), workers=3)
    assert len(server.workers()) == 3 and fine(server)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")


def test_a_killed_worker_is_replaced(start, small):
    server = start(small(ROWS), workers=2)
    for _ in range(5):
        before = set(server.workers())
        victim = random.choice(sorted(before))
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(set(server.workers()) - {victim}) == 2, "a new worker")
        until(lambda: fine(server), "right answers")
    assert server.metric("akin_worker_deaths_total") == 5


def test_a_worker_that_crashes_is_replaced(start, small):
    server = start(small(ROWS), workers=2)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGABRT)
    until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a new worker")
    assert fine(server)
    assert str(victim) in server.logged()


def test_requests_go_on_while_idle_workers_are_killed(start, small):
    """A listener that workers share loses no connection that waits when one of them dies."""
    server = start(small(ROWS), workers=2, threads=16)
    failed = 0
    for at in range(400):
        if at % 100 == 50:
            os.kill(server.workers()[0], signal.SIGKILL)
        try:
            assert fine(server)
        except (OSError, http.client.HTTPException):
            failed += 1
    assert failed <= 4      # at most the one in the victim's hands each time


def test_workers_leave_when_the_master_is_killed(start, small):
    server = start(small(ROWS), workers=2)
    workers, segments = server.workers(), server.segments()
    assert len(segments) == 2
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE)
    until(lambda: not any(alive(w) for w in workers), "the workers to leave", 10)
    with pytest.raises(OSError):
        server.get("/")
    assert server.segments() == segments       # nobody was left to remove them
    other = start(small(ROWS), workers=1)
    assert server.segments() == [] and len(other.segments()) == 2
    assert fine(other)


def test_the_port_is_free_after_a_kill(start, small):
    server = start(small(ROWS))
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE)
    until(lambda: not any(alive(w) for w in workers), "the workers to leave", 10)
    assert fine(start(small(ROWS), port=server.port))


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


def test_a_port_that_is_taken(start, small, tmp_path):
    first = start(small(ROWS))
    second = start(small(ROWS), port=first.port, wait=False)
    assert second.process.wait(harness.PATIENCE) == 1
    assert str(first.port) in second.logged()
    assert fine(first)
    assert not [p for p in harness.SHM.glob("akin.*") if first.token not in p.name and board_of(p) == second.pid]


def board_of(path):
    """The pid of the master whose board this is, if it is one."""
    return None if "board" not in path.name else int.from_bytes(path.read_bytes()[52:56], "little")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_stop_finishes_what_it_has_begun(start, small, number):
    """Every answer that begins also ends, and the end comes soon although connections are busy."""
    server = start(small(ROWS), workers=2, threads=24)
    broken, counts, started = [], [0] * 8, threading.Event()

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


class SlowReader:
    """Asks for far more than the socket buffers hold and reads nothing, so that the request stays in hand."""

    def __init__(self, server):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(harness.PATIENCE)
        self.socket.connect(("127.0.0.1", server.port))
        one = b"GET /predict/user/12350?n=10000&details=true HTTP/1.1\r\nHost: x\r\n\r\n"
        self.count = 24
        self.socket.sendall(one * self.count)

    def read(self):
        """All that comes until the end; how many whole answers that is, and what is left over."""
        parts = []
        try:
            while part := self.socket.recv(1 << 20):
                parts.append(part)
        except ConnectionResetError:
            parts.append(b"(reset)")
        rest, whole = b"".join(parts), 0
        while rest:
            head, blank, body = rest.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            if not blank or len(body) < int(length[1]):
                break
            whole, rest = whole + 1, body[int(length[1]):]
        return whole, rest

    def close(self):
        self.socket.close()


def in_hand(server, count):
    """The scrape itself is one."""
    return lambda: server.metric("http_requests_inprogress") == count + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stop_finishes_an_answer_that_is_slow_to_be_taken(start, model, number):
    server = start(model, max_n=10000)
    reader = SlowReader(server)
    until(in_hand(server, 1), "the answer to be in hand")
    server.send(number)
    until(lambda: "stopping" in server.logged(), "the drain to begin")
    whole, rest = reader.read()
    reader.close()
    assert 1 <= whole <= reader.count and not rest, (whole, rest[:100])
    assert server.process.wait(harness.PATIENCE) == 0


def test_what_was_in_a_dead_workers_hands_is_told(start, model):
    server = start(model, workers=1, max_n=10000)
    reader = SlowReader(server)
    until(in_hand(server, 1), "the answer to be in hand")
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.answers() and in_hand(server, 0)(), "nothing to be in hand")
    assert server.metric("akin_requests_unanswered_total") in (1, 2)    # the scrape may not have been over either
    reader.close()


def test_a_reload_waits_for_nobody(start, model, tmp_path):
    """An answer that is slow to be taken comes whole from the generation it began with; others have the new one."""
    path = tmp_path / "served.model"
    path.write_bytes(model.read_bytes())
    server = start(path, workers=1, max_n=10000)
    reader = SlowReader(server)
    until(in_hand(server, 1), "the answer to be in hand")
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
    assert (tmp_path / "akin.log.1").stat().st_size == size
    until(lambda: fine(server), "right answers")


def test_every_log_line_is_one_sentence(start, small):
    server = start(small(ROWS))
    server.hup()
    os.kill(server.workers()[0], signal.SIGKILL)
    until(lambda: server.metric("akin_worker_deaths_total") == 1 and len(server.workers()) == 2, "a new worker")
    assert server.stop() == 0
    for line in server.logged().splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) \S+\[\d+\]: \S", line), line


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


def test_a_stale_pid_file(start, small, tmp_path):
    path = tmp_path / "akin.pid"
    path.write_text(f"{os.getpid()}\n")         # a living process, but no master
    server = start(small(ROWS), pid_file=path)
    assert int(path.read_text()) == server.pid and fine(server)


def test_a_stopped_worker_does_not_stop_the_service(start, small):
    server = start(small(ROWS), workers=2, threads=8)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        answered = 0
        for _ in range(50):
            try:
                with server.client(timeout=1) as client:
                    answered += client.get("/").status == 200
            except OSError:
                pass            # this one waits in the stopped worker's hands
            if answered >= 5:
                break
        assert answered >= 5
    finally:
        os.kill(victim, signal.SIGCONT)
    assert fine(server)


def test_out_of_descriptors_and_back(start, small):
    """More connections than descriptors: shed or waiting, no spin, and well again when they are gone."""
    server = start(small(ROWS), workers=1, threads=64, open_files=48)
    (worker,) = server.workers()
    clients = []
    try:
        for _ in range(80):
            clients.append(harness.socket.create_connection(("127.0.0.1", server.port)))
            clients[-1].sendall(b"GET /hea")
    finally:
        for client in clients:
            client.close()
    until(lambda: fine(server), "answers again")
    assert server.workers() == [worker]


# -- a full /dev/shm, in a mount namespace of our own -------------------------------------------------------------

def small_shm(size):
    """Nothing of it can be seen outside. Not all of / is made private, since in a chroot / is no mount."""
    return ["unshare", "-m", "--propagation", "unchanged", "sh", "-c",
            f'mount --make-rprivate /dev && mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"', "sh"]


def can_unshare():
    return os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(
        [*small_shm("1m"), "true"], stderr=subprocess.DEVNULL).returncode == 0


needs_namespace = pytest.mark.skipif(not can_unshare(), reason="needs root and mount namespaces")


@needs_namespace
def test_full_shared_memory_at_start(start, model):
    server = start(model, wrapper=small_shm("2m"), wait=False)
    assert server.process.wait(harness.PATIENCE) == 1
    logged = server.logged()
    assert "No space left on device" in logged, logged
    harness.no_sanitizer_report(logged)


@needs_namespace
def test_full_shared_memory_at_reload(start, small, model):
    server = start(small(ROWS), wrapper=small_shm("6m"), workers=1)
    assert fine(server)
    shm = harness.pathlib.Path(f"/proc/{server.pid}/root/dev/shm")
    assert len(list(shm.iterdir())) == 2
    server.hup(model)
    assert server.generation() == 1 and server.metric("akin_last_reload_successful") == 0
    assert fine(server)
    assert "No space left on device" in server.logged()
    assert len(list(shm.iterdir())) == 2        # what was begun is gone
    server.hup(small([("1", "A"), ("1", "Z")], "other.model"))
    assert server.generation() == 2
    assert server.get("/predict/item/A").json["data"] == {"A": ["Z"]}
