"""akinctl and the server: what each command makes happen, what it says when it can't, and its exit status."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import threading

import pytest

import harness
import operated
from harness import TOP, until

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.mark.parametrize("shell", operated.SHELLS)
def test_a_life(place, models, shell):
    """Each command, twice where twice must be the same, in each shell."""
    it = place(shell=shell)
    it.put(models[0])
    assert "no server" in it.bad(3, "status")
    assert "started" in it.good("start")
    pid = it.pid
    assert "runs already" in it.good("start") and it.pid == pid
    assert it.get("/readyz").status == 200
    assert f"process {pid}, serving" in it.good("status")
    facts = it.facts()
    assert facts["pid"] == pid and facts["generation"] == 1 and facts["workers"][0]["state"] == "serving"
    it.put(models[1])
    assert "generation 2" in it.good("reload") and it.facts()["generation"] == 2
    it.log.rename(it.folder / "log/old")
    it.good("reopen")
    assert it.log.exists()
    it.good("restart")
    assert it.pid != pid and it.facts()["generation"] == 1
    until(lambda: "2 serving" in it.good("status"), "both workers")
    assert it.ctl("check").status == 0
    pid = it.pid
    assert it.good("stop") == "stopped\n" and not harness.alive(pid) and not it.pid_file.exists()
    assert it.good("stop") == "no server runs\n" == it.good("drain")
    it.good("start")
    assert it.good("drain") == "stopped\n" and "SIGQUIT" in it.log.read_text()
    it.bad(3, "status")


def test_command_lines_that_are_wrong(place):
    it = place()
    for words in (["frob"], ["start", "now"], ["status", "--force"], ["stop", "--json"], ["model", "deploy", "--json", "x"],
                  ["model"], ["model", "burn"], ["model", "deploy"], ["start", "-b"], ["top", "-i", "0"], ["top", "-i", "26"],
                  ["--timeout=0", "stop"], ["--timeout=", "stop"], ["stop", "--timeout"], ["--frob", "stop"], ["top", "-n"],
                  ["model", "list", "x"], ["a", "b", "c", "d", "e"], []):
        it.bad(2, *words)
    assert "usage" in it.good("--help")


def test_what_lacks(place, models, tmp_path):
    it = place()
    assert "model.akin" in it.bad(1, "start")
    it.put(models[0])
    for command in ("reload", "reopen", "upgrade", "top"):
        assert "no server runs" in it.bad(7, command)
    it.configure(pid_file=None)
    assert "pid_file" in it.bad(6, "start")
    it.configure(pid_file=it.pid_file, log="stderr")
    assert "log" in it.bad(6, "start")
    it.configure(workers="many")
    assert "workers" in it.bad(6, "start")
    assert "workers" in it.bad(4, "status") and "workers" in it.bad(1, "check")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(operated.AKINCTL, alone)
    done = subprocess.run([alone / "akinctl", "status"], stderr=subprocess.PIPE, text=True,
                          env={"PATH": "/usr/bin:/bin"}) if not shutil.which("akin-server") else None
    assert done is None or (done.returncode == 5 and "not installed" in done.stderr)


def test_a_pid_file_that_was_left(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    pid = it.pid
    for one in it.family():
        os.kill(one, signal.SIGKILL)
    until(lambda: not list(it.family()), "them to be dead")
    assert it.pid == pid                        # nobody could remove it
    assert "akin.pid" in it.bad(1, "status")
    it.pid_file.write_text(f"{os.getpid()}\n")  # the number belongs to somebody else by now
    assert "akin.pid" in it.bad(1, "status")
    assert it.good("stop") == "no server runs\n"
    it.good("start")
    assert it.facts()["pid"] == it.pid != os.getpid()


def test_a_start_that_fails_says_why(place, models):
    first, second = place(), place()
    for it in (first, second):
        it.put(models[0])
    first.good("start")
    second.configure(port=first.port)
    said = second.bad(1, "start")
    assert str(first.port) in said and "its last words" in said
    second.bad(3, "status")
    assert first.facts()["state"] == "serving"


def test_two_starts_at_a_time(place, models):
    it = place()
    it.put(models[0])
    runs = [it.background("start") for _ in range(3)]
    said = [run.communicate(timeout=6 * harness.PATIENCE) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert sum(pid not in harness.children(it.pid) for pid in it.family()) == 1         # one master


def test_a_restart_that_would_fail_stops_nothing(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    pid = it.pid
    it.configure(threads=0.5)
    assert "threads" in it.bad(6, "restart")
    it.configure(threads=8)
    it.model.write_bytes(b"no model")
    assert "model.akin" in it.bad(1, "restart")
    assert it.facts()["pid"] == pid


def test_a_reload_that_is_refused(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    it.model.write_bytes(b"no model")
    said = it.bad(1, "reload")
    assert said.startswith("akinctl: refused: ")
    assert "model.akin" in said
    assert "1 failed; the last: " in it.good("status")
    it.good("reload", "--no-wait")
    until(lambda: it.facts()["reloads"]["failed"] == 2, "the second failure")
    it.put(models[1])
    it.good("reload")


def test_a_reload_that_has_refused_the_keys_says_so(place, models, tmp_path):
    """The model is taken all the same, so its success alone would hide that a withdrawn key is still one."""
    keys = tmp_path / "keys"
    keys.touch(0o600)
    keys.write_text("shop 0123456789abcdef\n")
    it = place(api_keys=keys)
    it.put(models[0])
    it.good("start")
    it.good("reload")
    keys.write_text("shop short\n")
    assert f"{keys}:1: " in it.bad(1, "reload") and it.facts()["generation"] == 3
    it.model.write_bytes(b"no model")
    said = it.bad(1, "reload", "--force")
    assert f"{keys}:1: " in said and "akinctl: refused: " in said
    keys.write_text("shop 0123456789abcdef\n")
    it.put(models[1])
    it.good("reload")


def test_a_server_of_another_version_can_be_ended(place, models):
    """As after an upgrade that failed: the program in place can't read what the running one writes."""
    it = place()
    it.put(models[0])
    it.good("start")
    pid, stand_in = it.pid, it.folder / "bin/akin-server"
    stand_in.unlink()
    stand_in.write_text('#!/bin/sh\nfor flag; do [ "$flag" != --status ] || { echo "akin-server: shared memory /akin.0.board has '
                        f'layout 1, this program reads 2: the server is of another version" >&2; exit 1; }}; done\nexec {harness.SERVER} "$@"\n')
    stand_in.chmod(0o755)
    it.log.rename(it.log.with_suffix(".1"))
    it.good("reopen")
    assert it.log.exists()
    assert "another version" in it.bad(1, "reload") and harness.alive(pid)
    it.good("stop")
    assert not harness.alive(pid)


