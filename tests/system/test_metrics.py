"""/metrics against the client's own count, over several workers, and after some of them have died."""
import collections
import os
import random
import re
import signal

import pytest

import harness
from harness import until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C"), ("3", "C"), ("3", "D")]
ASKED = [   # path, method, handler, status
    ("/predict/item/A", "GET", "/predict/item/{item_id}", 200),
    ("/predict/item/none", "GET", "/predict/item/{item_id}", 404),
    ("/predict/item/A?n=x", "GET", "/predict/item/{item_id}", 422),
    ("/predict/user/1", "GET", "/predict/user/{user_id}", 200),
    ("/predict/user/nobody", "GET", "/predict/user/{user_id}", 404),
    ("/", "GET", "/", 200),
    ("/nope", "GET", "none", 404),
    ("/wp-login.php", "GET", "none", 404),
    ("/predict/item/A", "DELETE", "/predict/item/{item_id}", 405),
    ("/", "POST", "/", 405),
]


def counted(server):
    """{(handler, method, class): n} without what the scrapes add."""
    found = {}
    for sample, value in server.metrics().items():
        match = re.fullmatch(r'http_requests_total\{handler="(.*?)",method="(.*?)",status="(.*?)"\}', sample)
        if match and match[1] not in ("/metrics", "/readyz") and value:
            found[match.groups()] = value
    return found


def ask(server, mine, chance, count):
    with server.client() as client:
        for _ in range(count):
            path, method, handler, status = chance.choice(ASKED)
            assert client.get(path, method).status == status
            mine[handler, method, f"{status // 100}xx"] += 1


@pytest.mark.parametrize("workers", [1, 4])
def test_counts_are_the_clients_own(start, small, workers):
    server, mine, chance = start(small(ROWS), workers=workers), collections.Counter(), random.Random(7)
    for _ in range(20):
        ask(server, mine, chance, 50)
    until(lambda: counted(server) == dict(mine), f"counts to be {mine}: {counted(server)}")


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


def test_counts_outlive_a_reload(start, small):
    server, mine = start(small(ROWS)), collections.Counter()
    ask(server, mine, random.Random(9), 50)
    server.hup()
    ask(server, mine, random.Random(10), 50)
    until(lambda: counted(server) == dict(mine), "all to be counted")


def test_exposition_is_well_formed(start, small):
    server = start(small(ROWS))
    ask(server, collections.Counter(), random.Random(1), 50)
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    typed, seen, family = {}, set(), None
    for line in answer.body.decode().splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in seen, f"{family} stands in two places"
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            typed[family] = line.split(" ")[3]
        else:
            name = re.fullmatch(r'([a-z_]+)(\{([a-z_]+="[^"\n]*",?)*\})? \S+', line)
            assert name and re.sub("_(sum|count|bucket|created)$", "", name[1]) in (family, name[1]), line
            float(line.rsplit(" ", 1)[1])
    assert typed["http_requests_total"] == "counter"
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in typed.items() if kind != "histogram")


def test_no_id_and_no_raw_path_is_in_a_label(start, small):
    server = start(small(ROWS))
    server.get("/predict/item/secret-id")
    server.get("/secret-path")
    assert b"secret" not in server.get("/metrics").body


def test_whatever_is_accepted_gets_the_text_format(start, small):
    """What Prometheus 2.42 sends must never be answered with an error."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    answer = start(small(ROWS)).get("/metrics", Accept=accept, Accept_Encoding="gzip")
    assert answer.status == 200 and b"# TYPE http_requests_total counter\n" in answer.body
