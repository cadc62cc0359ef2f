"""Who may have what: networks, API keys, and the user that the server becomes."""
import http.client
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading

import pytest

import contract
import harness
from harness import SERVER, one_line, until

ROWS = [("1", "A"), ("1", "B"), ("2", "A"), ("2", "B"), ("2", "C")]
ITEM = "/predict/item/A"
SHOP, SHOP2, APP = "shop-key-0123456789", "shop-key-9876543210", "app-key-#;=+/~-0123456789"
OPEN = ("/", "/healthz", "/readyz")


def ask(server, path, source=None, host="127.0.0.1", method="GET", **headers):
    c = http.client.HTTPConnection(host, server.port, timeout=harness.PATIENCE, source_address=source and (source, 0))
    try:
        c.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = c.getresponse()
        return harness.Answer(response, response.read())
    finally:
        c.close()


@pytest.fixture
def keys(tmp_path):
    """Write the file of keys, put in place whole."""
    path = tmp_path / "keys"

    def keys(*lines, mode=0o640):
        aside = tmp_path / "keys.aside"
        aside.unlink(missing_ok=True)
        aside.write_text("".join(line + "\n" for line in lines))
        aside.chmod(mode)
        aside.replace(path)
        return path
    return keys


def renew(server):
    """SIGHUP, until the outcome is known; whether it was a success."""
    before = server.metric("akin_api_keys_reloads_total")
    server.send(signal.SIGHUP)
    until(lambda: server.metric("akin_api_keys_reloads_total") > before, "the keys to be read")
    return server.metric("akin_api_keys_last_reload_successful") == 1


