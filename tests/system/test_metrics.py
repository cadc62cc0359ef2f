"""What /metrics counts, against what clients counted themselves: over several workers, through reloads, and after some
of the workers have died. The laws that are held here stand in docs/metrics.md."""
import collections
import os
import random
import re
import shutil
import signal
import socket
import threading
import time

import pytest

import harness
from harness import until
from namespaces import own_proc

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


# -- workers, threads, connections ---------------------------------------------------------------------------------

def of_workers(samples, name):
    return {int(m[1]): v for k, v in samples.items() if (m := re.fullmatch(name + r'\{worker="(\d+)"\}', k))}


def test_threads_and_connections(start, small):
    """Kept connections are active and idle; one that has said half a request keeps its thread busy."""
    server = start(small(ROWS), workers=1, threads=5, keep_alive_ms=600000)

    def gauges():
        samples = server.metrics()      # a connection more, with a request in hand
        return [of_workers(samples, "akin_" + name)[0] for name in ("threads", "threads_busy", "connections_active")]

    until(lambda: gauges() == [5, 1, 1], "the scrape's own connection alone")
    accepted = server.metric("akin_connections_accepted_total")
    with server.client() as one, server.client() as two, server.client() as three:
        for client in (one, two, three):
            assert client.get("/").status == 200
        until(lambda: gauges() == [5, 1, 4], "idle connections")
        three.connection.sock.sendall(b"GET / HT")
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"GET / HT")
            until(lambda: gauges()[1:] == [2, 5], "a connection whose first request does not come")
            half.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in half.recv(65536)
            until(lambda: gauges()[1:] == [1, 5], "it to be idle")
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(b"G")
            until(lambda: gauges()[1] == 2, "another such connection")
        until(lambda: gauges()[1:] == [1, 4], "it to be gone without a word")
    until(lambda: gauges() == [5, 1, 1], "the scrape's own connection alone")
    assert server.metric("akin_connections_accepted_total") >= accepted + 5


def test_connections_that_wait_for_a_thread(start, small):
    """All threads but one are held by half requests; what comes then waits in the kernel, and is told by that one."""
    server = start(small(ROWS), workers=1, threads=3)
    with server.client() as client:
        assert client.get("/").status == 200
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        for s in held:
            s.sendall(b"GET / HT")
        until(lambda: b'akin_threads_busy{worker="0"} 3\n' in client.get("/metrics").body, "three busy threads")
        # From now on there is no thread for anybody else, and this one is never idle for long.
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        for s in waiting:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            until(lambda: re.search(rb"^akin_connections_waiting [34]$", client.get("/metrics").body, re.M), "them to wait")
        finally:
            for s in held:
                s.close()
        for s in waiting:
            assert b" 200 " in s.recv(65536)
            s.close()
    until(lambda: server.metric("akin_connections_waiting") == 0, "nobody to wait")


def test_refused_connections_are_those_that_were_told(start, small):
    server = start(small(ROWS), workers=1, threads=64, open_files=48)
    clients, told = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)], 0
    for client in clients:
        client.sendall(b"GET /hea")         # half a request: it holds its thread
    until(lambda: server.logged().count("out of file descriptors"), "a refusal")
    for client in clients:
        client.setblocking(False)

    def refused():
        nonlocal told
        for client in clients:
            try:
                told += b" 503 " in client.recv(65536)
            except OSError:                 # nothing there
                pass
        return told

    until(lambda: refused() >= 5, "refusals")
    until(lambda: refused() == refused(), "no more of them")
    for client in clients:
        client.close()
    until(server.answers, "answers again")
    assert server.metric("akin_connections_refused_total", reason="descriptors") >= told >= 5


def test_states_of_workers(start, small):
    server = start(small(ROWS), workers=3)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")
    samples = server.metrics()
    assert [samples[f'akin_workers{{state="{s}"}}'] for s in ("missing", "starting", "draining")] == [0, 0, 0]
    # One that can't be replaced is missing: nobody can, once the limit on processes is reached by a stopped master.
    victim = server.workers()[0]
    server.send(signal.SIGSTOP)
    os.kill(victim, signal.SIGTERM)
    until(lambda: server.metric("akin_workers", state="draining") == 1, "one to drain, and nobody to reap it")
    server.send(signal.SIGCONT)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve again")
    assert server.metric("akin_worker_restarts_total", reason="exit") == 1


