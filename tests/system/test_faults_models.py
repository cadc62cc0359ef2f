"""SIGHUP with a model that must not be served, under load: nothing changes but a counter, and the log says why in one line.
See faults.py for what must be true after each."""
import os
import random
import struct

import pytest

import faults
import harness

FLIPS, CUTS = (12, 6) if harness.SANITIZED else (80, 20)


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops")
    return [faults.Shop(folder, 1), faults.Shop(folder, 2)]


@pytest.fixture
def serving(start, shops, tmp_path):
    path = tmp_path / "served.model"
    path.write_bytes(shops[0].bytes)
    server = start(path, workers=2, threads=32)
    server.hup()                # so that there is a generation before this one
    return server


class Refusals:
    """Reloads that must fail, one after the other, between two looks at everything."""

    def __init__(self, server, shops):
        self.server, self.shops, self.count = server, shops, 0
        self.load = faults.Load(server, shops, contents={2: 0, 3: 1})

    def refuse(self, raw=None, *words):
        logged = len(self.server.logged())
        self.server.hup(raw)
        self.count += 1
        samples = self.server.metrics()
        assert samples["akin_model_generation"] == 2 and samples["akin_last_reload_successful"] == 0
        assert faults.total(samples, "akin_reloads_total", result="failure") == self.count
        said = [line for line in self.server.logged()[logged:].splitlines() if " error " in line or " warn " in line]
        assert len(said) == 1 and str(self.server.model) in said[0], said
        for word in words:
            assert word in said[0], said[0]

    def __enter__(self):
        self.steady = faults.steady(self.server, self.load)
        self.steady.__enter__()
        return self

    def __exit__(self, kind, *rest):
        if not kind:
            self.load.some()
        self.steady.__exit__(kind, *rest)
        if kind:
            return
        assert not self.load.lost and not self.load.refused and set(self.load.generations) == {2}
        if self.server.model.is_symlink() or not self.server.model.is_dir():
            self.server.model.unlink(missing_ok=True)
        else:
            self.server.model.rmdir()
        self.server.hup(self.shops[1].bytes)        # a good one is taken as ever
        samples = self.server.metrics()
        assert samples["akin_model_generation"] == 3 and samples["akin_last_reload_successful"] == 1
        with self.server.client() as client:
            question = self.load.questions[0]
            harness.until(lambda: client.get(question.path).json["data"] == question.body[1], "its answer")


def flipped(raw, at, bit):
    raw = bytearray(raw)
    raw[at] ^= 1 << bit
    return bytes(raw)


def test_flipped_bits(serving, shops):
    """At a sample of all positions: the head, the table of sections, and all over the rest."""
    raw, chance = shops[1].bytes, random.Random(4)
    places = sorted(chance.sample(range(440), FLIPS // 2) + chance.sample(range(440, len(raw)), FLIPS // 2)) + [len(raw) - 1]
    with Refusals(serving, shops) as r:
        for at in places:
            r.refuse(flipped(raw, at, chance.randrange(8)))


def test_truncated(serving, shops):
    raw, chance = shops[1].bytes, random.Random(5)
    with Refusals(serving, shops) as r:
        for size in [0, 1, 31, 32, 375, 440, len(raw) - 1] + chance.sample(range(441, len(raw) - 1), CUTS):
            r.refuse(raw[:size])


def test_another_version_and_what_is_no_model(serving, shops):
    raw = shops[1].bytes
    newer = bytearray(raw)
    struct.pack_into("<I", newer, 12, 3)
    with Refusals(serving, shops) as r:
        r.refuse(bytes(newer), "version", "3")
        r.refuse(raw[:8] + raw[8:12][::-1] + raw[12:])          # of a machine of the other byte order
        r.refuse(harness.csv_bytes([("1", "A")]))
        r.refuse(b"\0" * len(raw))
        r.refuse(raw + b"\0" * 8)


def test_a_file_far_too_large_takes_no_memory(serving, shops):
    """It is refused for what it is; there is not even room for it in /dev/shm."""
    with Refusals(serving, shops) as r:
        serving.model.write_bytes(b"")
        os.truncate(serving.model, 1 << 40)
        r.refuse(None, "no Akin model")


@pytest.mark.parametrize("what, words", [
    ("missing", "No such file"), ("directory", "regular file"), ("fifo", "regular file"), ("loop", "Too many levels"),
    ("device", "regular file")])
def test_what_is_no_file(serving, shops, what, words):
    """A FIFO that nobody writes to must not be waited for, either."""
    with Refusals(serving, shops) as r:
        serving.model.unlink()
        if what == "directory":
            serving.model.mkdir()
        elif what == "fifo":
            os.mkfifo(serving.model)
        elif what == "loop":
            serving.model.symlink_to(serving.model)
        elif what == "device":
            serving.model.symlink_to("/dev/zero")
        r.refuse(None, words)


def test_unreadable(start, shops, tmp_path):
    """root reads everything, so it is started without that right."""
    path = tmp_path / "served.model"
    path.write_bytes(shops[0].bytes)
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    server = start(path, workers=2, threads=32, wrapper=bare)
    server.hup()
    with Refusals(server, shops) as r:
        path.chmod(0)
        r.refuse(None, "Permission denied")


def test_two_good_ones_under_load(serving, shops):
    """The measure for all of the above: each answer is its generation's, none is lost, none is refused."""
    load = faults.Load(serving, shops, contents={g: g % 2 for g in range(2, 20)})
    with faults.steady(serving, load):
        for generation in range(3, 13):
            serving.hup(shops[generation % 2].bytes)
            harness.until(lambda: load.generations[generation] >= 20, "it to be served")
    assert not load.lost and not load.refused and not load.shed
