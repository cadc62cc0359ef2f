"""What /metrics counts, against what clients counted themselves: over several workers, through reloads, and after some
of the workers have died. The laws that are held here stand in docs/metrics.md."""
import collections
import os
import random
import re
import signal
import socket
import threading
import time

import pytest

import harness
from harness import until
from mixture import ASKED, ask
from tiny import ROWS


def counted(server):
    """{(handler, method, class): n} without what the scrapes add."""
    found = {}
    for sample, value in server.metrics().items():
        match = re.fullmatch(r'http_requests_total\{handler="(.*?)",method="(.*?)",status="(.*?)"\}', sample)
        if match and match[1] not in ("/metrics", "/readyz") and value:
            found[match.groups()] = value
    return found


def by_handler(samples, name, **labels):
    """{handler: sum over the other labels}"""
    found = collections.Counter()
    for sample, value in samples.items():
        if sample.startswith(name + "{") and all(f'{k}="{v}"' in sample for k, v in labels.items()):
            found[re.search('handler="(.*?)"', sample)[1]] += value
    return +found


def agree(server):
    """With nothing but the scrape under way, every family that counts requests has counted the same ones."""
    samples = until(lambda: (s := server.metrics())["http_requests_inprogress"] == 1 and s, "only the scrape to be in progress")
    total = by_handler(samples, "http_requests_total")
    assert by_handler(samples, "http_request_size_bytes_count") == total
    assert by_handler(samples, "http_response_size_bytes_count") == total
    timed = by_handler(samples, "http_request_duration_seconds_count")
    assert by_handler(samples, "http_request_duration_seconds_bucket", le="+Inf") == timed
    assert sum(timed.values()) == samples["http_request_duration_highr_seconds_count"]
    assert samples["http_request_duration_highr_seconds_bucket{le=\"+Inf\"}"] == sum(timed.values())
    assert sum(v for k, v in samples.items() if k.startswith("akin_worker_requests_total")) == sum(total.values())
    missing = sum(total.values()) - sum(timed.values())
    assert 0 <= missing <= samples["akin_requests_unanswered_total"], missing
    return samples


@pytest.mark.parametrize("workers", [1, 4])
def test_counts_are_the_clients_own(start, small, workers):
    server, mine, chance = start(small(ROWS), workers=workers), collections.Counter(), random.Random(7)
    for _ in range(20):
        ask(server, mine, chance, 50)
    until(lambda: counted(server) == dict(mine), f"counts to be {mine}: {counted(server)}")
    assert agree(server)["akin_requests_unanswered_total"] == 0


def test_counts_outlive_their_workers(start, small):
    server, mine, chance = start(small(ROWS), workers=3), collections.Counter(), random.Random(8)
    for _ in range(6):
        ask(server, mine, chance, 60)
        until(lambda: counted(server) == dict(mine), "all to be counted")
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(server.workers()) == 3 and before[0] not in server.workers(), "a new worker")
        assert counted(server) == dict(mine)
    until(lambda: server.metric("http_requests_inprogress") == 1, "only the scrape to be in progress")
    assert server.metric("akin_worker_restarts_total") == 6
    agree(server)


def test_counts_outlive_a_reload(start, small):
    server, mine = start(small(ROWS)), collections.Counter()
    ask(server, mine, random.Random(9), 50)
    server.hup()
    ask(server, mine, random.Random(10), 50)
    until(lambda: counted(server) == dict(mine), "all to be counted")


def test_no_id_and_no_raw_path_is_in_a_label(start, small):
    server = start(small(ROWS))
    server.get("/predict/item/secret-id")
    server.get("/secret-path")
    assert b"secret" not in server.get("/metrics").body