def test_requests_by_worker(start, small):
    server = start(small(ROWS), workers=3)
    asked = collections.Counter()
    ask(server, asked, random.Random(3), 90)
    found = of_workers(server.metrics(), "akin_worker_requests_total")
    assert set(found) == {0, 1, 2} and max(found.values()) >= 90      # one connection is one worker's


# -- the process tree ---------------------------------------------------------------------------------------------

def proc(pid, name):
    return harness.pathlib.Path(f"/proc/{pid}/{name}")


def stat(pid):
    return proc(pid, "stat").read_text().rsplit(")", 1)[1].split()


def test_process_figures_are_the_kernels(start, small):
    server = start(small(ROWS), workers=3, threads=8)
    until(lambda: server.metric("akin_workers", state="serving") == 3, "all to serve")
    until(lambda: "akin_monitor_age_seconds" in server.metrics(), "the monitor to have looked")
    tree = [server.pid, server.monitor(), *server.workers()]
    samples = server.metrics()
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    cpu = sum(int(stat(p)[11]) + int(stat(p)[12]) for p in tree) / tick
    assert cpu - 0.5 <= samples["process_cpu_seconds_total"] <= cpu + 0.01 * len(tree)
    assert samples["process_threads"] == sum(len(list(proc(p, "task").iterdir())) for p in tree)
    assert samples["process_virtual_memory_bytes"] == pytest.approx(sum(int(stat(p)[20]) for p in tree), rel=0.01)
    assert samples["process_resident_memory_bytes"] == pytest.approx(sum(int(stat(p)[21]) for p in tree) * page, rel=0.1)
    own_connection = 1      # and maybe the one before, which is about to be closed
    until(lambda: server.metrics()["process_open_fds"] == sum(len(list(proc(p, "fd").iterdir())) for p in tree) + own_connection,
          "as many descriptors as there are")
    limits = proc(server.pid, "limits").read_text()
    assert samples["process_max_fds"] == int(re.search(r"Max open files +(\d+)", limits)[1])
    boot = int(re.search(r"btime (\d+)", harness.pathlib.Path("/proc/stat").read_text())[1])
    assert samples["process_start_time_seconds"] == pytest.approx(boot + int(stat(server.pid)[19]) / tick, abs=2)
    pss = sum(int(re.search(r"^Pss: +(\d+)", proc(p, "smaps_rollup").read_text(), re.M)[1]) for p in tree) * 1024
    assert samples["akin_process_proportional_memory_bytes"] == pytest.approx(pss, rel=0.3)
    assert samples["akin_process_proportional_memory_bytes"] < samples["process_resident_memory_bytes"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and process namespaces")
def test_a_foreign_proc_is_not_believed(start, small):
    """In a namespace of process ids of its own, with the /proc of another one, the ids there are other processes."""
    no_leaks = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}     # they look into /proc, too
    wrapper = ["unshare", "--pid", "--fork", "--kill-child"]
    samples = start(small(ROWS), wrapper=wrapper, env=no_leaks).metrics()
    assert samples["process_cpu_seconds_total"] > 0
    for name in ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads", "process_open_fds"):
        assert name not in samples
    samples = start(small(ROWS), wrapper=own_proc()).metrics()
    assert samples["process_resident_memory_bytes"] > 1e6 and samples["process_open_fds"] > 10


def test_cpu_time_never_goes_back(start, small):
    """Scrapes without a pause, while workers that have worked are killed."""
    server = start(small(ROWS), workers=2)
    last, kills = 0, 8
    for _ in range(kills):
        ask(server, collections.Counter(), random.Random(1), 100)
        victim = server.workers()[-1]
        used = (int(stat(victim)[11]) + int(stat(victim)[12])) / os.sysconf("SC_CLK_TCK")
        before = server.metrics()["process_cpu_seconds_total"]
        os.kill(victim, signal.SIGKILL)
        gone = False
        while not gone:
            gone = victim not in server.workers() and len(server.workers()) == 2
            try:
                now = server.metrics()["process_cpu_seconds_total"]
            except (OSError, harness.http.client.HTTPException):    # it was asked of the dead
                continue
            assert now >= last, "CPU time went back"
            last = now
        assert last >= before >= used


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
