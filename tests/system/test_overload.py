"""More clients than threads, slow ones, and more than can wait. Each test looks at every connection, not at sums alone:
with two workers of 8 threads and 64 kept connections, 48 of them once waited for ever while the totals looked well."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import crowd
import harness
from harness import until
from upgraded import upgrade

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]
FOREVER = 3600000
PATIENT = {"keep_alive_ms": FOREVER, "request_timeout_ms": FOREVER, "give_way_ms": FOREVER}


class Operations:
    """The other door of a server."""

    def __init__(self, server):
        line = until(lambda: re.search(r"operations are on http://(\S+), ", server.logged()), "the line in the log")
        self.where, self.port = line[1], crowd.port_of(line[1])
        self.host = self.where.rpartition(":")[0].strip("[]")

    def get(self, path):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=harness.PATIENCE)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return harness.Answer(response, response.read())
        finally:
            connection.close()

    def metric(self, name, **labels):
        answer = self.get("/metrics")
        assert answer.status == 200
        return sum(float(line.rsplit(" ", 1)[1]) for line in answer.body.decode().splitlines()
                   if re.match(name + r"[ {]", line) and all(f'{k}="{v}"' in line for k, v in labels.items()))


@pytest.fixture
def closing():
    """What is to be closed after the test, come what may."""
    things = []

    def closing(thing):
        things.append(thing)
        return thing

    yield closing
    for thing in things:
        thing.close()


def all_serve(at, workers=2):
    until(lambda: at.metric("akin_workers", state="serving") == workers, "every worker to serve")


def halt(pid):
    """SIGSTOP, and it has stopped: until then it may take a connection."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "the stop")


def fill(server, ops, count, closing):
    """Take every thread of the service, for as long as the clients live. While a worker is late, the other one closes a
    connection with an answer, and another client has to take its place, but only when there is a thread for it: of one
    that waits, the next answer closes another connection, whose thread is not busy for as long as it lingers."""
    stuck = [closing(crowd.Stuck(server.port)) for _ in range(count)]
    last, since = None, time.monotonic()

    def look():
        nonlocal last, since
        now = [ops.metric(f"akin_{name}") for name in ("threads_busy", "connections_active", "connections_waiting")]
        now.append(ops.metric("http_requests_total", handler="/openapi.json"))
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() < since + 0.4:
            return False
        busy, active, waiting, _ = now
        if active + waiting < count:
            stuck.append(closing(crowd.Stuck(server.port)))
            last = None
        return busy == count

    until(look, lambda: f"every thread to be stuck: {last}")
    return stuck


def ask(port, closing, request=crowd.REQUEST, buffer=None):
    """A connection with a request, which waits."""
    s = closing(socket.socket())
    if buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    s.settimeout(harness.PATIENCE)
    s.connect(("127.0.0.1", port))
    s.sendall(request)
    return s


def everything(s):
    """What comes until the server closes, which must not be a reset."""
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    return b"".join(parts)


def told_503(s, why):
    data = everything(s)
    status, fields, body, length = crowd.whole(data)
    assert (status, length) == (503, len(data)) and why in json.loads(body)["detail"], data
    assert fields["retry-after"] == "1" and fields["connection"] == "close"
    assert fields["content-type"] == "application/json" and fields["server"].startswith("Akin/")


def is_quiet(s):
    """Has nothing come, not even an end?"""
    s.setblocking(False)
    try:
        s.recv(1)
        return False
    except BlockingIOError:
        return True
    finally:
        s.settimeout(harness.PATIENCE)


# -- busy clients take turns -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("threads, clients", [(8, 64), (16, 300)])
def test_every_busy_client_is_served(start, small, closing, threads, clients):
    server = start(small(ROWS), workers=2, threads=threads, keep_alive_ms=FOREVER)
    people = closing(crowd.Crowd(server.port, clients))
    people.run(10, 2 * harness.PATIENCE)
    assert [client.failures for client in people.clients] == [[]] * clients
    # Nobody has waited much longer than all the others together had turns. The bound is for a machine in trouble.
    assert max(client.longest for client in people.clients) < 10
    answered = sum(client.answers for client in people.clients)
    closed = sum(client.reconnected - client.raced for client in people.clients)
    people.close()
    until(lambda: server.metric("akin_connections_waiting") == 0, "the queue to be empty")
    assert server.metric("http_requests_total", handler="/predict/item/{item_id}") >= answered
    assert server.metric("akin_connections_ended_total", reason="busy") >= closed
    assert server.metric("akin_connections_refused_total") == 0


