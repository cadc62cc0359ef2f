"""SIGRTMIN+1: what was served before is served again, at once, without a file, a failed request or a closed connection."""
import json
import os
import random
import re
import signal
import subprocess
import threading

import pytest

import harness
import independent
from harness import until
from namespaces import needs_namespace, small_shm


class Shop:
    """A model that stores 5 neighbours, asked for 20: the rest is counted from its lists at every request."""

    def __init__(self, folder, seed):
        chance = random.Random(seed)
        rows = [(f"c{c:03}", f"i{i:03}") for c in range(60) for i in sorted(chance.sample(range(45), 10))]
        expected = independent.Expected([(c, i, f"THING {i}") for c, i in rows])
        self.path = folder / f"shop{seed}.model"
        done = harness.prep("build", "-o", self.path, "--neighbours", 5, "-", stdin=harness.csv_bytes(rows))
        assert done.returncode == 0, done.err
        self.right = {f"/predict/item/{i}?n=20": {i: [o for o, _ in expected.similar_items(i, 20)]}
                      for i in expected.buyers}
        self.right |= {f"/predict/user/{c}?n=20": {c: [i for i, _ in expected.for_customer(c, 20)]}
                       for c in expected.baskets}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops")
    a, b, c = (Shop(folder, seed) for seed in (1, 2, 3))
    common = a.right.keys() & b.right.keys() & c.right.keys()
    assert sum(a.right[p] != b.right[p] != c.right[p] != a.right[p] for p in common) > 80
    return {"A": a, "B": b, "C": c}


class Service:
    """A server, and what each of its generations has to serve."""

    def __init__(self, server, shops):
        self.server, self.shops, self.history = server, shops, ["A"]
        self.paths = sorted(shops["A"].right.keys() & shops["B"].right.keys() & shops["C"].right.keys())

    def expect(self, name):
        """To be told before it happens."""
        self.history.append(name)

    def reload(self, name):
        self.expect(name)
        self.server.hup(self.shops[name].path)
        assert self.server.generation() == len(self.history), self.server.logged()

    def roll_back(self):
        self.expect(self.history[-2])
        self.server.send(signal.SIGRTMIN + 1)
        until(lambda: self.server.generation() == len(self.history), "the rollback")

    def right(self, answer, path):
        return answer.status == 200 and answer.json["data"] == self.shops[self.history[answer.generation - 1]].right[path]

    def serves(self, name):
        """All workers, asked until each has answered from the newest generation."""
        assert self.history[-1] == name
        until(lambda: self.adopted(), "all workers to have adopted it")
        for path in self.paths[::7]:
            answer = self.server.get(path)
            assert answer.generation == len(self.history) and self.right(answer, path), (path, answer.body)

    def adopted(self):
        """As the board has it, which a worker tells once new requests get it."""
        done = subprocess.run([harness.SERVER, "-c", self.server.conf(), "--pid-file", self.server.folder / "akin.pid",
                               "--status=json"], stdout=subprocess.PIPE, check=True, timeout=harness.PATIENCE)
        workers = json.loads(done.stdout)["workers"]
        return [w["generation"] for w in workers if w["state"] == "serving"] == [len(self.history)] * 2


@pytest.fixture
def service(start, shops, tmp_path):
    path = tmp_path / "served.model"
    path.write_bytes(shops["A"].path.read_bytes())
    return Service(start(path, workers=2, threads=32, pid_file=tmp_path / "server0/akin.pid"), shops)


class Load(threading.Thread):
    """One busy kept connection that checks every answer."""

    def __init__(self, service, seed):
        super().__init__(daemon=True)
        self.service, self.chance = service, random.Random(seed)
        self.generations, self.wrong, self.ended = set(), [], threading.Event()

    def run(self):
        try:
            with self.service.server.client() as client:
                last = 0
                while not self.ended.is_set() and not self.wrong:
                    path = self.chance.choice(self.service.paths)
                    answer = client.get(path)
                    if not self.service.right(answer, path) or answer.headers["connection"] != "keep-alive":
                        self.wrong.append((path, answer.generation, answer.status, answer.body[:200]))
                    if answer.generation < last:
                        self.wrong.append((path, f"generation {answer.generation} after {last}"))
                    last = answer.generation
                    self.generations.add(last)
        except Exception as e:
            self.wrong.append(repr(e))


