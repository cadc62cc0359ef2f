"""What a scrape costs by the number of worker slots, and what it costs the others. Rows of bench.py."""
import http.client
import re
import statistics
import threading
import time

from measured import ROUNDS, ask, spread, start, stop, wrk

PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}


class Scraper:
    """One kept connection that asks as Prometheus does."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(self, headers):
        begun = time.perf_counter()
        self.connection.request("GET", "/metrics", headers=headers)
        body = self.connection.getresponse().read()
        return time.perf_counter() - begun, body

    def cpu(self):
        return float(re.search(rb"^process_cpu_seconds_total (\S+)", self.get({})[1], re.M)[1])

    def round(self, count=100):
        """Milliseconds: the median a client waits, and the CPU time of the whole tree for each."""
        before = self.cpu()
        waited = [self.get(PROMETHEUS)[0] for _ in range(count)]
        return statistics.median(waited) * 1e3, (self.cpu() - before) / (count + 1) * 1e3


def bench_scrape(build, model, folder, table):
    """Servers with nothing else to do, and one under load."""
    slots = (1, 16, 64)
    servers = [start(build, model, folder, workers, 4)[:2] for workers in slots]
    try:
        scrapers = [Scraper(port) for _, port in servers]
        for _, port in servers:     # not only zeros
            for path in ("/", "/model", "/nope", "/predict/item/85123A", "/predict/item/nope", "/predict/user/12350"):
                ask(port, path)
        rounds = [[scraper.round() for scraper in scrapers] for _ in range(ROUNDS)]
        for at, count in enumerate(slots):
            ours = [r[at] for r in rounds]
            least = [r[0] for r in rounds]
            other = "1 slot: " if at else ""
            table(f"scrape as Prometheus does it, {count} worker slot{'s' * (count > 1)}: round trip", spread([w for w, _ in ours], " ms"),
                  other and other + spread([w for w, _ in least], " ms"),
                  other and spread([a[0] / b[0] for a, b in zip(ours, least)], digits=2), "≤ 1 ms")
            table("… CPU time of master and workers", spread([c for _, c in ours], " ms"),
                  other and other + spread([c for _, c in least], " ms"),
                  other and spread([a[1] / b[1] for a, b in zip(ours, least)], digits=2), "≤ 1 ms")
    finally:
        for process, _ in servers:
            stop(process)
    process, port, _ = start(build, model, folder)
    try:
        (folder / "paths").write_text("/predict/item/85123A?n=5\n")
        ours, quiet = [], []
        for turn in range(2 * ROUNDS):
            over = threading.Event()
            scraper, scrapes = Scraper(port), []

            def scrape():
                while not over.wait(0.1):
                    scrapes.append(scraper.get(PROMETHEUS))

            thread = threading.Thread(target=scrape)
            if turn % 2:
                thread.start()
            (ours if turn % 2 else quiet).append(wrk(port, folder / "paths", 64))
            over.set()
            if turn % 2:
                thread.join()
        table("/predict/item, 64 connections, scraped 10 times a second: requests/s",
              spread([r[0] / 1e3 for r in ours], " k", 0), "not scraped: " + spread([r[0] / 1e3 for r in quiet], " k", 0),
              spread([a[0] / b[0] for a, b in zip(ours, quiet)], digits=2), "≥ 0.98")
        table("… p99", spread([r[2] for r in ours], " µs", 0), spread([r[2] for r in quiet], " µs", 0),
              spread([a[2] / b[2] for a, b in zip(ours, quiet)], digits=2), "")
    finally:
        stop(process)
