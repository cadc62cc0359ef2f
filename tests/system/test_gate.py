"""The gate: what a reload refuses, what --gate says of a file beforehand, and what akin-prep diff tells, held against a
comparison in Python; and the loader, which the master does not wait for."""
import ctypes
import datetime
import json
import os
import platform
import random
import re
import signal
import struct
import subprocess

import pytest

import harness
import independent
from harness import SERVER, until

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())


# -- the comparison, another way ----------------------------------------------------------------------------------

def fnv(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001b3) % (1 << 64)
    return value


def sample(common):
    stride = len(common) // 1000
    return [i for i in common if stride <= 1 or fnv(i) % stride == 0]


def known_already(shop, name):
    """Rows that were computed for other tests, or nothing."""
    return shop.__dict__.get(name, {})


def to_item(shop, item):
    row = known_already(shop, "item_rows").get(item) or shop.near(shop.buyers, item, 10)
    return [other for other, _ in row[:10]]


def to_customer(shop, customer):
    best = known_already(shop, "best_customers").get(customer) or next(iter(shop.near(shop.baskets, customer, 1)), None)
    return sorted(shop.baskets[best[0]] - shop.baskets[customer], key=shop.first.get)[:10] if best else []


def side_by_side(before, after, answer):
    found = {"asked": 0, "ids": 0, "kept": 0}
    common = before.keys() & after.keys()
    for i in sample(common):
        was, now = answer(0, i), answer(1, i)
        found["asked"] += bool(was)
        found["ids"] += len(was)
        found["kept"] += len(set(was) & set(now))
    return {"before": len(before), "after": len(after), "lost": len(before.keys() - after.keys()),
            "gained": len(after.keys() - before.keys())}, found


def compare(before, after):
    shops = before, after
    return (side_by_side(before.buyers, after.buyers, lambda at, i: to_item(shops[at], i)),
            side_by_side(before.baskets, after.baskets, lambda at, i: to_customer(shops[at], i)))


def diff(before, after):
    done = harness.prep("diff", "--json", before, after)
    assert done.returncode == 0 and done.err == "", done.err
    return json.loads(done.out)


def agree(told, before, after):
    for key, name, (counts, answers) in zip(("items", "customers"), ("items", "users"), compare(before, after)):
        assert {k: told[key][k] for k in counts} == counts
        assert {k: told["answers"][name][k] for k in answers} == answers
        assert told[key]["lost_percent"] == pytest.approx(100 * counts["lost"] / counts["before"])
        assert told["answers"][name]["kept_percent"] == pytest.approx(100 * answers["kept"] / (answers["ids"] or 1))


@pytest.fixture(scope="module")
def january(tmp_path_factory):
    """Online Retail until the end of January: the model and the rows. They stand by date."""
    raw = independent.unpack()
    path = tmp_path_factory.mktemp("january") / "january.model"
    kept = raw[:raw.rindex(b"\n", 0, raw.index(b",2/1/2011 ")) + 1]
    done = harness.prep("build", "-o", path, "--date-format", "mdy", "-", stdin=kept)
    assert done.returncode == 0, done.err
    return path, independent.Expected(independent.online_retail_rows(kept))


def test_diff_of_online_retail_in_january_and_all(model, expected, january):
    path, rows = january
    told = diff(path, model)
    agree(told, rows, expected)
    assert told["data"] == "newer" and told["items"]["lost"] == 0 and told["items"]["gained"] > 300
    assert told["before"]["data_until"] == "2011-01-31 16:59:00" and told["after"]["data_until"] == "2011-12-09 12:50:00"
    back = diff(model, path)
    assert back["data"] == "older" and back["items"]["lost"] == told["items"]["gained"]


def rows_of(seed, customers=60, items=50, lost=()):
    chance = random.Random(seed)
    rows = [(f"c{c:03}", f"i{i:03}") for c in range(customers) for i in sorted(chance.sample(range(items), 9))]
    return [row for row in rows if not set(row) & set(lost)]


def shop_of(rows):
    return independent.Expected([(c, i, "") for c, i in rows])


@pytest.mark.parametrize("lost", [(), ("i000", "c000"), ("i049", "c059", "c058"), ("i010", "i011", "i030", "c007", "c033")])
def test_diff_of_small_shops(small, lost):
    before, after = rows_of(1), rows_of(2, 63, 52, lost)
    a, b = small(before, "before.model"), small(after, "after.model")
    agree(diff(a, b), shop_of(before), shop_of(after))
    agree(diff(b, a), shop_of(after), shop_of(before))


