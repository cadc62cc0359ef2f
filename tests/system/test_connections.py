"""More connections than threads: who gives way to whom, and when."""
import socket
import threading
import time

import harness
from harness import until
from tiny import ANSWER, ROWS


def kept(server, count):
    """Connections that were answered and are kept open, idle, in the order of their last answer."""
    clients = []
    for _ in range(count):
        clients.append(server.client())
        answer, now = clients[-1].get("/"), time.monotonic()
        assert answer.status == 200 and answer.headers["connection"] == "keep-alive"
        until(lambda: time.monotonic() > now + 0.005, "a later millisecond")
    return clients


def is_open(client):
    """Has the server not closed it?"""
    client.connection.sock.setblocking(False)
    try:
        return client.connection.sock.recv(1) != b""
    except BlockingIOError:
        return True
    finally:
        client.connection.sock.settimeout(harness.PATIENCE)


def test_a_connection_goes_where_a_thread_is_free(start, small):
    """Three idle connections leave one thread of four. Whichever worker has it takes each new connection, soon, and
    none of the idle ones has to go."""
    server = start(small(ROWS), workers=2, threads=2, keep_alive_ms=60000)
    idle = kept(server, 3)
    began = time.monotonic()
    for _ in range(20):
        with server.client() as client:
            assert client.get("/healthz", Connection="close").status == 200
    assert time.monotonic() - began < 5
    assert [is_open(client) for client in idle] == [True] * 3
    for client in idle:
        assert client.get("/").status == 200
        client.close()


def test_the_longest_idle_connection_gives_way(start, small):
    """One for each that comes, the one whose last answer was first, and its successor is kept in turn."""
    server = start(small(ROWS), workers=1, threads=3, keep_alive_ms=60000)
    idle = kept(server, 3)
    idle[0].get("/")                    # so the second has been silent longest
    idle = [idle[1], idle[2], idle[0]]
    for gone in (1, 2, 3):
        began = time.monotonic()
        idle += kept(server, 1)
        assert time.monotonic() - began < 5
        assert [is_open(client) for client in idle] == [False] * gone + [True] * 3
    for client in idle:
        client.close()


def test_busy_connections_take_turns(start, small):
    """Six busy connections on two threads: an answer closes its connection for each that waits, and says so."""
    server = start(small(ROWS), workers=1, threads=2, keep_alive_ms=60000)
    counts, broken, ended = [0] * 6, [], threading.Event()

    def busy(me):
        try:
            while not ended.is_set():
                with server.client() as client:
                    while not ended.is_set():
                        answer = client.get("/predict/item/A?n=5")
                        assert answer.json["data"] == ANSWER
                        counts[me] += 1
                        if answer.headers["connection"] == "close":
                            break
        except Exception as e:
            broken.append(repr(e))

    threads = [threading.Thread(target=busy, args=(me,), daemon=True) for me in range(len(counts))]
    for thread in threads:
        thread.start()
    until(lambda: broken or min(counts) >= 20, "twenty answers for each")
    ended.set()
    for thread in threads:
        thread.join(harness.PATIENCE)
    assert not broken


def test_an_idle_connection_is_closed_in_time(start, small):
    """Longer than a thread sleeps in recv() at a time: the wait goes on elsewhere, and has the same end."""
    server = start(small(ROWS), keep_alive_ms=1500)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"keep-alive" in client.recv(65536)
        assert client.recv(65536) == b""
