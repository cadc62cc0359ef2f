"""The user that the server becomes, and what is left of root then."""
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import harness
from allowed import ITEM, ROWS, SHOP, ask, failing, refused_start, renew
from harness import SERVER, one_line, until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
USER = 65534
OTHER = 65533           # a group that nobody else is in


@pytest.fixture
def room(small):
    """A folder that everybody may enter, which pytest's own are not, with a model and a program in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="akin-user-"))
    try:
        folder.chmod(0o755)
        shutil.copy(small(ROWS), folder / "model")
        (folder / "model").chmod(0o644)
        yield folder
    finally:
        shutil.rmtree(folder)


def owned(path, uid=USER, gid=OTHER, mode=0o755):
    path.mkdir() if not path.exists() else None
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def identity(pid):
    lines = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return {key: lines[key].split() for key in ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")}


NOBODY = {"Uid": [str(USER)] * 4, "Gid": [str(OTHER)] * 4, "Groups": [str(OTHER)], "CapPrm": ["0" * 16], "CapEff": ["0" * 16],
          "CapAmb": ["0" * 16], "NoNewPrivs": ["1"]}


@ROOT
def test_root_is_given_up(start, room):
    mine = owned(room / "mine")
    log, pid, secret = mine / "akin.log", mine / "akin.pid", room / "keys"
    secret.write_text(f"shop {SHOP}\n")
    os.chown(secret, 0, OTHER)
    secret.chmod(0o640)                 # root's, and for the group
    (room / "model").chmod(0o640)
    os.chown(room / "model", 0, OTHER)
    server = start(room / "model", user=f"{USER}:{OTHER}", port=harness.free_low_port(), log=log, pid_file=pid, api_keys=secret)
    for process in (server.pid, *server.workers()):
        assert identity(process) == NOBODY
    assert ask(server, ITEM, X_API_Key=SHOP).status == 200
    for path, mode in ((log, 0o640), (pid, 0o644), *((harness.SHM / name, 0o600) for name in server.segments())):
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (USER, OTHER, mode), path
    # the service goes on as before: reload, log, replacement, figures of the whole tree
    server.hup()
    assert renew(server)
    log.rename(mine / "akin.log.1")
    server.send(signal.SIGUSR1)
    until(log.exists, "a new log")
    assert log.stat().st_uid == USER
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a successor")
    for process in server.workers():
        assert identity(process) == NOBODY
    score = {pid: int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (server.pid, *server.workers())}
    assert all(score[pid] == min(score[server.pid] + 100, 1000) for pid in server.workers())
    assert server.metric("process_open_fds") > 10 and server.metric("akin_process_proportional_memory_bytes") > 0
    assert server.stop() == 0 and not pid.exists()
    assert "runs as root" not in (mine / "akin.log.1").read_text()


@ROOT
def test_an_upgrade_needs_no_root(room, monkeypatch):
    """The port below 1024 is handed over; nobody comes back to root on the way. Program and settings are read as the user."""
    program, pid = room / "akin-server", owned(room / "mine") / "akin.pid"
    shutil.copy(SERVER, program)        # where the user can reach it
    program.chmod(0o755)
    monkeypatch.setattr(harness, "SERVER", program)
    server = harness.Server(room / "server", room / "model", user=f"{USER}:{OTHER}", port=harness.free_low_port(), pid_file=pid,
                            log=room / "mine/log")
    try:
        old = server.pid
        server.send(signal.SIGUSR2)
        until(lambda: not harness.alive(old), "the old master to end")
        server.pid = int(pid.read_text())
        server.token = server.find_token()
        assert server.pid != old and ask(server, ITEM).status == 200
        for process in (server.pid, *server.workers()):
            assert identity(process) == NOBODY
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: not pid.exists() and not any(harness.alive(p) for p in server.family()), "it to end")
        assert server.segments() == []
    finally:
        server.kill()


@ROOT
def test_in_folders_that_are_roots_alone(start, room):
    """There, root opens log and pid file, and gives them away. The pid file can't be removed then: it is emptied."""
    folder = owned(room / "roots", 0, 0)
    log, pid = folder / "akin.log", folder / "akin.pid"
    log.write_text("before\n")
    log.chmod(0o600)
    server = start(room / "model", user=f"{USER}:{OTHER}", log=log, pid_file=pid)
    assert identity(server.pid) == NOBODY
    assert {p.stat().st_uid for p in (log, pid)} == {USER} and int(pid.read_text()) == server.pid
    until(lambda: "listening on" in log.read_text(), "the log to be written")
    assert log.read_text().startswith("before\n")
    server.send(signal.SIGUSR1)
    until(lambda: "opened again" in log.read_text(), "the log to be opened again")
    assert server.stop() == 0
    assert pid.read_text() == ""
    again = start(room / "model", user=f"{USER}:{OTHER}", log=log, pid_file=pid)
    assert int(pid.read_text()) == again.pid


