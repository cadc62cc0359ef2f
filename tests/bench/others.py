"""The rules of Evidently 0.4 and NannyML 0.10 for one column, by their formulas, on many windows at once: for drift_study.py.

Neither is installed or needed. A column takes few values, one an entity, so a window is how often each of them occurred;
`Column` has that of the reference, and of windows as rows of a matrix.
"""
import numpy
import scipy.special


class Column:
    """values: one a code, NaN where the code has none. reference: codes. windows: one row of codes a window."""

    def __init__(self, values, reference, windows):
        self.points, at = numpy.unique(values[~numpy.isnan(values)], return_inverse=True)
        self.bin = numpy.full(len(values), -1)
        self.bin[~numpy.isnan(values)] = at
        self.reference = self._counts(reference)
        self.windows = numpy.stack([self._counts(row) for row in windows])

    def _counts(self, codes):
        found = self.bin[codes]
        return numpy.bincount(found[found >= 0], minlength=len(self.points)).astype(float)

    def few(self):
        return len(self.points) <= 5


def _shares(counts):
    return counts / numpy.maximum(counts.sum(axis=-1, keepdims=True), 1)


def ks(column, windows=None):
    windows = column.windows if windows is None else windows
    return numpy.abs(numpy.cumsum(_shares(windows), -1) - numpy.cumsum(_shares(column.reference), -1)).max(-1)


def ks_fires(column):
    """Evidently up to 1000 rows of reference: scipy.stats.ks_2samp's p below 0.05."""
    n, m = column.windows.sum(-1), column.reference.sum()
    return scipy.special.kolmogorov(ks(column) * numpy.sqrt(n * m / (n + m))) <= 0.05


def wasserstein_fires(column):
    """Evidently above 1000 rows: Wasserstein's distance in standard deviations of the reference, 0.1."""
    apart = numpy.abs(numpy.cumsum(_shares(column.windows), -1) - numpy.cumsum(_shares(column.reference), -1))
    mean = numpy.average(column.points, weights=column.reference)
    deviation = numpy.sqrt(numpy.average((column.points - mean) ** 2, weights=column.reference))
    return (apart[:, :-1] * numpy.diff(column.points)).sum(-1) / max(deviation, 0.001) >= 0.1


def js_distance(p, q, base):
    """scipy.spatial.distance.jensenshannon."""
    middle = (p + q) / 2
    return numpy.sqrt(numpy.maximum((scipy.special.rel_entr(p, middle) + scipy.special.rel_entr(q, middle)).sum(-1), 0) / 2 / numpy.log(base))


def evidently_fires(column, category):
    """Its choice for more than 1000 rows of reference."""
    if category or column.few():
        return js_distance(_shares(column.windows), _shares(column.reference), numpy.e) >= 0.1
    return wasserstein_fires(column)


def psi_fires(column, category):
    """Evidently's PSI, 0.1: above 20 values in bins by Sturges over reference and window together, 0.0001 for nothing."""
    reference, windows = column.reference, column.windows
    if not category and (reference > 0).sum() > 20:
        rows = []
        for window in windows:
            both = numpy.flatnonzero(reference + window)
            bins = int(numpy.ceil(numpy.log2(reference.sum() + window.sum()) + 1))
            edges = numpy.linspace(column.points[both[0]], column.points[both[-1]], bins + 1)
            where = numpy.clip(numpy.searchsorted(edges, column.points, "right") - 1, 0, bins - 1)
            rows.append([numpy.bincount(where, side, bins) for side in (reference, window)])
        sides = _shares(numpy.array(rows))
        old, new = sides[:, 0], sides[:, 1]
    else:
        old, new = _shares(reference) + numpy.zeros_like(windows), _shares(windows)
    old, new = numpy.where(old == 0, 0.0001, old), numpy.where(new == 0, 0.0001, new)
    return ((old - new) * numpy.log(old / new)).sum(-1) >= 0.1


def _above_chunks(of_windows, of_chunks):
    """NannyML: above mean + 3 standard deviations of what the reference's own chunks have."""
    return of_windows > of_chunks.mean() + 3 * of_chunks.std()


def nannyml_ks_fires(column, chunks):
    """chunks: the reference in ten, counted as windows are."""
    return _above_chunks(ks(column), ks(column, chunks))


def nannyml_js_fires(column, chunks, category):
    """Its default. Doane's bins of the reference; what lies outside has a bin of its own. Base 2."""
    def binned(counts):
        return counts if category or column.few() else counts @ where
    if not (category or column.few()):
        values = numpy.repeat(column.points, column.reference.astype(int))
        edges = numpy.histogram_bin_edges(values, bins="doane")
        at = numpy.searchsorted(edges, column.points, "right") - 1
        at = numpy.where(column.points == edges[-1], len(edges) - 2, at)
        at = numpy.where((column.points < edges[0]) | (column.points > edges[-1]), len(edges) - 1, at)
        where = numpy.eye(len(edges))[at]
    distances = [js_distance(_shares(binned(counts)), _shares(binned(column.reference)), 2) for counts in (column.windows, chunks)]
    return _above_chunks(*distances)