class Crowd:
    """Clients that ask without a pause, come back when their connection breaks, and count every whole answer."""

    def __init__(self, server, clients):
        self.server, self.over, self.broken, self.mine = server, threading.Event(), 0, collections.Counter()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.one, args=(seed,)) for seed in range(clients)]
        for thread in self.threads:
            thread.start()

    def one(self, seed):
        chance, mine = random.Random(seed), collections.Counter()
        broken = 0
        while not self.over.is_set():
            try:
                with self.server.client() as client:
                    for _ in range(chance.randrange(1, 40)):
                        path, method, handler, status = chance.choice(ASKED)
                        assert client.get(path, method).status == status
                        mine[handler, method, f"{status // 100}xx"] += 1
            except (OSError, harness.http.client.HTTPException):
                broken += 1
        with self.lock:
            self.mine += mine
            self.broken += broken

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(harness.PATIENCE)
            assert not thread.is_alive()


def test_the_law_of_totals_under_load_kills_and_reloads(start, small):
    """No answer that a client has is missing; what is more was in the hands of workers that died, and those are told."""
    server = start(small(ROWS), workers=4, threads=8)
    crowd, chance, before = Crowd(server, 8), random.Random(11), 0
    for at in range(16):
        asked = server.metric("akin_worker_requests_total")
        until(lambda: server.metric("akin_worker_requests_total") > asked + 250, "some load")
        if at % 4 == 3:
            server.hup()
        else:
            victim = chance.choice(server.workers())
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in server.workers() and len(server.workers()) == 4, "a new worker")
        total = server.metric("http_requests_total")
        assert total >= before          # totals never fall
        before = total
    crowd.end()
    samples = agree(server)
    found, unanswered = counted(server), samples["akin_requests_unanswered_total"]
    more = {cell: found.get(cell, 0) - crowd.mine[cell] for cell in found.keys() | crowd.mine.keys()}
    assert all(n >= 0 for n in more.values()), more
    assert sum(more.values()) <= unanswered, (more, unanswered)
    assert unanswered <= crowd.broken + 16      # a scrape may be among them
    assert samples['akin_reloads_total{result="success",reason="none"}'] == 4
    assert samples['akin_worker_restarts_total{reason="killed"}'] == 12
    assert sorted(p.name for p in server.folder.iterdir()) == ["empty.conf", "server.log"]
    assert len(server.segments()) == 3      # board, model, previous


def test_without_deaths_totals_are_the_clients_own_under_load_and_reloads(start, small):
    server = start(small(ROWS), workers=2, threads=12)
    crowd = Crowd(server, 8)
    for _ in range(3):
        asked = server.metric("akin_worker_requests_total")
        until(lambda: server.metric("akin_worker_requests_total") > asked + 150, "some load")
        server.hup()
    crowd.end()
    assert crowd.broken == 0
    assert counted(server) == dict(crowd.mine)
    assert agree(server)["akin_requests_unanswered_total"] == 0


