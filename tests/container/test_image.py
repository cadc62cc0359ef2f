"""The image that docker/Dockerfile makes: what is in it, and what it does when it is run."""
import http.client
import os
import pathlib
import re
import signal
import socket
import stat
import threading

import pytest

import buildah
import harness
from harness import until

USER = 10001


def get(port, path, timeout=harness.PATIENCE):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return harness.Answer(response, response.read())
    finally:
        connection.close()


def serves(container, port):
    """Until it is ready; its master's pid."""
    def ready():
        assert container.process.poll() is None, container.logged()
        try:
            return get(port, "/readyz").status == 200
        except OSError:
            return False
    until(ready, "the container to be ready")
    return container.master()


# -- what it says of itself ---------------------------------------------------------------------------------------

def test_configuration(configuration):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", configuration["User"]), "a number that is not root's"
    assert configuration["Entrypoint"] == ["/usr/sbin/akin-server"], "without a shell, which would keep the signals"
    assert not configuration["Cmd"]
    assert configuration["ExposedPorts"] == {"8000/tcp": {}}
    assert configuration["StopSignal"] == "SIGTERM"
    assert not configuration["Volumes"], "one that nobody asked for would hide the next image's model"
    assert [v for v in configuration["Env"] if not v.startswith("PATH=")] == []


def test_health_check_is_the_programs_own(configuration):
    check = configuration["Healthcheck"]
    assert check["Test"] == ["CMD", "/usr/sbin/akin-server", "--healthcheck"]
    deadline = int(re.search(r"HEALTHCHECK_MS (\d+)", (harness.TOP / "server/healthcheck.h").read_text())[1])
    assert deadline * 10**6 < check["Timeout"] <= check["Interval"], "it is to say why before it is killed"
    assert check["Retries"] >= 2


def test_the_base_is_pinned():
    dockerfile = (harness.TOP / "docker/Dockerfile").read_text()
    assert re.search(r"^ARG BASE=debian:bookworm-\d{8}-slim$", dockerfile, re.M)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.M)) == {"${BASE}", "build"}


# -- what is in it ------------------------------------------------------------------------------------------------

def test_contents(container):
    root = container().root

    def found(*patterns):
        return sorted(str(p.relative_to(root)) for pattern in patterns for p in root.glob(pattern))
    assert found("usr/sbin/akin-server", "usr/bin/akin-prep", "var/lib/akin/*", "etc/akin/*") == [
        "etc/akin/akin.conf", "usr/bin/akin-prep", "usr/sbin/akin-server", "var/lib/akin/model.akin"]
    assert found(*(f"usr/bin/{tool}" for tool in ("*gcc*", "cc", "c++", "*cpp*", "as", "ld", "make", "git", "curl", "wget",
                                                  "python3*", "npm", "node"))) == []
    assert found("usr/include/*.h", "usr/lib/gcc", "src", "usr/local/bin/*", "**/*.csv*", "**/*.tgz") == []
    assert found("var/lib/apt/lists/*", "var/cache/apt/*", "var/log/apt", "var/log/*.log", "tmp/*") == []
    for user in ("passwd", "group"):
        assert re.search(rf"^akin:x:{USER}:", (root / "etc" / user).read_text(), re.M), user
    for path in root.glob("var/lib/akin/*"):
        assert path.stat().st_mode & stat.S_IROTH, f"{path} is not for users of other numbers"


