"""Clients that go in the wrong moment, under load. See faults.py for what must be true after them."""
import random
import re
import select
import socket

import pytest

import faults
import harness
from harness import until

CONNECTS, RESETS = (2000, 100) if harness.SANITIZED else (10000, 400)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return faults.Shop(tmp_path_factory.mktemp("shop"), 1)


@pytest.fixture
def serving(start, shop):
    server = start(shop.path, workers=2, threads=64, request_timeout_ms=10000)
    until(lambda: server.metric("akin_workers", state="serving") == 2, "both to serve")
    return server


def connect(server, **options):
    s = socket.socket()
    for option, value in options.items():
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    s.settimeout(harness.PATIENCE)
    s.connect(("127.0.0.1", server.port))
    return s


QUESTION = b"GET /predict/item/i001?n=20 HTTP/1.1\r\nHost: x\r\n\r\n"


def test_resets_when_the_answer_comes(serving, shop):
    """An answer that has begun was counted, so each of these is in the sums, and not one more."""
    load = faults.Load(serving, [shop])
    with faults.steady(serving, load, unknown=RESETS) as s:
        for _ in range(RESETS):
            client = connect(serving)
            client.sendall(QUESTION)
            assert client.recv(1) == b"H"
            faults.reset(client)
    cell = ("/predict/item/{item_id}", "GET", "2xx")
    assert faults.counted(s.after)[cell] == load.answered[cell] + RESETS
    assert not load.lost and not load.refused


def test_resets_in_the_middle_of_an_answer(serving, shop):
    """Answers that fill all buffers, and a client that takes a little and is gone: the thread is free at once, long before
    the time for an answer is over."""
    count = 600
    load = faults.Load(serving, [shop])
    clients = 10
    with faults.steady(serving, load, others=("/openapi.json",)):
        stuck = [connect(serving, SO_RCVBUF=4096) for _ in range(clients)]
        for client in stuck:
            client.setblocking(False)
            asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * count
            while asked and select.select([], [client], [], 0.2)[1]:    # until it takes no more
                asked = asked[client.send(asked):]
        until(lambda: serving.metric("http_requests_inprogress") >= clients, "their answers to be stuck")
        for client in stuck:
            until(lambda: select.select([client], [], [], 0)[0], "the beginning of its answer")
            client.recv(100)
            faults.reset(client)
        until(lambda: serving.metric("http_requests_inprogress") <= 1 + len(load.callers), "them to be over")
    assert serving.metric("akin_requests_unanswered_total") == 0
    assert not load.lost and not load.refused


def test_connects_and_closes(serving, shop):
    """Thousands, with a word, half a request, or none; closed in order or reset."""
    load, chance = faults.Load(serving, [shop], kept=6, short=2), random.Random(3)
    with faults.steady(serving, load, unknown=CONNECTS) as s:
        for _ in range(CONNECTS):
            client = connect(serving)
            said = chance.choice((b"", b"", b"G", b"GET /healthz HTTP/1.1\r\nHo", QUESTION))
            if said:
                client.sendall(said)
            client.close() if chance.random() < 0.5 else faults.reset(client)
    assert faults.total(s.after, "akin_connections_refused_total") == 0
    assert not load.lost and not load.refused


def test_clients_that_end_their_half(serving, shop):
    """They are answered all they have asked, and the connection is closed behind that."""
    load = faults.Load(serving, [shop])
    with faults.steady(serving, load) as s:
        for count in (1, 2, 7):
            answers = serving.raw(QUESTION.replace(b"/predict/item/i001?n=20", b"/readyz") * count, shut=True)
            assert len(re.findall(rb"HTTP/1\.1 200 ", answers)) == count
    assert not load.lost


def test_clients_that_say_nothing_in_time(start, shop):
    """Half a request, then silence: each is told 408 and closed when its time is over, and nobody waits for them."""
    server = start(shop.path, workers=2, threads=64, request_timeout_ms=1500)
    load = faults.Load(server, [shop])
    silent = 40
    with faults.steady(server, load, others=("none",)) as s:
        clients = [connect(server) for _ in range(silent)]
        for client in clients:
            client.sendall(b"GET /predict/item/i0")
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 408 ") and client.recv(1) == b""
            client.close()
    assert faults.counted(s.after)["none", "other", "4xx"] == silent    # the method could not be read
    assert load.longest < harness.PATIENCE and not load.lost
