"""A model file that is damaged in any way is refused: by verify, by a start, by -t; each time in one line."""
import random
import struct
import subprocess

import pytest
import xxhash

import harness
from harness import prep, refused


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    chance = random.Random(3)
    rows = [(f"c{c:02}", f"i{i:02}") for c in range(40) for i in sorted(chance.sample(range(30), 6))]
    path = tmp_path_factory.mktemp("good") / "m"
    done = prep("build", "-o", path, "-", stdin=harness.csv_bytes(rows))
    assert done.returncode == 0, done.err
    return path.read_bytes()


def check(path):
    """akin-server -t on it."""
    empty = path.parent / "empty.conf"
    empty.touch()
    done = subprocess.run([harness.SERVER, "-t", "-c", empty, "--model", path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=harness.environment())
    done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    harness.no_sanitizer_report(done.err)
    return done


def both_refuse(path):
    refused(prep("verify", path), str(path))
    refused(prep("show", path), str(path))
    done = check(path)
    assert done.returncode == 1
    assert str(path) in harness.one_line(done.err)


def test_the_undamaged_one_is_taken(tmp_path, good):
    path = tmp_path / "m"
    path.write_bytes(good)
    assert prep("verify", path).returncode == 0 and check(path).returncode == 0


def positions(size):
    """Every eighth byte of the head and the section table, then a sample over all, the last byte included."""
    chance = random.Random(size)
    return list(range(0, 440, 8)) + sorted(chance.sample(range(440, size), 60)) + [size - 1]


def test_flipped_bits(tmp_path, good):
    chance = random.Random(1)
    for at in positions(len(good)):
        raw = bytearray(good)
        raw[at] ^= 1 << chance.randrange(8)
        path = tmp_path / "flipped"
        path.write_bytes(raw)
        refused(prep("verify", path), str(path))
        if at % 5 == 0:
            both_refuse(path)


def test_truncations(tmp_path, good):
    chance = random.Random(2)
    for size in [1, 7, 8, 31, 32, 87, 88, 439, 440, 441, len(good) - 1, len(good) - 8] + \
            sorted(chance.sample(range(450, len(good)), 20)):
        path = tmp_path / "short"
        path.write_bytes(good[:size])
        refused(prep("verify", path), str(path))
        if size % 3 == 0:
            both_refuse(path)


@pytest.mark.parametrize("name, raw", [("empty", b""), ("csv", harness.csv_bytes([("1", "A")])), ("zeros", b"\0" * 9999),
                                       ("text", b"x" * 500)], ids=["empty", "csv", "zeros", "text"])
def test_what_is_no_model(tmp_path, name, raw):
    path = tmp_path / name
    path.write_bytes(raw)
    both_refuse(path)


def test_something_behind_the_end(tmp_path, good):
    path = tmp_path / "long"
    path.write_bytes(good + b"\0" * 8)
    both_refuse(path)


def test_another_version_is_named(tmp_path, good):
    raw = bytearray(good)
    for version in (1, 3):
        struct.pack_into("<I", raw, 12, version)
        path = tmp_path / "another"
        path.write_bytes(raw)
        both_refuse(path)
        assert f"version is {version}," in check(path).err and "akin-prep build again" in check(path).err


def test_another_byte_order(tmp_path, good):
    raw = bytearray(good)
    raw[8:12] = raw[8:12][::-1]
    path = tmp_path / "endian"
    path.write_bytes(raw)
    both_refuse(path)


def test_no_file_a_directory_and_a_fifo(tmp_path):
    (tmp_path / "fifo").mkdir()
    harness.os.mkfifo(tmp_path / "fifo" / "f")
    for path in (tmp_path / "nope", tmp_path, tmp_path / "fifo" / "f", "/dev/zero"):
        refused(prep("verify", path), str(path))


def test_a_start_with_a_bad_model_ends_with_one_reason(start, tmp_path, good):
    path = tmp_path / "bad"
    path.write_bytes(good[:-1])
    server = start(path, wait=False)
    assert server.process.wait(harness.PATIENCE) == 1
    errors = [line for line in server.logged().splitlines() if str(path) in line]
    assert len(errors) == 1, server.logged()
    with pytest.raises(OSError):
        server.get("/")


# -- files with a right checksum that lie ---------------------------------------------------------------------------

def test_lies_under_a_right_checksum(tmp_path, good):
    """Whoever writes a model can also sum it up: the structure is checked too, before anything is followed."""
    chance = random.Random(5)
    taken = 0
    for at in [32, 36, 40, 48, 52, 56, 60, 80, 84] + list(range(88, 376, 8)) + chance.sample(range(376, len(good) - 8), 80):
        for value in (0, 0xffffffff, 1 << 31):
            raw = bytearray(good)
            struct.pack_into("<I", raw, at, value)
            struct.pack_into("<Q", raw, 24, xxhash.xxh3_64_intdigest(bytes(raw[32:])))
            if raw == good:
                continue
            path = tmp_path / "lie"
            path.write_bytes(raw)
            done = prep("verify", path)
            taken += done.returncode == 0
            assert done.returncode in (0, 1), (at, value, done.returncode, done.err)
    assert taken < 40       # texts, dates and provenance may be changed; structure may not
