#!/usr/bin/python3
"""Draw the README's pictures of the dashboards.

usage: screenshots.py [--seconds N] [FOLDER]

Starts akin-server on Online Retail's model and Debian's Prometheus on the shipped files, drives traffic for N seconds
(default 300) with what a dashboard is for in it: a swell, refused requests, a new model, a spoiled one, a killed worker.
Then every panel's expressions are asked of that Prometheus, and the answers drawn with Chromium.
"""
import argparse
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "system")]

import harness  # noqa: E402 (after the path)
import stack  # noqa: E402
from render import page  # noqa: E402

PICTURES = {"reco-app": None, "akin-service": None}     # dashboard: how many rows of its grid, None for all


def paths(chance, progress):
    """What a shop asks: items more than customers, some unknown, and a caller gone wrong for a while."""
    if 0.42 < progress < 0.52 and chance.random() < 0.15:
        return "/predict/item/85123A?n=many"
    kind = chance.random()
    if kind < 0.03:
        return f"/predict/user/{chance.randrange(90000, 99999)}"
    if kind < 0.35:
        return f"/predict/user/{chance.choice(CUSTOMERS)}?n=10"
    if kind < 0.45:
        return f"/predict/item/{chance.choice(ITEMS)}?n=50&details=true"
    return f"/predict/item/{chance.choice(ITEMS)}"


def client(server, number, clients, start, seconds, ended):
    """One connection, as busy as the hour wants it."""
    chance = random.Random(number)
    connection = None
    while not ended.is_set():
        progress = (time.monotonic() - start) / seconds
        swell = 0.35 + 0.65 * math.sin(math.pi * min(1, progress)) ** 2 + 0.12 * math.sin(23 * progress)
        if number > clients * swell:
            if connection:
                connection.close()
                connection = None
            ended.wait(0.5)
            continue
        try:
            connection = connection or server.client()
            for _ in range(3):
                connection.get(paths(chance, progress))
        except (OSError, harness.http.client.HTTPException):
            connection = None
        ended.wait(0.03 * chance.random())


def trouble(server, good, at, ended):
    """The day's events, in order: (share of the time, what)."""
    def reload(content=None):
        if content is not None:
            server.model.with_suffix(".new").write_bytes(content)
            server.model.with_suffix(".new").replace(server.model)
        os.kill(server.pid, signal.SIGHUP)

    spoiled = bytearray(good)
    spoiled[len(good) // 2] ^= 1
    for share, event in ((0.25, reload), (0.62, lambda: os.kill(server.workers()[0], signal.SIGKILL)),
                         (0.74, lambda: reload(bytes(spoiled))), (0.86, lambda: reload(good))):
        if ended.wait(max(0, at(share) - time.monotonic())):
            return
        event()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=harness.TOP / "docs/images")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "online-retail.model"
        shutil.copyfile(harness.BUILD / "online-retail.model", model)
        server = harness.Server(folder / "server", model, workers=2, threads=64)
        try:
            with stack.Prometheus(folder / "prometheus", [f"127.0.0.1:{server.port}"], interval="1s") as prometheus:
                harness.until(prometheus.up, "the first scrape", 60)
                ended, start = threading.Event(), time.monotonic()
                began = time.time()
                crowd = [threading.Thread(target=client, args=(server, n, 24, start, options.seconds, ended)) for n in range(24)]
                crowd.append(threading.Thread(target=trouble, args=(
                    server, model.read_bytes(), lambda share: start + share * options.seconds, ended)))
                for thread in crowd:
                    thread.start()
                ended.wait(options.seconds)
                end = time.time()
                ended.set()
                for thread in crowd:
                    thread.join()
                step = max(1, round(options.seconds / 150))
                for name, rows in PICTURES.items():
                    board = json.loads((harness.TOP / f"grafana/dashboards/{name}.json").read_text())
                    text, height = page.page(prometheus, board, began, end, step, f"{max(4, step + 4)}s", rows)
                    png = options.folder / f"{name}.png"
                    page.shoot(text, height, png)
                    subprocess.run(["pngquant", "--force", "--strip", "--output", png, "256", png], check=True)
                    print(f"{png}: {png.stat().st_size / 1000:.0f} kB")
        finally:
            server.kill()


# Of Online Retail: enough different ones to look like a shop.
CUSTOMERS = ["12347", "12348", "12350", "12352", "12356", "12359", "12360", "12362", "12370", "12380", "12415", "12748",
             "13089", "14156", "14646", "14911", "15311", "16029", "17450", "17841", "18102"]
ITEMS = ["85123A", "22423", "85099B", "47566", "20725", "84879", "22720", "22197", "21212", "20727", "22383", "22457",
         "23203", "22386", "22960", "21754", "22469", "22138", "82482", "22086"]


if __name__ == "__main__":
    sys.exit(main())
