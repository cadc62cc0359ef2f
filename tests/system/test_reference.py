"""What a model says of its own data, against Python's own computation: visits, lines, references and backtest, to the last
entity and the last hit. The bytes are read as akin-model(5) has them."""
import hashlib
import json
import pathlib
import pickle
import random
import struct

import pytest
import xxhash

import harness
import independent
from harness import prep

NAMES = ["user_top_score", "user_results", "user_history", "item_top_score", "item_results", "item_rank", "item_mix"]
COUNTS = ["customers", "trials", "hits_own", "hits_popular", "visits", "unknown_visits", "lines", "unknown_lines",
          "seen_users", "unknown_users", "seen_items", "unknown_items"]
DAY = 86400


def bucket(item):
    return xxhash.xxh3_64_intdigest(item.encode()) & 63


class Sections:
    """The new sections of a model file, and its ids."""

    def __init__(self, path):
        self.raw = path.read_bytes()
        assert struct.unpack_from("<I", self.raw, 12) == (2,) and struct.unpack_from("<I", self.raw, 80) == (22,)
        items, customers = struct.unpack_from("<II", self.raw, 32)
        self.items, self.customers = self.ids(0, items), self.ids(6, customers)
        self.visits = dict(zip(self.customers, self.numbers(17, "I"), strict=True))
        self.lines = dict(zip(self.items, self.numbers(18, "I"), strict=True))
        raw = self.section(19)
        assert len(raw) == 7 * 1680
        self.references = {name: self.reference(raw[1680 * k:1680 * (k + 1)]) for k, name in enumerate(NAMES)}
        split, customers, trials, *rest = struct.unpack("<q50Q", self.section(20))
        self.backtest = {"split": split, "customers": customers, "trials": trials, "hits_own": rest[:20],
                         "hits_popular": rest[20:40], **dict(zip(COUNTS[4:], rest[40:], strict=True))}

    def section(self, k):
        offset, length = struct.unpack_from("<QQ", self.raw, 88 + 16 * k)
        return self.raw[offset:offset + length]

    def numbers(self, k, kind):
        raw = self.section(k)
        return struct.unpack(f"<{len(raw) // struct.calcsize(kind)}{kind}", raw)

    def ids(self, k, n):
        starts, text = self.numbers(k, "Q"), self.section(k + 1)
        return [text[starts[i]:starts[i + 1]].decode() for i in range(n)]

    @staticmethod
    def reference(raw):
        bins, groups = struct.unpack_from("<II", raw)
        return {"groups": groups, "edges": list(struct.unpack_from("<128d", raw, 8))[:bins - 1],
                "counts": list(struct.unpack_from("<129I", raw, 1032))[:bins], "group": list(raw[1548:1548 + bins])}


def agrees(model, want):
    """The section, and what show says of it."""
    assert Sections(model).backtest == want
    done = prep("show", "--json", model)
    shown = json.loads(done.out)["backtest"]
    assert {name: shown[name] for name in COUNTS} == {name: want[name] for name in COUNTS}
    hits = sum(want["hits_own"][:10]) + sum(want["hits_popular"][:10])
    assert shown["hit_percent_10"] == pytest.approx(100 * hits / want["trials"] if want["trials"] else 0)
    assert prep("verify", model).returncode == 0


@pytest.fixture(scope="module")
def rows():
    """Online Retail's: (customer, item, seconds)."""
    return [(customer, item, independent.seconds(when))
            for customer, item, _, when in independent.online_retail_rows(independent.unpack())]


@pytest.fixture(scope="module")
def sections(model):
    return Sections(model)


def test_visits_and_lines(sections, rows):
    visits, lines = {}, {}
    for customer, item, when in rows:
        visits.setdefault(customer, set()).add(when)
        lines[item] = lines.get(item, 0) + 1
    assert sections.visits == {customer: len(times) for customer, times in visits.items()}
    assert sections.lines == lines


def test_references(sections, expected):
    for name, values in independent.features(expected, bucket).items():
        found = sections.references[name]
        if name == "item_mix":
            counts = [0] * 64
            for value in values.values():
                counts[value] += 1
            assert found["counts"] == counts and found["groups"] == 64
            continue
        edges, counts = independent.histogram(list(values.values()))
        assert found["edges"] == edges and found["counts"] == counts, name
        in_group = [sum(n for n, g in zip(counts, found["group"], strict=True) if g == k) for k in range(found["groups"])]
        fair = len(values) / 10
        tied = {g for n, g in zip(counts, found["group"], strict=True) if n > fair}     # more in a bin than in a group should be
        assert 2 <= found["groups"] <= 10 and all(n < 1.5 * fair or g in tied for g, n in enumerate(in_group)), in_group
        assert tied or (found["groups"] == 10 and min(in_group) > 0.7 * fair), in_group


def test_backtest_of_online_retail(model, rows):
    cache = harness.TOP / "build/backtest.pickle"
    digest = hashlib.sha256(independent.DATA.read_bytes() + pathlib.Path(independent.__file__).read_bytes()).hexdigest()
    kept = pickle.loads(cache.read_bytes()) if cache.exists() else None
    if not kept or kept[0] != digest:
        kept = digest, independent.backtest(rows, 30)
        aside = cache.with_suffix(".part")
        aside.write_bytes(pickle.dumps(kept))
        aside.replace(cache)
    agrees(model, kept[1])


