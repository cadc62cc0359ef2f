"""akinctl model: what is in place, what is kept, and what an accident at any moment leaves."""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import harness
from harness import until

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def show(model):
    return json.loads(harness.prep("show", "--json", model).out)


def name_of(model):
    """By the man page: the time it was built, and the head of its checksum."""
    told = show(model)
    return told["provenance"]["created"].replace("-", "").replace(":", "") + "-" + told["checksum"][:8] + ".akin"


@pytest.fixture(scope="session")
def strange(tmp_path_factory):
    """A model of another shop."""
    path = tmp_path_factory.mktemp("strange") / "strange.akin"
    rows = [(f"C{c}", f"X{(c * 3 + k) % 50}") for c in range(50) for k in range(3)]
    assert harness.prep("build", "-o", path, "-", stdin=harness.csv_bytes(rows)).returncode == 0
    return path


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_deploy_and_rollback(place, models, shell):
    it = place(shell=shell)
    names = [name_of(model) for model in models]
    assert "next start" in it.good("model", "deploy", models[0])
    assert it.placed() == names[0] == it.link("current") and it.link("previous") is None
    assert "no previous" in it.bad(1, "model", "rollback")
    it.good("start")
    assert names[1] in it.good("model", "deploy", models[1])
    assert (it.placed(), it.link("current"), it.link("previous")) == (names[1], names[1], names[0])
    facts = it.facts()
    assert facts["model_checksum"] == show(models[1])["checksum"] and facts["generation"] == 2
    assert "already" in it.good("model", "deploy", models[1]) and it.facts()["generation"] == 2
    assert (it.link("current"), it.link("previous")) == (names[1], names[0])

    it.good("model", "rollback")
    assert (it.placed(), it.link("current"), it.link("previous")) == (names[0], names[0], names[1])
    facts = it.facts()
    assert facts["model_checksum"] == show(models[0])["checksum"] and facts["generation"] == 3
    assert facts["reloads"]["ok"] == 1                     # the way back has read no file
    it.good("model", "rollback")
    assert it.placed() == names[1] and it.facts()["model_checksum"] == show(models[1])["checksum"]

    it.good("restart")                                      # the server has no previous one any more; the disk has
    it.good("model", "rollback")
    assert it.placed() == names[0] and it.facts()["model_checksum"] == show(models[0])["checksum"]
    it.good("stop")
    assert "next start" in it.good("model", "rollback") and it.placed() == names[1]
    assert it.litter() == [] and digest(it.model) == digest(models[1])


def test_what_is_kept(place, models):
    """The newest five, and whatever is current or previous."""
    it = place()
    for model in models[1:]:
        it.good("model", "deploy", model)
    old = name_of(models[0])
    it.good("model", "deploy", models[0])                   # the oldest of all, but current
    newest = sorted(name_of(model) for model in models)[-5:]
    kept = it.entries()
    assert set(kept) == {*newest, old, it.link("previous")} and it.placed() == old
    assert len(kept) < len(models)
    lines = it.good("model", "list").splitlines()
    assert [line.split()[0] for line in lines] == kept[::-1]
    assert [line for line in lines if line.endswith("current")][0].split()[0] == old
    assert [line for line in lines if line.endswith("previous")][0].split()[0] == it.link("previous")
    size, customers = str(models[0].stat().st_size), str(show(models[0])["customers"])
    line = lines[kept[::-1].index(old)]
    assert f" {size} bytes " in line and f" {customers} customers " in line
    it.good("model", "deploy", models[-1])
    assert it.link("previous") == old and old in it.entries()


def test_looking(place, models):
    it = place()
    it.good("model", "deploy", models[0])
    it.good("model", "deploy", models[1])
    current, previous = show(models[1])["customers"], show(models[0])["customers"]
    assert f"{current} customers" in it.good("model", "show")
    for name in ("previous", it.link("previous"), it.link("previous").removesuffix(".akin"), models[0]):
        assert f"{previous} customers" in it.good("model", "show", name)
    it.good("model", "verify")
    assert "no such model" in it.bad(1, "model", "show", "nothing")
    said = it.good("model", "diff")
    assert said == harness.prep("diff", it.store / it.link("previous"), it.model).out and said
    assert it.good("model", "diff", models[2]) == harness.prep("diff", it.model, models[2]).out
    assert it.good("model", "diff", models[2], models[3]) == harness.prep("diff", models[2], models[3]).out


