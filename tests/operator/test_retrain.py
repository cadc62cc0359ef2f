"""akinctl retrain: each way it can end, what is counted, and what an accident at any moment leaves."""
import json
import os
import random
import re
import signal
import subprocess

import pytest

import harness
from harness import until
from retrained import RESULTS, SALES, Clock, counted, ends, sell, show, shop, sources, stand_in

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

# -- each result --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_from_sales_to_a_model_that_is_served(shop, models, shell):
    it = shop(shell=shell)
    it.good("model", "deploy", models[0])
    it.good("start")
    sell(it, "2026-02 late.csv", [("300", "I01"), ("300", "I02")])
    subprocess.run(["lz4", "-q", sell(it, "x", [("301", "I03")]), it.sales / "2026-01b.csv.lz4"], check=True)
    sell(it, ".hidden.csv", [("400", "I04")])
    (it.sales / "empty.csv").touch()
    (it.sales / "notes.txt").write_text("not sales")
    (it.sales / "folder.csv").mkdir()
    alone = it.folder / "alone.dat"
    alone.write_bytes(harness.csv_bytes([("302", "I05")]))
    it.configure(transactions=f"{alone}   {it.sales}")
    said = ends(it, "ok", "--why", "$(touch /tmp/akin-why) 'x' \"y\" `z`")
    assert "retraining: $(touch /tmp/akin-why) 'x'" in said and not os.path.exists("/tmp/akin-why")
    # A file that is named counts whatever it is called; of a folder, in the order of their names.
    assert sources(it.model) == ["alone.dat", "2026-01.csv", "2026-01b.csv.lz4", "2026-02 late.csv"]
    assert show(it.model)["customers"] == 63
    facts = it.facts()
    assert facts["model_checksum"] == show(it.model)["checksum"] and facts["generation"] == 2
    assert it.placed() == it.link("current") and it.get("/predict/user/300").status == 200
    numbers, last = counted(it)
    assert numbers == {"ok": 1} and last[1] == "ok" and (it.store / "retrain.state").stat().st_mode & 0o777 == 0o644
    assert oct(it.model.stat().st_mode)[-3:] == "644"
    status = it.good("retrain", "--status")
    assert "ok: $(touch" in status and "next        at any time" in status and "ok 1 " in status
    it.good("model", "rollback")
    assert it.facts()["model_checksum"] == show(models[0])["checksum"]


def test_for_the_next_start(shop):
    it = shop()
    assert "none was started yet" in it.good("retrain", "--status")
    assert "next start" in ends(it, "ok")
    it.good("start")
    assert it.get("/predict/item/I01").status == 200 and counted(it)[0] == {"ok": 1}


def test_it_says_what_the_backtests_found(shop):
    it = shop()
    lines, luck = ["CustomerID,StockCode,Quantity,InvoiceDate"], random.Random(3)
    for day in range(200):
        date = f"2025-{day // 28 + 1:02}-{day % 28 + 1:02} 08:00:00"
        lines += [f"{luck.randrange(50)},I{luck.randrange(60)},1,{date}" for _ in range(8)]
    (it.sales / "2026-01.csv").write_text("\n".join(lines[:1200]) + "\n")
    before = [line for line in ends(it, "ok").splitlines() if line.startswith(("backtest:", "before:"))]
    figures = [show(it.model)["backtest"]]
    (it.sales / "2026-01.csv").write_text("\n".join(lines) + "\n")
    after = [line for line in ends(it, "ok").splitlines() if line.startswith(("backtest:", "before:"))]
    figures.append(show(it.model)["backtest"])
    assert figures[0] != figures[1] and all(f["trials"] > 0 for f in figures)
    words = [f"{100 * sum(f['hits_own'][:10] + f['hits_popular'][:10]) / f['trials']:.2f} % of {f['trials']} items bought anew were among 10 "
             "recommended" for f in figures]
    assert before == [f"backtest: {words[0]}"] and after == [f"backtest: {words[1]}", f"before:   {words[0]}"]
    sell(it, "2026-01.csv", SALES)              # of one day
    it.model.unlink()
    assert "backtest: none: the data before it would be shorter" in ends(it, "ok")
    (it.sales / "2026-01.csv").write_text("CustomerID,StockCode\n" + "".join(f"{c},{i}\n" for c, i in SALES))
    it.model.unlink()
    said = ends(it, "ok")
    assert "customers, no dates: no date column\nbacktest: none: " in said and "null" not in said


