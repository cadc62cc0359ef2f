"""More clients than threads, and slow ones, at the settings as they are: what each single client sees. Rows of bench.py."""
import http.client
import multiprocessing
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import crowd

PATH = "/predict/item/85123A?n=5"
BUSY, BUSY_SECONDS = 2000, 10
SLOW = 200


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def bench_busy(port, table):
    """Each of 2,000 clients has a request under way all the time. What a client waits is from its last answer, or its start,
    to its next one, on whatever connection that comes; what is still waited for at the end counts, too."""
    people = crowd.Crowd(port, BUSY, f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), keep_waits=True)
    end = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < end:
        people.step()
    now = time.monotonic()
    waits = sorted(w for client in people.clients for w in client.waits + [now - client.since])
    failures = [f for client in people.clients for f in client.failures]
    people.close()
    if failures:
        print("failures:", failures[:5], file=sys.stderr)
    table(f"{BUSY:,} busy connections, {BUSY_SECONDS} s: longest wait of 99.9 %", f"{at(waits, 0.999):.2f} s",
          f"half {at(waits, 0.5) * 1e3:.0f} ms, longest of all {waits[-1]:.2f} s, of {len(waits)} answers", "", "≤ 2 s")
    counts = sorted(client.answers for client in people.clients)
    table("… answers of the client that had fewest", f"{counts[0]}", f"half {counts[len(counts) // 2]}, most {counts[-1]}", "", "≥ 1")
    table("… errors", f"{len(failures)}", f"{sum(c.raced for c in people.clients)} requests sent again, as their kept connection "
          "was closed at that moment", "", "0")


def hold(port, ready, over):
    """Half-open clients: a head that never ends, a byte a second, and back again when the connection is closed."""
    clients = [crowd.Half(port) for _ in range(SLOW)]
    ready.set()
    while not over.wait(1):
        for i, client in enumerate(clients):
            client.step()
            if client.over:
                client.close()
                clients[i] = crowd.Half(port)


def p99(port, seconds, kept):
    """Of a client that asks one thing after another, in microseconds."""
    waits, end, connection = [], time.monotonic() + seconds, None
    while time.monotonic() < end:
        begun = time.perf_counter()
        if not connection:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", PATH)
        response = connection.getresponse()
        response.read()
        waits.append(time.perf_counter() - begun)
        if response.status != 200:
            sys.exit(f"a normal client got {response.status}")
        if not kept:
            connection.close()
            connection = None
    return at(sorted(waits), 0.99) * 1e6


def bench_slow(port, table, rounds, seconds):
    for kept, what in ((True, "on a kept connection"), (False, "on a new connection each")):
        quiet, ours = [], []
        for _ in range(rounds):
            quiet.append(p99(port, seconds / 2, kept))
            ready, over = multiprocessing.Event(), multiprocessing.Event()
            slow = multiprocessing.Process(target=hold, args=(port, ready, over))
            slow.start()
            ready.wait(30)
            ours.append(p99(port, seconds / 2, kept))
            over.set()
            slow.join()
        show = lambda all: f"{statistics.median(all):.0f} µs ({min(all):.0f}–{max(all):.0f})"
        ratio = [a / b for a, b in zip(ours, quiet)]
        table(f"{SLOW} half-open slow clients: p99 of a normal one, {what}", show(ours), "without them: " + show(quiet),
              f"{statistics.median(ratio):.2f} ({min(ratio):.2f}–{max(ratio):.2f})", "≤ 2")