# -- more than can wait ----------------------------------------------------------------------------------------------

def test_the_surplus_is_told_at_once_and_counted(start, small, closing):
    """Four threads that are stuck, eight that may wait, and twenty more: those that came first are told, whether they read
    it or not, and the last eight go on waiting until there is a thread."""
    server = start(small(ROWS), workers=2, threads=2, max_waiting=8, ops_listen="127.0.0.1:0", **PATIENT)
    ops = Operations(server)
    stuck = fill(server, ops, 4, closing)
    waiting = [ask(server.port, closing) for _ in range(8)]
    until(lambda: ops.metric("akin_connections_waiting") == 8, "eight to wait")
    before = time.monotonic()
    until(lambda: time.monotonic() > before + 0.1, "time enough to tell them, if that were to be")
    assert all(is_quiet(s) for s in waiting) and ops.metric("akin_connections_refused_total") == 0

    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40000
    for i in range(20):
        waiting.append(ask(server.port, closing, body if i in (0, 5, 10) else crowd.REQUEST, buffer=4096 if i in (1, 6) else None))
    for s in waiting[:20]:
        told_503(s, "too many connections")
    assert ops.metric("akin_connections_refused_total", reason="overload") == 20
    assert ops.metric("akin_connections_refused_total") == 20
    assert ops.metric("akin_connections_waiting") == 8
    assert all(is_quiet(s) for s in waiting[20:])
    assert 1 <= server.logged().count("more connections than max_waiting") <= 2      # once a minute, each worker

    for client in stuck:
        client.close()
    for s in waiting[20:]:
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert ops.metric("akin_connections_refused_total") == 20


def test_nobody_is_told_while_a_worker_has_threads(start, small, closing):
    """The other worker is late, but it comes."""
    for _ in range(5):
        server = start(small(ROWS), workers=2, threads=4, max_waiting=1, ops_listen="127.0.0.1:0", **PATIENT)
        ops = Operations(server)
        all_serve(ops)
        late = server.workers()[1]
        halt(late)
        stopped = time.monotonic()
        clients = [ask(server.port, closing) for _ in range(8)]
        until(lambda: sum(not is_quiet(s) for s in clients[:4]) == 4, "the first four to be answered")
        until(lambda: time.monotonic() > stopped + 0.2, "the worker to be late")
        os.kill(late, signal.SIGCONT)
        if time.monotonic() > stopped + 0.7:
            assert server.stop() == 0
            continue                    # this machine is too busy just now
        until(lambda: not any(is_quiet(s) for s in clients), "all to be answered")
        assert ops.metric("akin_connections_refused_total") == 0
        return
    raise AssertionError("five times the machine was too busy to tell")


def test_a_worker_that_hangs_does_not_keep_the_surplus_waiting(start, small, closing):
    server = start(small(ROWS), workers=2, threads=2, max_waiting=2, ops_listen="127.0.0.1:0", **PATIENT)
    ops = Operations(server)
    all_serve(ops)
    hung = server.workers()[1]
    halt(hung)
    try:
        fill(server, ops, 2, closing)
        clients = [ask(server.port, closing) for _ in range(9)]
        for s in clients[:7]:
            told_503(s, "too many connections")
        assert all(is_quiet(s) for s in clients[7:])
    finally:
        os.kill(hung, signal.SIGCONT)


# -- slow clients ----------------------------------------------------------------------------------------------------

BODY = b"POST /predict/item/A HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"


@pytest.mark.parametrize("head, status", [(b"GET /predict/item/A HTTP/1.1\r\nHost: x\r\nX: ", 408), (BODY, 408)],
                         ids=["head", "body"])
def test_slow_clients_give_way(start, small, closing, head, status):
    """Five times as many as there are threads, each sending a byte now and then. A normal client comes through again and
    again; each slow one that was ended was told so."""
    server = start(small(ROWS), workers=2, threads=8, **{**PATIENT, "give_way_ms": 200})
    slow = [closing(crowd.Half(server.port, head)) for _ in range(80)]
    for _ in range(3):
        answered = ask(server.port, closing)
        answered.setblocking(False)
        deadline = time.monotonic() + harness.PATIENCE
        while is_quiet(answered):
            for client in slow:
                client.step()
            assert time.monotonic() < deadline, "a normal client was not answered"
            time.sleep(0.01)
    ended = [client for client in slow if client.data]
    assert ended
    for client in ended:
        got, fields, _, length = crowd.whole(client.data)
        assert (got, fields["connection"], length) == (status, "close", len(client.data)), client.data
    for client in slow:
        client.close()
    until(lambda: server.metric("akin_connections_active") <= 4, "the slow ones to be gone")
    assert server.metric("akin_connections_ended_total", reason="slow") >= len(ended)