def test_a_server_that_does_not_answer_is_waited_for_no_longer(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    pid = it.pid
    os.kill(pid, signal.SIGSTOP)
    for command in ("reload", "stop"):
        assert str(pid) in it.bad(1, "--timeout=1", command)
    os.kill(pid, signal.SIGCONT)
    until(lambda: not harness.alive(pid), "it to stop")
    it.good("stop")


@root
def test_another_user_can_do_nothing(place, models):
    it = place(open_to_all=True)
    it.put(models[0])
    it.good("start")
    pid = it.pid
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for command in ("start", "stop", "reload", "drain"):
        assert f"process {pid}" in it.bad(4, "--timeout=2", command, wrapper=nobody)
    it.bad(4, "status", wrapper=nobody)
    for words in (("deploy", "-"), ("rollback",)):
        assert "can't be written to" in it.bad(4, "model", *words, wrapper=nobody)
    assert it.facts()["pid"] == pid


# -- upgrade ------------------------------------------------------------------------------------------------------

PRETENDER = """#!/bin/sh
# checks well, and does not serve
for flag; do
	case $flag in -t | -T | --status*) exec %s "$@" ;; esac
done
exit 3
"""


def test_upgrade(place, models):
    it = place()
    it.put(models[0])
    program = it.folder / "bin/akin-server"
    program.unlink()
    shutil.copy(harness.SERVER, program)
    it.good("start")
    first, node = it.pid, os.stat(f"/proc/{it.pid}/exe").st_ino
    aside = it.folder / "bin/aside"
    shutil.copy(harness.SERVER, aside)
    aside.rename(program)
    answers, over = [], threading.Event()

    def ask():
        while not over.is_set():
            answers.append(it.get("/readyz").status)

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert "upgraded" in it.good("upgrade")
    finally:
        over.set()
        client.join()
    assert set(answers) == {200}
    second = it.pid
    assert second != first and not harness.alive(first)
    assert os.stat(f"/proc/{second}/exe").st_ino == program.stat().st_ino != node
    program.unlink()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    it.ctl("upgrade")
    program.write_text(PRETENDER % harness.SERVER)
    assert "goes on" in it.bad(1, "--timeout=9", "upgrade")     # it is told, before 10 s without a sign would tell it
    assert it.facts()["pid"] == second == it.pid and it.get("/readyz").status == 200


# -- what has drifted -------------------------------------------------------------------------------------------------

def test_status_tells_what_has_drifted_and_whether_anything_was_judged(place, models):
    """Before any window there is no verdict, which is not the same as no drift."""
    it = place(window_requests=100, window_min=100, baseline_windows=1)
    it.put(models[0])
    it.good("start")
    until(lambda: it.facts()["features_judged"] == 0 and it.facts()["monitor"], "the monitor")
    line = re.compile(r"^drift +(.*)$", re.M)
    assert line.search(it.good("status"))[1] == "no verdict; 0 of 9 features judged, 0 windows closed"

    def window(items, number):
        with harness.Client(it.port) as client:
            for at in range(100):
                assert client.get(f"/predict/item/{items[at % len(items)]}").status == 200
        until(lambda: it.facts()["windows_closed"] == number, "the window to be closed")

    everything = [f"I{at:02}" for at in range(40)]
    window(everything, 1)
    window(everything, 2)
    facts = it.facts()
    assert 0 < facts["features_judged"] < facts["features"] and facts["drifted"] == ""
    assert line.search(it.good("status"))[1] == f"none found; {facts['features_judged']} of 9 features judged, 2 windows closed"
    window(["I07"], 3)
    window(["I07"], 4)
    assert "item_mix:baseline item_mix:previous" in it.facts()["drifted"]
    said = line.search(it.good("status"))[1]
    assert "item_mix (baseline, previous)" in said and ":" not in said and said.endswith(" features judged, 4 windows closed")


# -- top ----------------------------------------------------------------------------------------------------------

def test_top_counts_what_the_client_sent(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    run = it.background("top", "-b", "-i", "3", "-n", "2")
    first = run.stdout.readline()
    assert first.startswith("akin-server ")
    for _ in range(30):
        assert it.get("/predict/item/I01").status == 200
    assert it.get("/predict/item/none").status == 404
    out = first + run.stdout.read()
    run.communicate(timeout=harness.PATIENCE)
    sights = re.split(r"\n\n(?=akin-server)", out)
    assert run.returncode == 0 and len(sights) == 2, out
    assert "requests  -/s" in sights[0] and "p99 -" in sights[0]
    rates = re.search(r"requests  ([\d.]+)/s  2xx ([\d.]+)  3xx 0.0  4xx ([\d.]+)  5xx 0.0  all 31", sights[1])
    assert rates, sights[1]
    total, good, bad = map(float, rates.groups())
    assert abs(total - good - bad) <= 0.2 and 25 <= good / max(bad, 0.01) <= 36, rates[0]
    assert re.search(r"p50 <= [\d.]+ ms .*p99 <= [\d.]+ ms .*mean [\d.]+ ms", sights[1])
    assert len(re.findall(r"^ +\d +\d+ +serving ", sights[1], re.M)) == 2


def test_percentiles_by_hand():
    """100 requests between two sights: 50 in the first bucket, 45 in the second, 5 in the third, of bounds 1, 2 and 4 ms; before
    them were 1000 slow ones that must not count."""
    def facts(counts, total):
        bins = "".join(f"latency.le.{bound} {count}\n" for bound, count in zip((1000000, 2000000, 4000000, "inf"), counts))
        return f"pid 5\nstarted 7\nmodel_created 0\nrequests {total}\nlatency.count {total}\nlatency.sum_ns {total * 1500000}\n" + bins
    script = (f". {TOP}/etc/akinctl-view; fact() {{ echo 0; }}; facts='{facts((50, 95, 100, 1100), 1100)}'; "
              f"sight '{facts((0, 0, 0, 1000), 1000)}' 2 1000 1000 '\\n'")
    for shell in operated.SHELLS.values():
        out = subprocess.run([*shell, "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert "requests  50.0/s" in out
        assert "p50 <= 1 ms  p90 <= 2 ms  p99 <= 4 ms  mean 1.5 ms" in out, out


class Terminal:
    """akinctl top in a terminal of 60 columns and 12 lines."""

    def __init__(self, place):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
        self.before, self.slave, self.seen = termios.tcgetattr(slave), slave, b""

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(place.command("top", "-i", "1"), stdin=slave, stdout=slave, stderr=slave,
                                        env=place.environment(), preexec_fn=own)

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return self.seen

    def end(self, key):
        until(lambda: self.read().count(b"akin-server ") >= 2, "two sights")
        assert termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO) == 0
        os.write(self.master, key)
        until(lambda: (self.read(), self.process.poll())[1] is not None, "it to end")
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        assert self.seen.startswith(b"\033[?1049h\033[?25l") and self.seen.endswith(b"\033[?25h\033[?1049l")
        return self.process.returncode


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "ctrl-c"])
def test_top_leaves_the_terminal_as_it_was(place, models, key):
    it = place(workers=8)
    it.put(models[0])
    it.good("start")
    terminal = Terminal(it)
    try:
        assert terminal.end(key) == 0
        for sight in terminal.seen.decode().split("\033[H")[1:]:
            lines = re.sub(r"\033\[[?\d]*[A-Za-z]", "", sight).split("\r\n")
            assert 8 <= len(lines) <= 12 and max(map(len, lines)) <= 60, lines
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
        os.close(terminal.slave)


# -- systemd ------------------------------------------------------------------------------------------------------

@root
@pytest.mark.parametrize("command, words", [("start", ["start", "is-active"]), ("stop", ["stop"]), ("drain", ["stop"])])
def test_under_systemd_the_unit_is_asked(place, command, words, tmp_path):
    """A machine that systemd runs, as far as akinctl looks; systemctl only tells how it was called."""
    it = place()
    called = tmp_path / "called"
    (it.folder / "bin/systemctl").write_text(f'#!/bin/sh\necho "$@" >>{called}\n')
    (it.folder / "bin/systemctl").chmod(0o755)
    inside = 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, "sh", operated.AKINCTL, command],
                          env=it.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert called.read_text().splitlines() == [f"{word} akin.service" for word in ["cat", *words]]
    called.unlink()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, "sh", *it.command("status")],
                          env=it.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 3 and not called.exists()         # with -c it is another server


