"""The Debian package and the runbook, in one fresh root: docs/operations.md is followed word by word.

Blocks marked sh are run in their order, by sh -eu as root; those marked `sh fails` must fail. What a page of the runbook is
about is made to happen before its first block.
"""
import os
import re
import shutil
import subprocess
import time

import pytest

import buildah
import harness
import machine
from harness import TOP

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a fresh root takes root")
RUNBOOK = (TOP / "docs/operations.md").read_text()
BLOCK = re.compile(r"^```sh( fails)?\n(.*?)^```$", re.M | re.S)
HEADING = re.compile(r"^##+ (.*)$", re.M)


@pytest.fixture(scope="module")
def package():
    return machine.build_package()


@pytest.fixture(scope="module")
def debian(package, tmp_path_factory):
    """A machine with what the runbook takes for granted: curl, logrotate, ss, the libraries, and a shop's export."""
    shop = tmp_path_factory.mktemp("shop")
    buildah.FOLDER.mkdir(parents=True, exist_ok=True)
    it = machine.Machine(harness.BUILD / "machine", *machine.needs_of(package[0]), "curl", "logrotate", "iproute2")
    it.before = set(it.outside("find / -xdev \\( -path /proc -o -path /dev -o -path /sys -o -path /tmp -o -path /root "
                               "-o -path /var/cache -o -path /var/lib/apt -o -path /var/log/apt \\) -prune -o -print").stdout.splitlines())
    folder = it.root / "srv/shop"
    machine.write_sales(folder / "sales.csv", 13)           # 40000 rows
    other = harness.csv_bytes([(f"C{c}", f"X{(c * 3 + k) % 50}") for c in range(50) for k in range(3)])
    assert harness.prep("build", "-o", folder / "other.akin", "-", stdin=other).returncode == 0
    (folder / "cut.akin").write_bytes((folder / "other.akin").read_bytes()[:-100])
    shutil.copy(package[0], it.root / "root")
    it.boot()
    yield it
    it.halt()
    del shop


def test_lintian_is_content(package):
    """--fail-on error,warning: it would not have been made."""
    assert not re.search(r"^[EW]: ", package[1], re.M), package[1]
    overrides = list((TOP / "etc/debian").glob("*lintian-overrides"))
    for path in overrides:                      # each has its reason above it
        lines = path.read_text().splitlines()
        assert all(line.startswith("#") or lines[at - 1].startswith("#") for at, line in enumerate(lines))


def test_what_is_in_it(package):
    listed = subprocess.run(["dpkg-deb", "-c", package[0]], stdout=subprocess.PIPE, text=True, check=True).stdout
    files = {line.split()[5]: line.split()[:2] for line in listed.splitlines()}
    for path in ("./usr/sbin/akin-server", "./usr/sbin/akinctl", "./usr/sbin/akin-webhook", "./usr/bin/akin-prep"):
        assert files[path] == ["-rwxr-xr-x", "root/root"]
    for path in ("./etc/akin/akin.conf", "./etc/logrotate.d/akin", "./lib/systemd/system/akin.service", "./lib/systemd/system/akin-retrain.timer",
                 "./lib/systemd/system/akin-webhook@.service", "./usr/lib/sysusers.d/akin.conf",
                 "./usr/lib/tmpfiles.d/akin.conf", "./usr/share/bash-completion/completions/akinctl",
                 "./usr/share/man/man8/akinctl.8.gz", "./usr/share/doc/akin/operations.md"):
        assert files[path] == ["-rw-r--r--", "root/root"], path
    told = subprocess.run(["dpkg-deb", "-f", package[0]], stdout=subprocess.PIPE, text=True, check=True).stdout
    version = re.search(r"^VERSION +:= (.*)$", (TOP / "Makefile").read_text(), re.M)[1]
    assert f"Version: {version}\n" in told and "libcivetweb1" in told


def kill_a_worker(it):
    it.good("""first=$(akin-server --status | sed -n 's/^worker.0.pid //p')
kill -9 $first
for i in $(seq 200); do
	now=$(akin-server --status | sed -n 's/^worker.0.pid //p')
	[ "$now" = "$first" ] || [ "$now" = 0 ] || exit 0
	sleep 0.1
done
exit 1""")


def kill_the_server(it):
    it.good("kill -9 $(cat /run/akin/akin.pid); for i in $(seq 100); do akinctl status && sleep 0.1 || break; done; sleep 0.1")
    status, said = it.run("akinctl status")
    assert status == 1, said


def cut_the_export(it):
    """The header's line is broken."""
    it.good("cp /srv/shop/sales.csv /srv/shop/whole.csv; sed -i '1s/^.\\{20\\}//' /srv/shop/sales.csv")