def test_who_takes_nothing_gives_way(start, small, closing):
    server = start(small(ROWS), workers=1, threads=2, ops_listen="127.0.0.1:0", **{**PATIENT, "give_way_ms": 1500})
    ops = Operations(server)
    fill(server, ops, 2, closing)
    assert ask(server.port, closing).recv(65536).startswith(b"HTTP/1.1 200 ")
    assert ops.metric("akin_connections_ended_total", reason="slow") == 1


def test_a_slow_client_is_left_alone_while_nobody_waits(start, small, closing):
    server = start(small(ROWS), workers=1, threads=3, **{**PATIENT, "give_way_ms": 100})
    slow = [closing(crowd.Half(server.port)) for _ in range(2)]
    until(lambda: server.metric("akin_connections_active") == 3, "both to have a thread")
    began = time.monotonic()
    with server.client() as client:         # one and the same: the next would wait until the last one's thread is free
        while time.monotonic() < began + 0.5:
            assert client.get("/").status == 200
    for client in slow:
        client.write(b"\r\n\r\n")
        until(lambda: client.step() or client.data.startswith(b"HTTP/1.1 200 "), "its answer")
    assert server.metric("akin_connections_ended_total") == 0


def test_two_thousand_slow_clients_do_not_stop_a_normal_one(start, small, closing):
    """Settings as they are: more than there are threads, and than would be served if each had its five seconds."""
    server = start(small(ROWS), workers=None, threads=None)
    slow = [closing(crowd.Half(server.port)) for _ in range(2000)]
    began = time.monotonic()
    assert ask(server.port, closing).recv(65536).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < harness.PATIENCE
    assert server.metric("akin_threads") == max(1024, 64 * len(server.workers()))
    assert server.metric("akin_connections_refused_total") == 0
    for client in slow:
        client.close()


# -- connections that say nothing ------------------------------------------------------------------------------------

