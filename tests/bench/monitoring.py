"""What it costs that requests are counted, predictions watched and answers named: the same load, in turns, on a server that
does all of it and on one that does nothing of it.

Requests per second of seconds that follow each other differ by more than this costs. So there are many turns; beside the
rate stands the CPU time that master, monitor and workers used for a request, by their own clocks; and a third server, which
does nothing of it either, tells what a ratio is worth: it should be 1."""
import random
import statistics
import time
from urllib.parse import quote

OFF = ("--metrics", "off", "--feedback", "off")
SERVERS = (), OFF, OFF
CONNECTIONS = 64
TURNS = 5           # of each round that the others have


def cpu(pids):
    """Seconds that these have used; the clock of a process is what clock_getcpuclockid() makes of its id."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def turn(server, family, wrk, paths):
    """(requests a second, seconds of CPU a request)"""
    process, port = server
    pids = family(process.pid)
    before = cpu(pids)
    rate, *_, answered = wrk(port, paths, CONNECTIONS)
    return rate, (cpu(pids) - before) / answered


def ratio(ours, theirs):
    """The median of the turns' own ratios, and between what the middle half of them is."""
    all = [a / b for a, b in zip(ours, theirs)]
    low, middle, high = statistics.quantiles(all, n=4)
    return f"{middle:.3f} (half: {low:.3f}–{high:.3f})"


def bench_monitoring(start, stop, family, wrk, ids, folder, rounds, spread, table):
    """start(*settings): (process, port); wrk(port, paths, connections): (rate, p50, p99, answers)."""
    chance, paths = random.Random(4), folder / "paths"
    servers = [start(*settings) for settings in SERVERS]
    try:
        for kind in ("item", "user"):
            many = chance.sample(ids[kind], min(2000, len(ids[kind])))
            paths.write_text("".join(f"/predict/{kind}/{quote(i, safe='')}?n=5\n" for i in many))
            found = [[] for _ in servers]
            for _ in range(rounds * TURNS):
                for which in chance.sample(range(len(servers)), len(servers)):
                    found[which].append(turn(servers[which], family, wrk, paths))
            rate, used = ([[t[k] for t in of] for of in found] for k in (0, 1))
            for k, what, reach in ((0, f"/predict/{kind}?n=5, {len(many)} ids, {CONNECTIONS} connections, all monitoring",
                                    "≥ 0.97"), (2, "… none, either", "")):
                table(what + ": requests/s", spread([r / 1e3 for r in rate[k]], " k", 0),
                      "none: " + spread([r / 1e3 for r in rate[1]], " k", 0), ratio(rate[k], rate[1]), reach)
                table("… CPU time of a request", spread([u * 1e6 for u in used[k]], " µs", 2),
                      "none: " + spread([u * 1e6 for u in used[1]], " µs", 2), ratio(used[k], used[1]), "")
    finally:
        for process, _ in servers:
            stop(process)
