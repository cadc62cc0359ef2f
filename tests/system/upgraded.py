"""Servers that are replaced by another master while they serve: their fixtures, which conftest.py hands to all, and
their steps."""
import os
import signal

import pytest

import harness
from harness import SHM, alive, until

HANGS = "#!/usr/bin/python3 -S\nimport time\ntime.sleep(1000)\n"       # a program that never serves


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The server's program at a path where tests may put another one: program(text) puts a script there, program() the
    real one."""
    path, real = tmp_path / "bin" / "akin-server", harness.SERVER
    path.parent.mkdir()

    def put(script=None):
        aside = path.with_name("aside")
        aside.unlink(missing_ok=True)
        if script is None:
            aside.symlink_to(real)
        else:
            aside.write_text(script)
            aside.chmod(0o755)
        aside.replace(path)

    put()
    put.path, put.real = path, real
    monkeypatch.setattr(harness, "SERVER", path)
    return put


@pytest.fixture
def launch(start, program, tmp_path):
    """Servers that can be upgraded. After the test whoever has the pid file in the end is stopped."""
    servers = []

    def launch(model, **more):
        server = start(model, pid_file=tmp_path / f"akin{len(servers)}.pid", **more)
        server.pid_file = tmp_path / f"akin{len(servers)}.pid"
        servers.append(server)
        until(lambda: 0 not in known(server), "all workers to be there")
        return server

    yield launch
    for server in servers:
        if server.process.poll() is None and server.process.pid == server.pid:
            continue            # `start` ends it
        finish(server)


def holder(server):
    try:
        return int(server.pid_file.read_text() or 0)
    except FileNotFoundError:
        return 0


def follow(server, pid):
    server.pid = pid
    server.token = server.find_token()


def upgrade(server):
    """Have it replaced, and wait for the old one's end."""
    before = server.pid
    server.send(signal.SIGUSR2)
    until(lambda: not alive(before), "the old master to end")
    assert holder(server) not in (0, before), server.logged()
    follow(server, holder(server))


def finish(server):
    """Stop a master that is no child of ours; nothing of it is left."""
    master = holder(server)
    if master and alive(master):
        os.kill(master, signal.SIGTERM)
        until(lambda: not holder(server), "the pid file to go")
        assert not aside(server).exists() and server.segments() == []
    until(lambda: not any(alive(pid) for pid in server.family()), "all processes to end")
    harness.no_sanitizer_report(server.logged())


def aside(server):
    return server.pid_file.with_name(server.pid_file.name + ".old")


def known(server):
    """The workers of this master, as its board has them: of its children, all but the monitor and a successor."""
    try:
        data = (SHM / f"akin.{server.token}.board").read_bytes()
    except FileNotFoundError:
        return set()
    count, size, first = (int.from_bytes(data[a:b], "little") for a, b in ((12, 16), (16, 24), (24, 32)))
    return {int.from_bytes(data[first + i * size:first + i * size + 4], "little") for i in range(count)} - {0}