def test_what_was_in_the_hands_of_the_dead(start, small):
    """Three requests whose bodies never come are in hand; their worker dies; each is told, none is counted."""
    server = start(small(ROWS), workers=1, threads=8)
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    for connection in held:
        connection.sendall(b"POST /predict/item/A HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    until(lambda: server.metric("http_requests_inprogress") == 4, "three requests in hand and the scrape")
    until(lambda: server.metric("akin_threads_busy", worker="0") == 4, "their threads to be busy")
    (victim,) = server.workers()
    os.kill(victim, signal.SIGKILL)
    until(lambda: server.workers() and victim not in server.workers(), "a new worker")
    until(server.answers, "it to serve")
    samples = agree(server)
    assert samples["akin_requests_unanswered_total"] in (3, 4)      # the scrape before may have been about to end
    assert samples['akin_connections_active{worker="0"}'] == samples['akin_threads_busy{worker="0"}'] == 1
    assert samples['akin_threads{worker="0"}'] == 8
    assert not any("POST" in key and value for key, value in samples.items())
    for connection in held:
        connection.close()


def test_a_body_is_weighed(start, small):
    server = start(small(ROWS), max_body_bytes=1000)
    item = '{handler="/predict/item/{item_id}"}'
    with server.client() as client:
        for size in (0, 7, 1000):
            client.connection.request("POST", "/predict/item/A", body=b"x" * size)
            answer = client.connection.getresponse()
            length = len(answer.read())
    samples = server.metrics()
    assert samples["http_request_size_bytes_sum" + item] == 1007
    assert samples["http_request_size_bytes_count" + item] == 3
    assert samples["http_response_size_bytes_sum" + item] == 3 * length
    # One that is too long is refused before it has a route, and what it says of itself is not believed.
    server.raw(b"POST /predict/item/A HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n")
    samples = server.metrics()
    assert samples["http_request_size_bytes_sum" + item] == 1007
    assert samples["http_request_size_bytes_count" + item] == 3
    assert samples['http_request_size_bytes_sum{handler="none"}'] == 0
    assert samples['http_request_size_bytes_count{handler="none"}'] == 1
    with server.client() as client:
        client.connection.request("POST", "/predict/item/A", body=[b"abc", b"de"], encode_chunked=True)
        assert client.connection.getresponse().status == 405
    assert server.metrics()["http_request_size_bytes_sum" + item] == 1012


def test_durations_hold_what_clients_waited(start, small):
    """A request whose body comes late takes that long, on both clocks; the others take next to nothing."""
    server = start(small(ROWS))
    late = 0.3
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        begun = time.monotonic()
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        until(lambda: server.metric("http_requests_inprogress") == 2, "it to be in hand")
        until(lambda: time.monotonic() - begun > late, "time to pass")
        s.sendall(b"x")
        assert s.recv(65536).startswith(b"HTTP/1.1 405 ")
        waited = time.monotonic() - begun
    until(lambda: server.metric("http_requests_inprogress") == 1, "only the scrape to be in progress")
    samples = server.metrics()
    cell = 'handler="/",method="other",status="4xx"'
    assert samples[f"http_request_duration_seconds_count{{{cell}}}"] == 1
    assert late / 2 < samples[f"http_request_duration_seconds_sum{{{cell}}}"] <= waited + 0.1      # it may be slow to look
    assert samples[f'http_request_duration_seconds_bucket{{{cell},le="0.1"}}'] == 0
    highr = {k: v for k, v in samples.items() if k.startswith("http_request_duration_highr_seconds_bucket")}
    assert len(highr) == 22 and list(highr.values()) == sorted(highr.values())
    assert samples["http_request_duration_highr_seconds_sum"] >= late / 2


# -- reloads ------------------------------------------------------------------------------------------------------

def test_reloads_by_result_and_reason(start, small, tmp_path):
    path = small(ROWS)
    server = start(path)
    first = server.metric("akin_last_reload_duration_seconds")
    assert 0 < first < harness.PATIENCE
    good = path.read_bytes()
    server.hup(b"x" * len(good))
    assert server.metric("akin_reloads_total", result="failure", reason="invalid") == 1
    assert server.metric("akin_last_reload_successful") == 0
    path.unlink()
    before = server.metric("akin_reloads_total")
    server.send(signal.SIGHUP)
    until(lambda: server.metric("akin_reloads_total") > before, "the reload to end")
    assert server.metric("akin_reloads_total", result="failure", reason="unreadable") == 1
    assert server.metric("akin_reloads_total", result="success") == 0
    path.write_bytes(good)
    server.hup()
    assert server.metric("akin_reloads_total", result="success", reason="none") == 1
    assert server.metric("akin_last_reload_successful") == 1
    assert 0 < server.metric("akin_last_reload_duration_seconds") != first


def test_ages_are_from_now(session_server):
    samples = session_server.metrics()
    for age, since in (("akin_model_age_seconds", "akin_model_created_timestamp_seconds"),
                       ("akin_data_age_seconds", "akin_model_data_timestamp_seconds")):
        assert samples[age] + samples[since] == pytest.approx(time.time(), abs=3)
