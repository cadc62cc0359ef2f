"""The arrows between the rooms, held against the sources themselves."""
import re
import subprocess

import pytest

from harness import TOP

ROOMS = {"shm": {"shm"}, "metrics": {"shm", "metrics"}, "server": {"shm", "metrics", "server"}, "prep": {"shm", "prep"}}
FOLDERS = {"server", "prep", "shm", "metrics", "etc", "docker", "grafana", "prometheus", "tests", "docs", "build"}
ONLY = {                                        # header: who may include it
    "civetweb.h": {"server/exchange.c", "server/listener.c"},
    "lz4.h": {"shm/packed.c"}, "lz4hc.h": {"shm/packed.c"}, "lz4frame.h": {"prep/input.c"},
    "zlib.h": {"server/gzip.c"}, "curl/curl.h": {"prep/web.c"},
}
SOURCES = sorted(p for room in ROOMS for p in (TOP / room).glob("*.[ch]"))


def includes(path):
    return re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', path.read_text(), re.M)


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: str(p.relative_to(TOP)))
def test_source(source):
    room, name = source.parent.name, str(source.relative_to(TOP))
    for kind, header in includes(source):
        if kind == '"':
            found = (source.parent / header).resolve()
            assert found.exists(), f"{name} includes {header}, which is not there"
            assert found.parent.name in ROOMS[room], f"{name} includes {header}: arrows go down only"
        elif header in ONLY:
            assert name in ONLY[header], f"{name} includes {header}"
    text = source.read_text()
    assert text.startswith("/* "), f"{name} has no comment on top"
    assert text.count("\n") <= 450, f"{name} is too long for one duty"


def test_top_level_folders():
    listed = subprocess.run(["git", "ls-files"], cwd=TOP, stdout=subprocess.PIPE, text=True)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    folders = {name.split("/")[0] for name in names if "/" in name and not name.startswith(".")}
    assert folders <= FOLDERS, folders - FOLDERS
