"""SIGHUP: a new generation without a failed request or a closed connection; a bad model changes nothing."""
import random
import threading

import pytest

import harness
import independent


def shop(seed):
    """Rows of a small shop; another seed gives other neighbours for the same ids."""
    chance = random.Random(seed)
    return [(f"c{c:03}", f"i{i:03}") for c in range(80) for i in sorted(chance.sample(range(60), 12))] + \
           [(f"c{i:03}", f"i{i:03}") for i in range(60)]


class Shop:
    def __init__(self, folder, seed):
        rows = shop(seed)
        expected = independent.Expected([(c, i, f"THING {i}") for c, i in rows])
        self.path = folder / f"shop{seed}.model"
        done = harness.prep("build", "-o", self.path, "-", stdin=harness.csv_bytes(rows))
        assert done.returncode == 0, done.err
        self.right = {f"/predict/item/{i}?n=20": {i: [o for o, _ in expected.similar_items(i, 20)]}
                      for i in expected.buyers}
        self.right |= {f"/predict/user/{c}?n=20": {c: [i for i, _ in expected.for_customer(c, 20)]}
                       for c in expected.baskets}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops")
    a, b = Shop(folder, 1), Shop(folder, 2)
    common = a.right.keys() & b.right.keys()
    assert sum(a.right[p] != b.right[p] for p in common) > 100     # else the test could not tell them apart
    return a, b


@pytest.fixture
def serving(start, shops, tmp_path):
    path = tmp_path / "served.model"
    path.write_bytes(shops[0].path.read_bytes())
    return start(path, workers=2, threads=64)     # as many as connections, even in one worker


class Load(threading.Thread):
    """One busy keep-alive connection that checks every answer."""

    def __init__(self, server, shops, seed):
        super().__init__(daemon=True)
        self.server, self.shops, self.chance = server, shops, random.Random(seed)
        self.paths = sorted(shops[0].right.keys() & shops[1].right.keys())
        self.asked, self.generations, self.wrong = 0, set(), []
        self.ended = threading.Event()

    def run(self):
        try:
            with self.server.client() as client:
                last = 0
                while not self.ended.is_set() and not self.wrong:
                    path = self.chance.choice(self.paths)
                    answer = client.get(path)
                    now = answer.generation
                    shop = self.shops[(now - 1) % 2]
                    if answer.status != 200 or answer.json["data"] != shop.right[path]:
                        self.wrong.append((path, now, answer.status, answer.body[:200]))
                    if answer.headers.get("connection", "").lower() == "close":
                        self.wrong.append("the server wants to close")
                    last = now
                    self.asked += 1
                    self.generations.add(now)
        except Exception as e:
            self.wrong.append(repr(e))


def loads(server, shops, count=32):
    made = [Load(server, shops, seed) for seed in range(count)]
    for load in made:
        load.start()
    harness.until(lambda: all(load.asked or load.wrong for load in made), "every connection's first answer")
    return made


def settle(made):
    for load in made:
        load.ended.set()
    for load in made:
        load.join(harness.PATIENCE)
    assert [load.wrong for load in made if load.wrong] == []


def test_reload_under_load_fails_nothing_and_closes_nothing(serving, shops):
    made = loads(serving, shops)
    for generation in range(2, 12):
        serving.hup(shops[(generation - 1) % 2].path)
        harness.until(lambda: all(generation in load.generations or load.wrong for load in made),
                      f"generation {generation} on every connection")
    settle(made)
    assert serving.generation() == 11
    assert serving.metric("akin_reloads_total") == 10
    harness.until(lambda: len(serving.segments()) == 3, "the old generations' segments to go")    # board, model, previous


def held(pid):
    """How many descriptors and mappings of shared memory a process has."""
    descriptors = len(list(harness.pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    return descriptors, harness.pathlib.Path(f"/proc/{pid}/maps").read_text().count("/dev/shm/akin")


def test_reloads_leave_nothing_behind(serving, shops):
    """Neither descriptors nor mappings, in master or workers, of reloads that succeed or fail."""
    good, bad = shops[0].path.read_bytes(), shops[0].path.read_bytes()[:-8]

    def settled(generation):
        harness.until(lambda: all(f"model.{generation}" in harness.pathlib.Path(f"/proc/{pid}/maps").read_text()
                                  for pid in serving.workers()), "all to have adopted it")
        harness.until(lambda: serving.metric("http_requests_inprogress") == 1, "no other request")
        return [held(pid) for pid in (serving.pid, *serving.workers())]

    serving.hup(good)
    before = settled(2)
    for generation in range(3, 13):
        serving.hup(bad)
        serving.hup(good)
        assert serving.generation() == generation
    harness.until(lambda: settled(12) == before, "descriptors and mappings to be as many as before")


def test_hup_without_a_change_is_a_new_generation_of_the_same(serving, shops):
    serving.hup()
    assert serving.generation() == 2
    assert serving.get("/predict/item/i001?n=20").json["data"] == shops[0].right["/predict/item/i001?n=20"]


def test_online_retail_under_load(start, model, expected, small, tmp_path):
    """From the real model to a small one and back while clients read deep rows of it."""
    path = tmp_path / "served.model"
    path.write_bytes(model.read_bytes())
    server = start(path, max_n=10000, threads=64)
    item = "85123A"
    right = [o for o, _ in expected.similar_items(item)]
    other = small([("1", item), ("1", "B"), ("2", item)], "tiny.model")
    wrong, stop, asked = [], threading.Event(), []

    def read():
        try:
            with server.client() as client:
                while not stop.is_set():
                    answer = client.get(f"/predict/item/{item}?n=10000")
                    if answer.json["data"][item] != (right if answer.generation % 2 else ["B"]):
                        wrong.append(answer.body[:100])
                    asked.append(answer.generation)
        except Exception as e:
            wrong.append(repr(e))

    threads = [threading.Thread(target=read, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for generation, raw in enumerate([other, model, other, model], 2):
        server.hup(raw)
        harness.until(lambda: generation in asked[-50:] or wrong, f"generation {generation}")
    stop.set()
    for thread in threads:
        thread.join(harness.PATIENCE)
    assert not wrong