def test_a_file_put_by_hand_is_the_previous_one(place, models):
    it = place()
    it.put(models[0])
    it.good("start")
    assert "not put there by akinctl" in it.good("model", "list")
    it.good("model", "deploy", models[1])
    assert it.link("previous") == name_of(models[0])
    it.good("model", "rollback")
    assert digest(it.model) == digest(models[0])


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("spoiled", [b"no model", None])
def test_what_was_spoiled_by_hand_is_put_right(place, models, runs, spoiled):
    """The server still serves the model that is deployed once more, and the links name it; the next start would fail."""
    it = place()
    it.good("model", "deploy", models[0])
    if runs:
        it.good("start")
    it.model.unlink()
    if spoiled:
        it.model.write_bytes(spoiled)
    it.good("model", "deploy", models[0])
    assert digest(it.model) == digest(models[0]) and it.link("previous") is None and it.litter() == []
    it.good("check")


def unchanged(it, before):
    assert it.litter() == []
    after = it.placed() if it.model.exists() else None, it.entries(), it.link("current"), it.link("previous")
    assert after == before


def state(it):
    return it.placed() if it.model.exists() else None, it.entries(), it.link("current"), it.link("previous")


def test_what_is_refused_changes_nothing(place, models, strange, tmp_path):
    it = place()
    it.good("model", "deploy", models[0])
    it.good("model", "deploy", models[1])
    it.good("start")
    before = state(it)
    bad = tmp_path / "bad.akin"
    raw = bytearray(models[2].read_bytes())
    raw[len(raw) // 2] ^= 1
    bad.write_bytes(raw)
    said = it.bad(1, "model", "deploy", bad)
    assert "refused" in said and "checksum" in said and ".incoming" not in said
    unchanged(it, before)
    bad.write_bytes(models[2].read_bytes()[:-7])
    assert "refused" in it.bad(1, "model", "deploy", "--force", bad)
    unchanged(it, before)
    assert "no such file" in it.bad(1, "model", "deploy", tmp_path / "none")
    assert "not a regular file" in it.bad(1, "model", "deploy", tmp_path)
    unchanged(it, before)
    said = it.bad(1, "model", "deploy", strange)
    assert "refused by the gate" in said and "fail lost_items" in said
    unchanged(it, before)
    assert it.facts()["generation"] == 1
    it.good("model", "deploy", "--force", strange)
    assert it.placed() == name_of(strange) and it.facts()["model_checksum"] == show(strange)["checksum"]


def test_what_the_server_refuses_is_put_back(place, models):
    """The file is spoiled behind the gate, as by a broken disk: when akinctl looks at the server next."""
    it = place()
    it.good("model", "deploy", models[0])
    it.good("start")
    before = state(it)
    stand_in, entry = it.folder / "bin/akin-server", it.store / name_of(models[1])
    stand_in.unlink()
    stand_in.write_text(f"""#!/bin/sh
[ ! -e {entry} ] || printf spoiled | dd of={entry} bs=1 seek=300 conv=notrunc 2>/dev/null
exec {harness.SERVER} "$@"
""")
    stand_in.chmod(0o755)
    said = it.bad(1, "model", "deploy", models[1])
    assert "was not taken" in said and "refused: " in said
    assert state(it)[0] == before[0] and it.link("current") == before[2] and it.link("previous") is None
    assert it.litter() == [] and digest(it.model) == digest(models[0])
    assert it.facts()["reloads"]["failed"] == 1 and it.facts()["generation"] == 1


def incoming(it):
    return list(it.store.glob(".incoming.*"))


def test_one_that_is_killed_while_it_copies(place, models):
    it = place()
    it.good("model", "deploy", models[0])
    before = state(it)
    run = it.background("model", "deploy", "-", stdin=subprocess.PIPE)
    run.stdin.write("half a model")
    run.stdin.flush()
    until(lambda: incoming(it) and incoming(it)[0].stat().st_size, "half a copy")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert state(it) == before and incoming(it)
    it.good("model", "deploy", models[1])
    assert it.litter() == [] and it.placed() == name_of(models[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_one_that_is_ended_while_the_server_loads(place, models, number):
    it = place()
    it.good("model", "deploy", models[0])
    it.good("start")
    pid, before = it.pid, state(it)
    os.kill(pid, signal.SIGSTOP)
    run = it.background("model", "deploy", models[1])
    until(lambda: it.placed() == name_of(models[1]), "it to be in place")
    until(lambda: waits_for_a_signal(pid, signal.SIGHUP), "the server to have been told")
    os.killpg(run.pid, number)
    run.communicate(timeout=harness.PATIENCE)
    assert run.returncode != 0
    if number == signal.SIGKILL:                            # a whole file is in place, and the server comes to serve it
        assert it.placed() == name_of(models[1]) and digest(it.model) == digest(models[1])
        wanted = models[1]
    else:
        assert state(it) == before and it.litter() == []
        wanted = models[0]
    os.kill(pid, signal.SIGCONT)
    until(lambda: it.facts()["reloads"]["ok"] >= 1 and it.facts()["model_checksum"] == show(wanted)["checksum"],
          "the server to serve what is in place")
    it.good("model", "deploy", models[2])
    assert it.link("previous") == name_of(wanted) and it.litter() == []


def test_a_load_that_was_given_up_is_undone(place, models):
    """akinctl sees no outcome in its time, but the server has taken the new model: it must go back to the file as well."""
    it = place()
    it.good("model", "deploy", models[0])
    it.good("start")
    real, stand_in, frozen = it.facts, it.folder / "bin/akin-server", it.folder / "frozen"
    frozen.write_text(subprocess.run([harness.SERVER, "-c", it.conf, "--status"], stdout=subprocess.PIPE, text=True).stdout)
    stand_in.unlink()
    stand_in.write_text(f'#!/bin/sh\n[ "$3" != --status ] || exec cat {frozen}\nexec {harness.SERVER} "$@"\n')
    stand_in.chmod(0o755)
    assert "was not taken" in it.bad(1, "--timeout=1", "model", "deploy", models[1])
    assert it.placed() == name_of(models[0]) and it.litter() == []
    stand_in.unlink()
    stand_in.symlink_to(harness.SERVER)
    until(lambda: real()["reloads"]["ok"] == 2 and real()["model_checksum"] == show(models[0])["checksum"], "it to go back")


def waits_for_a_signal(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    pending = int(status.split("ShdPnd:")[1].split()[0], 16)
    return pending >> (number - 1) & 1


def test_two_at_a_time(place, models):
    it = place()
    it.good("model", "deploy", models[0])
    it.good("start")
    runs = [it.background("model", "deploy", model) for model in models[1:5]]
    said = [run.communicate(timeout=6 * harness.PATIENCE) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, said
    assert it.litter() == [] and len(it.entries()) == 5
    assert it.facts()["model_checksum"] == show(it.model)["checksum"] and it.placed() == it.link("current")


def test_one_that_waits_too_long(place, models):
    it = place()
    it.store.mkdir()
    with (it.store / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another" in it.bad(1, "--timeout=1", "model", "deploy", models[0])
    it.good("model", "deploy", models[0])


@root
def test_no_space_is_left(place, models, tmp_path):
    """A file system that has room for the links and not for a copy."""
    it = place()
    big = tmp_path / "big.akin"
    rows = [(str(c), f"I{c % 997}") for c in range(30000)]
    assert harness.prep("build", "-o", big, "-", stdin=harness.csv_bytes(rows)).returncode == 0
    assert big.stat().st_size > 300000
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=755", "none", it.model.parent], check=True)
    try:
        it.good("model", "deploy", models[0])
        before = state(it)
        assert "nothing has changed" in it.bad(1, "model", "deploy", big)
        unchanged(it, before)
        it.good("model", "deploy", models[1])
    finally:
        subprocess.run(["umount", "-l", it.model.parent], check=True)


@root
def test_root_goes_on_as_the_owner_of_the_folder(place, models, tmp_path):
    """What links the owner may have put there lead root nowhere, and a file of root's alone can be deployed."""
    it = place(open_to_all=True)
    os.chown(it.model.parent, 12345, 12345)
    secret = tmp_path / "secret.akin"
    shutil.copy(models[0], secret)
    secret.chmod(0o600)
    it.good("model", "deploy", secret)
    for path in (it.model, it.store, *it.store.iterdir()):
        assert path.lstat().st_uid == 12345, path
    target = tmp_path / "target"
    it.model.unlink()
    it.store.rename(it.store.with_name("aside"))
    it.store.symlink_to(target)
    target.mkdir()                                          # root's, and the owner may not write to it
    assert it.ctl("model", "deploy", secret).status != 0 and list(target.iterdir()) == []


@root
def test_what_root_has_put_in_place_is_taken_over(place, models):
    """The owner of the folder may not link to a file of root's where the kernel protects hard links, as Debian's does."""
    if pathlib.Path("/proc/sys/fs/protected_hardlinks").read_text() != "1\n":
        pytest.skip("this kernel lets everybody link")
    it = place(open_to_all=True)
    os.chown(it.model.parent, 12345, 12345)
    it.put(models[0])
    it.model.chmod(0o644)
    it.good("model", "deploy", models[1])
    assert it.model.read_bytes() == models[1].read_bytes() and len(it.entries()) == 2
    assert (it.store / it.link("previous")).read_bytes() == models[0].read_bytes()
    it.good("model", "rollback")
    assert it.model.read_bytes() == models[0].read_bytes() and it.placed() == it.link("current") and it.litter() == []
    assert {path.lstat().st_uid for path in (it.model, *it.store.iterdir())} == {12345}
