"""A whole dashboard as one HTML page, and that page as a PNG."""
import collections
import html
import math
import pathlib
import re
import subprocess
import tempfile

import promql
from render import draw, units

Answer = collections.namedtuple("Answer", "series labels marks start end step")
WIDTH, MARGIN, GAP, UNIT = 1560, 14, 8, 34
STYLE = """
* { margin: 0; box-sizing: border-box }
body { background: #111217; color: #ccccdc; font: 13px Inter, "DejaVu Sans", sans-serif; width: %dpx; height: %dpx; position: relative }
header { position: absolute; left: 14px; right: 14px; top: 12px; display: flex; align-items: center; gap: 10px }
h1 { font-size: 19px; font-weight: 500; margin-right: 14px }
.pill { border: 1px solid #ccccdc26; border-radius: 3px; background: #181b1f; padding: 4px 9px; font-size: 12px; color: #9fa1ad }
.pill b { color: #ccccdc; font-weight: 500 }
.note { margin-left: auto; color: #9fa1ad; font-size: 12px }
.panel { position: absolute; background: #181b1f; border: 1px solid #ccccdc1f; border-radius: 3px; padding: 7px 8px; overflow: hidden }
.panel h2 { font-size: 13.5px; font-weight: 500; height: 22px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.row { position: absolute; font-size: 15px; font-weight: 500; padding: 6px 2px }
.legend { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 11px; line-height: 16px; color: #b9bbc6; overflow: hidden; padding-left: 8px }
.legend i { display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin-right: 5px; vertical-align: 3px }
.legend span { white-space: nowrap }
table { border-collapse: collapse; width: 100%%; font-size: 12px } th { text-align: left; color: #6e9fff; font-weight: 500 }
th, td { padding: 5px 8px; border-bottom: 1px solid #ccccdc14 }
svg { display: block; font-family: Inter, "DejaVu Sans", sans-serif }
"""


def legend(form, labels):
    if form == "__auto":
        return ", ".join(f"{k}={v}" for k, v in labels.items() if k != "__name__") or "value"
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda m: labels.get(m[1], ""), form)


def answers(prometheus, panel, marks, start, end, step, window):
    """Every target of a panel, asked over the range, as Grafana would. A panel with a least interval has steps as wide
    as its windows less a scrape, so that each event is in one bar."""
    series, instants = [], []
    if "interval" in panel:
        step = int(window.rstrip("s")) - 1
    for target in panel["targets"]:
        expr = promql.filled(target["expr"], job=".+", instance=".+", __rate_interval=window, __range=f"{int(end - start)}s")
        if target.get("instant"):
            instants += [{**labels, f"Value #{target['refId']}": v} for labels, v in prometheus.query(expr, time=end)]
            continue
        for labels, points in prometheus.range(expr, start, end, step):
            series.append((legend(target["legendFormat"], labels), [(t, v) for t, v in points if math.isfinite(v)]))
    return Answer(series, instants, marks, start, end, step)


def marks(prometheus, dashboard, start, end, step):
    """(moment, colour, name) of every annotation within the range."""
    found = set()
    for a in dashboard["annotations"]["list"]:
        if a.get("builtIn"):
            continue
        expr = promql.filled(a["expr"], job=".+", instance=".+").replace("[1m]", f"[{max(4, int(2 * step))}s]")
        for _, points in prometheus.range(expr, start, end, step):
            if a.get("useValueForTime"):
                found |= {(v / 1000, a["iconColor"], a["name"]) for _, v in points if start <= v / 1000 <= end}
            else:
                found |= {(run[0][0], a["iconColor"], a["name"]) for run in draw.runs(points, step)}
    return sorted(found)


def legend_html(panel, answer, width):
    """As many lines as it needs, at most three; and how high that is."""
    if panel["type"] != "timeseries" or not panel["options"]["legend"]["showLegend"]:
        return "", 0
    unit, table = panel["fieldConfig"]["defaults"]["unit"], panel["options"]["legend"]["displayMode"] == "table"
    parts, room = [], 0
    for number, (name, points) in enumerate(answer.series):
        if table and points:
            values = [v for _, v in points]
            name += f"  mean {units.shown(sum(values) / len(values), unit)}  max {units.shown(max(values), unit)}"
        parts.append(f'<span><i style="background:{draw.series_colour(panel, name, number)}"></i>{html.escape(name)}</span>')
        room += len(name) * 6.1 + 30
    lines = min(3, max(1, math.ceil(room * 1.08 / width)))
    return f'<div class="legend" style="height:{lines * 16}px">{"".join(parts)}</div>', lines * 16 + 4


def page(prometheus, dashboard, start, end, step, window, rows=None):
    """(HTML, height) of the dashboard, or of its first rows of the grid."""
    marked = marks(prometheus, dashboard, start, end, step)
    column = (WIDTH - 2 * MARGIN + GAP) / 24
    parts, lowest = [], 0
    for panel in dashboard["panels"]:
        g = panel["gridPos"]
        if rows is not None and g["y"] + g["h"] > rows:
            continue
        x, y = MARGIN + g["x"] * column, 52 + g["y"] * UNIT
        w, h = g["w"] * column - GAP, g["h"] * UNIT - GAP
        lowest = max(lowest, y + h)
        place = f"left:{x:.0f}px;top:{y:.0f}px;width:{w:.0f}px;height:{h:.0f}px"
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="{place}">{html.escape(panel["title"])}</div>')
            continue
        answer = answers(prometheus, panel, marked, start, end, step, window)
        below, taken = legend_html(panel, answer, w - 18)
        inside = draw.KINDS[panel["type"]](panel, answer, round(w - 18), round(h - 40 - taken))
        parts.append(f'<div class="panel" style="{place}"><h2>{html.escape(panel["title"])}</h2>{inside}{below}</div>')
    height = round(lowest + MARGIN)
    pills = "".join(f'<span class="pill">{v["label"]} <b>{html.escape(str(text))}</b></span>' for v in dashboard["templating"]["list"]
                    for text in [v["current"]["text"] if isinstance(v["current"]["text"], str) else v["current"]["text"][0]])
    head = (f'<header><h1>{html.escape(dashboard["title"])}</h1>{pills}<span class="note">drawn from the dashboard\'s JSON and a '
            "real Prometheus's answers, not by Grafana</span></header>")
    return (f'<!doctype html><meta charset="utf-8"><style>{STYLE % (WIDTH, height)}</style><body>{head}{"".join(parts)}', height)


def shoot(text, height, png):
    """The page as a PNG, drawn by Chromium without a network."""
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/page.html"
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile",
            "--hide-scrollbars", "--force-device-scale-factor=1", f"--window-size={WIDTH},{height}",
            f"--screenshot={png}", f"file://{source}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0 and pathlib.Path(png).exists(), done.stdout
