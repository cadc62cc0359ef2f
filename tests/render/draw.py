"""The panels of a dashboard as SVG: our own drawing of the panel's JSON and of what Prometheus answered. Each function
gives the inside of a panel of w by h pixels."""
import html
import re
import time

from render import units

PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#56d6c9", "#c8a45c", "#ca95e5",
           "#96d98d", "#ffb357"]
NAMED = {"green": "#73bf69", "yellow": "#fade2a", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "purple": "#b877d9"}
FAINT, TEXT = "#ccccdc14", "#9fa1ad"
LEFT, BOTTOM = 58, 20


def colour(name):
    return NAMED.get(name, name)


def at_threshold(panel, value):
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return colour([s["color"] for s in steps if s["value"] is None or value >= s["value"]][-1])


def series_colour(panel, name, number):
    for override in panel["fieldConfig"]["overrides"]:
        if re.search(override["matcher"]["options"], name):
            return colour(override["properties"][0]["value"]["fixedColor"])
    return PALETTE[number % len(PALETTE)]


def text(x, y, words, anchor="start", size=11, fill=TEXT, weight=400):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}" '
            f'font-weight="{weight}">{html.escape(words)}</text>')


def svg(w, h, parts):
    return f'<svg width="{w}" height="{h}" viewBox="0 0 {w} {h}">{"".join(parts)}</svg>'


def times(start, end, count):
    """Round moments and their labels."""
    step = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200) if (end - start) / s <= count)
    first = start - start % step + step
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    while first < end:
        yield first, time.strftime(form, time.localtime(first))
        first += step


