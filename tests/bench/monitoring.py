"""What it costs that requests are counted, predictions watched and answers named: the same load, in turns, on a server that
does all of it and on one that does nothing of it.

Requests per second of seconds that follow each other differ by more than this costs, so there are many turns, and beside
the rate stands the CPU time that master, monitor and workers used for a request, by their own clocks."""
import random
import statistics
import time
from urllib.parse import quote

OFF = ("--metrics", "off", "--feedback", "off")
CONNECTIONS = 64
TURNS = 5           # of each round that the others have


def cpu(pids):
    """Seconds that these have used; the clock of a process is what clock_getcpuclockid() makes of its id."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def bench_monitoring(start, stop, family, wrk, ids, folder, rounds, spread, table):
    """start(*settings): (process, port); wrk(port, paths, connections): (rate, p50, p99, answers)."""
    chance, paths = random.Random(4), folder / "paths"
    servers = start(), start(*OFF)
    try:
        for kind in ("item", "user"):
            many = chance.sample(ids[kind], min(2000, len(ids[kind])))
            paths.write_text("".join(f"/predict/{kind}/{quote(i, safe='')}?n=5\n" for i in many))
            rate, used = ([], []), ([], [])
            for turn in range(rounds * TURNS):
                for which in (0, 1) if turn % 2 else (1, 0):
                    process, port = servers[which]
                    pids = family(process.pid)
                    before = cpu(pids)
                    a_second, *_, answered = wrk(port, paths, CONNECTIONS)
                    rate[which].append(a_second)
                    used[which].append((cpu(pids) - before) / answered * 1e6)
            ratio = [a / b for a, b in zip(*rate)]
            quarters = statistics.quantiles(ratio, n=4)
            table(f"/predict/{kind}?n=5, {len(many)} ids, {CONNECTIONS} connections, all monitoring: requests/s",
                  spread([r / 1e3 for r in rate[0]], " k", 0), "none: " + spread([r / 1e3 for r in rate[1]], " k", 0),
                  f"{statistics.median(ratio):.3f} (half: {quarters[0]:.3f}–{quarters[2]:.3f})", "≥ 0.97")
            table("… CPU time of a request", spread(used[0], " µs", 2), "none: " + spread(used[1], " µs", 2),
                  spread([a / b for a, b in zip(*used)]), "")
    finally:
        for process, _ in servers:
            stop(process)