@root
def test_a_unit_that_was_skipped_has_not_been_started(place):
    """For want of a model; systemctl start ends with 0 then."""
    it = place()
    (it.folder / "bin/systemctl").write_text('#!/bin/sh\n[ $1 != is-active ] || { echo inactive; exit 3; }\n')
    (it.folder / "bin/systemctl").chmod(0o755)
    inside = 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"'
    for model, words in ((it.model, f"{it.model}: no model yet"), (it.conf, "the unit is inactive; journalctl")):
        done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, "sh", operated.AKINCTL, "start"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env={**it.environment(), "AKIN_MODEL": str(model)})
        assert done.returncode == 1 and words in done.stdout, done.stdout


# -- completion ---------------------------------------------------------------------------------------------------

def complete(*words, folder=TOP, path=""):
    script = (f". {TOP}/etc/completion/akinctl; compopt() {{ :; }}; COMP_WORDS=({' '.join(map(repr, words))}); "
              f"COMP_CWORD={len(words) - 1}; _akinctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", script], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={"PATH": f"{path}:{os.environ['PATH']}"})
    assert done.returncode == 0 and not done.stderr, done
    return set(done.stdout.split())


def test_completion(place, models):
    commands = complete("akinctl", "")
    usage = subprocess.run([operated.AKINCTL, "-h"], stdout=subprocess.PIPE, text=True).stdout
    assert {"start", "stop", "drain", "restart", "reload", "reopen", "upgrade", "status", "check", "top", "model", "retrain"} <= commands
    assert {word for word in commands if word.isalpha()} <= set(re.findall(r"[a-z]+", usage))
    assert complete("akinctl", "re") == {"restart", "reload", "reopen", "retrain"}
    assert complete("akinctl", "-c", "/dev/null", "sta") == {"start", "status"}
    assert complete("akinctl", "status", "-") == {"--json"}
    assert complete("akinctl", "model", "") == {"deploy", "rollback", "list", "show", "diff", "verify"}
    assert complete("akinctl", "model", "deploy", "LIC", folder=TOP) == {"LICENSE"}
    assert complete("akinctl", "model", "deploy", "--") == {"--force"}
    it = place()
    it.good("model", "deploy", models[0])
    (it.folder / "bin/akin-server").unlink()
    (it.folder / "bin/akin-server").write_text(f'#!/bin/sh\necho "model = {it.model}"\n')
    (it.folder / "bin/akin-server").chmod(0o755)
    assert complete("akinctl", "model", "show", "", path=it.folder / "bin") == {"current", "previous", *it.entries()}


def test_every_command_is_in_the_man_page():
    page = (TOP / "docs/akinctl.8").read_text()
    script = (TOP / "etc/akinctl").read_text()
    commands = re.search(r"^(start \| .*\| retrain)\) ;;", script, re.M)[1].split(" | ")
    assert len(commands) == 12
    for command in commands:
        assert re.search(rf"^\.It Cm {command}\b", page, re.M), command
    for verb in re.search(r"^\t(deploy \| [a-z| ]+)\)", (TOP / "etc/akinctl-model").read_text(), re.M)[1].split(" | "):
        assert re.search(rf"^\.It Cm model {verb}\b", page, re.M), verb


def test_the_real_time_signals():
    script = (TOP / "etc/akinctl").read_text()
    assert re.search(r"^RELOAD_FORCED=(\d+) ROLLBACK=(\d+)$", script, re.M).groups() == (str(int(signal.SIGRTMIN)),
                                                                                      str(int(signal.SIGRTMIN) + 1))
