#!/usr/bin/python3
"""The table that test_statistics.c checks metrics/ against, computed by SciPy, NumPy and Python's integers.

    usage: by_scipy.py > tests/unit/by_scipy.inc

tests/operator/test_statistics.py checks that this machine's SciPy still gives the committed numbers.
"""
import fractions
import math
import random
import warnings

import numpy
import scipy.optimize
import scipy.special
import scipy.stats

RANDOM = random.Random(5)


def c(value):
    """A value as C writes it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple, numpy.ndarray)):
        return "{" + ", ".join(c(v) for v in value) + "}"
    if isinstance(value, (int, numpy.integer)):
        return str(int(value))
    return "NAN" if math.isnan(value) else "INFINITY" if math.isinf(value) else repr(float(value))


def table(kind, fields, rows):
    print(f"\nstatic const struct {kind} {{\n" + "".join(f"\t{field};\n" for field in fields) + f"}} {kind}s[] = {{")
    for row in rows:
        print("\t{" + ", ".join(c(value) for value in row) + "},")
    print("};")


def values(counts):
    return numpy.repeat(numpy.arange(len(counts)), counts)


def drawn(n, bins, tilt=0.0):
    """n values in bins; tilt moves them up."""
    counts = [0] * bins
    for _ in range(n):
        counts[min(bins - 1, int(bins * RANDOM.random() ** (1 - tilt)))] += 1
    return counts


# Pairs of histograms over the same bins.
BINS = 40
PAIRS = [
    ("one against one, the same", [0, 1], [0, 1]),
    ("one against one, apart", [1, 0], [0, 1]),
    ("one against many", [0, 1, 0], [10, 20, 30]),
    ("one against many, outside", [0, 0, 0, 1], [10, 20, 30, 0]),
    ("a constant on both sides", [0, 50, 0], [0, 70, 0]),
    ("constants that differ", [50, 0, 0], [0, 0, 70]),
    ("disjoint ranges", [3, 4, 5, 0, 0, 0], [0, 0, 0, 6, 1, 8]),
    ("disjoint, many", [300, 400, 0, 0], [0, 0, 600, 1000]),
    ("ties, few", [5, 0, 7, 0, 1], [2, 6, 2, 2, 2]),
    ("ties, mostly one value", [70, 10, 10, 10], [60, 20, 10, 10]),
    ("equal shares of unequal sizes", [1, 2, 3, 4], [10, 20, 30, 40]),
    ("empty at both ends", [0, 3, 4, 0, 0], [0, 4, 3, 0, 0]),
    ("small, no tie", [1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1, 0, 1]),
    ("coprime sizes", drawn(17, 10), drawn(23, 10)),
    ("as many as are counted exactly", drawn(100, 20), drawn(100, 20, 0.2)),
    ("one more", drawn(100, 20), drawn(101, 20, 0.2)),
    ("a window against a model", drawn(500, 40), drawn(4000, 40)),
    ("a window that moved", drawn(500, 40, 0.3), drawn(4000, 40)),
    ("large", drawn(20000, 40), drawn(30000, 40, 0.02)),
    ("huge", [10 ** 9, 2 * 10 ** 9, 10 ** 9], [10 ** 9, 2 * 10 ** 9 + 10 ** 5, 10 ** 9]),
]


def distance(a, b):
    a, b = (numpy.cumsum(side) / sum(side) for side in (a, b))
    return float(numpy.abs(a - b).max())


def ks():
    for name, a, b in PAIRS:
        n, m = sum(a), sum(b)
        if n * m <= 10000:
            p = float(paths_outside(round(distance(a, b) * n * m), n, m))
            with warnings.catch_warnings(record=True) as gave_up:   # it counts paths in doubles
                told = scipy.stats.ks_2samp(values(a), values(b), method="exact")
            assert gave_up or math.isclose(told.pvalue, p, rel_tol=1e-9) and math.isclose(told.statistic, distance(a, b), abs_tol=1e-12)
            yield name, len(a), a, b, distance(a, b), p
            continue
        if n + m < 10 ** 6:             # as SciPy sees the values themselves
            assert abs(scipy.stats.ks_2samp(values(a), values(b), method="asymp").statistic - distance(a, b)) < 1e-12
        yield name, len(a), a, b, distance(a, b), scipy.special.kolmogorov(distance(a, b) * math.sqrt(n * m / (n + m)))


def paths_outside(band, n, m):
    """The share of lattice paths to (n, m) that touch |i * m - j * n| >= band, in whole numbers."""
    inside = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        for j in range(m + 1):
            if abs(i * m - j * n) < band:
                inside[i][j] = 1 if i == j == 0 else (inside[i - 1][j] if i else 0) + (inside[i][j - 1] if j else 0)
    return 1 - fractions.Fraction(inside[n][m], math.comb(n + m, n))


def exact():
    for n, m in ((1, 1), (1, 7), (2, 3), (3, 3), (4, 6), (10, 10), (7, 50), (30, 30), (60, 100), (100, 100)):
        for part in (0.02, 0.1, 0.25, 0.4, 0.7, 1):
            band = math.ceil(part * n * m)
            yield band / (n * m), n, m, float(paths_outside(band, n, m))


def critical():
    for n, m in ((1, 1), (3, 3), (5, 8), (12, 20), (30, 30), (40, 50)):
        for alpha in (0.05, 0.00111):
            bands = [band for band in range(1, n * m + 1) if paths_outside(band, n, m) < alpha] if n * m <= 200 else []
            if n * m > 200:             # a p-value falls as the distance grows
                low, high = 0, n * m
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (low, middle) if paths_outside(middle, n, m) < alpha else (middle, high)
                bands = [high]
            yield alpha, n, m, bands[0] / (n * m) if bands else math.inf
    for n, m in ((200, 4338), (500, 4000), (10 ** 6, 10 ** 6)):
        for alpha in (0.05, 0.00111):
            yield alpha, n, m, scipy.special.kolmogi(alpha) * math.sqrt((n + m) / (n * m))


def tails():
    for x in (0.0, 0.03, 0.2, 0.5, 0.9, 0.9999, 1.0, 1.2, 1.358, 1.95, 3.0, 6.0, 15.0):
        yield "kolmogorov", x, 0.0, scipy.special.kolmogorov(x)
    for df in (1, 2, 9, 11, 63, 127):
        for part in (0.0, 0.001, 0.3, 0.9, 1.0, 1.3, 2.0, 5.0):
            yield "chi2", part * df, float(df), scipy.stats.chi2.sf(part * df, df)
    for z in (-9.0, -1.0, 0.0, 0.5, 1.6448536, 3.0, 8.0, 30.0):
        yield "normal", z, 0.0, scipy.stats.norm.sf(z)


def criticals():
    for alpha in (0.9, 0.5, 0.05, 0.01, 0.00111, 1e-6, 1e-12):
        yield "kolmogorov", alpha, 0.0, scipy.special.kolmogi(alpha)
        for df in (1, 3, 9, 11, 63):
            yield "chi2", alpha, float(df), scipy.stats.chi2.isf(alpha, df)


def psi():
    cases = PAIRS[2:] + [("a group that one lacks", [10, 0, 90], [20, 30, 50]), ("a group that both lack", [10, 0, 90], [20, 0, 50]),
                         ("64 groups, some empty", drawn(300, 40), drawn(1000, 40, 0.5)), ("one group", [7], [9])]
    for name, a, b in cases:
        had = [(x, y) for x, y in zip(a, b) if x or y]
        p, q = (numpy.array([side[at] + 0.5 for side in had]) for at in (0, 1))
        p, q = p / p.sum(), q / q.sum()
        n, m, groups = sum(a), sum(b), len(had)
        limit = scipy.stats.chi2.ppf(1 - 0.01, groups - 1) * (1 / n + 1 / m) if groups > 1 else 0.0
        yield name, len(a), a, b, groups, ((p - q) * numpy.log(p / q)).sum(), limit


def proportions():
    """scipy.stats.chi2_contingency without a correction is the square of the pooled z."""
    for hits, n, other, m in ((5, 100, 3, 100), (3, 100, 5, 100), (50, 500, 200, 4000), (30, 500, 200, 4000), (1, 1, 0, 1),
                              (0, 10, 0, 20), (10, 10, 20, 20), (10, 10, 0, 20), (0, 10, 20, 20), (260, 1000, 500, 4000),
                              (10 ** 9, 4 * 10 ** 9, 10 ** 9 - 30000, 4 * 10 ** 9)):
        if hits + other in (0, n + m):
            yield hits, n, other, m, 1.0
            continue
        square = scipy.stats.chi2_contingency([[hits, n - hits], [other, m - other]], correction=False).statistic \
            if hasattr(scipy.stats.chi2_contingency([[1, 2], [3, 4]]), "statistic") \
            else scipy.stats.chi2_contingency([[hits, n - hits], [other, m - other]], correction=False)[0]
        yield hits, n, other, m, scipy.stats.norm.sf(math.copysign(math.sqrt(square), hits / n - other / m))


def mixtures():
    """Least D with |F - (1 - l) U - l M| <= D in every bin: a linear program."""
    plain, mixed = [10, 10, 10, 10, 10, 10], [1, 2, 4, 8, 16, 32]
    cases = [("the one end", [5, 5, 5, 5, 5, 5], plain, mixed), ("the other", [1, 2, 4, 8, 16, 32], plain, mixed),
             ("half way", [73, 83, 103, 143, 223, 383], plain, mixed), ("beyond the one", [50, 9, 8, 7, 6, 5], plain, mixed),
             ("beyond the other", [0, 0, 0, 0, 1, 60], plain, mixed), ("of another kind", [30, 0, 0, 0, 0, 30], plain, mixed),
             ("both ends alike", [3, 1, 1, 1, 1, 1], plain, plain), ("one bin", [9], [1], [3])]
    for at in range(4):
        cases.append((f"drawn {at}", drawn(200, 12, at / 8), [RANDOM.random() for _ in range(12)], [RANDOM.random() ** 2 for _ in range(12)]))
    for name, counts, u, m in cases:
        f, fu, fm = (numpy.cumsum(side) / numpy.sum(side) for side in (counts, u, m))
        # l * (fm - fu) - D <= f - fu, and the other way round
        left = numpy.concatenate([numpy.stack([fm - fu, -numpy.ones(len(f))], 1), numpy.stack([fu - fm, -numpy.ones(len(f))], 1)])
        found = scipy.optimize.linprog([0, 1], left, numpy.concatenate([f - fu, fu - f]), bounds=[(0, 1), (0, None)])
        assert found.success
        yield (name, len(counts), counts, u, m, found.x[1],
               float(numpy.abs(f - fu).max()), float(numpy.abs(f - fm).max()))


def summaries():
    for name, counts in (("one value", [0, 0, 1]), ("a constant", [0, 7, 0]), ("two", [1, 0, 1]), ("ten", [1] * 10), ("thirty", [3] * 10),
                         ("ends", [99, 0, 0, 1]), ("drawn", drawn(1000, 20, 0.4)), ("many", [10 ** 6, 3, 10 ** 6])):
        all_of = values(counts) * 0.25 - 1
        quantile = [float(numpy.quantile(all_of, q, method="inverted_cdf")) for q in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)]
        yield (name, len(counts), counts, len(all_of), all_of.mean(), all_of.std(), all_of.min(), all_of.max(),
               *quantile)


def page_hinkley():
    """As river has it: a sum, its minimum, an alarm at their difference. share: of hits in the stream."""
    x = 1
    for name, p0, drop, lam, share, trials in (("stable", 0.1, 0.5, 20, 0.1, 5000), ("a little less", 0.1, 0.5, 20, 0.065, 1100),
                                               ("fallen by half", 0.1, 0.5, 20, 0.05, 1100), ("gone", 0.1, 0.5, 20, 0.0, 400),
                                               ("better", 0.1, 0.5, 20, 0.3, 3000), ("by a fifth", 0.2, 0.2, 50, 0.16, 4000),
                                               ("all hit", 1.0, 0.5, 20, 1.0, 300)):
        m = least = 0.0
        begin, limit = x, round(share * 2 ** 32)
        for _ in range(trials):
            x = (x * 1664525 + 1013904223) % 2 ** 32        # the same numbers as in the test
            m += p0 * (1 - drop / 2) - (x < limit)
            least = min(least, m)
            assert m - least < 2 * lam
        state = "DRIFTED" if m - least > lam else "WARNING" if m - least > lam / 2 else "STABLE"
        yield name, p0, drop, float(lam), begin, limit, trials, m - least, state


def main():
    print("/* by_scipy.inc - what SciPy, NumPy and whole numbers say; written by by_scipy.py, which says how. */")
    table("ks_case", ["const char *name", "unsigned bins", f"uint64_t a[{BINS}], b[{BINS}]", "double d, p"], ks())
    table("exact_case", ["double d", "uint64_t n, m", "double p"], exact())
    table("critical_case", ["double alpha", "uint64_t n, m", "double d"], critical())
    table("tail_case", ["const char *of", "double x, df, p"], tails())
    table("where_case", ["const char *of", "double alpha, df, x"], criticals())
    table("psi_case", ["const char *name", "unsigned bins", f"uint64_t a[{BINS}], b[{BINS}]", "unsigned groups", "double psi, critical"],
          psi())
    table("share_case", ["uint64_t hits, n, other, m", "double p"], proportions())
    table("mixture_case", ["const char *name", "unsigned bins", "uint64_t counts[12]", "double u[12], m[12]", "double d, d_u, d_m"],
          mixtures())
    table("summary_case", ["const char *name", "unsigned bins", "uint64_t counts[20]", "uint64_t n",
                           "double mean, stddev, min, max, p10, p25, p50, p75, p90, p99"], summaries())
    table("hinkley_case", ["const char *name", "double p0, drop, lambda", "uint32_t begin", "uint64_t limit, trials",
                           "double statistic", "const char *state"], page_hinkley())


if __name__ == "__main__":
    main()
