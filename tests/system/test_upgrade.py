"""SIGUSR2: another master takes over, and nobody who asks can tell; or it does not, and the old one goes on."""
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import SHM, alive, until
from namespaces import ALONE, needs_namespace, own_proc
from slow import SlowReader, until_stuck
from tiny import ANSWER, ROWS, fine
from upgraded import HANGS, aside, finish, follow, holder, known, upgrade


class Load:
    """Clients that keep their connections and clients that make one for each request, all the time."""

    def __init__(self, server, kept=6, new=3):
        self.server, self.broken, self.over = server, [], threading.Event()
        self.counts = [0] * (kept + new)
        self.threads = [threading.Thread(target=self.run, args=(me, me < kept), daemon=True) for me in range(kept + new)]
        for thread in self.threads:
            thread.start()
        until(lambda: self.broken or all(self.counts), "every client's first answer")

    def run(self, me, kept):
        try:
            while not self.over.is_set():
                with self.server.client() as client:
                    while not self.over.is_set():
                        answer = client.get("/predict/item/A?n=5", **({} if kept else {"Connection": "close"}))
                        assert answer.status == 200 and answer.json["data"] == ANSWER, answer.body
                        self.counts[me] += 1
                        if answer.headers["connection"] == "close":
                            break
        except (OSError, http.client.HTTPException, AssertionError) as e:
            self.broken.append(f"client {me}, after {self.counts[me]}: {e!r}")

    def more(self):
        """Every client gets another few answers."""
        least = [n + 3 for n in self.counts]
        until(lambda: self.broken or all(n >= l for n, l in zip(self.counts, least)), "three more answers for each")

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(harness.PATIENCE)
        assert not self.broken, self.broken


def test_five_upgrades_lose_nothing(launch, small):
    server = launch(small(ROWS), threads=16)
    load, seen, open_files = Load(server), [server.pid], [files(server.pid)]
    for _ in range(5):
        token = server.token
        upgrade(server)
        load.more()
        assert not list(SHM.glob(f"akin.{token}.*")) and len(server.segments()) == 2
        seen.append(server.pid)
        until(lambda: "is gone" in server.logged().splitlines()[-1], "it to be alone")
        open_files.append(files(server.pid))
    load.end()
    assert len(set(seen)) == 6 and server.process.poll() == 0
    assert open_files == [open_files[0]] * 6
    assert min(load.counts) >= 15
    assert server.metric("akin_upgrade_failures_total") == 0
    assert "killed" not in server.logged() and " error " not in server.logged()


