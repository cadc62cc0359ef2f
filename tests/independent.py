"""What Akin must answer, computed another way: Python's csv, Python's integers, nothing of Akin's.

Kept are the rows with a customer and a quantity above 0. A basket is the set of items of a customer; the baskets of
customers and the customers of items are held as one big integer each (a bit an entry), so a co-occurrence count is
the population count of an AND. No order depends on a rounded number: neighbours x and y of a stand by co_x^2 * n_y
against co_y^2 * n_x, in integers, ties by the bytes of the id.
"""
import bisect
import calendar
import collections
import csv
import functools
import hashlib
import io
import math
import pathlib
import pickle
import subprocess
import time

DATA = pathlib.Path(__file__).parent / "data/online-retail/OnlineRetail.csv.lz4"


def unpack(path=DATA):
    """The bytes of an LZ4 frame, by Debian's lz4 command."""
    return subprocess.run(["lz4", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout


def online_retail_rows(raw):
    """(customer, item, description, time) of kept rows, in file order."""
    for row in csv.DictReader(io.StringIO(raw.decode("latin-1"), newline="")):
        if row["CustomerID"] and int(row["Quantity"]) > 0:
            yield row["CustomerID"], row["StockCode"], row["Description"], row["InvoiceDate"]


class Expected:
    """rows: (customer, item, description, anything) of kept rows in order."""

    def __init__(self, rows):
        self.baskets, self.buyers = {}, {}      # id -> ids, in order of first appearance
        self.first, self.descriptions = {}, {}
        for customer, item, description, *_ in rows:
            self.first.setdefault(item, len(self.first))
            if description and item not in self.descriptions:
                self.descriptions[item] = description
            self.baskets.setdefault(customer, set()).add(item)
            self.buyers.setdefault(item, set()).add(customer)
        self.popular = sorted(self.buyers, key=lambda item: (-len(self.buyers[item]), item.encode()))

    def near(self, lists, a, n=None):
        """[(other, co)] of the entries of lists with members in common with a: the best n, best first."""
        ids, sizes, bits = self._bits(lists)
        own = bits[ids[a]]
        counts = [(own & other).bit_count() for other in bits]
        counts[ids[a]] = 0
        floor = 0
        if n is not None and n < len(counts):       # a generous cut, so that not all need the slow exact sort
            near = [co * co / size for co, size in zip(counts, sizes)]
            floor = (max(near) if n == 1 else sorted(near)[-n]) * (1 - 1e-9)
        found = [(other, co) for other, co, size in zip(ids, counts, sizes) if co and co * co / size >= floor]
        found.sort(key=functools.cmp_to_key(
            lambda x, y: y[1] ** 2 * len(lists[x[0]]) - x[1] ** 2 * len(lists[y[0]])
            or (x[0].encode() > y[0].encode()) - (x[0].encode() < y[0].encode())))
        return found[:n]

    def _bits(self, lists):
        made = self.__dict__.setdefault("_made", {})
        if id(lists) not in made:
            members = {m: at for at, m in enumerate(sorted(set().union(*lists.values())))}
            made[id(lists)] = ({i: at for at, i in enumerate(lists)}, list(map(len, lists.values())),
                               [sum(1 << members[m] for m in found) for found in lists.values()])
        return made[id(lists)]

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key != "_made"}

    @functools.cached_property
    def item_rows(self):
        """item -> its best 100, as near() gives them."""
        return {item: self.near(self.buyers, item, 100) for item in self.buyers}

    @functools.cached_property
    def best_customers(self):
        """customer -> (most similar other customer, co) or None."""
        return {who: next(iter(self.near(self.baskets, who, 1)), None) for who in self.baskets}

    def score(self, lists, a, b, co):
        return math.sqrt(co * co / (len(lists[a]) * len(lists[b])))

    def similar_items(self, item, n=None):
        """[(item, score)]"""
        row = self.item_rows[item][:n] if n is not None and n <= 100 else self.near(self.buyers, item, n)
        return [(other, self.score(self.buyers, item, other, co)) for other, co in row]

    def best_customer(self, customer):
        """(customer, score) or None."""
        best = self.best_customers[customer]
        return best and (best[0], self.score(self.baskets, customer, *best))

    def for_customer(self, customer, n=None):
        """[(item, source)]: what the most similar customer bought and this one did not, then popular items."""
        own, best = self.baskets[customer], self.best_customer(customer)
        new = sorted(self.baskets[best[0]] - own, key=self.first.get) if best else []
        answer = [(item, "user") for item in new]
        if n is None or len(answer) < n:
            skip = own.union(new)
            answer += [(item, "popular") for item in self.popular if item not in skip]
        return answer[:n]


@functools.cache
def seconds(text):
    """Of one of Online Retail's dates, m/d/Y H:M."""
    return calendar.timegm(time.strptime(text, "%m/%d/%Y %H:%M"))


def backtest(rows, days, places=20):
    """What the rows before the last `days` would have recommended, against the rows since then. rows: (customer, item, time)
    in order of the file; a time is seconds or None, and rows with None are in neither part."""
    split = max(when for _, _, when in rows if when is not None) - days * 86400
    older = [(c, i, "") for c, i, when in rows if when is not None and when < split]
    newer = [row for row in rows if row[2] is not None and row[2] >= split]
    learnt = Expected(older)
    bought = collections.defaultdict(set)
    for customer, item, _ in newer:
        if customer in learnt.baskets and item in learnt.buyers and item not in learnt.baskets[customer]:
            bought[customer].add(item)
    learnt.best_customers = {who: next(iter(learnt.near(learnt.baskets, who, 1)), None) for who in bought}  # not of all
    hits = {"user": [0] * places, "popular": [0] * places}
    for customer, items in bought.items():
        for place, (item, source) in enumerate(learnt.for_customer(customer, places)):
            hits[source][place] += item in items
    visits = {(customer, when) for customer, _, when in newer}
    users, items = {customer for customer, _, _ in newer}, {item for _, item, _ in newer}
    return {"split": split, "customers": len(bought), "trials": sum(map(len, bought.values())),
            "hits_own": hits["user"], "hits_popular": hits["popular"],
            "visits": len(visits), "unknown_visits": sum(customer not in learnt.baskets for customer, _ in visits),
            "lines": len(newer), "unknown_lines": sum(item not in learnt.buyers for _, item, _ in newer),
            "seen_users": len(users), "unknown_users": len(users - set(learnt.baskets)),
            "seen_items": len(items), "unknown_items": len(items - set(learnt.buyers))}


def features(expected, bucket):
    """Feature -> {entity: number}, as the model's references count them; bucket: of an id, for item_mix."""
    def top(lists, nearest):
        return {a: best[1] / math.sqrt(len(lists[a]) * len(lists[best[0]])) if best else 0 for a, best in nearest.items()}
    near = {i: next(iter(row), None) for i, row in expected.item_rows.items()}
    return {"user_top_score": top(expected.baskets, expected.best_customers),
            "user_results": {c: len(expected.baskets[best[0]] - expected.baskets[c]) if best else 0
                             for c, best in expected.best_customers.items()},
            "user_history": {c: len(items) for c, items in expected.baskets.items()},
            "item_top_score": top(expected.buyers, near),
            "item_results": {i: len(row) for i, row in expected.item_rows.items()},
            "item_rank": {i: place for place, i in enumerate(expected.popular, 1)},
            "item_mix": {i: bucket(i) for i in expected.buyers}}


def histogram(values, bins=64):
    """Edges of quantile bins, and counts between them: a value that a bin's worth share is alone in its bin, up to the next
    double; other bins take values until they are full. Below the first and above the last edge is nothing."""
    ties = sorted(collections.Counter(values).items())
    alone = {value for value, n in ties if n * bins >= len(values)}
    edges, inside = set(), math.inf
    for value, n in ties:
        if value in alone or inside * bins >= len(values):
            edges.add(value)
            inside = 0
        inside += n
        if value in alone:
            edges.add(math.nextafter(value, math.inf))
            inside = 0
    edges = sorted(edges | {math.nextafter(ties[-1][0], math.inf)})
    counts = [0] * (len(edges) + 1)
    for value, n in ties:
        counts[bisect.bisect_right(edges, value)] += n
    return edges, counts


def online_retail(cache):
    """Expected of the shipped data, kept in the file `cache` under the digest of data and of this code."""
    raw = DATA.read_bytes()
    digest = hashlib.sha256(raw + pathlib.Path(__file__).read_bytes()).hexdigest()
    cache = pathlib.Path(cache)
    if cache.exists():
        found, expected = pickle.loads(cache.read_bytes())
        if found == digest:
            return expected
    expected = Expected(online_retail_rows(unpack()))
    expected.item_rows, expected.best_customers     # compute both before they are kept
    cache.parent.mkdir(parents=True, exist_ok=True)
    aside = cache.with_suffix(".part")
    aside.write_bytes(pickle.dumps((digest, expected)))
    aside.replace(cache)
    return expected