@ROOT
@pytest.mark.parametrize("key", ["log", "pid_file"])
def test_root_follows_no_link_in_the_users_folder(room, key):
    """Who has taken over the user leaves a link to root's file where root would open its own. (A hard one, too, where the
    kernel lets a user make it: fs.protected_hardlinks.)"""
    victim, conf = room / "victim", room / "empty.conf"
    conf.touch()
    for folder, mode, link in (("mine", 0o755, "symbolic"), ("everybodys", 0o1777, "symbolic"), ("again", 0o755, "hard"),
                               ("groups", 0o775, "hard")):
        trap = owned(room / folder, USER if mode == 0o755 else 0, OTHER if mode == 0o775 else 0, mode) / "trap"
        victim.unlink(missing_ok=True)
        victim.write_text("root's\n")
        victim.chmod(0o600)
        trap.symlink_to(victim) if link == "symbolic" else trap.hardlink_to(victim)
        assert str(trap) in failing("-c", conf, "--model", room / "model", "--port", 0, "--address", "127.0.0.1",
                                    "--user", f"{USER}:{OTHER}", f"--{key}", trap)
        assert victim.read_text() == "root's\n" and victim.stat().st_uid == 0


@ROOT
def test_the_model_and_the_keys_are_read_as_the_user(room):
    conf, secret = room / "empty.conf", room / "keys"
    conf.touch()
    secret.write_text(f"shop {SHOP}\n")
    secret.chmod(0o600)                 # root's alone
    base = [conf, "--model", room / "model", "--user", f"{USER}:{OTHER}"]
    said = refused_start(*base, "--api_keys", secret)
    assert "can't read the API keys: Permission denied" in said
    (room / "model").chmod(0o600)
    said = refused_start(*base)
    assert str(room / "model") in said and "Permission denied" in said


@ROOT
def test_users_that_can_not_be(room):
    conf = room / "empty.conf"
    conf.touch()
    base = [conf, "--model", room / "model", "--user"]
    assert refused_start(*base, "no-such-user").endswith("user: there is no user 'no-such-user'")
    assert refused_start(*base, f"{USER}:no-such-group").endswith("user: there is no group 'no-such-group'")
    assert "a group must be named" in refused_start(*base, "3999999999")
    assert "there is no user" in refused_start(*base, "4294967295:0")
    assert "there is no user" in refused_start(*base, ":0")


@ROOT
def test_who_is_not_root(room):
    """Another user is refused; the same one changes nothing. (The program may stand where only root can go.)"""
    program, conf = room / "akin-server", room / "empty.conf"
    shutil.copy(SERVER, program)
    program.chmod(0o755)
    conf.touch()

    def check(user):
        return subprocess.run([program, "-t", "-c", conf, "--model", room / "model", "--user", user], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE, cwd="/",
                              env=harness.environment(), user=USER, group=OTHER, extra_groups=[])

    for user in ("0", f"{USER - 7}:{OTHER}", f"{USER}:0"):
        done = check(user)
        assert done.returncode == 1 and f"only root can become '{user}'" in one_line(done.stderr.decode()), user
    assert check(f"{USER}:{OTHER}").returncode == 0


@ROOT
def test_a_user_without_a_name(start, room):
    try:
        pwd.getpwuid(64321)
        pytest.skip("somebody has that number")
    except KeyError:
        pass
    server = start(room / "model", user=f"64321:{OTHER}")
    for process in (server.pid, *server.workers()):
        assert identity(process) == {**NOBODY, "Uid": ["64321"] * 4}


@ROOT
def test_a_user_by_name(start, room):
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("there is no nobody")
    server = start(room / "model", user="nobody")
    found = identity(server.pid)
    assert found["Uid"] == [str(nobody.pw_uid)] * 4 and found["Gid"] == [str(nobody.pw_gid)] * 4


def test_root_without_a_user_is_warned_of(start, small):
    server = start(small(ROWS))
    assert ("this runs as root" in server.logged()) == (os.geteuid() == 0)
    if os.geteuid() == 0:
        assert "this runs as root" not in start(small(ROWS), user="0:0").logged()