def test_under_load(service):
    loads = [Load(service, seed) for seed in range(12)]
    for load in loads:
        load.start()
    until(lambda: all(load.generations or load.wrong for load in loads), "every connection's first answer")
    for step in ("B", "back", "back", "C", "back", "back", "back", "A", "back"):
        service.roll_back() if step == "back" else service.reload(step)
        until(lambda: all(len(service.history) in load.generations or load.wrong for load in loads), "all to have seen it")
    for load in loads:
        load.ended.set()
    for load in loads:
        load.join(harness.PATIENCE)
    assert [load.wrong for load in loads if load.wrong] == []
    assert service.history == list("ABABCBCBAB")
    assert service.server.metric("akin_rollbacks_total", result="success") == 6
    assert service.server.metric("akin_rollbacks_total", result="failure") == 0
    assert service.server.metric("akin_reloads_total", result="success") == 3
    assert len(service.server.segments()) == 3      # board, what is served, what was before


def test_without_a_generation_before(service):
    server = service.server
    server.send(signal.SIGRTMIN + 1)
    until(lambda: server.metric("akin_rollbacks_total", result="failure") == 1, "the failure to be counted")
    assert "the rollback failed, generation 1 goes on: " in server.logged()
    service.serves("A")
    service.reload("B")
    server.hup(b"no model")
    assert server.generation() == 2                 # a reload that failed changes nothing:
    service.roll_back()
    service.serves("A")


def test_what_is_told_of_it(service):
    server = service.server
    first = server.get("/model").json
    service.reload("B")
    second = server.get("/model").json
    service.roll_back()
    service.serves("A")
    third, samples = server.get("/model").json, server.metrics()
    fixed = [{k: v for k, v in told.items() if k not in ("generation", "published")} for told in (first, second, third)]
    assert fixed[0] == fixed[2] != fixed[1]
    assert third["generation"] == 3 and third["published"] >= second["published"]
    checksum = service.shops["A"].path.read_bytes()[31:23:-1].hex()         # akin-model(5): u64 at 24
    info = [name for name in samples if name.startswith("akin_model_info{")]
    assert len(info) == 1 and 'generation="3"' in info[0] and f'checksum="{checksum}"' in info[0]
    assert samples['akin_shared_memory_bytes{segment="model"}'] == first["segment_bytes"]
    assert samples['akin_shared_memory_bytes{segment="previous"}'] == second["segment_bytes"]
    assert re.search(r"rolled back in \d+ us: generation 3 is generation 1 once more, 45 items, 60 customers", server.logged())


def test_when_the_names_are_gone(service):
    """Removed from outside, as systemd's RemoveIPC does: it is served again all the same, by old workers and new ones."""
    server = service.server
    service.reload("B")
    for name in server.segments():
        if ".model." in name:
            (harness.SHM / name).unlink()
    service.roll_back()
    service.serves("A")
    service.roll_back()                             # what was served has no name, either
    service.serves("B")
    for name in server.segments():
        if ".model." in name:
            (harness.SHM / name).unlink()
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    service.serves("B")
    service.roll_back()
    service.serves("A")