HAPPENS = {"A retraining fails": cut_the_export, "It does not run": kill_the_server, "A worker keeps dying": kill_a_worker}
SAYS = {                                        # what a page's blocks must have said
    "The first model": ["dropped", "next start"],
    "Start and check": ["started", r'"85123A":\[', "akin_model_generation 1", "p99"],
    "Every day: a new model": ["is in place", "current", "previous"],
    "New models by themselves": ["^retraining: a first try$", "^last .* ok: a first try: ", "held off until", "generation [0-9]+ is served"],
    "The model is stale": ["^last .* ok: new prices: ", "^retraining: drift$", "^before: "],
    "A retraining fails": ["sales.csv:1: ", "^last .* build_failed: "],
    "Nobody judges the traffic": ["^akin_monitor_age_seconds [0-9.]+$"],
    "API keys": ["^401$", r'"85123A":\['],
    "Upgrade": ["upgraded to [^\\0]*upgraded to"],
    "A worker keeps dying": ["killed|SIGKILL|signal 9", "1 restarted"],
    "It does not run": ["started"],
    "A model is refused": ["refused", "fail lost_items"],
    "Requests are shed or slow": ["connections"],
    "The log": ["opened again|reopened"],
}


def blocks():
    for at, part in enumerate(re.split(r"(?m)^(?=##+ )", RUNBOOK)):
        title = HEADING.match(part)[1] if at else ""
        for found in BLOCK.finditer(part):
            yield title, bool(found[1]), found[2]


def test_every_fence_is_run():
    assert len(re.findall(r"^```", RUNBOOK, re.M)) == 2 * len(BLOCK.findall(RUNBOOK)) > 50
    titles = {title for title, _, _ in blocks()}
    assert set(HAPPENS) <= titles and set(SAYS) <= titles


def test_its_links_lead_somewhere():
    """To files and headings; with the forge's spelling of a heading as an anchor."""
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        name, _, anchor = target.partition("#")
        text = (TOP / "docs" / name).read_text() if name else RUNBOOK
        anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(text)}
        assert not anchor or anchor in anchors, target
    alerts = set(re.findall(r"alert: (\w+)", (TOP / "prometheus/akin.alerts.yml").read_text()))
    assert {word for word in re.findall(r"Akin[A-Z]\w+", RUNBOOK)} == alerts


def test_the_runbook_word_by_word(debian):
    said, seen = {}, set()
    for title, fails, script in blocks():
        if title not in seen and title in HAPPENS:
            HAPPENS[title](debian)
        seen.add(title)
        if "apt-get purge" in script:
            check_the_machine(debian)
        if "akin-prep build" in script:
            time.sleep(1.1)                     # two models of one second would have one time in their names
        status, words = debian.run(script)
        assert (status != 0) == fails, f"{title}: {script}\nended with {status}:\n{words}"
        said[title] = said.get(title, "") + words
    for title, wanted in SAYS.items():
        for pattern in wanted:
            assert re.search(pattern, said[title], re.M | re.I), f"{title}: no {pattern} in\n{said[title]}"
    assert "could not be handed over" not in said["Upgrade"]
    check_that_nothing_is_left(debian)


def check_the_machine(it):
    """As it is before the last page: who runs what, whose are the files."""
    said = it.good("stat -c '%U:%G %a %n' /var/lib/akin /var/log/akin /run/akin /etc/akin/akin.conf; stat -c %U /var/log/akin/akin.log")
    assert said.splitlines() == ["akin:akin 755 /var/lib/akin", "akin:akin 750 /var/log/akin", "akin:akin 755 /run/akin",
                                 "root:root 644 /etc/akin/akin.conf", "akin"], said
    users = it.good("for p in $(akin-server --status | sed -n 's/^\\(worker\\.[0-9]*\\.\\)\\{0,1\\}pid //p'); do stat -c %U /proc/$p; done")
    assert set(users.split()) == {"akin"} and len(users.split()) == 3
    assert it.good("ls /var/lib/akin/models/.incoming* 2>/dev/null | wc -l").strip() == "0"


def check_that_nothing_is_left(it):
    assert it.processes() == []
    assert it.good("ls /dev/shm") == ""
    assert "akin" not in it.good("getent passwd; getent group; dpkg -l | grep ' akin ' || true")
    after = set(it.good("find / -xdev \\( -path /proc -o -path /dev -o -path /sys -o -path /tmp -o -path /root -o -path /srv "
                        "-o -path /var/cache -o -path /var/lib/apt -o -path /var/log/apt \\) -prune -o -print").splitlines())
    left = {path for path in after - it.before if not re.match(r"/srv|/var/lib/(dpkg|logrotate|systemd)|/etc/.*-$|/var/log/", path)}
    assert not left, sorted(left)
