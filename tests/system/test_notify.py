"""What a supervisor is told, by a socket that pretends to be systemd's."""
import os
import re
import signal
import socket
import threading
import time

import pytest

import harness
from harness import alive, until
from tiny import ROWS, fine
from upgraded import HANGS, finish, follow, holder


class Supervisor:
    """Keeps what it is told."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(name)
        self.name = "@" + name[1:] if name[0] == "\0" else name
        self.heard = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            data, more, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
            if not data:
                return
            sender = int.from_bytes(more[0][2][:4], "little")
            self.heard.append((sender, dict(line.split("=", 1) for line in data.decode().split("\n"))))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.socket.getsockname())
        self.thread.join(harness.PATIENCE)
        self.socket.close()

    def listen(self):
        """All that has come: (sender, {key: value}), in order."""
        return list(self.heard)

    def keys(self):
        """The order of what matters, without the signs of life."""
        return [key for _, message in self.listen() for key in message if key not in ("STATUS", "MONOTONIC_USEC", "WATCHDOG")]

    def signs(self):
        return sum("WATCHDOG" in message for _, message in self.listen())

    def last(self, key):
        return next((message[key] for _, message in reversed(self.listen()) if key in message), "")


@pytest.fixture
def supervisor(tmp_path):
    one = Supervisor(str(tmp_path / "notify"))
    yield one
    one.close()


def test_a_life(start, small, supervisor):
    model = small(ROWS)
    server = start(model, env={"NOTIFY_SOCKET": supervisor.name})
    until(lambda: supervisor.keys() == ["READY"], "READY")
    assert server.metric("akin_workers", state="serving") == 2      # all of them
    assert supervisor.last("READY") == "1"
    assert re.fullmatch(rf"serving generation 1 on 127.0.0.1:{server.port} with 2 workers: 4 items, 3 customers", supervisor.last("STATUS"))
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    server.hup()
    until(lambda: supervisor.keys() == ["READY", "RELOADING", "READY"], "READY after the reload")
    assert began <= int(supervisor.last("MONOTONIC_USEC")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert supervisor.last("STATUS").startswith("serving generation 2 ") and "failed" not in supervisor.last("STATUS")
    server.hup(b"no model")
    until(lambda: supervisor.keys() == ["READY"] + 2 * ["RELOADING", "READY"], "READY after the failed reload")
    assert "serving generation 2 " in supervisor.last("STATUS") and "the last reload failed" in supervisor.last("STATUS")
    assert server.stop() == 0
    until(lambda: supervisor.keys() == ["READY"] + 2 * ["RELOADING", "READY"] + ["STOPPING"], "STOPPING")
    assert {sender for sender, _ in supervisor.heard} == {server.pid} and supervisor.signs() == 0


def test_not_ready_before_all_workers_are(start, small, supervisor):
    """One worker of three is stopped in its first moments."""
    for _ in range(5):
        server = start(small(ROWS), workers=3, threads=1024, wait=False, env={"NOTIFY_SOCKET": supervisor.name},
                       worker_hung_ms=1000 * harness.PATIENCE)      # so many threads take a while to start
        stopped = until(lambda: stopped_early(server) or supervisor.keys(), "a worker that is starting")
        if supervisor.keys() == []:
            break
        assert server.stop() == 0       # they were faster
        until(lambda: supervisor.keys()[-1] == "STOPPING", "its end")
        supervisor.heard.clear()
    until(lambda: server.answers(), "another one to serve")
    asked = time.monotonic()
    until(lambda: time.monotonic() > asked + 0.3 or supervisor.keys(), "some time")
    assert supervisor.keys() == []
    os.kill(stopped, signal.SIGCONT)
    until(lambda: supervisor.keys() == ["READY"], "READY")
    server.ready()


def state(pid):
    try:
        return harness.pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def stopped_early(server, replace=False):
    """A worker that was stopped before it had all of its threads, or 0. replace: who has them is killed."""
    for pid in server.workers():
        os.kill(pid, signal.SIGSTOP)
        if until(lambda: state(pid) in "TZX" and state(pid), "the stop") != "T":
            continue
        if len(os.listdir(f"/proc/{pid}/task")) < 1000:
            return pid
        os.kill(pid, signal.SIGKILL if replace else signal.SIGCONT)
    return 0


def test_an_abstract_name(start, small):
    supervisor = Supervisor(f"\0akin-test-{os.getpid()}")
    server = start(small(ROWS), workers=1, env={"NOTIFY_SOCKET": supervisor.name})
    until(lambda: supervisor.keys() == ["READY"], "READY")
    assert server.stop() == 0
    until(lambda: supervisor.keys() == ["READY", "STOPPING"], "STOPPING")
    supervisor.close()


@pytest.mark.parametrize("name", ["/nobody/listens/here", "relative", "@", "/" + 200 * "x", "vsock:2:1234"])
def test_a_supervisor_that_is_not_there(start, small, name):
    server = start(small(ROWS), workers=1, env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"})
    server.hup()
    assert fine(server)
    assert server.stop() == 0 and server.logged().count("NOTIFY_SOCKET") == 1, server.logged()


def test_the_watchdog(start, small, supervisor):
    """Fed while a worker serves; neither by a master that is stopped nor for one that has no worker that serves."""
    server = start(small(ROWS), workers=1, env={"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "60000"})
    began, first = time.monotonic(), supervisor.signs()
    until(lambda: supervisor.signs() >= first + 10, "ten signs of life")
    assert time.monotonic() - began > 10 * 0.02 / 2        # not as many as there can be
    assert {message["WATCHDOG"] for _, message in supervisor.heard if "WATCHDOG" in message} == {"1"}
    os.kill(server.pid, signal.SIGSTOP)
    until(lambda: state(server.pid) == "T", "the stop")
    quiet(supervisor)
    assert fine(server)
    os.kill(server.pid, signal.SIGCONT)
    until(lambda: supervisor.signs() > 0, "the next sign of life")


def quiet(supervisor):
    supervisor.listen()
    count, began = supervisor.signs(), time.monotonic()
    until(lambda: time.monotonic() > began + 0.4, "a time without a sign of life")
    assert supervisor.signs() == count


def test_the_watchdog_wants_a_worker(start, small, supervisor):
    """None is fed for while the only one is dead or not up yet, and after that there is."""
    server = start(small(ROWS), workers=1, threads=1024, metrics="off", env={"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "60000"})
    until(lambda: supervisor.signs() > 3, "signs of life")
    successor = until(lambda: stopped_early(server, replace=True), "a successor that is starting")
    quiet(supervisor)
    os.kill(successor, signal.SIGCONT)
    before = supervisor.signs()
    until(lambda: supervisor.signs() > before + 3, "signs of life again")
    assert fine(server)


@pytest.mark.parametrize("variables", [{"WATCHDOG_USEC": "junk"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": ""},
                                       {"WATCHDOG_USEC": "30000", "WATCHDOG_PID": "1"}])
def test_no_watchdog(start, small, supervisor, variables):
    server = start(small(ROWS), workers=1, env={"NOTIFY_SOCKET": supervisor.name, **variables})
    until(lambda: supervisor.keys() == ["READY"], "READY")
    quiet(supervisor)
    assert supervisor.signs() == 0 and fine(server)
    assert ("WATCHDOG_USEC must be" in server.logged()) == (variables["WATCHDOG_USEC"] in ("junk", "0"))


def test_signs_of_life_while_it_drains(start, small, supervisor):
    server = start(small(ROWS), workers=1, env={"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "60000"}, drain_timeout_ms=600000)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    server.send(signal.SIGQUIT)
    until(lambda: "STOPPING" in supervisor.keys(), "the drain")
    count = supervisor.signs()
    until(lambda: supervisor.signs() > count + 3, "signs of life")
    os.kill(worker, signal.SIGCONT)
    assert server.process.wait(harness.PATIENCE) == 0


def test_an_upgrade(launch, small, supervisor, program):
    """The old one, to whom a supervisor listens, names the new one, and says nothing more; the watchdog is the new one's."""
    env = {"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "60000"}
    server = launch(small(ROWS), env=env, wrapper=["/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"])
    old = server.pid
    until(lambda: supervisor.keys() == ["READY"], "READY")
    program(HANGS)
    server.send(signal.SIGUSR2)
    until(lambda: supervisor.last("STATUS").endswith("is started to take over"), "the upgrade to begin")
    (child,) = (pid for pid in harness.children(server.pid) if not re.search("worker|monitor", comm(pid)))
    os.kill(child, signal.SIGKILL)
    until(lambda: "this master goes on" in supervisor.last("STATUS"), "the failure")
    assert supervisor.keys() == ["READY"]
    program()
    server.send(signal.SIGUSR2)
    until(lambda: not alive(old), "the old one's end")
    follow(server, holder(server))
    until(lambda: {"READY", "MAINPID"} <= set(supervisor.keys()[1:]), "both to be heard")
    said = [(sender, key, message[key]) for sender, message in supervisor.listen() for key in message
            if key in ("READY", "MAINPID", "STOPPING")]
    assert sorted(said[1:]) == sorted([(server.pid, "READY", "1"), (old, "MAINPID", str(server.pid))]) and said[0][0] == old
    at = next(i for i, (sender, message) in enumerate(supervisor.heard) if "MAINPID" in message)
    assert old not in {sender for sender, _ in supervisor.heard[at + 1:]}
    count = sum(sender == server.pid and "WATCHDOG" in message for sender, message in supervisor.heard)
    until(lambda: sum(sender == server.pid and "WATCHDOG" in message for sender, message in supervisor.listen()) > count + 3,
          "the new one's signs of life")
    finish(server)
    until(lambda: supervisor.keys()[-1] == "STOPPING", "STOPPING")
    assert supervisor.heard[-1][0] == server.pid


def comm(pid):
    return harness.pathlib.Path(f"/proc/{pid}/comm").read_text()