def test_diff_in_words(small):
    done = harness.prep("diff", small(rows_of(1), "a.model"), small(rows_of(1, lost=("i001",)), "b.model"))
    assert done.returncode == 0
    assert re.search(r"^items +49, before 50: 1 lost \(2\.0 %\), 0 new$", done.out, re.M), done.out
    assert re.search(r"^data until +2010-12-28 08:26:00, before 2010-12-28 08:26:00$", done.out, re.M), done.out


def test_diff_of_what_is_no_model(small, tmp_path):
    good, bad = small(rows_of(1)), tmp_path / "bad.model"
    bad.write_bytes(good.read_bytes()[:-8])
    harness.refused(harness.prep("diff", good, bad), "bad.model")
    harness.refused(harness.prep("diff", bad, good), "bad.model")
    assert harness.prep("diff", good).returncode == 64
    assert harness.prep("diff", good, good, good).returncode == 64


# -- what a reload refuses ----------------------------------------------------------------------------------------

def dated(rows, day):
    """Rows of one shop whose newest is of this day of 2011."""
    date = datetime.date(2011, 1, 1) + datetime.timedelta(day)
    lines = ["CustomerID,StockCode,InvoiceDate"]
    lines += [f"{c},{i},2010-06-{at % 28 + 1:02} 09:00:00" for at, (c, i) in enumerate(rows)]
    lines[-1] = re.sub(r"2010-06-\d\d", str(date), lines[-1])
    return ("\n".join(lines) + "\n").encode()


BASE = rows_of(1)
REFUSED = {     # name of the check that fails: a model for which it does, and no other
    "lost_items": dated([(c, i) for c, i in BASE if i not in {f"i{n:03}" for n in range(6)}], 50),      # 12 %
    "lost_customers": dated([(c, i) for c, i in BASE if c >= "c016"], 50),                              # 27 %
    "overlap": dated([(c, f"i{(int(i[1:]) * 7 + int(c[1:]) * 11) % 50:03}") for c, i in BASE], 50),
    "older": dated(BASE, 49),
}
PASSED = {
    "the same": dated(BASE, 50),
    "newer": dated(BASE, 51),
    "fewer items": dated([(c, i) for c, i in BASE if i not in {f"i{n:03}" for n in range(5)}], 50),     # 10 %
    "fewer customers": dated([(c, i) for c, i in BASE if c >= "c015"], 50),                             # 25 %
    "one more of each": dated([*BASE, ("c999", "i999"), ("c999", "i001")], 50),
}


@pytest.fixture
def serving(start, small):
    return start(small(dated(BASE, 50), "served.model"), gate="on")


def reason(server):
    """What --status says of the last reload."""
    told = status(server)
    return told["last_reload"], told["last_reload_reason"]