class Axes:
    """Where a moment and a value lie."""

    def __init__(self, w, h, start, end, low, high):
        self.w, self.h, self.start, self.end, self.low, self.high = w, h, start, end, low, high

    def x(self, t):
        return LEFT + (t - self.start) / (self.end - self.start) * (self.w - LEFT - 6)

    def y(self, v):
        return self.h - BOTTOM - (v - self.low) / (self.high - self.low) * (self.h - BOTTOM - 8)

    def frame(self, unit):
        for value, label in units.ticks(self.low, self.high, unit, max(2, round(self.h / 42))):
            yield f'<path d="M{LEFT} {self.y(value):.1f}H{self.w - 6}" stroke="{FAINT}"/>'
            yield text(LEFT - 7, self.y(value) + 4, label, "end")
        yield from self.clock()

    def clock(self):
        for t, label in times(self.start, self.end, max(2, (self.w - LEFT) // 80)):
            yield f'<path d="M{self.x(t):.1f} 6V{self.h - BOTTOM}" stroke="{FAINT}"/>'
            if LEFT + 14 < self.x(t) < self.w - 30:
                yield text(self.x(t), self.h - 5, label, "middle")

    def mark(self, t, color):
        x, y = self.x(t), self.h - BOTTOM
        return (f'<path d="M{x:.1f} 6V{y}" stroke="{color}" stroke-dasharray="3 3" opacity=".8"/>'
                f'<path d="M{x - 4:.1f} {y + 5}h8l-4 -5z" fill="{color}"/>')


def runs(points, step):
    """Stretches without a gap."""
    found = []
    for t, v in points:
        if not found or t - found[-1][-1][0] > step * 1.5:
            found.append([])
        found[-1].append((t, v))
    return found


def line(axes, points, custom):
    """The path of one stretch, stepped or straight."""
    parts = [f"M{axes.x(points[0][0]):.1f} {axes.y(points[0][1]):.1f}"]
    for t, v in points[1:]:
        parts.append(f"H{axes.x(t):.1f}V{axes.y(v):.1f}" if custom["lineInterpolation"] == "stepAfter" else
                     f"L{axes.x(t):.1f} {axes.y(v):.1f}")
    return "".join(parts)


def stacked(series):
    """Each series on top of those before it: (below, above) by moment."""
    floor, found = {}, []
    for _, points in series:
        layer = []
        for t, v in points:
            layer.append((t, floor.get(t, 0.0), floor.get(t, 0.0) + v))
            floor[t] = floor.get(t, 0.0) + v
        found.append(layer)
    return found


def timeseries(panel, answer, w, h):
    defaults = panel["fieldConfig"]["defaults"]
    custom, series = defaults["custom"], answer.series
    stack = custom["stacking"]["mode"] == "normal" or custom["drawStyle"] == "bars"
    layers = stacked(series) if stack else [[(t, 0.0, v) for t, v in points] for _, points in series]
    high = max((v for layer in layers for *_, v in layer), default=0) * 1.05
    axes = Axes(w, h, answer.start, answer.end, 0, max(defaults.get("max", 0), high) or 1)
    parts = list(axes.frame(defaults["unit"]))
    for number, ((name, _), layer) in reversed(list(enumerate(zip(series, layers)))):
        color = series_colour(panel, name, number)
        if custom["drawStyle"] == "bars":
            width = max(2, axes.x(answer.start + answer.step) - axes.x(answer.start) - 1)
            parts += [f'<rect x="{axes.x(t) - width / 2:.1f}" y="{axes.y(top):.1f}" width="{width:.1f}" '
                      f'height="{axes.y(low) - axes.y(top):.1f}" fill="{color}" opacity=".8"/>'
                      for t, low, top in layer if top > low]
            continue
        lows = {t: low for t, low, _ in layer}
        for run in runs([(t, top) for t, _, top in layer], answer.step):
            path = line(axes, run, custom)
            below = line(axes, [(t, lows[t]) for t, _ in reversed(run)], {"lineInterpolation": "linear"})
            parts.append(f'<path d="{path}L{below[1:]}Z" fill="{color}" opacity="{custom["fillOpacity"] / 100}"/>')
            parts.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.6" stroke-linejoin="round"/>')
    parts += [axes.mark(t, colour(color)) for t, color, _ in answer.marks]
    return svg(w, h, parts)


def heat(share):
    """From the panel's ground to light orange."""
    stops = [(24, 27, 31), (110, 48, 14), (217, 95, 14), (254, 178, 76), (255, 240, 200)]
    place = max(0.0, min(1.0, share)) * (len(stops) - 1)
    at = min(int(place), len(stops) - 2)
    return "#%02x%02x%02x" % tuple(round(a + (b - a) * (place - at)) for a, b in zip(stops[at], stops[at + 1]))


def heatmap(panel, answer, w, h):
    """Buckets come as counts up to their bound: a row is what lies between two."""
    rows = sorted((float(name), points) for name, points in answer.series)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    cells, below = [], {}
    for at, (_, points) in enumerate(rows):
        cells += [(at, t, v - below.get(t, 0.0)) for t, v in points]
        below = dict(points)
    most = max((v for *_, v in cells), default=0) or 1
    axes = Axes(w, h, answer.start, answer.end, 0, len(rows) or 1)
    width = axes.x(answer.start + answer.step) - axes.x(answer.start)
    parts = list(axes.clock())
    parts += [f'<rect x="{axes.x(t):.1f}" y="{axes.y(at + 1) + 0.5:.1f}" width="{min(width, w - 6 - axes.x(t)):.1f}" '
              f'height="{axes.y(0) - axes.y(1) - 1:.1f}" fill="{heat((v / most) ** 0.5)}"/>'
              for at, t, v in cells if v > 1e-9 and axes.x(t) < w - 7]
    for at, (bound, _) in enumerate(rows):
        if at % 2 == 0 or len(rows) < 10:
            parts.append(text(LEFT - 7, axes.y(at + 0.5) + 4, units.shown(bound, unit) if bound < 1e9 else "over", "end"))
    return svg(w, h, parts)


def stat(panel, answer, w, h):
    points = answer.series[0][1] if answer.series else []
    if not points:
        return svg(w, h, [text(w / 2, h / 2, "No data", "middle", 20)])
    value, defaults = points[-1][1], panel["fieldConfig"]["defaults"]
    color, parts = at_threshold(panel, value), []
    if panel["options"]["graphMode"] == "area":
        top = max(v for _, v in points) or 1
        place = [(8 + (t - answer.start) / (answer.end - answer.start) * (w - 16), h - 4 - v / top * (h * 0.38)) for t, v in points]
        curve = "L".join(f"{x:.1f} {y:.1f}" for x, y in place)
        parts += [f'<path d="M{place[0][0]:.1f} {h - 2}L{curve}L{place[-1][0]:.1f} {h - 2}Z" fill="{color}" opacity=".16"/>',
                  f'<path d="M{curve}" fill="none" stroke="{color}" stroke-width="1.5" opacity=".8"/>']
    known = defaults["mappings"][0]["options"] if defaults["mappings"] else {}
    words = known[f"{value:g}"]["text"] if f"{value:g}" in known else units.shown(value, defaults["unit"])
    size = min(h * 0.52, (w - 24) / (0.58 * len(words)))
    return svg(w, h, parts + [text(w / 2, h * 0.36 + size * 0.36, words, "middle", round(size), color, 600)])


def bargauge(panel, answer, w, h):
    rows = [(name, points[-1][1]) for name, points in answer.series if points]
    most, unit, parts = max((v for _, v in rows), default=0) or 1, panel["fieldConfig"]["defaults"]["unit"], []
    height = min(44, (h - 8) / max(1, len(rows)))
    label = min(230, max((len(name) for name, _ in rows), default=0) * 7 + 16)
    for at, (name, value) in enumerate(rows):
        y, color = 4 + at * height, at_threshold(panel, value)
        room = w - label - 100
        parts += [text(label - 8, y + height / 2 + 4, name, "end", 12),
                  f'<rect x="{label}" y="{y + 3:.1f}" width="{room}" height="{height - 8:.1f}" fill="#22252b" rx="2"/>',
                  f'<rect x="{label}" y="{y + 3:.1f}" width="{value / most * room:.1f}" height="{height - 8:.1f}" '
                  f'fill="{color}" opacity=".85" rx="2"/>',
                  text(w - 8, y + height / 2 + 5, units.shown(value, unit), "end", 15, color, 600)]
    return svg(w, h, parts)


def state_timeline(panel, answer, w, h):
    states = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    axes = Axes(w, h, answer.start, answer.end, 0, max(1, len(answer.series)))
    parts = list(axes.clock())
    for at, (name, points) in enumerate(answer.series):
        top, bottom = axes.y(len(answer.series) - at), axes.y(len(answer.series) - at - 1)
        gap = min(6, (bottom - top) / 10)
        top, bottom = top + gap, bottom - gap
        bands = []
        for t, v in points:
            if bands and bands[-1][2] == v and t - bands[-1][1] <= answer.step * 1.5:
                bands[-1][1] = t
            else:
                bands.append([t, t, v])
        for start, end, v in bands:
            state = states[str(int(v))]
            x = axes.x(start)
            parts.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(2, axes.x(min(end + answer.step, answer.end)) - x):.1f}" '
                         f'height="{bottom - top:.1f}" fill="{colour(state["color"])}" opacity=".75" rx="2"/>')
            if axes.x(end) - x > 60:
                parts.append(text(x + 10, (top + bottom) / 2 + 4, f'{name}  {state["text"]}', size=min(13, bottom - top - 2),
                                  fill="#111217", weight=600))
    parts += [axes.mark(t, colour(color)) for t, color, _ in answer.marks]
    return svg(w, h, parts)


def table(panel, answer, w, h):
    """Of several questions, rows with the same labels are one row, with a value of each question."""
    columns = panel["transformations"][1]["options"]["renameByName"]
    values = [name for name in columns if name.startswith("Value #")]
    rows = [[labels.get(label, "") for label in columns] for labels in answer.labels]
    if values:
        merged = {}
        for labels in answer.labels:
            merged.setdefault(tuple(labels.get(name, "") for name in columns if name not in values), {}).update(labels)
        rows = [[units.shown(row[name], "none") if name in values and name in row else row.get(name, "") for name in columns]
                for _, row in sorted(merged.items())]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns.values())
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div style="width:{w}px;height:{h}px;overflow:hidden"><table><tr>{head}</tr>{body}</table></div>'


KINDS = {"timeseries": timeseries, "heatmap": heatmap, "stat": stat, "bargauge": bargauge, "table": table,
         "state-timeline": state_timeline}