def test_workers_that_begin_meanwhile(service):
    """Killed and replaced all the time, they serve what is served."""
    service.reload("B")
    ended = threading.Event()
    pause = 0.5 if harness.BUILD.name == "valgrind" else 0.02       # less than a worker needs to serve, and none ever does

    def kill():
        chance = random.Random(1)
        while not ended.wait(pause):
            for worker in service.server.workers()[:1]:
                try:
                    os.kill(worker, chance.choice([signal.SIGKILL, signal.SIGTERM]))
                except ProcessLookupError:
                    pass

    def asked(path):
        try:
            return service.server.get(path)
        except (OSError, harness.http.client.HTTPException):
            return None                             # it was in a dead worker's hands

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    answered = 0
    try:
        for at in range(30):
            service.expect(service.history[-2])
            service.server.send(signal.SIGRTMIN + 1)
            path = service.paths[at % len(service.paths)]
            answer = until(lambda: asked(path), "an answer")
            answered += service.right(answer, path)
    finally:
        ended.set()
        killer.join(harness.PATIENCE)
    assert answered == 30
    service.serves(service.history[-1])


def test_a_worker_that_slept_through_it(service):
    worker = service.server.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        for step in ("B", "back", "C", "back"):     # three generations that it never sees
            service.expect(service.history[-2] if step == "back" else step)
            if step != "back":
                (service.server.folder / "aside").write_bytes(service.shops[step].path.read_bytes())
                (service.server.folder / "aside").replace(service.server.model)
            service.server.send(signal.SIGRTMIN + 1 if step == "back" else signal.SIGHUP)
            newest = f"akin.{service.server.token}.model.{len(service.history)}"
            until(lambda: newest in service.server.segments(), "it to be published")
    finally:
        os.kill(worker, signal.SIGCONT)
    service.serves("A")
    assert worker in service.server.workers()


def test_rollbacks_leave_nothing_behind(service):
    def held(pid):
        descriptors = len(list(harness.pathlib.Path(f"/proc/{pid}/fd").iterdir()))
        return descriptors, harness.pathlib.Path(f"/proc/{pid}/maps").read_text().count("/dev/shm/akin")

    def settled():
        until(service.adopted, "all to have adopted it")
        until(lambda: service.server.metric("http_requests_inprogress") == 1, "no other request")
        return [held(pid) for pid in (service.server.pid, *service.server.workers())]

    service.reload("B")
    before = settled()
    for _ in range(25):
        service.roll_back()
    until(lambda: settled() == before, "descriptors and mappings to be as many as before")
    assert len(service.server.segments()) == 3


def test_after_the_masters_death(service, start, shops):
    """Whatever numbers its segments had, the next master removes them."""
    service.reload("B")
    service.roll_back()
    server = service.server
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE)
    until(lambda: not list(server.family()), "the workers to be gone")
    start(shops["A"].path)
    assert server.segments() == []


@needs_namespace
def test_what_is_kept_stays_when_that_would_not_help(start, shops, tmp_path, model):
    path = tmp_path / "served.model"
    path.write_bytes(shops["A"].path.read_bytes())
    server = start(path, wrapper=small_shm("6m"))
    server.hup()
    server.hup(model)
    assert server.metric("akin_reloads_total", reason="no_memory") == 1
    server.send(signal.SIGRTMIN + 1)
    until(lambda: server.generation() == 3, "the rollback")


@needs_namespace
def test_what_is_kept_gives_way_to_what_comes(start, shops, tmp_path, model):
    """/dev/shm has room for two generations of Online Retail and not for three."""
    path = tmp_path / "served.model"
    path.write_bytes(model.read_bytes())
    server = start(path, wrapper=small_shm("76m"), workers=1)
    server.hup()
    server.hup()
    assert server.generation() == 3 and "generation 1, kept for a rollback, gives way" in server.logged()
    assert server.metric("akin_reloads_total", result="failure") == 0
    server.send(signal.SIGRTMIN + 1)
    until(lambda: server.generation() == 4, "the rollback")
    assert "generation 4 is generation 2 once more" in server.logged()
    shm = harness.pathlib.Path(f"/proc/{server.pid}/root/dev/shm")
    until(lambda: len(list(shm.iterdir())) == 3, "board, what is served, what was before")