def ask(server, *arguments):
    """Run a command about this server: it is found by its pid file, or for want of one here, by its settings."""
    return subprocess.run([SERVER, "-c", server.conf(), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=harness.PATIENCE, env=harness.environment())


def status(server):
    done = ask(server, "--pid-file", server.folder / "akin.pid", "--status=json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def known(start, small):
    """The same, and to be found by its pid file."""
    path = small(dated(BASE, 50), "served.model")
    return start(path, gate="on", pid_file=path.parent / "server0" / "akin.pid")


@pytest.mark.parametrize("check", REFUSED)
def test_refused(known, small, check):
    right = known.get("/predict/item/i020?n=10").nameless
    known.hup(small(REFUSED[check], "new.model"))
    assert known.generation() == 1 and known.get("/predict/item/i020?n=10").nameless == right
    assert known.metric("akin_reloads_total", result="failure", reason="gate") == 1
    assert known.metric("akin_last_reload_successful") == 0
    said = [line for line in known.logged().splitlines() if " error " in line]
    assert len(said) == 1 and f"refused by the gate: {check}: " in said[0] and ";" not in said[0], said
    outcome, why = reason(known)
    assert outcome == "failed" and f"refused by the gate: {check}: " in why
    # forced, it is taken
    before = known.metric("akin_reloads_total")
    known.send(signal.SIGRTMIN)
    until(lambda: known.metric("akin_reloads_total") > before, "the forced reload")
    assert known.generation() == 2 and reason(known) == ("ok", "")


@pytest.mark.parametrize("name", PASSED)
def test_passed(serving, small, name):
    serving.hup(small(PASSED[name], "new.model"))
    assert serving.generation() == 2, serving.logged()
    assert "generation 2 has passed the gate: lost_items: " in serving.logged()


@pytest.mark.parametrize("check, settings", [("lost_items", {"gate_lost_items": 12}), ("lost_customers", {"gate_lost_customers": 27}),
                                             ("overlap", {"gate_overlap": 0}), ("older", {"gate_older": "take"}),
                                             ("overlap", {"gate": "off"})])
def test_settings_let_it_pass(start, small, check, settings):
    server = start(small(dated(BASE, 50), "served.model"), **{"gate": "on", **settings})
    server.hup(small(REFUSED[check], "new.model"))
    assert server.generation() == 2, server.logged()


def test_the_gate_is_asked_about_what_is_served(serving, small):
    """After a rollback that is the model from before, not the file's."""
    newer, newest = small(dated(BASE, 60), "newer.model"), small(dated(BASE, 55), "between.model")
    serving.hup(newer)
    serving.hup(newest)
    assert serving.generation() == 2                # older than what is served
    serving.send(signal.SIGRTMIN + 1)
    until(lambda: serving.generation() == 3, "the rollback")
    serving.hup(newest)
    assert serving.generation() == 4                # newer than what is served


# -- asked beforehand ---------------------------------------------------------------------------------------------

def test_asked_beforehand(known, small):
    def gate(data, *more):
        return ask(known, "--pid-file", known.folder / "akin.pid", *more, f"--gate={small(data, 'asked.model')}")

    done = gate(PASSED["one more of each"])
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [re.match(r"pass (\w+): .+, limit .+", line)[1] for line in lines[:-1]] == list(REFUSED) and lines[-1] == "accepted"
    for check, data in REFUSED.items():
        done = gate(data)
        assert done.returncode == 1 and done.stdout.splitlines()[-1] == f"refused: {check}"
        assert sum(line.startswith("fail ") for line in done.stdout.splitlines()) == 1
    both = gate(dated([(c, i) for c, i in BASE if i >= "i010" and c >= "c030"], 50))
    assert both.stdout.splitlines()[-1].startswith("refused: lost_items, lost_customers")
    off = gate(REFUSED["older"], "--gate=off")
    assert off.returncode == 0 and off.stdout.splitlines()[-1] == "accepted" and "fail older" in off.stdout
    assert known.generation() == 1 and known.metric("akin_reloads_total") == 0


def test_asked_about_what_is_no_model(known, tmp_path):
    bad = tmp_path / "bad.model"
    bad.write_bytes(known.model.read_bytes()[:-8])
    for path in (bad, tmp_path / "missing.model"):
        done = ask(known, "--pid-file", known.folder / "akin.pid", f"--gate={path}")
        assert done.returncode == 1 and done.stdout == "" and path.name in harness.one_line(done.stderr)
    assert ask(known, "--gate=").returncode == 64


def test_asked_when_no_server_runs(known, tmp_path):
    pid_file = known.folder / "akin.pid"
    assert known.stop() == 0
    done = ask(known, "--pid-file", pid_file, f"--gate={known.model}")
    assert done.returncode == 3 and done.stdout == "" and "no server runs" in harness.one_line(done.stderr)


# -- the loader ---------------------------------------------------------------------------------------------------

@pytest.fixture
def loading(start, model, tmp_path):
    """A server of Online Retail whose loader has been stopped in mid-load, and that loader."""
    path = tmp_path / "served.model"
    path.write_bytes(model.read_bytes())
    server = start(path, gate="on")
    stopped = []

    def hold():
        for _ in range(50):
            before = server.metric("akin_reloads_total")
            server.send(signal.SIGHUP)
            loader = until(lambda: server.loader() or server.metric("akin_reloads_total") > before, "a loader")
            if loader is True:
                continue                            # it was too fast
            os.kill(loader, signal.SIGSTOP)
            until(lambda: stat(loader) in "TZ", "it to stop")
            if stat(loader) == "T":
                stopped.append(loader)
                return loader
        raise AssertionError("no loader could be caught")

    def stat(pid):
        try:
            return harness.pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "Z"

    yield server, hold
    for pid in stopped:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def test_a_dead_worker_is_replaced_while_a_model_is_loaded(loading):
    server, hold = loading
    loader, victim = hold(), server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a new worker")
    assert server.loader() == loader
    until(lambda: server.metric("akin_workers", state="serving") == 2, "it to serve")
    generation = server.generation()
    os.kill(loader, signal.SIGCONT)
    until(lambda: server.generation() == generation + 1, "the reload to go on")


def test_a_loader_that_dies(loading):
    server, hold = loading
    loader, generation = hold(), server.generation()
    os.kill(loader, signal.SIGKILL)
    until(lambda: server.metric("akin_reloads_total", reason="crashed") == 1, "its death to be told")
    assert server.generation() == generation and server.metric("akin_last_reload_successful") == 0
    assert "the loader was killed by signal 9" in server.logged()
    assert not [name for name in server.segments() if name.endswith(".model.0")]
    server.hup()
    assert server.generation() == generation + 1


def test_hups_while_a_model_is_loaded_are_one_more(loading):
    server, hold = loading
    loader = hold()
    generation, before = server.generation(), server.metric("akin_reloads_total")
    for _ in range(40):
        server.send(signal.SIGHUP)
        server.send(signal.SIGRTMIN)
    until(lambda: not pending(server.pid), "all signals to be taken")
    server.send(signal.SIGHUP)                      # that does not make the forced one a checked one
    until(lambda: not pending(server.pid), "that one to be taken")
    assert server.loader() == loader
    os.kill(loader, signal.SIGCONT)
    until(lambda: server.generation() == generation + 2, "two reloads")
    until(lambda: server.loader() is None, "no more loader")
    until(lambda: server.metric("akin_reloads_total") == before + 2, "both to be counted")
    assert server.generation() == generation + 2
    assert server.logged().count("passed the gate") == generation        # the last one was forced


def pending(pid):
    found = harness.pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"ShdPnd:\s+(\w+)", found)[1], 16)


