#!/usr/bin/python3
"""The tables of docs/monitoring.md: how often Akin's drift monitoring is wrong, and how soon it is right.

    usage: drift_study.py [--short] [BUILD [SETTING=VALUE...]]

Traffic is drawn from Online Retail; windows of it go through Akin's own window and verdict code (tests/bench/drift_windows.c), and
through Evidently's and NannyML's rules (others.py). Ends with 1 when there are false alarms in more than 1 % of windows, or more than one a
day at a window an hour, or a planted drift takes more than two windows. All draws are seeded, so the tables come out the
same each time. --short is for the tests.
"""
import argparse
import bisect
import collections
import csv
import datetime
import io
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/bench")]

import independent
import others

SIZE = 1000                     # requests a window: window_requests
CLOSE = numpy.uint32(2 ** 32 - 1)
REFERENCES = ("training", "baseline", "previous")
AXES = {"user": ("user_top_score", "user_results", "user_history", "user_unknown"),
        "item": ("item_top_score", "item_results", "item_rank", "item_mix", "item_unknown")}
FIELDS = "ks ks_critical ks_p psi psi_critical share reference_share share_p samples references insufficient detected streak".split()


class Shop:
    """Online Retail: rows as they are, visits and lines in order of time, and codes: places in the sorted lists of ids."""

    def __init__(self):
        text = io.StringIO(independent.unpack().decode("latin-1"), newline="")
        self.head, *rows = csv.reader(text)
        customer, item, when, quantity = map(self.head.index, ("CustomerID", "StockCode", "InvoiceDate", "Quantity"))
        times = {}
        self.rows = []
        for row in rows:
            at = times.get(row[when]) or times.setdefault(row[when], datetime.datetime.strptime(row[when], "%m/%d/%Y %H:%M"))
            if row[customer] and int(row[quantity]) > 0:
                self.rows.append((at, row))
        self.rows.sort(key=lambda pair: pair[0])
        self.ids = {"user": sorted({row[customer] for _, row in self.rows}, key=str.encode),
                    "item": sorted({row[item] for _, row in self.rows}, key=str.encode)}
        self.code = {axis: {name: at for at, name in enumerate(ids)} for axis, ids in self.ids.items()}
        visits = {(at, row[customer]): None for at, row in self.rows}
        self.times = {"user": numpy.array([at for at, _ in visits], "datetime64[s]"),
                      "item": numpy.array([at for at, _ in self.rows], "datetime64[s]")}
        self.asked = {"user": numpy.array([self.code["user"][who] for _, who in visits], numpy.uint32),
                      "item": numpy.array([self.code["item"][row[item]] for _, row in self.rows], numpy.uint32)}
        baskets = {}
        for (at, row), code in zip(self.rows, self.asked["item"]):
            baskets.setdefault((at, row[customer]), []).append(code)
        self.baskets = list(baskets.values())

    def between(self, axis, begin, end):
        """Codes of the visits, or lines, from the month `begin` to before the month `end`, in order."""
        times = self.times[axis]
        return self.asked[axis][(times >= numpy.datetime64(begin)) & (times < numpy.datetime64(end))]

    def write_ids(self, folder):
        for axis, ids in self.ids.items():
            (folder / axis).write_text("".join(name + "\n" for name in ids))