def failing(*arguments, **more):
    """Run akin-server, which fails; the last line that it says."""
    done = subprocess.run([SERVER, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=harness.environment(), **more)
    text = done.stderr.decode()
    harness.no_sanitizer_report(text)
    assert done.returncode == 1, text
    return one_line(text.splitlines()[-1] + "\n")


def refused_start(conf, *arguments):
    """A start ends with a line, and -t says the same."""
    base = ["-c", conf, "--port", 0, "--address", "127.0.0.1"]
    said = failing(*base, *arguments)
    assert failing("-t", *base, *arguments) == said
    return said


# -- networks -------------------------------------------------------------------------------------------------------

def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_networks(start, small):
    """Of 127.0.0.0/8 everything is local, so that a client can have many addresses."""
    server = start(small(ROWS), allow="127.0.0.2, 127.9.0.0/16", ops_allow="127.0.0.1 127.0.0.3",
                   **({"address": "::"} if has_ipv6() else {}))
    document = None
    paths = {ITEM: "P", "/predict/user/1": "P", "/openapi.json": "P", "/docs": "P", "/redoc": "P", "/docs/plain.html": "P",
             "/metrics": "O", "/model": "O", "/nope": "-", **{path: "-" for path in OPEN}}
    usual = {path: ask(server, path, "127.0.0.2").status for path in paths if paths[path] == "P"}
    assert set(usual.values()) == {200}
    denied = {"P": 0, "O": 0}
    for source, may in (("127.0.0.2", "P-"), ("127.9.255.255", "P-"), ("127.0.0.1", "O-"), ("127.0.0.3", "O-"),
                        ("127.10.0.0", "-"), ("127.0.0.4", "-")):
        for path, kind in paths.items():
            answer = ask(server, path, source)
            if kind in may:
                assert answer.status == (404 if path == "/nope" else 200), (source, path)
                document = answer.json if path == "/openapi.json" else document
            else:
                assert answer.status == 403 and answer.json == {"detail": "this address may not have that"}, (source, path)
                denied[kind] += 1
                template = contract.route_of(document, path)
                if template and template in document["paths"]:
                    contract.check(document, template, answer)
    # before any question of method, and with no more effect than any other answer
    with harness.Client(server.port) as client:
        for method in ("GET", "POST", "HEAD"):
            assert client.get(ITEM, method).status == 403
        assert client.get("/").status == 200
        assert client.get("/metrics", "POST").status == 405
    samples = server.metrics()
    assert samples['akin_access_denied_total{reason="allow"}'] == denied["P"] + 3
    assert samples['akin_access_denied_total{reason="ops_allow"}'] == denied["O"]
    assert samples['http_requests_total{handler="/model",method="GET",status="4xx"}'] == denied["O"] / 2
    if has_ipv6():
        assert ask(server, ITEM, host="::1").status == 403 and ask(server, "/", host="::1").status == 200


def test_networks_of_ipv6(start, small):
    if not has_ipv6():
        pytest.skip("there is no IPv6 here")
    server = start(small(ROWS), address="::", allow="::1")
    assert ask(server, ITEM, host="::1").status == 200
    assert ask(server, ITEM).status == 403 and ask(server, "/metrics").status == 200


@pytest.mark.parametrize("key", ["allow", "ops_allow"])
def test_a_bad_network(small, tmp_path, key):
    conf = tmp_path / "akin.conf"
    conf.write_text(f"port = 0\n{key} = 192.0.2.7 10.1.2.3/8\n")
    assert failing("-c", conf).endswith(f"{conf}:2: {key}: '10.1.2.3/8' has bits beyond its first 8; the network is 10.0.0.0/8")


# -- keys -------------------------------------------------------------------------------------------------------------

def test_keys(start, small, keys):
    server = start(small(ROWS), api_keys=keys(f"shop {SHOP}", "# a comment", "", f"shop {SHOP2}", f"app {APP}"), log_level="debug")
    ways = [{"X_API_Key": SHOP}, {"X_API_Key": SHOP2}, {"Authorization": f"Bearer {APP}"}, {"authorization": f"bearer  {SHOP}"}]
    for headers in ways:
        assert ask(server, ITEM, **headers).status == 200
    document = ask(server, "/openapi.json").json
    refusals = []
    for headers in ({}, {"X_API_Key": "x"}, {"X_API_Key": SHOP[:-1] + "x"}, {"Authorization": f"Bearer {APP}x"},
                    {"Authorization": "Basic eDp5"}, {"X_API_Key": "y" * 4000}):
        answer = ask(server, ITEM, **headers)
        contract.check(document, "/predict/item/{item_id}", answer)
        assert answer.headers.pop("date")
        refusals.append((answer.status, answer.headers, answer.body))
    assert all(r == refusals[0] for r in refusals)
    assert refusals[0][0] == 401 and refusals[0][1]["www-authenticate"].startswith("Bearer")
    assert ask(server, ITEM, method="POST").status == 401
    assert ask(server, ITEM, method="POST", X_API_Key=SHOP).status == 405
    assert ask(server, "/predict/user/nobody").status == 401            # not even what there is
    for path in (*OPEN, "/metrics", "/model", "/openapi.json", "/docs"):
        assert ask(server, path).status == 200, path
    assert ask(server, "/predict/item/").status == 404
    samples = server.metrics()
    assert samples['akin_api_key_requests_total{key="shop"}'] == 4
    assert samples['akin_api_key_requests_total{key="app"}'] == 1
    assert samples['akin_access_denied_total{reason="key_missing"}'] == 4
    assert samples['akin_access_denied_total{reason="key_wrong"}'] == 4
    assert not any(key in text for key in (SHOP, SHOP2, APP) for text in (server.logged(), str(samples)))
    board, = (harness.SHM / name for name in server.segments() if name.endswith(".board"))
    assert stat.S_IMODE(board.stat().st_mode) == 0o600


def test_keys_in_the_document(start, small, keys):
    path = small(ROWS)
    with_keys, without = (start(path, **more).get("/openapi.json").json for more in ({"api_keys": keys(f"a {SHOP}")}, {}))
    assert with_keys["components"]["securitySchemes"] == {
        "Bearer": {"type": "http", "scheme": "bearer"},
        "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    assert without["components"]["securitySchemes"] == {}
    for template, _, operation in contract.operations(with_keys):
        assert operation.get("security", []) == ([{"Bearer": []}, {"X-API-Key": []}] if re.search("predict|feedback", template) else [])
    for *_, operation in contract.operations(without):
        assert not operation.get("security")


def test_keys_are_renewed(start, small, keys):
    server = start(small(ROWS), api_keys=keys(f"shop {SHOP}", f"gone {APP}"))
    status = lambda key: ask(server, ITEM, X_API_Key=key).status
    assert (status(SHOP), status(APP), status(SHOP2)) == (200, 200, 401)
    generation = server.generation()
    keys(f"new {APP}", f"shop {SHOP2}")
    assert renew(server)
    until(lambda: server.generation() == generation + 1, "the model, too")
    assert (status(SHOP), status(APP), status(SHOP2)) == (401, 200, 200)
    counts = {key: server.metric("akin_api_key_requests_total", key=key) for key in ("shop", "gone", "new")}
    assert counts == {"shop": 2, "gone": 1, "new": 1}
    # what is wrong with the file changes nothing, is told, and is no reason not to load the model
    for lines, mode, words in [([f"shop {SHOP}"], 0o644, "chmod 640"), (["shop short"], 0o640, ":1: a key must be"),
                               ([f"ok {SHOP}", f"{APP} shop"], 0o640, ":2: a name must be"), ([], 0o640, "no key in it")]:
        keys(*lines, mode=mode)
        before = server.generation()
        assert not renew(server)
        until(lambda: words in server.logged(), f"'{words}' in the log")
        assert (status(SHOP), status(APP), status(SHOP2)) == (401, 200, 200)
        until(lambda: server.generation() == before + 1, "the model, too")
    assert server.metric("akin_api_keys_reloads_total", result="failure") == 4
    keys(f"shop {SHOP}")
    assert renew(server)
    assert (status(SHOP), status(APP), status(SHOP2)) == (200, 401, 401)
    assert not any(key in server.logged() for key in (SHOP, SHOP2, APP, "short"))


def test_keys_under_renewal_and_death(start, small, keys):
    """A key that stays is never refused, one that is none is never let in, while the file is read again and again and a
    worker dies; what was counted before its death stays counted."""
    server = start(small(ROWS), api_keys=keys(f"stays {SHOP}", f"turns {APP}"))
    over, seen, wrong = threading.Event(), [0], []

    def client():
        while not over.is_set():
            try:
                with server.client() as c:
                    while not over.is_set():
                        for key, want in ((SHOP, 200), ("none" * 5, 401)):
                            if c.get(ITEM, X_API_Key=key).status != want:
                                wrong.append(key)
                            elif want == 200:
                                seen[0] += 1
            except (OSError, http.client.HTTPException):
                pass            # its worker was killed

    thread = threading.Thread(target=client)
    thread.start()
    try:
        for i in range(10):
            keys(*([f"turns {APP}", f"stays {SHOP}"] if i % 2 else [f"stays {SHOP}", f"turns {SHOP2}"]))
            assert renew(server)
            if i == 5:
                victim = server.workers()[0]
                os.kill(victim, signal.SIGKILL)
                until(lambda: victim not in server.workers() and len(server.workers()) == 2, "a successor")
    finally:
        over.set()
        thread.join()
    assert not wrong and seen[0] > 20
    lost = server.metric("akin_requests_unanswered_total")
    assert seen[0] <= server.metric("akin_api_key_requests_total", key="stays") <= seen[0] + lost
    assert server.metric("akin_api_key_requests_total", key="turns") == 0


def test_bad_keys_at_the_start(small, keys, tmp_path):
    model, conf = small(ROWS), tmp_path / "empty.conf"
    conf.touch()

    def refused(path):
        said = refused_start(conf, "--model", model, "--api_keys", path)
        assert SHOP not in said and str(path) in said
        return said

    assert "chmod 640, not 604" in refused(keys(f"a {SHOP}", mode=0o604))
    assert ":2: this key stands in a line above, too" in refused(keys(f"a {SHOP}", f"b {SHOP}"))
    assert ":1: a line must be 'name key'" in refused(keys(SHOP))
    assert "No such file" in refused(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "regular file" in refused(tmp_path / "fifo")


# -- the user ---------------------------------------------------------------------------------------------------------

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


def low_port():
    """A free one that is root's."""
    for port in range(1023, 600, -1):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("no port below 1024 is free")


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
    server = start(room / "model", user=f"{USER}:{OTHER}", port=low_port(), log=log, pid_file=pid, api_keys=secret)
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
    server = harness.Server(room / "server", room / "model", user=f"{USER}:{OTHER}", port=low_port(), pid_file=pid,
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
