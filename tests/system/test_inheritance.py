"""What a process is given by the one before it: by its starter, by its master, by its predecessor. And what it is not."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import harness
from harness import SHM, alive, name_of, until
from test_gate import loading                                   # noqa: F401 (a fixture)
from tiny import ROWS, fine
from upgraded import finish, holder, upgrade


def descriptors(pid):
    """{number: what it leads to}"""
    folder = f"/proc/{pid}/fd"
    return {int(fd): os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}


def writable(pid):
    """What a process shares with others and can write to: {name: how many mappings}."""
    found = {}
    for line in (harness.pathlib.Path(f"/proc/{pid}/maps").read_text()).splitlines():
        if re.match(r"\S+ .w.s ", line):
            name = re.sub(r"^(\S+ +){5}", "", line)
            found[name] = found.get(name, 0) + 1
    return found


# -- the starter --------------------------------------------------------------------------------------------------

def test_a_starter_that_ignores_dead_children(start, small):
    """Who ignores SIGCHLD hands that on, and then the kernel reaps, and tells nobody."""
    server = start(small(ROWS), workers=1, wrapper=["/usr/bin/python3", "-c", "import os, signal, sys\n"
                                                    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                                                    "os.execv(sys.argv[1], sys.argv[1:])"])
    (victim,) = server.workers()
    os.kill(victim, signal.SIGKILL)
    until(lambda: server.workers() not in ([], [victim]), "another worker")
    until(server.answers, "it to serve")
    assert fine(server) and "was killed by signal 9" in server.logged()
    server.hup()
    assert server.generation() == 2


@pytest.mark.parametrize("closed", ["2", "0 1 2"])
def test_a_starter_that_has_closed_the_standard_files(start, small, tmp_path, closed):
    """Their numbers are no place for a socket or a pid file, into which the log would go."""
    pid_file = tmp_path / "akin.pid"
    line = "".join(f"exec {fd}>&-; " for fd in closed.split()) + 'exec "$@"'
    server = start(small(ROWS), "--log-level", "debug", workers=1, pid_file=pid_file, wrapper=["/bin/sh", "-c", line, "sh"])
    assert fine(server) and pid_file.read_text() == f"{server.pid}\n"
    server.hup()
    assert server.generation() == 2 and pid_file.read_text() == f"{server.pid}\n"
    for pid in (server.pid, *server.workers()):
        assert {descriptors(pid)[fd] for fd in map(int, closed.split())} == {"/dev/null"}


# -- the master ---------------------------------------------------------------------------------------------------

def test_a_worker_can_write_to_its_own_slot_alone(start, small):
    server = start(small(ROWS), workers=2)
    until(lambda: server.metric("akin_workers", state="serving") == 2, "both to serve")
    server.hup()
    (victim, _) = server.workers()
    os.kill(victim, signal.SIGKILL)             # one from before a reload, and one from after it
    until(lambda: victim not in server.workers() and len(server.workers()) == 2, "another worker")
    until(lambda: server.metric("akin_workers", state="serving") == 2, "both to serve")
    for pid in server.workers():
        assert writable(pid) == {f"/dev/shm/akin.{server.token}.board": 1}, pid


def test_a_loader_holds_no_door_open(loading):
    """Nor the pipe that tells workers of their master's death; nor can it write to what workers believe."""
    server, hold = loading
    loader = hold()
    pipe = next(to for to in descriptors(server.workers()[0]).values() if to.startswith("pipe:"))
    held = descriptors(loader)
    assert not [to for to in held.values() if to.startswith("socket:")], held
    flags = [int(re.search(r"flags:\s+(\d+)", harness.pathlib.Path(f"/proc/{loader}/fdinfo/{fd}").read_text())[1], 8)
             for fd, to in held.items() if to == pipe]
    assert not [f for f in flags if f & os.O_ACCMODE == os.O_WRONLY]
    assert f"/dev/shm/akin.{server.token}.board" not in writable(loader)
    os.kill(loader, signal.SIGCONT)


# -- the predecessor ----------------------------------------------------------------------------------------------

def test_workers_of_a_successor_have_what_workers_had(launch, small):       # noqa: F811
    """One pipe, which tells of their master's death, and none to its predecessor."""
    server = launch(small(ROWS), workers=1)

    def pipes():
        (worker,) = server.workers()
        return [to for to in descriptors(worker).values() if to.startswith("pipe:")]

    assert len(pipes()) == 1
    upgrade(server)
    assert len(pipes()) == 1


@pytest.mark.parametrize("now", ["another", "none"])
def test_one_socket_of_two_is_handed_over(start, program, small, tmp_path, now):      # noqa: F811
    """The operations move, or end; the service stays where it is, and nobody shuts its door."""
    model, ports = small(ROWS), [harness.free_port(), harness.free_port()]
    folder, pid_file = tmp_path / "server0", tmp_path / "akin.pid"
    folder.mkdir()
    conf = folder / "empty.conf"
    conf.write_text(f"ops_listen = 127.0.0.1:{ports[0]}\n")
    server = start(model, pid_file=pid_file, workers=2, backlog=50)
    server.pid_file = pid_file
    old = server.pid
    conf.write_text(f"ops_listen = 127.0.0.1:{ports[1]}\n" if now == "another" else "")
    upgrade(server)
    assert not alive(old) and holder(server) == server.pid
    for _ in range(20):
        assert fine(server)
    if shutil.which("ss"):              # as many may wait in its queue as ever
        out = subprocess.run(["ss", "-Hltn", f"sport = :{server.port}"], stdout=subprocess.PIPE, check=True).stdout.decode()
        assert out.split()[2] == "50", out
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=5).close()
    if now == "another":
        socket.create_connection(("127.0.0.1", ports[1]), timeout=5).close()
    finish(server)


def test_what_a_loader_has_left_is_in_nobodys_way(start, small):
    """One that was given up in a system call may have made its name after it was looked for."""
    server = start(small(ROWS), workers=1)
    left = SHM / f"akin.{server.token}.model.0"
    left.write_bytes(b"half a model")
    server.hup()
    assert server.generation() == 2 and fine(server) and not left.exists()