class Model:
    """A model of some of the rows, and of each code its features."""

    def __init__(self, build, folder, name, shop, rows):
        self.path, self.build, self.folder, self.shop = folder / f"{name}.model", build, folder, shop
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([shop.head, *(row for _, row in rows)])
        subprocess.run([build / "akin-prep", "build", "-q", "-o", self.path, "--date-format", "mdy", "-"], check=True,
                       input=text.getvalue().encode("latin-1"))
        self.weight = {axis: numpy.zeros(len(ids)) for axis, ids in shop.ids.items()}
        self.value = {feature: numpy.full(len(shop.ids[axis]), numpy.nan) for axis in AXES for feature in AXES[axis]}
        for axis, name, asked, *values in (line.split("\t") for line in self.harness("features", self.path).splitlines()):
            if axis == "backtest":
                self.backtest = {"trials": float(name), "hits": float(asked)}
                continue
            code = shop.code[axis][name]
            self.weight[axis][code] = int(asked)
            for pair in values:
                feature, value = pair.split("=")
                self.value[feature][code] = float(value)
        for axis in AXES:
            self.value[axis + "_unknown"] = (self.weight[axis] == 0).astype(float)

    def harness(self, *arguments):
        return subprocess.run([self.build / "bench/drift_windows", *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True).stdout

    def watch(self, axis, windows, settings=()):
        """What Akin finds: (feature, reference) -> field -> one figure a window."""
        requests = self.folder / "requests"
        windows = numpy.asarray(windows, numpy.uint32)
        numpy.concatenate([windows, numpy.full((len(windows), 1), CLOSE)], 1, dtype=numpy.uint32).tofile(requests)
        lines = [line.split() for line in self.harness("watch", self.path, axis, self.folder / axis, requests, *settings).splitlines()]
        found = collections.defaultdict(list)
        for _, feature, reference, *figures in lines:
            found[feature, reference].append(figures)
        return {key: dict(zip(FIELDS, numpy.array(rows, float).T)) for key, rows in found.items()}

    def known(self, axis):
        return numpy.flatnonzero(self.weight[axis])


KINDS = {"user": ("uniform", "Zipf", "own mix"), "item": ("uniform", "Zipf", "own mix", "own baskets")}


def traffic(model, axis, kind, rng, windows, size=SIZE):
    """Requests that nothing has drifted in: uniform, Zipf(1) over shuffled ids, the shop's own mix one by one; or its
    baskets drawn whole, line after line, which come in bunches as real ones do."""
    if kind == "own baskets":
        baskets, found = model.shop.baskets, []
        while len(found) < windows * size:
            found.extend(baskets[rng.integers(len(baskets))])
        return numpy.array(found[:windows * size], numpy.uint32).reshape(windows, size)
    codes = model.known(axis)
    weight = {"uniform": lambda: numpy.ones(len(codes)), "Zipf": lambda: rng.permutation(1 / numpy.arange(1, len(codes) + 1)),
              "own mix": lambda: model.weight[axis][codes]}[kind]()
    return codes[rng.choice(len(codes), (windows, size), p=weight / weight.sum())]


def percent(share):
    return "0" if share == 0 else f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def onsets(detected):
    return int((numpy.diff(detected, prepend=0) > 0).sum())


def other_rules(model, axis, feature, windows, earlier):
    """{rule: which windows it fires in}. earlier: ten windows of the same traffic, the reference of a careful user; the
    population, each entity once, that of a careless one."""
    category = feature == "item_mix"
    fires = {}
    for name, reference in (("population", model.known(axis)), ("earlier traffic", earlier.ravel())):
        column = others.Column(model.value[feature], reference, windows)
        fires[f"Evidently, {name}"] = others.evidently_fires(column, category)
        fires[f"PSI 0.1, {name}"] = others.psi_fires(column, category)
        if not category:
            fires[f"KS p 0.05, {name}"] = others.ks_fires(column)
    chunks = numpy.stack([column._counts(row) for row in earlier])
    if not category:
        fires["NannyML KS"] = others.nannyml_ks_fires(column, chunks)
    fires["NannyML JS"] = others.nannyml_js_fires(column, chunks, category)
    return fires


OTHERS = ("Evidently, population", "Evidently, earlier traffic", "PSI 0.1, population", "PSI 0.1, earlier traffic",
          "KS p 0.05, population", "KS p 0.05, earlier traffic", "NannyML KS", "NannyML JS")


def singles(figures):
    """Windows that differ although the verdict, which asks for another, is that nothing has drifted; and the other way."""
    return ((figures["streak"] > 0) != (figures["detected"] > 0)).mean()


def false_alarms(model, windows, settings, missed):
    print(f"\n### No drift: {windows} windows of {SIZE} requests of each traffic\n")
    print("| traffic | feature | Akin: training / baseline / previous | … single windows |", *(f" {name} |" for name in OTHERS), sep="")
    print("|---" * (4 + len(OTHERS)) + "|")
    rng = numpy.random.default_rng(1)
    for axis in AXES:
        for kind in KINDS[axis]:
            asked = traffic(model, axis, kind, rng, windows + 10)
            found = model.watch(axis, asked, settings)
            for feature in AXES[axis]:
                mine = [found[feature, reference] for reference in REFERENCES]
                rules = {} if feature.endswith("unknown") else other_rules(model, axis, feature, asked[10:], asked[:10])
                print(f"| {kind} | {feature} | {' / '.join(percent(one['detected'].mean()) for one in mine)} |"
                      f" {percent(max(map(singles, mine)))} |",
                      *(f" {percent(rules[name].mean()) if name in rules else ''} |" for name in OTHERS), sep="")
                if max(one["detected"].mean() for one in mine) > 0.01:
                    missed.append(f"{kind}, {feature}: false alarms in more than 1 % of windows")


def per_day(model, shop, windows, settings, missed):
    """Akin alone, much longer."""
    print(f"\n### Alarms a day: {windows} windows of {SIZE} requests of each traffic\n")
    print("| traffic | alarms that began, all features and references | at the shop's own rate | at a window an hour | at a window a second |\n"
          "|---|---|---|---|---|")
    rng, days, all_of = numpy.random.default_rng(4), len({str(at)[:10] for at in shop.times["item"]}), 0
    for axis in AXES:
        for kind in KINDS[axis]:
            began = 0
            for part in range(0, windows, 5000):
                found = model.watch(axis, traffic(model, axis, kind, rng, min(5000, windows - part)), settings)
                began += sum(onsets(figures["detected"]) for figures in found.values())
            all_of = max(all_of, began)
            share, less = (began / windows, "") if began else (3 / windows, "below ")    # none in n: below 3 / n, 95 % sure
            print(f"| {kind}, {axis} | {began} |", *(f" {less}{share * rate:.2g} |" for rate in
                  (len(shop.asked[axis]) / days / SIZE, 24, 86400)), sep="")
    if all_of / windows * 24 > 1:
        missed.append("more than one false alarm a day at a window an hour")


def the_year(models, shop, settings):
    """Not drawn: the data in order, 1000 requests a window."""
    print("\n### The year as it was: windows with a verdict, and the first of them\n")
    print("| model | feature | training | baseline | previous |\n|---|---|---|---|---|")
    for name, model, begin in (("of the whole year, traffic of the year", models["whole"], "2010-12-01"),
                               ("to the end of May, traffic from June", models["may"], "2011-06-01")):
        for axis in AXES:
            asked = shop.between(axis, begin, "2012-01-01")
            asked = asked[:len(asked) // SIZE * SIZE].reshape(-1, SIZE)
            found = model.watch(axis, asked, settings)
            for feature in AXES[axis]:
                mine = [found[feature, reference]["detected"] for reference in REFERENCES]
                if any(one.any() for one in mine):
                    print(f"| {name} | {feature} |", *(f" {int(one.sum())} of {len(one)}" + (f", first {until(one)}" if one.any() else "") + " |"
                                                      for one in mine), sep="")


def why_nearest_mixture(model, windows, rng):
    """Distinct entities of no-drift traffic: how far from the population, and from the nearest mixture."""
    print("\n### Distance of distinct entities from the reference, with nothing drifted\n")
    print("| traffic, feature | distinct | KS to all entities, mean | KS to the nearest mixture, mean | … largest of " + str(windows) + " | critical |\n"
          "|---|---|---|---|---|---|")
    for axis in ("user", "item"):
        for kind in KINDS[axis]:
            asked = traffic(model, axis, kind, rng, windows)
            found = model.watch(axis, asked)
            for feature in AXES[axis]:
                if feature in ("item_mix", "item_results") or feature.endswith("unknown"):
                    continue
                plain = []
                for row in asked:
                    column = others.Column(model.value[feature], model.known(axis), [numpy.unique(row)])
                    plain.append(others.ks(column)[0])
                mine = found[feature, "training"]
                print(f"| {kind}, {feature} | {mine['samples'].mean():.0f} | {statistics.mean(plain):.3f} | {mine['ks'].mean():.3f} | "
                      f"{mine['ks'].max():.3f} | {mine['ks_critical'].mean():.3f} |")


def drawn(rng, pool, windows, size=SIZE):
    return rng.choice(pool, (windows, size))


def until(detected):
    """Windows after the change until it was seen; inf: it was not."""
    at = numpy.flatnonzero(detected)
    return int(at[0]) + 1 if len(at) else math.inf


def shown(counts):
    if min(counts) == max(counts):
        return "never" if math.isinf(counts[0]) else f"{counts[0]:g}"
    return " to ".join("never" if math.isinf(one) else f"{one:g}" for one in (min(counts), max(counts)))


def cases(shop, models):
    """(what, axis, model, traffic before or None, traffic after, the feature that should see it or None)"""
    def of(axis, begin, end):
        return shop.between(axis, begin, end)
    may, june, november, december = (("2011-05-01", "2011-06-01"), ("2011-06-01", "2011-07-01"), ("2011-11-01", "2011-12-01"),
                                     ("2011-12-01", "2012-01-01"))
    whole = models["whole"]
    ranked = sorted(whole.known("item"), key=lambda code: whole.value["item_rank"][code])
    yield ("cold items: from the shop's own mix to the less popular half, uniformly", "item", whole, shop.asked["item"],
           numpy.array(ranked[len(ranked) // 2:]), "item_rank")
    for axis in AXES:
        yield ("another month's customers: model and traffic of June, then traffic of November", axis, models["june"], of(axis, *june),
               of(axis, *november), axis + "_unknown")
    for axis in AXES:
        yield ("stale model: to the end of May, traffic of May, then of December", axis, models["may"], of(axis, *may), of(axis, *december),
               axis + "_unknown")
    yield ("stale model from the start: to the end of May, traffic of December", "user", models["may"], None, of("user", *december), None)
    yield ("stale model from the start: to the end of May, traffic of December", "item", models["may"], None, of("item", *december),
           "item_unknown")
    if "half" not in models:
        return
    yield ("truncated file, rows in order of time: half of them, traffic of December", "user", models["half"], None,
           of("user", *december), None)
    yield ("truncated file, rows in order of time: half of them, traffic of December", "item", models["half"], None,
           of("item", *december), "item_unknown")
    yield ("truncated file, rows in order of customers: half of these, traffic of the year", "user", models["customers"], None,
           shop.asked["user"], "user_unknown")
    yield ("thinned file: every tenth row, traffic of the year", "user", models["tenth"], None, shop.asked["user"], None)
    yield ("thinned file: every tenth row, traffic of the year", "item", models["tenth"], None, shop.asked["item"], None)


def planted(shop, models, seeds, settings, missed):
    print(f"\n### Planted drift: closed windows until it is seen, in {seeds} draws\n")
    print("| what | by | training | baseline | previous | also seen in 2 windows by | Evidently, earlier traffic, fires for | NannyML JS |\n"
          "|---|---|---|---|---|---|---|---|")
    for what, axis, model, before, after, expected in cases(shop, models):
        rng = numpy.random.default_rng(2)
        took, fired = collections.defaultdict(list), collections.defaultdict(list)
        for _ in range(seeds):
            quiet = 20 if before is not None else 0
            asked = drawn(rng, after, 20)
            if quiet:
                asked = numpy.concatenate([drawn(rng, before, quiet), asked])
            found = model.watch(axis, asked, settings)
            for key, figures in found.items():
                took[key].append(until(figures["detected"][quiet:]))
                if quiet and figures["detected"][:quiet].any():
                    missed.append(f"{what}: {key} before the change")
            for feature in AXES[axis] if quiet else ():
                for rule, when in other_rules(model, axis, feature, asked[quiet:], asked[10:quiet]).items():
                    fired[rule, feature].append(when.mean())
        seen = {feature: min(max(took[feature, reference]) for reference in REFERENCES) for feature in AXES[axis]}
        others_say = [", ".join(feature for feature in AXES[axis] if statistics.mean(fired[rule, feature] or [0]) > 0.5) if before is not None
                      else "(no earlier traffic)" for rule in ("Evidently, earlier traffic", "NannyML JS")]
        by = expected or axis + "_unknown"
        print(f"| {what} | {by} |", *(f" {shown(took[by, reference])} |" for reference in REFERENCES),
              f" {', '.join(feature for feature in AXES[axis] if feature != by and seen[feature] <= 2)} |",
              *(f" {one} |" for one in others_say), sep="")
        if expected and seen[expected] > 2:
            missed.append(f"{what}: {expected} took more than 2 windows")


def how_small(model, shop, parts, sizes, seeds, settings):
    """A part of the requests is for the less popular half of the items."""
    ranked = sorted(model.known("item"), key=lambda code: model.value["item_rank"][code])
    cold = numpy.array(ranked[len(ranked) // 2:])
    print(f"\n### How small a change is seen: closed windows until it is, in {seeds} draws, by any feature and reference\n")
    print("| cold items in | ", *(f" {size} requests a window |" for size in sizes), "\n|---" + "|---" * len(sizes) + "|", sep="")
    for part in parts:
        cells = []
        for size in sizes:
            rng, took = numpy.random.default_rng(6), []
            for _ in range(seeds):
                asked = drawn(rng, shop.asked["item"], 60, size)
                after = asked[20:]
                swap = rng.random(after.shape) < part
                after[swap] = rng.choice(cold, swap.sum())
                found = model.watch("item", asked, settings)
                took.append(min(until(figures["detected"][20:]) for figures in found.values()))
            cells.append(shown(took))
        print(f"| {100 * part:g} % of requests |", *(f" {cell} |" for cell in cells), sep="")


def hit_rate(model, places, streams, trials):
    """Page-Hinkley: how long until it is wrong, and until it is right."""
    p0 = model.backtest["hits"] / model.backtest["trials"]
    print(f"\n### Hit rate: purchases until the alarm; baseline {p0:.4f}, the backtest's {model.backtest['hits']:.0f} of "
          f"{model.backtest['trials']:.0f} trials within {places} places; {streams} streams\n")
    print("| hit_lambda | hit rate as promised: streams with an alarm in " + f"{trials:,}".replace(",", " ") + " purchases | … a tenth lower | "
          "a quarter lower: half of the streams, 95 % | half | a tenth of it | none |\n|---|---|---|---|---|---|---|")
    for lam in (10, 20, 30):
        cells = []
        for part in (1, 0.9, 0.75, 0.5, 0.1, 0):
            told = model.harness("hinkley", p0, 0.5, lam, part * p0, streams, trials).split()
            took = sorted(int(one) or math.inf for one in told)
            if part > 0.8:
                cells.append(f"{sum(map(math.isfinite, took))}")
            else:
                cells.append(", ".join("none" if math.isinf(one) else f"{one:,}".replace(",", " ") for one in
                                       (took[len(took) // 2], took[int(0.95 * len(took))])))
        print(f"| {lam} |", *(f" {cell} |" for cell in cells), sep="")


def cuts(shop, short):
    """Rows of each model."""
    may = bisect.bisect_left(shop.rows, datetime.datetime(2011, 6, 1), key=lambda pair: pair[0])
    june = bisect.bisect_left(shop.rows, datetime.datetime(2011, 7, 1), key=lambda pair: pair[0])
    found = {"whole": shop.rows, "may": shop.rows[:may], "june": shop.rows[may:june]}
    if not short:
        who, some = shop.head.index("CustomerID"), set(shop.ids["user"][:len(shop.ids["user"]) // 2])
        found |= {"half": shop.rows[:len(shop.rows) // 2], "tenth": shop.rows[::10],
                  "customers": [pair for pair in shop.rows if pair[1][who] in some]}
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("build", nargs="?", default=TOP / "build", type=pathlib.Path)
    parser.add_argument("settings", nargs="*")
    chosen = parser.parse_args()
    build, settings, short, missed = chosen.build.resolve(), chosen.settings, chosen.short, []
    shop = Shop()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shop.write_ids(folder)
        models = {name: Model(build, folder, name, shop, rows) for name, rows in cuts(shop, short).items()}
        why_nearest_mixture(models["whole"], 10 if short else 200, numpy.random.default_rng(3))
        false_alarms(models["whole"], 60 if short else 2000, settings, missed)
        per_day(models["whole"], shop, 20 if short else 50000, settings, missed)
        planted(shop, models, 1 if short else 20, settings, missed)
        how_small(models["whole"], shop, *(((0.3,), (SIZE,), 1) if short else
                                           ((0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1), (200, 500, 1000, 5000), 10)), settings)
        the_year(models, shop, settings)
        hit_rate(models["whole"], 5, 10 if short else 200, 10000 if short else 1000000)
    print(*(f"\nnot reached: {one}" for one in missed), sep="", end="\n" if missed else "")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