def test_the_server_publishes_how_it_went(shop):
    it = shop()
    ends(it, "ok")
    it.good("start")
    it.configure(transactions=it.folder / "none")
    ends(it, "build_failed")
    last = counted(it)[1][0]

    def published():
        page = it.get("/metrics").body.decode()
        return {name: float(value) for name, value in re.findall(r"^(akin_retrain_[a-z_]+(?:\{[^}]*\})?) (\S+)$", page, re.M)}

    wanted = {f'akin_retrain_total{{result="{name}"}}': float(name in ("ok", "build_failed")) for name in RESULTS}
    wanted.update({"akin_retrain_last_timestamp_seconds": float(last), "akin_retrain_last_successful": 0.0})
    until(lambda: wanted.items() <= published().items(), "the server to have seen it", 2 * harness.PATIENCE)


def test_options_of_the_build(shop):
    it = shop(retrain_options="--neighbours 3 --columns customer=CustomerID,item=StockCode")
    ends(it, "ok")
    assert show(it.model)["provenance"]["settings"]["neighbours"] == 3
    it.configure(retrain_options="--frob")
    assert "frob" in ends(it, "build_failed")


def spoil_none(it):
    it.configure(transactions=f"{it.sales} {it.folder}/none.csv")


def spoil_empty(it):
    for path in it.sales.iterdir():
        path.unlink()


def spoil_text(it):
    sell(it, "2026-02.csv", []).write_text("this is no table\nat all\n")


def spoil_fifo(it):
    os.mkfifo(it.sales / "fifo")
    it.configure(transactions=it.sales / "fifo")


def spoil_program(it):
    stand_in(it, "akin-prep", f'[ "$1" != build ] || kill -9 $$\nexec {harness.PREP} "$@"')


def spoil_model(it):
    stand_in(it, "akin-prep", f"""{harness.PREP} "$@" || exit
[ "$1" != build ] || printf spoiled | dd of={it.store}/.retrain/built.akin bs=1 seek=9000 conv=notrunc 2>/dev/null""")


@pytest.mark.parametrize("spoil, word", [
    (spoil_none, "none.csv"), (spoil_empty, "sales: neither"), (spoil_text, "2026-02.csv:1: "), (spoil_fifo, "fifo: neither"),
    (spoil_program, "signal 9"), (spoil_model, "checksum")], ids=lambda x: getattr(x, "__name__", ""))
def test_builds_that_fail(shop, models, spoil, word):
    it = shop()
    it.good("model", "deploy", models[0])
    it.good("start")
    before = it.placed(), it.entries()
    spoil(it)
    said = ends(it, "build_failed", "--why", "AkinDataDrift")
    assert word in said
    assert (it.placed(), it.entries()) == before and it.facts()["generation"] == 1
    assert counted(it)[0] == {"build_failed": 1} and counted(it)[1][1] == "build_failed"
    status = it.good("retrain", "--status")
    assert "build_failed: AkinDataDrift: " in status and word in status


def test_the_gate_judges_and_what_it_refused_can_be_seen(shop):
    it = shop()
    ends(it, "ok")
    it.good("start")
    before = it.placed(), it.entries()
    sell(it, "2026-01.csv", [(f"other{c}", item) for c, item in SALES])
    for force in ([], ["--force"]):             # which is about when, not about what
        said = ends(it, "refused", *force)
        assert "lost_customers: 100.0 %" in said and "lost_items" not in said
    assert (it.placed(), it.entries()) == before and it.facts()["generation"] == 1
    assert counted(it)[0] == {"ok": 1, "refused": 2}
    assert "60 customers" in it.good("model", "show", "refused") and it.good("model", "diff", "refused")
    assert "refused" not in it.good("model", "list")
    sell(it, "2026-01.csv", SALES + [("900", "I01")])
    ends(it, "ok")
    assert not (it.store / "refused").exists() and it.facts()["model_customers"] == 61


