"""What akin-prep replay must tell, computed another way: for Online Retail cut in two, and for a few rows by hand."""
import collections
import csv
import datetime
import functools
import hashlib
import json
import pathlib
import pickle

import harness
import independent
from harness import prep

HEADER = ("CustomerID", "StockCode", "Quantity", "InvoiceDate")


def replay(*arguments, **more):
    """What it tells, as JSON."""
    done = prep("replay", "--json", "-q", *arguments, **more)
    assert (done.returncode, done.err) == (0, ""), done.err
    return json.loads(done.out)


def told(answer):
    """All but who was asked."""
    return {k: v for k, v in answer.items() if k not in ("server", "model", "checksum", "fill")}


def table(path, rows, header=HEADER):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


# -- another way -------------------------------------------------------------------------------------------------------

class Nearest(dict):
    """customer -> (most similar other customer, co) or None, when it is asked for: independent.Expected computes all."""

    def __init__(self, expected):
        ids = sorted(expected.baskets, key=str.encode)
        at = {item: n for n, item in enumerate(expected.buyers)}
        self.bits = {who: sum(1 << at[item] for item in expected.baskets[who]) for who in ids}
        self.rows = [(who, self.bits[who], len(expected.baskets[who])) for who in ids]

    def __missing__(self, a):
        best, own = (None, 0, 1), self.bits[a]
        for other, bits, size in self.rows:
            co = (own & bits).bit_count()
            if co * co * best[2] > best[1] * best[1] * size and other != a:
                best = (other, co, size)
        self[a] = best[:2] if best[0] else None
        return self[a]


def shares(seen, unknown):
    return {"all": seen, "unknown": unknown, "share": unknown / seen if seen else 0}


def computed(old, new, n, period=lambda when: None):
    """The replay of new, (customer, item, description, time) in order of time, against a model of old."""
    expected = independent.Expected(old)
    expected.__dict__["best_customers"] = Nearest(expected)
    answer = functools.lru_cache(None)(lambda who: expected.for_customer(who, n))
    count, hits = collections.Counter(), {"user": [0] * n, "popular": [0] * n}
    seen, visits, tried, periods = set(), set(), set(), {}
    unknown_visits = 0
    for who, item, _, when in new:
        at = periods.setdefault(period(when), collections.Counter())
        nobody, nothing = who not in expected.baskets, item not in expected.buyers
        at["rows"] += 1
        at["unknown_lines"] += nothing
        if (who, when) not in visits:
            visits.add((who, when))
            at["visits"] += 1
            at["unknown_visits"] += nobody
        if (who, item) in seen:
            continue
        seen.add((who, item))
        at["purchases"] += 1
        if nobody or nothing or item in expected.baskets[who]:
            count["unknown_customer" if nobody else "unknown_item" if nothing else "repeat"] += 1
            continue
        tried.add(who)
        at["trials"] += 1
        place = next((p for p, (other, _) in enumerate(answer(who)) if other == item), None)
        if place is not None:
            hits[answer(who)[place][1]][place] += 1
            at["hits"] += 1
    all_of = lambda key: sum(at[key] for at in periods.values())
    first = [{"n": k, "hits": sum(hits["user"][:k]) + sum(hits["popular"][:k]), "user": sum(hits["user"][:k]),
              "popular": sum(hits["popular"][:k])} for k in (1, 3, 5, 10, 20, 50) if k < n or k == n]
    for one in first:
        one["rate"] = one["hits"] / all_of("trials")
    customers, items = {row[0] for row in new}, {row[1] for row in new}
    return {"purchases": len(seen), "aside": {**{k: count[k] for k in ("unknown_customer", "unknown_item", "repeat")}, "not_judged": 0},
            "trials": all_of("trials"), "trial_customers": len(tried), "hits": all_of("hits"),
            "hit_rate": all_of("hits") / all_of("trials"), "first": first, "hits_by_place": hits,
            "unknown": {"visits": shares(all_of("visits"), all_of("unknown_visits")),
                        "lines": shares(len(new), all_of("unknown_lines")),
                        "customers": shares(len(customers), len(customers - expected.baskets.keys())),
                        "items": shares(len(items), len(items - expected.buyers.keys()))},
            "periods": [{"begin": begin, "rows": at["rows"], "purchases": at["purchases"], "trials": at["trials"],
                         "hits": at["hits"], "rate": at["hits"] / at["trials"] if at["trials"] else 0,
                         "visits": shares(at["visits"], at["unknown_visits"]), "lines": shares(at["rows"], at["unknown_lines"])}
                        for begin, at in periods.items()]}