def shop(seed, days, customers=80, items=60, n=3000):
    """Sales out of order, some of them without a date, with customers and items that come late."""
    chance = random.Random(seed)
    rows = []
    for _ in range(n):
        when = chance.randrange(days * DAY) if chance.random() > 0.05 else None
        late = (when or 0) / (days * DAY)
        rows.append((f"c{int(customers * chance.random() * (0.4 + 0.6 * late))}",
                     f"i{int(items * chance.random() ** 1.5 * (0.5 + 0.5 * late))}", when))
    return rows


def build(folder, rows, *options):
    text = ["customer,item,date"] + [f"{c},{i},{'' if when is None else when + 1600000000}" for c, i, when in rows]
    path = folder / "m"
    done = prep("build", "--json", "-j", 2, *options, "-o", path, "-", stdin="\n".join(text).encode())
    assert done.returncode == 0, done.err
    return path, json.loads(done.out)


@pytest.mark.parametrize("seed, days, backtest_days", [(1, 90, 30), (2, 60, 7), (3, 25, 10), (4, 400, 30), (5, 10, 1)])
def test_backtest_of_rows_in_no_order(tmp_path, seed, days, backtest_days):
    rows = shop(seed, days)
    want = independent.backtest([(c, i, when and when + 1600000000) for c, i, when in rows], backtest_days)
    path, said = build(tmp_path, rows, *(["--backtest-days", backtest_days] if backtest_days != 30 else []))
    agrees(path, want)
    assert want["unknown_users"] and want["unknown_items"] and sum(want["hits_own"]) and sum(want["hits_popular"])
    assert said["provenance"]["settings"]["backtest_days"] == backtest_days and said["provenance"]["backtest_off"] is None
    assert said["seconds"]["backtest"] > 0


def test_a_backtest_is_that_of_a_model_of_the_older_rows(tmp_path):
    """Two builds of the program's own: of the rows before the split, and of all. What the first knows is what the second
    knew then."""
    rows = [row for row in shop(6, 90) if row[2] is not None]
    split = max(row[2] for row in rows) - 30 * DAY
    older, newer = [row for row in rows if row[2] < split], [row for row in rows if row[2] >= split]
    path, _ = build(tmp_path, older, "--no-backtest")
    known = Sections(path)
    whole = Sections(build(tmp_path, rows)[0]).backtest
    assert whole["unknown_users"] == len({c for c, _, _ in newer} - set(known.customers))
    assert whole["unknown_items"] == len({i for _, i, _ in newer} - set(known.items))


NONE = {**dict.fromkeys(COUNTS, 0), "split": -2**63, "hits_own": [0] * 20, "hits_popular": [0] * 20}


@pytest.mark.parametrize("days, options, reason", [
    (90, ["--no-backtest"], "none was wanted"),
    (90, ["--date-format", "none"], "there are no dates"),
    (50, [], "would be shorter"),
    (90, ["--backtest-days", 46], "would be shorter"),
    (90, ["--backtest-days", 36500], "would be shorter")])
def test_no_backtest_says_why(tmp_path, days, options, reason):
    path, said = build(tmp_path, [("c0", "i0", 0), *shop(7, days), ("c0", "i0", days * DAY)], *options)
    assert Sections(path).backtest == NONE
    assert said["backtest"] is None and reason in said["provenance"]["backtest_off"]
    shown = prep("show", path).out
    assert [line for line in shown.splitlines() if line.startswith("backtest  none: ") and reason in line], shown


def test_the_longest_backtest_that_the_data_allow(tmp_path):
    path, _ = build(tmp_path, [("c0", "i0", 0), *shop(7, 90), ("c0", "i0", 90 * DAY)], "--backtest-days", 45)
    assert Sections(path).backtest["split"] == 1600000000 + 45 * DAY


def test_a_summary_and_a_difference_have_the_backtest(tmp_path, model):
    text = prep("show", model).out
    assert "backtest  from 2011-11-09 12:50:00 on: of " in text and "unknown until then: " in text
    without = tmp_path / "without"
    assert prep("build", "-q", "--no-backtest", "-o", without, independent.DATA).returncode == 0
    told = prep("diff", without, model).out
    assert "hits of 10" in told and "before no backtest" in told
    found = json.loads(prep("diff", "--json", without, model).out)
    assert found["before"]["backtest"] is None
    assert found["after"]["backtest"] == json.loads(prep("show", "--json", model).out)["backtest"]


@pytest.mark.parametrize("options", [["--backtest-days", "0"], ["--backtest-days", "36501"], ["--backtest-days", "x"],
                                     ["--backtest-days", "-1"], ["--backtest-days"], ["--no-backtest=1"]])
def test_wrong_options(tmp_path, options):
    done = prep("build", "-o", tmp_path / "m", *options, "-", stdin=b"customer,item\na,b\n")
    assert done.returncode == 64 and harness.one_line(done.err) and not (tmp_path / "m").exists()