def test_force_is_not_for_the_gate_of_the_server_either(shop):
    """Who asks beforehand has other settings than the server was started with."""
    it = shop()
    ends(it, "ok")
    it.good("start")
    it.configure(gate="off")
    sell(it, "2026-01.csv", [(f"other{c}", item) for c, item in SALES])
    done = it.ctl("retrain", "--force")
    assert done.status == RESULTS["deploy_failed"] and "lost_customers" in done.err, done
    assert it.facts()["generation"] == 1 and it.litter() == []


def test_a_server_that_does_not_take_it(shop, models):
    """Spoiled behind the gate: when the server is looked at next."""
    it = shop()
    it.good("model", "deploy", models[0])
    it.good("start")
    stand_in(it, "akin-server", f"""for entry in {it.store}/*.akin; do
	[ $entry -ef {it.store}/{it.placed()} ] || printf spoiled | dd of=$entry bs=1 seek=300 conv=notrunc 2>/dev/null
done
exec {harness.SERVER} "$@" """)
    before = it.placed(), it.entries()
    done = it.ctl("retrain")
    assert done.status == RESULTS["deploy_failed"] and "was not taken" in done.err
    assert (it.placed(), it.entries()) == before and it.litter() == [] and it.facts()["generation"] == 1
    assert counted(it)[0] == {"deploy_failed": 1}
    stand_in(it, "akin-server", None)
    ends(it, "ok")


# -- when -----------------------------------------------------------------------------------------------------------

def test_hold_off_and_most_per_day(shop):
    it = shop(retrain_hold_off_s=3600, retrain_max_per_day=3)
    clock = Clock(it, 2_000_000_000)
    first = clock.now
    ends(it, "ok")
    clock.set(first + 3599)
    assert "2033-05-18 04:33:20 UTC by retrain_hold_off_s = 3600 " in ends(it, "held_off")
    assert "from 2033-05-18 04:33:20 UTC, by retrain_hold_off_s = 3600\n" in it.good("retrain", "--status")
    assert counted(it) == ({"ok": 1, "held_off": 1}, (first, "ok"))         # it was not started
    clock.set(first + 3600)
    spoil = sell(it, "2026-02.csv", [])
    spoil.write_text("no table\n")
    ends(it, "build_failed")                                                # what failed holds off as well
    clock.set(first + 7199)
    ends(it, "held_off")
    spoil.unlink()
    clock.set(first + 7200)
    ends(it, "ok")
    clock.set(first + 11000)                                                # the hold-off is over; the day is full
    assert "2033-05-19 03:33:20 UTC by retrain_max_per_day = 3 " in ends(it, "held_off")
    assert "by retrain_max_per_day = 3\n" in it.good("retrain", "--status")
    ends(it, "ok", "--force")
    clock.set(first + 86400)                                                # of four, the first is a day old
    ends(it, "held_off")
    clock.set(first + 86400 + 3600)
    ends(it, "ok")
    assert counted(it) == ({"ok": 4, "build_failed": 1, "held_off": 4}, (clock.now, "ok"))


def test_a_hold_off_longer_than_a_day(shop):
    it = shop(retrain_hold_off_s=31536000)
    clock = Clock(it, 2_000_000_000)
    ends(it, "ok")
    clock.set(2_000_000_000 + 31535999)
    ends(it, "held_off")
    clock.set(2_000_000_000 + 31536000)
    ends(it, "ok")


def test_a_clock_that_was_wrong_does_not_hold_off(shop):
    it = shop(retrain_hold_off_s=3600)
    clock = Clock(it, 4_000_000_000)
    ends(it, "ok")
    clock.set(2_000_000_000)
    ends(it, "ok")
    ends(it, "held_off")


def test_state_and_starts_that_were_spoiled(shop):
    it = shop(retrain_hold_off_s=3600)
    (it.store / ".retrain").mkdir(parents=True)
    (it.store / "retrain.state").write_text("ok 7\nrefused many\nfrob 3\nbusy 2 3\nbuild_failed -1\nlast now ok\n\0\xff\nheld_off 2\n")
    (it.store / ".retrain/starts").write_text("yesterday\n-1\n99999999999999999999\n")
    (it.store / ".retrain/run").write_text("$(x) y\n")
    ends(it, "ok")
    assert counted(it)[0] == {"ok": 8, "held_off": 2}