def test_size(container, capsys):
    """What is ours in it, and what Debian's."""
    def size(top):
        return sum(p.lstat().st_size for p in top.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
    image = size(container().root)
    base = size(pathlib.Path(buildah.buildah("mount", buildah.buildah("from", buildah.BASE))))
    with capsys.disabled():
        print(f"\nthe image: {image:.1f} MB, {base:.1f} MB of base, {image - base:.1f} MB of Akin, its model and libraries")
    assert image - base < 30            # 9 MB of it are libcurl and what that needs


# -- what it does -------------------------------------------------------------------------------------------------

def test_it_serves(container, configuration, expected):
    port = harness.free_port()
    one = container(AKIN_PORT=port, AKIN_THREADS=32)
    one.start()
    master = serves(one, port)
    for pid in (master, *harness.children(master)):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(rf"^Uid:(\t{USER}){{4}}$", status, re.M) and re.search(rf"^Gid:(\t{USER}){{4}}$", status, re.M)
        assert re.search(r"^CapEff:\t0+$", status, re.M), status
    for path, id, want in (("item", "85123A", expected.similar_items), ("user", "12350", expected.for_customer)):
        assert get(port, f"/predict/{path}/{id}?n=5").json["data"] == {id: [other for other, _ in want(id, 5)]}
    assert b"http_requests_total" in get(port, "/metrics").body
    fetched = list((harness.TOP / "build/ui").glob("swagger-ui-*.tgz"))
    assert (b"swagger-ui" in get(port, "/docs").body) == bool(fetched), "what `make ui` fetched is built in"
    assert one.check_health() == (0, f'127.0.0.1:{port}: {{"status":"ready","generation":1}}\n')
    os.kill(master, signal.SIGHUP)
    until(lambda: get(port, "/model").json["generation"] == 2, "a second generation")
    stop(one, master, configuration["StopSignal"])
    status, said = one.check_health()
    assert status == 1 and "Connection refused" in said


def stop(container, master, name):
    token = re.search(r"/dev/shm/akin\.([0-9a-f]{8})\.board", pathlib.Path(f"/proc/{master}/maps").read_text())[1]
    os.kill(master, getattr(signal, name))
    assert container.process.wait(harness.PATIENCE) == 0, container.logged()
    assert f"{name}: stopping" in container.logged() and "killed" not in container.logged()
    assert list(harness.SHM.glob(f"akin.{token}.*")) == []


def test_it_drains(container, configuration):
    """Clients that never pause see whole answers until their connection is closed between two."""
    port = harness.free_port()
    one = container(AKIN_PORT=port, AKIN_WORKERS=2)
    one.start()
    master = serves(one, port)
    answers, broken = [0] * 8, []

    def busy(me):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.PATIENCE)
        connection.connect()
        connection.auto_open = False
        try:
            while True:
                connection.request("GET", "/predict/user/12350?n=20")
                response = connection.getresponse()
                if response.status != 200 or len(response.read()) != int(response.headers["content-length"]):
                    broken.append(response.status)
                answers[me] += 1
                if response.headers.get("connection") == "close":
                    return
        except (http.client.RemoteDisconnected, http.client.NotConnected, ConnectionError, BrokenPipeError):
            pass                                # closed between two requests
        except Exception as e:
            broken.append(e)

    threads = [threading.Thread(target=busy, args=(me,), daemon=True) for me in range(len(answers))]
    for thread in threads:
        thread.start()
    until(lambda: min(answers) > 20, "every client's 20 answers")
    stop(one, master, configuration["StopSignal"])
    for thread in threads:
        thread.join(harness.PATIENCE)
    assert not broken and not any(thread.is_alive() for thread in threads)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_nothing_is_written(container, configuration):
    """It can do with read_only: no file appears or changes but what buildah mounts."""
    port = harness.free_port()
    one = container(AKIN_PORT=port, AKIN_THREADS=32)

    def files():
        return {p: (p.lstat().st_size, p.lstat().st_mtime_ns) for p in one.root.rglob("*")
                if p.is_file() and p.relative_to(one.root).parts[0] not in ("dev", "proc", "sys", "run")
                and p.name not in ("hosts", "resolv.conf", "hostname")}
    before = files()
    one.start()
    master = serves(one, port)
    os.kill(master, signal.SIGHUP)
    until(lambda: get(port, "/model").json["generation"] == 2, "a second generation")
    get(port, "/metrics")
    stop(one, master, configuration["StopSignal"])
    assert files() == before


def test_another_user(container, configuration):
    """Some platforms choose a user themselves."""
    port = harness.free_port()
    one = container(AKIN_PORT=port, AKIN_THREADS=32)
    one.start("--user", "54321:54321")
    master = serves(one, port)
    assert re.search(r"^Uid:(\t54321){4}$", pathlib.Path(f"/proc/{master}/status").read_text(), re.M)
    stop(one, master, configuration["StopSignal"])


def test_a_model_of_ones_own(container, configuration, tmp_path):
    """Built by the image's akin-prep, put in place by a volume, exchanged while it serves."""
    folder = tmp_path / "models"
    folder.mkdir()
    folder.chmod(0o777)
    port = harness.free_port()
    one = container(AKIN_PORT=port, AKIN_THREADS=32, AKIN_GATE="off")
    volume = ("--volume", f"{folder}:/var/lib/akin")

    def model(rows):
        (folder / "shop.csv").write_bytes(harness.csv_bytes(rows))
        status, said = one.run("akin-prep", "build", "-o", "/var/lib/akin/model.akin", "/var/lib/akin/shop.csv",
                               flags=volume)
        assert status == 0, said
    model([("1", "A"), ("1", "B")])
    one.start(*volume)
    master = serves(one, port)
    assert get(port, "/predict/item/A").json["data"] == {"A": ["B"]}
    model([("1", "A"), ("1", "C")])
    os.kill(master, signal.SIGHUP)
    until(lambda: get(port, "/model").json["generation"] == 2, "a second generation")
    assert get(port, "/predict/item/A").json["data"] == {"A": ["C"]}
    stop(one, master, configuration["StopSignal"])


def test_a_missing_model_is_said(container, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    one = container()
    one.start("--volume", f"{folder}:/var/lib/akin:ro")
    assert one.process.wait(harness.PATIENCE) == 1
    assert "/var/lib/akin/model.akin" in one.logged()
