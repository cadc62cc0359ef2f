#!/usr/bin/python3
"""Many events of feedback while workers are killed, and what is left of them.

usage: feedback.py [--events N] [--sync always|second|never] BUILD

Four clients tell what customers did, 400 events in a body, three in four of them by recommendation_id; meanwhile a worker is
killed with SIGKILL about three times a second. At the end every event was acknowledged; each of those must be in the log,
counted under its outcome, and the log whole lines. The exit status is 0 when that is so. What was sent again, since its answer
never came, may count twice, and is printed.
"""
import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BATCH = 400


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sync", choices=["always", "second", "never"], default="always")
    parser.add_argument("build", type=pathlib.Path)
    a = parser.parse_args()
    os.environ["AKIN_BUILD"] = str(a.build.resolve())
    sys.path[:0] = [str(TOP / "tests/system"), str(TOP / "tests")]
    import harness
    import independent
    import tellers

    folder = pathlib.Path(tempfile.mkdtemp(prefix="akin-feedback-"))
    done = harness.prep("build", "-o", folder / "model", independent.DATA)
    assert done.returncode == 0, done.err
    server = harness.Server(folder, folder / "model", feedback_log=folder / "log", feedback_sync=a.sync, workers=2, threads=16,
                            respawn_max_ms=200)
    try:
        customers = [f"{n}" for n in range(12346, 18288) if server.get(f"/predict/user/{n}?n=1").status == 200][:1000]
        given = []
        for name in customers:
            answer = server.get(f"/predict/user/{name}?n=20").json
            given.append((answer["recommendation_id"], answer["data"][name]))

        def event(i):
            id, items = given[i % len(given)]
            who = {"recommendation_id": id} if i % 4 else {"user": customers[i % len(given)]}
            return {**who, "item": items[i // 7 % len(items)] if i % 2 else "85123A",
                    "event": ("purchase", "click", "cart", "purchase")[i % 9 % 4]}

        before = server.metrics()
        t, chance, killed, began = tellers.Tellers(server.port, event, BATCH), random.Random(1), 0, time.monotonic()
        t.tell(a.events)
        while any(thread.is_alive() for thread in t.threads):
            time.sleep(chance.random() * 0.6)
            killed += tellers.kill_one(server, chance)
        t.join(60)
        took = time.monotonic() - began
        harness.until(lambda: server.metric("akin_workers", state="serving") == 2, "all workers")
        harness.until(lambda: server.metric("http_requests_inprogress") == 1, "all to be answered")
        samples = server.metrics()
        figures = tellers.judge(t, samples, folder / "log")
        log = sum(p.stat().st_size for p in (folder / "log").iterdir())
        trials, hits = (samples[f"akin_feedback_{name}_total"] - before[f"akin_feedback_{name}_total"]
                        for name in ("trials", "trial_hits"))
        print(f"{a.events:,} events in {took:.1f} s ({a.events / took:,.0f} a second), feedback_sync = {a.sync}, "
              f"{killed} workers killed")
        for what, number in {**figures, **t.outcomes, "trials": int(trials), "trial hits": int(hits), "bytes of log": log}.items():
            print(f"  {what:20} {number:>12,}")
        assert server.stop() == 0, server.logged()
    finally:
        server.kill()
        shutil.rmtree(folder)
    print("every acknowledged event is counted and in the log")


if __name__ == "__main__":
    sys.exit(main())