# -- two at a time, and death -------------------------------------------------------------------------------------

BUILDS_UNTIL_TOLD = """[ "$1" = build ] || exec {prep} "$@"
echo $$ >{folder}/builds
exec sleep 300"""


def builds(it):
    """A retraining whose build does not end; the process and that of its build."""
    stand_in(it, "akin-prep", BUILDS_UNTIL_TOLD.format(prep=harness.PREP, folder=it.folder))
    (it.folder / "builds").unlink(missing_ok=True)
    run = it.background("retrain", "--why", "Test")
    until(lambda: (it.folder / "builds").exists() and (it.folder / "builds").read_text().strip(), "the build to have begun")
    return run, int((it.folder / "builds").read_text())


def test_others_find_it_busy(shop):
    it = shop()
    run, _ = builds(it)
    try:
        status = it.good("retrain", "--status")
        assert "at work since" in status and "stage build" in status and "killed" not in status
        others = [it.background("retrain") for _ in range(6)]
        said = [other.communicate(timeout=harness.PATIENCE) for other in others]
        assert [other.returncode for other in others] == [RESULTS["busy"]] * 6, said
        assert all("another retraining is at work" in err for _, err in said)
        assert it.ctl("retrain", "--force").status == RESULTS["busy"]
        assert counted(it) == ({"busy": 7}, None)
    finally:
        os.kill(run.pid, signal.SIGTERM)
        run.communicate(timeout=harness.PATIENCE)
    assert run.returncode == RESULTS["build_failed"]
    assert counted(it)[0] == {"busy": 7, "build_failed": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_one_that_is_ended_while_it_builds(shop, models, number):
    it = shop()
    it.good("model", "deploy", models[0])
    before = it.placed(), it.entries()
    run, builder = builds(it)
    os.kill(run.pid, number)                    # it alone: its build must end by itself
    run.communicate(timeout=harness.PATIENCE)
    until(lambda: not harness.alive(builder), "the build to end with it")
    stand_in(it, "akin-prep", None)
    assert (it.placed(), it.entries()) == before and it.litter() == []
    if number == signal.SIGTERM:
        assert run.returncode == RESULTS["build_failed"]
        assert counted(it)[0] == {"build_failed": 1} and "ended by a signal" in it.good("retrain", "--status")
        ends(it, "ok")
    else:
        assert not (it.store / "retrain.state").exists()
        status = it.good("retrain", "--status")
        assert status.startswith("killed ") and "stage build" in status and "at work" not in status
        (it.store / ".retrain/built.akin.new.abcdef").write_text("half")
        done = it.ctl("retrain")
        assert done.status == 0 and "was killed" in done.err and "build_failed" in done.err
        assert it.litter() == [] and not list((it.store / ".retrain").glob("built*"))
    assert counted(it)[0] == {"build_failed": 1, "ok": 1} and counted(it)[1][1] == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_one_that_is_ended_while_the_server_loads(shop, models, number):
    it = shop()
    it.good("model", "deploy", models[0])
    it.good("start")
    before, pid = it.placed(), it.pid
    os.kill(pid, signal.SIGSTOP)
    run = it.background("retrain")
    until(lambda: not it.model.samefile(it.store / before), "the new one to be in place")
    until(lambda: (it.store / ".retrain/run").read_text().endswith(" deploy\n"), "the stage to be told")
    os.killpg(run.pid, number)
    run.communicate(timeout=harness.PATIENCE)
    if number == signal.SIGTERM:
        assert run.returncode == RESULTS["deploy_failed"] and it.placed() == before and it.litter() == []
    os.kill(pid, signal.SIGCONT)
    done = it.ctl("retrain")
    assert done.status == 0, done
    assert counted(it)[0] == {"deploy_failed": 1, "ok": 1} and it.litter() == []
    assert it.facts()["model_checksum"] == show(it.model)["checksum"] and it.placed() == it.link("current")


@root
def test_no_space_is_left(shop, tmp_path):
    """A file system with room for the links and the state, and not for a model."""
    it = shop()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k,mode=755", "none", it.model.parent], check=True)
    try:
        ends(it, "ok")
        before = it.placed()
        sell(it, "2026-02.csv", [(str(c), f"I{c % 97}") for c in range(30000)])
        assert "2026" not in ends(it, "build_failed")
        assert it.placed() == before and counted(it)[0] == {"ok": 1, "build_failed": 1}
    finally:
        subprocess.run(["umount", "-l", it.model.parent], check=True)


# -- whose --------------------------------------------------------------------------------------------------------

@root
def test_root_goes_on_as_the_owner_of_the_folder(shop, tmp_path):
    it = shop(open_to_all=True)
    os.chown(it.model.parent, 12345, 12345)
    ends(it, "ok", "--why", "with blanks")
    for path in (it.model, it.store, *it.store.rglob("*")):
        assert path.lstat().st_uid == 12345, path
    assert "with blanks" in it.good("retrain", "--status")
    (it.sales / "2026-01.csv").chmod(0o600)     # root's alone
    assert "Permission denied" in ends(it, "build_failed")


@root
def test_somebody_else_may_not(shop):
    it = shop(open_to_all=True)
    done = it.ctl("retrain", wrapper=["setpriv", "--reuid=23456", "--regid=23456", "--clear-groups"])
    assert done.status == 4 and "can't be written" in done.err and not it.store.exists()


def test_what_was_bought_after_a_recommendation_counts_too(shop):
    """The folder of feedback_log, which the server fills: it may lack or be empty, and what is in it is learned from."""
    it = shop()
    folder = it.folder / "feed back"
    it.configure(feedback_log=folder)
    ends(it, "ok")
    assert sources(it.model) == ["2026-01.csv"] and "I39" not in bought(it, "0")
    it.good("start")
    folder.joinpath("2026-02-03.csv").touch()   # begun, and nothing in it yet
    ends(it, "ok")
    assert sources(it.model) == ["2026-01.csv"]
    for user, item, event in (("0", "I39", "purchase"), ("0", "I38", "click")):
        with harness.Client(it.port) as client:
            body = json.dumps({"user": user, "item": item, "event": event})
            client.connection.request("POST", "/feedback", body, {"Content-Type": "application/json"})
            answer = client.connection.getresponse()
            assert answer.status == 200 and json.loads(answer.read())["accepted"] == 1
    ends(it, "ok")
    logged = [path.name for path in folder.iterdir() if path.stat().st_size]
    assert sources(it.model) == ["2026-01.csv", *logged] and len(logged) == 1
    assert set(bought(it, "0")) == {item for customer, item in SALES if customer == "0"} | {"I39"}
    it.configure(transactions=f"{it.sales} {folder}".replace("feed back", "feedback"), feedback_log=folder.rename(it.folder / "feedback"))
    ends(it, "ok")
    assert sources(it.model) == ["2026-01.csv", *logged]        # listed twice, read once
    # A shop with columns and a delimiter of its own: they are not those of the log.
    it.configure(transactions=it.sales, retrain_options="--columns customer=who,item=what --delimiter semicolon")
    (it.sales / "2026-01.csv").write_text("who;what\n" + "".join(f"{customer};{item}\n" for customer, item in SALES))
    ends(it, "ok")
    assert sources(it.model) == ["2026-01.csv", *logged] and "I39" in bought(it, "0")


def bought(it, customer):
    return [item["id"] for item in json.loads(harness.prep("show", "--json", "--customer", customer, "-n", "1000", it.model).out)["items"]]


def test_what_lacks(shop):
    it = shop()
    it.configure(transactions=None)
    assert "transactions" in it.bad(6, "retrain") and not it.store.exists()
    it.configure(transactions=it.sales, pid_file=None)
    assert "pid_file" in it.bad(6, "retrain")
    for words in (["now"], ["--json"], ["--why"], ["--no-wait"]):
        it.bad(2, "retrain", *words)
    for words in (["reload", "--why", "x"], ["model", "list", "--status"], ["start", "--why=x"]):
        it.bad(2, *words)
