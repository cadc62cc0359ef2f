"""akin-server --healthcheck, against the real server and against things that are not it; and what a container makes
of the master: process 1, with the small /dev/shm that containers have."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import SERVER, one_line, until
from namespaces import can_unshare, own_proc, small_shm

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "C")]
needs_namespace = pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces")


def check(tmp_path, port, *arguments, **env):
    """Ask; exit status and the one line that was said."""
    conf = tmp_path / "empty.conf"
    conf.touch()
    if port is not None:
        env["AKIN_PORT"] = str(port)
    done = subprocess.run([SERVER, "--healthcheck", "-c", conf, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE,
                          env=harness.environment(**env))
    out, err = done.stdout.decode(), done.stderr.decode()
    harness.no_sanitizer_report(err)
    assert not (out and err), (out, err)
    assert bool(err) == bool(done.returncode), (done.returncode, out, err)
    return done.returncode, one_line(out or err)


class Fake:
    """Listens, and answers each connection with these bytes; None: says nothing and keeps it."""

    def __init__(self, answer, address="127.0.0.1"):
        self.answer, self.asked, self.kept = answer, [], []
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.asked.append(connection.recv(4096))
            if self.answer is None:
                self.kept.append(connection)
                continue
            connection.sendall(self.answer)
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for connection in self.kept:
            connection.close()


def test_ready(start, small, tmp_path):
    server = start(small(ROWS))
    status, said = check(tmp_path, server.port)
    assert status == 0 and said == f'127.0.0.1:{server.port}: {{"status":"ready","generation":1}}'


def test_every_source_of_settings(start, small, tmp_path):
    server = start(small(ROWS))
    conf = tmp_path / "akin.conf"
    conf.write_text(f"port = {server.port}\naddress = 127.0.0.1\n")
    done = subprocess.run([SERVER, "-c", conf, "--healthcheck"], env=harness.environment(), stdout=subprocess.PIPE)
    assert done.returncode == 0 and b"ready" in done.stdout
    assert check(tmp_path, None, "--port", server.port)[0] == 0
    assert check(tmp_path, 1, "--port", server.port)[0] == 0      # a flag is stronger than a variable


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_server_of_all_addresses_is_asked_on_the_loopback(start, small, tmp_path, address):
    server = start(small(ROWS), address=address)
    status, said = check(tmp_path, server.port, "--address", address)
    assert status == 0 and said.startswith({"::": "[::1]"}.get(address, "127.0.0.1") + f":{server.port}: ")


def test_nobody_listens(tmp_path):
    port = harness.free_port()
    assert check(tmp_path, port) == (1, f"akin-server: can't connect to 127.0.0.1:{port}: Connection refused")


def test_silence_ends_at_the_deadline(tmp_path):
    with Fake(None) as fake:
        began = time.monotonic()
        status, said = check(tmp_path, fake.port)
        assert status == 1 and "3000 ms" in said
        assert 2.5 < time.monotonic() - began < 2.5 + harness.PATIENCE / 4
        assert re.fullmatch(rb"GET /readyz HTTP/1.1\r\n(.+\r\n)*Host: 127.0.0.1:%d\r\n(.+\r\n)*\r\n" % fake.port, fake.asked[0])


def test_a_stopped_server_is_not_ready(start, small, tmp_path):
    """The kernel still takes connections for workers that hang."""
    server = start(small(ROWS), workers=1)
    worker = server.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        assert check(tmp_path, server.port) == (
            1, f"akin-server: 127.0.0.1:{server.port}: no whole answer to GET /readyz within 3000 ms")
    finally:
        os.kill(worker, signal.SIGCONT)
    until(lambda: check(tmp_path, server.port)[0] == 0, "the worker's next answer")


BODY = b'\r\nContent-Length: 21\r\n\r\n{"status":"draining"}'
ANSWERS = {
    "503": (b"HTTP/1.1 503 Service Unavailable" + BODY, 1, 'was answered 503: {"status":"draining"}'),
    "404": (b"HTTP/1.0 404 Not Found\r\n\r\n", 1, "was answered 404: "),
    "200": (b"HTTP/1.1 200 OK" + BODY, 0, '{"status":"draining"}'),
    "200 without a reason": (b"HTTP/1.1 200\r\n\r\n", 0, ""),
    "2000": (b"HTTP/1.1 2000 OK\r\n\r\n", 1, "is no HTTP server"),
    "20": (b"HTTP/1.1 20\r\n\r\n", 1, "was answered 20: "),
    "HTTP 2": (b"HTTP/2 200 OK\r\n\r\n", 1, "is no HTTP server"),
    "other": (b"SSH-2.0-OpenSSH_9.2p1\r\n", 1, "'SSH-2.0-OpenSSH_9.2p1\\x0d\\x0a'"),
    "nothing": (b"", 1, "with 0 bytes is no HTTP server: ''"),
    "NUL": (b"HTTP/1.1 200\0 OK\r\n\r\n", 1, "is no HTTP server"),
    "cut in the header": (b"HTTP/1.1 200 OK\r\nContent-Le", 1, "is no HTTP server"),
    "escapes": (b"HTTP/1.1 500 No\r\n\r\n\x1b[2J\xff\r\nmore", 1, "\\x1b[2J\\xff\\x0d\\x0amore"),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100000, 0, "x" * 100 + "x" * 56 + "..."),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(tmp_path, name):
    answer, status, words = ANSWERS[name]
    with Fake(answer) as fake:
        got, said = check(tmp_path, fake.port)
    assert got == status and words in said, said
    assert f"127.0.0.1:{fake.port}: " in said


def test_port_0_can_not_be_asked(tmp_path):
    status, said = check(tmp_path, 0)
    assert status == 1 and "port 0" in said


def test_bad_settings_are_still_refused(tmp_path):
    assert "AKIN_WORKERS" in check(tmp_path, 1, AKIN_WORKERS="many")[1]
    done = subprocess.run([SERVER, "--healthcheck=yes"], stderr=subprocess.PIPE, env=harness.environment())
    assert done.returncode == 64 and b"healthcheck" in done.stderr


# -- process 1 of a container -------------------------------------------------------------------------------------

@needs_namespace
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_as_process_1(start, small, number):
    """Process 1 is sent only the signals it asks for, and inherits every orphan."""
    server = start(small(ROWS), wrapper=own_proc())
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    assert re.search(r"^NSpid:\t\d+\t1$", status, re.M), status
    workers = server.workers()
    subprocess.run(["nsenter", "-t", str(server.pid), "-p", "sh", "-c", "sleep 0.1 & echo"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: server.workers() == workers, "the orphan to be reaped")
    assert server.get("/readyz").status == 200
    server.hup()
    assert server.generation() == 2
    assert server.stop(number) == 0
    assert "killed" not in server.logged()


# -- a container's /dev/shm ---------------------------------------------------------------------------------------

@needs_namespace
def test_too_little_shared_memory_names_shm_size(start, model):
    server = start(model, wrapper=small_shm("4m"), wait=False)
    assert server.process.wait(harness.PATIENCE) == 1
    said = one_line(server.logged().splitlines(keepends=True)[-1])
    assert "shm_size" in said and "4194304" in said and str(model) in said, said


@needs_namespace
@pytest.mark.parametrize("size, warned", [("40m", True), ("64m", False)])
def test_no_room_for_a_reload_is_said_at_start(start, model, size, warned):
    server = start(model, wrapper=small_shm(size))
    assert ("shm_size" in server.logged()) == warned, server.logged()
    server.hup()
    assert server.metric("akin_last_reload_successful") == (0 if warned else 1)
