"""A server and the Prometheus that watches it: what test_monitoring.py and test_monitoring_model.py share."""
import collections
import shutil
import struct
import time

import pytest

import dashboard_lint
import harness
import stack
from dashboard_lint import BOARDS
from harness import until
from render import page

INTERVAL = "500ms"
SHIPPED_ONLY = pytest.mark.skipif(harness.SANITIZED, reason="shipped files, not programs: tested beside the normal build")
# Every question of every panel: (dashboard, title, number, expression).
PANELS = [(board, p["title"], number, t["expr"]) for board, content in BOARDS.items()
          for p in dashboard_lint.panels(content) for number, t in enumerate(p["targets"])]


def annotations(board):
    return {a["name"]: a["expr"] for a in BOARDS[board]["annotations"]["list"] if not a.get("builtIn")}


def panel(title, legend=None, board="akin-service"):
    """The expression of a panel; of several, the one with this legend."""
    found = [t["expr"] for p in dashboard_lint.panels(BOARDS[board]) if p["title"] == title
             for t in p["targets"] if legend in (None, t["legendFormat"])]
    assert len(found) == 1, (title, found)
    return found[0]


class Watched:
    """A server and the Prometheus that watches it."""

    def __init__(self, folder, model, alertmanager=None, before=lambda server: None, **settings):
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / "served.model"
        shutil.copyfile(model, own)
        self.server = harness.Server(folder / "server", own, **settings)
        self.instance = f"127.0.0.1:{self.server.port}"
        self.prometheus = None
        try:
            before(self.server)
            self.prometheus = stack.Prometheus(folder / "prometheus", [self.instance], interval=INTERVAL, hold="1s",
                                               alertmanager=alertmanager)
            until(self.prometheus.up, "the first scrape", 60)
        except BaseException:
            self.end()
            raise

    def end(self):
        if self.prometheus:
            self.prometheus.stop()
        self.server.kill()

    def all(self, expr):
        """A scrape that took too long leaves nothing to answer with until the next one."""
        found = self.prometheus.query(stack.fill(expr))
        if not found and not self.prometheus.up() and self.server.process.poll() is None:
            until(self.prometheus.up, "a scrape that is in time")
            found = self.prometheus.query(stack.fill(expr))
        return found

    def value(self, expr):
        """The one number that expr gives, or None."""
        found = self.all(expr)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def by(self, expr, *labels):
        """{labels' values: value}"""
        return {tuple(found[label] for label in labels): value for found, value in self.all(expr)}

    def becomes(self, expr, condition, what):
        until(lambda: condition(self.value(expr)), what, 2 * harness.PATIENCE)

    def fires(self, alert, **labels):
        def there():
            return any(labels.items() <= found.items() for found in self.prometheus.alerts("firing").get(alert, []))
        until(there, f"{alert} to fire: {self.prometheus.alerts()}", 2 * harness.PATIENCE)

    def drive(self, asked, times=None):
        """Ask; {(method, handler, class): n} and the longest time one took. .bytes are those of the bodies by handler."""
        counted, longest, self.bytes = collections.Counter(), 0.0, collections.Counter()
        with self.server.client() as client:
            for path, method, handler, status, n in asked:
                for _ in range(times or n):
                    start = time.monotonic()
                    answer = client.get(path, method)
                    assert answer.status == status
                    self.bytes[handler] += len(answer.body)
                    longest = max(longest, time.monotonic() - start)
                    counted[method, handler, f"{status // 100}xx"] += 1
        return counted, longest


def watch(*arguments, **more):
    watched = Watched(*arguments, **more)
    try:
        yield watched
        if watched.server.process.poll() is None:
            assert watched.server.stop() == 0, watched.server.logged()
    finally:
        watched.end()


def can_be_drawn(watched, board, png):
    """Every panel has something in it, and Chromium makes an image of the page's size."""
    end = time.time()
    text, height = page.page(watched.prometheus, BOARDS[board], end - 20, end, 1, "4s")
    assert text.count('class="panel"') == len(dashboard_lint.panels(BOARDS[board])) and "No data" not in text
    page.shoot(text, height, png)
    image = png.read_bytes()
    assert image[:8] == b"\x89PNG\r\n\x1a\n" and len(image) > 30000
    assert struct.unpack(">II", image[16:24]) == (page.WIDTH, height)