def test_a_connection_that_says_nothing_takes_no_thread(start, small, closing):
    server = start(small(ROWS), workers=1, threads=8, defer_accept_s=60, **PATIENT)
    silent = [closing(socket.create_connection(("127.0.0.1", server.port), harness.PATIENCE)) for _ in range(20)]
    for _ in range(5):
        assert server.get("/").status == 200
        samples = server.metrics()
        assert samples['akin_connections_active{worker="0"}'] <= 3 and samples["akin_connections_waiting"] == 0
    assert server.metric("akin_connections_ended_total") == 0
    for s in silent:
        s.sendall(crowd.REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert everything(s).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_connection_that_says_nothing_comes_in_after_a_while(start, small, closing, seconds):
    server = start(small(ROWS), workers=1, threads=8, defer_accept_s=seconds, **PATIENT)
    for _ in range(3):
        closing(socket.create_connection(("127.0.0.1", server.port), harness.PATIENCE))
    until(lambda: server.metric("akin_connections_active") == 4, "the silent ones and the scrape")


# -- descriptors -----------------------------------------------------------------------------------------------------

def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_each_connection_is_told(start, small, closing):
    """Nobody is left without a word, every 503 is counted, and no CPU time goes into trying."""
    server = start(small(ROWS), workers=1, threads=64, open_files=48, **PATIENT)
    (worker,) = server.workers()
    clients = [ask(server.port, closing, b"GET /hea") for _ in range(80)]
    told = until(lambda: [s for s in clients if not is_quiet(s)][15:] and [s for s in clients if not is_quiet(s)],
                 "those without a descriptor to be told")
    used, began = cpu_seconds(worker), time.monotonic()
    until(lambda: time.monotonic() > began + 1, "a second to pass")
    assert cpu_seconds(worker) - used < 0.3
    held = [s for s in clients if is_quiet(s)]
    told = [s for s in clients if s not in held]
    assert 8 <= len(held) <= 48 and len(told) == 80 - len(held)
    for s in told:
        told_503(s, "out of descriptors")
    for s in held:
        s.sendall(b"lthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert everything(s).startswith(b"HTTP/1.1 200 ")
    until(server.answers, "answers again")
    assert server.metric("akin_connections_refused_total", reason="descriptors") >= len(told)
    assert server.workers() == [worker]
    assert server.logged().count("out of file descriptors") == 1


# -- the door for operations -----------------------------------------------------------------------------------------

ROUTES = {"/": (200, 200), "/healthz": (200, 200), "/readyz": (200, 200), "/metrics": (404, 200), "/model": (404, 200),
          "/predict/item/A": (200, 404), "/predict/user/1": (200, 404), "/openapi.json": (200, 404), "/docs": (200, 404)}


@pytest.mark.parametrize("where", ["127.0.0.1:0", "[::1]:0"])
def test_each_door_has_its_routes(start, small, tmp_path, where):
    server = start(small(ROWS), ops_listen=where, pid_file=tmp_path / "pid")
    ops = Operations(server)
    assert ops.where.startswith(where.rpartition(":")[0] + ":") and ops.port not in (0, server.port)
    for path, (service, operations) in ROUTES.items():
        assert (server.get(path).status, ops.get(path).status) == (service, operations), path
    assert json.loads(ops.get("/predict/item/A").body) == {"detail": "Not Found"}
    status = subprocess.run([*server.command, "--status"], stdout=subprocess.PIPE, text=True,
                            timeout=harness.PATIENCE, env=harness.environment()).stdout
    assert f"\nops_listen {ops.where}\n" in status
    assert ops.metric("http_requests_total", handler="/metrics") >= 1
    assert ops.metric("http_requests_total", handler="/predict/item/{item_id}") == 1


def test_operations_are_answered_while_every_thread_is_taken(start, small, closing):
    port = harness.free_port()
    server = start(small(ROWS), workers=2, threads=3, ops_listen=f"127.0.0.1:{port}", **PATIENT)
    ops = Operations(server)
    fill(server, ops, 6, closing)
    waits = ask(server.port, closing)
    for path in ("/", "/healthz", "/readyz", "/model", "/metrics"):
        assert ops.get(path).status == 200
    # Its own threads and connections are none of the service's.
    assert ops.metric("akin_threads") == ops.metric("akin_threads_busy") == ops.metric("akin_connections_active") == 6
    accepted = ops.metric("akin_connections_accepted_total")
    assert ops.metric("akin_connections_accepted_total") == accepted
    assert ops.metric("akin_connections_waiting") == 1
    done = subprocess.run([*server.command, "--healthcheck"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=harness.PATIENCE, env=harness.environment())
    assert done.returncode == 0 and f"127.0.0.1:{port}: " in done.stdout, done.stderr
    assert is_quiet(waits)


def test_operations_have_threads_to_take_turns_on(start, small, closing):
    """A door like the other: three kept connections on one thread, each is answered in turn."""
    server = start(small(ROWS), workers=1, ops_listen="127.0.0.1:0", ops_threads=1, keep_alive_ms=FOREVER)
    port = Operations(server).port
    clients = [ask(port, closing, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(3)]
    for s in clients:
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_both_doors_are_shut(start, small, closing):
    server = start(small(ROWS), ops_listen="127.0.0.1:0", keep_alive_ms=FOREVER)
    ops = Operations(server)
    kept = ask(ops.port, closing, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.stop(signal.SIGQUIT) == 0
    assert everything(kept) == b""
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", ops.port), harness.PATIENCE)


def test_both_doors_are_handed_over(launch, small, closing):
    """The successor has both sockets, the ports that were drawn included."""
    server = launch(small(ROWS), ops_listen="127.0.0.1:0")
    ops = Operations(server)
    upgrade(server)
    assert server.logged().count("was handed over") == 2
    assert ops.get("/model").status == 200 and server.get("/predict/item/A").status == 200
    assert (ops.get("/predict/item/A").status, server.get("/model").status) == (404, 404)


def test_a_place_for_operations_that_is_taken(start, small):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        where = f"127.0.0.1:{s.getsockname()[1]}"
        server = start(small(ROWS), ops_listen=where, wait=False)
        assert server.process.wait(harness.PATIENCE) == 1
        assert f"can't listen on {where}" in server.logged()
