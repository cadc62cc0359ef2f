"""A shop whose sales akinctl retrain makes models of; what it counts, and how it ends."""
import json
import re

import pytest

import harness

RESULTS = {"ok": 0, "build_failed": 10, "refused": 11, "deploy_failed": 12, "held_off": 13, "busy": 14}
SALES = [(str(c), f"I{(c * 7 + k) % 40:02}") for c in range(60) for k in range(c % 5 + 2)]


def show(model):
    return json.loads(harness.prep("show", "--json", model).out)


def sources(model):
    return [source["name"].rsplit("/", 1)[-1] for source in show(model)["provenance"]["sources"]]


def stand_in(it, name, script):
    """In the place of a program: a script, or with None the program itself again."""
    path = it.folder / "bin" / name
    path.unlink(missing_ok=True)
    if script is None:
        path.symlink_to(harness.BUILD / name)
    else:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


class Clock:
    """What `date +%s` says to akinctl; the rest of date is date's."""

    def __init__(self, it, now):
        self.file = it.folder / "clock"
        self.set(now)
        stand_in(it, "date", f'[ "$*" != +%s ] || exec cat {self.file}\nexec /bin/date "$@"')

    def set(self, now):
        self.now = now
        self.file.write_text(f"{now}\n")


@pytest.fixture
def shop(place):
    """A place with a folder of sales, and what retrain wants set: shop(shell="busybox", retrain_hold_off_s=5)."""
    def shop(open_to_all=False, shell="dash", **settings):
        it = place(open_to_all=open_to_all, shell=shell)
        it.sales = it.folder / "sales"
        it.sales.mkdir()
        sell(it, "2026-01.csv", SALES)
        it.configure(transactions=it.sales, **{"retrain_hold_off_s": 0, "retrain_max_per_day": 1000, **settings})
        return it
    return shop


def sell(it, name, rows):
    path = it.sales / name
    path.write_bytes(harness.csv_bytes(rows))
    return path


def counted(it):
    """The state, which must be as akinctl(8) says to the last byte: {result: number}, and the last one."""
    text = (it.store / "retrain.state").read_text()
    lines = re.fullmatch("".join(rf"{name} (\d+)\n" for name in RESULTS) + r"(?:last (\d+) (\w+)\n)?", text)
    assert lines, text
    last = (int(lines[7]), lines[8]) if lines[7] else None
    assert last is None or last[1] in ("ok", "build_failed", "refused", "deploy_failed")
    return {name: int(lines[i + 1]) for i, name in enumerate(RESULTS) if lines[i + 1] != "0"}, last


def ends(it, result, *arguments, **more):
    """retrain ends so, says why in one line, and leaves nothing lying about; that line, or what it said."""
    done = it.ctl("retrain", *arguments, **more)
    assert done.status == RESULTS[result], (done, it.log.read_text() if it.log.exists() else "no log")
    assert it.litter() == [] and not list((it.store / ".retrain").glob("built*"))
    assert not (it.store / ".retrain/run").exists()
    if result == "ok":
        assert done.err == ""
        return done.out
    assert done.err.count("\n") == 1 and done.err.startswith("akinctl: "), done
    return done.err