def test_stop_while_a_model_is_loaded(loading):
    server, hold = loading
    loader = hold()
    assert server.stop() == 0
    assert not harness.alive(loader) and server.segments() == []


def test_a_rollback_while_a_model_is_loaded(loading):
    server, hold = loading
    server.hup()
    loader = hold()
    generation = server.generation()
    server.send(signal.SIGHUP)                      # and one that waits
    server.send(signal.SIGRTMIN + 1)
    until(lambda: server.metric("akin_reloads_total", reason="cancelled") == 1, "the load to be ended")
    assert server.generation() == generation + 1 and server.metric("akin_rollbacks_total", result="success") == 1
    assert not harness.alive(loader) and server.loader() is None
    assert not [name for name in server.segments() if name.endswith(".model.0")]


def test_the_loader_goes_with_its_master(loading, start, small):
    server, hold = loading
    loader = hold()
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not harness.alive(loader), "the loader to be gone")
    server.process.wait(harness.PATIENCE)
    until(lambda: not list(server.family()), "the workers to be gone")
    start(small(BASE))                              # the next master tidies up
    assert server.segments() == []


def turns(thread):
    """Niceness and length of a turn in ns, as the kernel has them of a thread."""
    room = ctypes.create_string_buffer(48)
    if ctypes.CDLL(None, use_errno=True).syscall(SCHED_GETATTR, thread, room, len(room), 0) != 0:
        raise ProcessLookupError(ctypes.get_errno(), "sched_getattr")
    nice, _, turn = struct.unpack_from("=iIQ", room, 16)
    return nice, turn


@pytest.mark.skipif(not SCHED_GETATTR, reason="the call has another number here")
def test_clients_are_not_kept_waiting_for_the_loader(loading):
    """Who is woken to answer need not wait for a long turn of those who answer nobody: loader, monitor, main threads."""
    server, hold = loading
    mine, usual = turns(0)
    knows = usual > 0                       # Linux 6.12; before that there is one length for all
    short, nice = 100_000 if knows else 0, max(mine, 10)

    def caught():                           # it may have been stopped before it came to this
        loader = hold()
        return loader if turns(loader) == (nice, short) else os.kill(loader, signal.SIGCONT)

    assert until(caught, "the loader to give way") == server.loader() and turns(server.monitor()) == (nice, short)
    for worker in server.workers():
        threads = [int(t) for t in os.listdir(f"/proc/{worker}/task")]
        assert {t: turns(t) for t in threads} == {t: (mine, short if t == worker else usual) for t in threads}