def files(pid):
    """What kinds of files a process has open, in order."""
    return sorted(re.sub(r"[:.][0-9a-f\[].*", "", os.readlink(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_an_answer_in_hand_is_finished_and_the_next_upgrade_waits(launch, model):
    """And a connection that is idle may be quiet for as long as ever."""
    server = launch(model, max_n=10000, request_timeout_ms=600000, drain_timeout_ms=600000,
                    keep_alive_ms=1000 * harness.PATIENCE)      # the new master needs a while to load
    old, reader, idle = server.pid, SlowReader(server), server.client()
    until_stuck(server)
    assert idle.get("/healthz").status == 200
    server.send(signal.SIGUSR2)
    until(lambda: "serves now" in server.logged(), "the new master")
    asked = time.monotonic()
    until(lambda: time.monotonic() > asked + 0.6, "longer than a drain after SIGTERM has patience")
    answer = idle.get("/readyz")        # of the old one, which drains, but the service is ready
    assert answer.status == 200 and answer.headers["connection"] == "close"
    idle.close()
    follow(server, holder(server))
    server.send(signal.SIGUSR2)
    until(lambda: "no upgrade: " in server.logged(), "the refusal")
    assert f"process {old}, still drains" in server.logged() and alive(old)
    for _ in range(20):
        assert server.get("/readyz").status == 200
    whole, rest = reader.read()
    reader.close()
    assert whole >= 1 and not rest
    until(lambda: not alive(old), "the old master to end")
    upgrade(server)


BAD = {
    "missing": (lambda put: put.path.unlink(), "No such file or directory"),
    "not executable": (lambda put: put.path.write_text("") if put.path.unlink() is None else None, "Permission denied"),
    "ends": (lambda put: put("#!/bin/sh\nexit 7\n"), "ended with status 7"),
    "dies": (lambda put: put("#!/bin/sh\nkill -9 $$\n"), "killed by signal 9"),
    "hangs": (lambda put: put(HANGS), "did not serve within 1000 ms and was killed"),
    # room for the master, and not for the stacks of as many threads; a sanitizer wants more room than that for itself
    "has no worker": (lambda put: put(f'#!/bin/sh\nulimit -v 400000\nexec {put.real} "$@" --threads 4096\n'), "within 1000 ms"),
}


@pytest.mark.parametrize("how", [how for how in BAD if not (harness.SANITIZED and how == "has no worker")])
def test_a_bad_program(launch, small, program, how):
    server = launch(small(ROWS), upgrade_timeout_ms=60000 if how not in ("hangs", "has no worker") else 1000)
    spoil, words = BAD[how]
    segments, workers = server.segments(), until(lambda: len(found := known(server)) == 2 and found, "two workers")
    spoil(program)
    server.send(signal.SIGUSR2)
    until(lambda: "the upgrade failed" in server.logged(), "the failure to be told")
    line = next(l for l in server.logged().splitlines() if "the upgrade failed" in l)
    assert " error " in line and re.search(words, line), line
    assert holder(server) == server.pid and not aside(server).exists()
    assert fine(server) and server.segments() == segments and known(server) == workers
    assert server.metric("akin_upgrade_failures_total") == 1
    program()
    upgrade(server)
    assert fine(server)


def test_a_bad_model(launch, small):
    model = small(ROWS)
    server = launch(model)
    good = model.read_bytes()
    model.write_bytes(b"no model")
    server.send(signal.SIGUSR2)
    until(lambda: "the upgrade failed" in server.logged(), "the failure to be told")
    assert "ended with status 1" in server.logged() and str(model) in server.logged()
    assert holder(server) == server.pid and fine(server)
    model.write_bytes(good)
    upgrade(server)
    assert fine(server)


def test_the_path_arguments_and_environment_are_kept(launch, small, program, tmp_path):
    """The program is the one that is at the path by now."""
    server = launch(small(ROWS), env={"AKIN_MAX_N": "7", "SOMETHING": "of mine"})
    program(f'#!/bin/sh\nprintf "%s\\n" "$@" "$SOMETHING" "$AKIN_MAX_N" > {tmp_path}/seen\nexec {program.real} "$@"\n')
    upgrade(server)
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen == [*map(str, server.command[1:]), "of mine", "7"]
    assert server.get("/predict/item/A?n=8").status == 422
    variables = harness.pathlib.Path(f"/proc/{server.workers()[0]}/environ").read_bytes()
    assert "name no setting" not in server.logged() and b"SOMETHING=of mine" in variables


@pytest.mark.parametrize("how", ["relative", "in PATH"])
def test_a_program_that_was_not_named_by_its_whole_path(launch, small, program, how):
    line = 'shift; exec ../bin/akin-server "$@"' if how == "relative" else f'shift; PATH={program.path.parent}; exec akin-server "$@"'
    server = launch(small(ROWS), wrapper=["/bin/sh", "-c", line, "sh"])
    upgrade(server)
    assert fine(server)


def test_a_second_one_is_refused(launch, small, program):
    server = launch(small(ROWS), upgrade_timeout_ms=60000)
    program(HANGS)
    server.send(signal.SIGUSR2)
    until(lambda: "is started to take over" in server.logged(), "the first to begin")
    server.send(signal.SIGUSR2)
    until(lambda: "no upgrade: an upgrade is under way" in server.logged(), "the second to be refused")
    assert server.metric("akin_upgrade_failures_total") == 0 and fine(server)
    (child,) = set(harness.children(server.pid)) - known(server) - {server.monitor()}
    os.kill(child, signal.SIGKILL)
    until(lambda: holder(server) == server.pid, "the pid file to be back")
    assert fine(server)


def status(server):
    return subprocess.run([harness.BUILD / "akin-server", "-c", server.conf(), "--status", "--pid-file", server.pid_file],
                          check=True, stdout=subprocess.PIPE, env=harness.environment()).stdout.decode()


def test_status_tells_of_who_has_the_pid_file(launch, small, program):
    server = launch(small(ROWS), upgrade_timeout_ms=60000, stop_timeout_ms=500)
    program(HANGS)
    server.send(signal.SIGUSR2)
    until(lambda: aside(server).exists(), "the pid file to be put aside")
    assert f"pid {server.pid}\n" in status(server)


@needs_namespace
def test_status_without_a_pid_file_tells_of_the_successor(launch, model):
    """Though both live, and have boards."""
    server = launch(model, max_n=10000, request_timeout_ms=600000, drain_timeout_ms=600000, wrapper=ALONE)
    old, reader = server.pid, SlowReader(server)
    until_stuck(server)
    server.send(signal.SIGUSR2)
    until(lambda: "serves now" in server.logged(), "the new master")
    follow(server, holder(server))
    done = subprocess.run(["nsenter", "-m", "-r", f"--wdns={server.folder}", "-t", str(server.pid), harness.BUILD / "akin-server",
                           "-c", server.conf(), "--status"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=harness.environment())
    assert alive(old) and f"pid {server.pid}\n" in done.stdout.decode(), done.stdout
    os.kill(old, signal.SIGKILL)
    reader.close()
    until(lambda: "is gone" in server.logged(), "the end of the old one to be noticed")
    until(lambda: not aside(server).exists(), "its pid file to be removed")


@pytest.mark.parametrize("script", [HANGS, None])
def test_a_stop_while_it_starts_ends_both(launch, small, program, script):
    server = launch(small(ROWS), stop_timeout_ms=1000)
    program(script)
    server.send(signal.SIGUSR2)
    until(lambda: "is started to take over" in server.logged(), "it to begin")
    assert server.stop() == 0
    if script is None and holder(server):       # it was faster: the new one serves, and is another server
        return
    until(lambda: not [pid for pid in server.family() if alive(pid)], "all to end")
    assert server.segments() == [] and not server.pid_file.exists() and not aside(server).exists()
    with pytest.raises(OSError):
        server.get("/")


@pytest.mark.parametrize("victim", ["old", "new"])
def test_a_kill_at_any_moment(launch, small, victim):
    """There is a server that works, or there is none, and then nothing is in the way of another one."""
    model = small(ROWS)
    server = launch(model, workers=1, threads=4)
    for delay in (0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.04, 0.08):
        target, before = server.pid, successors(server)
        server.send(signal.SIGUSR2)
        if victim == "new":
            (target,) = until(lambda: successors(server) - before, "the new master")
        time.sleep(delay)               # not to wait for something, but to hit another moment
        with contextlib.suppress(ProcessLookupError):
            os.kill(target, signal.SIGKILL)
        until(lambda: not alive(target), "its death")
        until(lambda: settled(server), "one master, or none, and nothing of others")
        if masters(server):
            follow(server, holder(server))
            assert fine(server) and len(server.segments()) == 2
        else:
            for name in server.segments():      # of one that was killed, until another starts somewhere
                (SHM / name).unlink()
            server = launch(model, workers=1, threads=4, port=server.port)
            assert fine(server)


def successors(server):
    """Who was started to take over. By the log and not by the command line: for a moment at its end a program with a leak
    checker has a child that shares all with it, and would wait without end for the word of one that was killed."""
    return {int(pid) for pid in re.findall(r"SIGUSR2: process (\d+) is started", server.logged())}


def masters(server):
    """Of the processes with this server's command line, those that live and are neither workers nor monitors."""
    found = []
    for pid in server.family():
        try:
            child = harness.pathlib.Path(f"/proc/{pid}/comm").read_text().startswith(("akin-worker", "akin-monitor"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if alive(pid) and not child:
            found.append(pid)
    return found


def settled(server):
    """At most one master lives, and has the pid file and answers; or none, and no worker is left."""
    living = masters(server)
    if living:
        return living == [holder(server)] and not aside(server).exists() and server.answers()
    return not any(alive(pid) for pid in server.family())


def test_another_port(start, small, program, tmp_path):
    """The socket of the old one is of no use to the new one."""
    model, ports = small(ROWS), [harness.free_port(), harness.free_port()]
    folder, pid_file = tmp_path / "server0", tmp_path / "akin.pid"
    folder.mkdir()
    (folder / "empty.conf").write_text(f"port = {ports[0]}\n")
    server = start(model, port=None, pid_file=pid_file, wait=False, workers=1)
    server.port, server.pid_file = ports[0], pid_file
    server.ready()
    (folder / "empty.conf").write_text(f"port = {ports[1]}\n")
    old, (worker,) = server.pid, until(lambda: known(server), "the worker to be on the board")
    os.kill(worker, signal.SIGSTOP)
    until(lambda: harness.pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "the stop")
    waiting = [server.client() for _ in range(20)]
    for client in waiting:
        client.connection.request("GET", "/predict/item/A?n=5")
    server.send(signal.SIGUSR2)
    until(lambda: "serves now" in server.logged(), "the new master")
    os.kill(worker, signal.SIGCONT)
    for client in waiting:              # nobody else takes them
        assert harness.json.loads(client.connection.getresponse().read())["data"] == ANSWER
        client.close()
    until(lambda: not alive(old), "the old master to end")
    follow(server, holder(server))
    assert "another address" in server.logged()
    with pytest.raises(OSError):
        server.get("/")
    server.port = ports[1]
    assert fine(server)
    finish(server)


def test_the_queue_may_get_another_length(launch, small, program):
    """listen() again, as the arguments say by now."""
    server = launch(small(ROWS), backlog=7)
    program(f'#!/bin/sh\nexec {program.real} "$@" --backlog 9\n')
    upgrade(server)
    if not shutil.which("ss"):
        pytest.skip("ss is not installed")
    out = subprocess.run(["ss", "-Hltn", f"sport = :{server.port}"], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert out.split()[2] == "9", out


@pytest.mark.parametrize("listeners, predecessor", [("0,1,2", "1,2"), ("99", "x"), ("junk", ""), ("3,", "4711,99"), ("", "1,1,1")])
def test_variables_that_nobody_handed_over(start, small, listeners, predecessor):
    server = start(small(ROWS), workers=1, env={"AKIN_LISTENERS": listeners, "AKIN_PREDECESSOR": predecessor})
    assert fine(server) and "what was handed over is not used" in server.logged()
    assert "name no setting" not in server.logged()


def test_a_socket_that_is_none_of_a_predecessor(start, small):
    """Somebody hands over a socket on the right address: it is used, and there is nobody to be told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)
        fd = listener.fileno()
        server = start(small(ROWS), workers=1, port=listener.getsockname()[1], env={"AKIN_LISTENERS": str(fd)},
                       wrapper=["/usr/bin/python3", "-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"], wait=False)
        assert server.process.wait(harness.PATIENCE) == 1       # Popen closes it: the port is taken
        assert "not used" in server.logged()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_gave_up_root_can_be_replaced(start, small, program, tmp_path):
    """The successor is nobody from the start, and need not bind: not even a port that only root can."""
    model = small(ROWS)
    for path in (tmp_path, *tmp_path.parents[:2], model):
        path.chmod(0o755)
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    server = start(model, pid_file=folder / "akin.pid", user="nobody", port=harness.free_low_port())
    server.pid_file = folder / "akin.pid"
    upgrade(server)
    assert harness.pathlib.Path(f"/proc/{server.pid}").stat().st_uid != 0 and fine(server)
    assert "was handed over" in server.logged()
    upgrade(server)
    assert fine(server)
    # and where it may not rename its pid file, it says so and goes on
    shutil.chown(folder, "root")
    server.send(signal.SIGUSR2)
    until(lambda: "the upgrade failed" in server.logged(), "the failure")
    assert "can't rename the pid file" in server.logged() and fine(server)
    assert server.metric("akin_upgrade_failures_total") == 1
    shutil.chown(folder, "nobody")
    finish(server)


@needs_namespace
def test_process_1_stays(start, small):
    server = start(small(ROWS), wrapper=own_proc())
    server.send(signal.SIGUSR2)
    until(lambda: "no upgrade: process 1" in server.logged(), "the refusal")
    assert fine(server)