# -- Online Retail -----------------------------------------------------------------------------------------------------

SPLIT = datetime.datetime(2011, 11, 9, 12, 50)          # 30 days before its end


@functools.lru_cache(None)
def moment(text):
    date, clock = text.split()
    month, day, year = map(int, date.split("/"))
    hour, minute = map(int, clock.split(":"))
    return datetime.datetime(year, month, day, hour, minute)


def monday(when):
    return str((when - datetime.timedelta(when.weekday())).date())


PLACES = 20


def cut_in_two(cache):
    """(rows before SPLIT, rows from then on, what a replay of these must tell): kept in a file, for it takes seconds."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in map(pathlib.Path, (independent.DATA, independent.__file__, __file__))))
    if cache.exists():
        found, *made = pickle.loads(cache.read_bytes())
        if found == digest.digest():
            return made
    rows = [(*row[:3], moment(row[3])) for row in independent.online_retail_rows(independent.unpack())]
    old, new = ([row for row in rows if (row[3] >= SPLIT) == late] for late in (False, True))
    made = [*([(who, item, 1, str(when)) for who, item, _, when in part] for part in (old, new)), computed(old, new, PLACES, monday)]
    aside = cache.with_suffix(".part")
    aside.write_bytes(pickle.dumps((digest.digest(), *made)))
    aside.replace(cache)
    return made


class Shop:
    """Online Retail, cut in two: the model of what was before, the file of what came then, and what a replay must tell."""

    def __init__(self, folder):
        old, new, self.expected = cut_in_two(harness.TOP / "build/replay.pickle")
        self.new, self.model = table(folder / "new.csv", new), folder / "old.model"
        done = prep("build", "-q", "-o", self.model, table(folder / "old.csv", old))
        assert done.returncode == 0, done.err

    def check(self, answer):
        """To the last hit."""
        promised = [one.pop("promised") for one in answer["first"]]
        assert {k: answer[k] for k in self.expected} == self.expected
        assert promised == [sum(answer["backtest"]["hits_own"][:one["n"]] + answer["backtest"]["hits_popular"][:one["n"]])
                            / answer["backtest"]["trials"] for one in answer["first"]]


def url(server):
    return f"http://127.0.0.1:{server.port}"


# -- by hand -----------------------------------------------------------------------------------------------------------

OLD = [("ann", "A"), ("ann", "B"), ("bob", "A"), ("bob", "B"), ("bob", "C"), ("bob", "D"), ("cid", "E"), ("dot", "E"), ("dot", "F")]
# ann is shown C, D (bob's), then E, F (popular by 2 and 1); cid is shown F (dot's), then A, B, C, D; bob's nearest is ann, who
# has nothing new: E, F.
NEW = [("ann", "D", 1, "2012-01-31 10:00"), ("bob", "E", 1, "2012-02-06 09:00"), ("ann", "D", 1, "2012-01-30 08:00"),
       ("ann", "A", 1, "2012-02-01 12:00"), ("eve", "A", 1, "2012-02-05 23:59"), ("cid", "X", 1, "2012-02-06 00:00"),
       ("cid", "F", 1, ""), ("ann", "F", 1, "2012-02-06 09:00"), ("ann", "C", -1, "2012-02-06 09:00"),
       ("cid", "D", 1, "2012-02-06 00:00")]


def by_hand(folder):
    """The model of OLD and the file of NEW."""
    model = folder / "small.model"
    done = prep("build", "-q", "-o", model, "-", stdin=harness.csv_bytes(OLD))
    assert done.returncode == 0, done.err
    return model, table(folder / "new.csv", NEW)
