"""Tests that gain nothing from a second build: scripts, packages, documents, other people's programs around Akin. They are
run once, on the normal build. AKIN_BUILD names its folder."""
import importlib.util
import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent / "container"), str(HERE.parent)]

import harness
import operated

spec = importlib.util.spec_from_file_location("system_conftest", HERE.parent / "system/conftest.py")
system = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system)
programs, expected, model, start, small = system.programs, system.expected, system.model, system.start, system.small


@pytest.fixture
def place(tmp_path):
    """Places with a server each: place(), place(shell="busybox"), place(open_to_all=True), where other users may go, too: pytest
    closes its own folders to them. Nothing of them runs after the test."""
    made, folders = [], []

    def place(open_to_all=False, **more):
        folder = tmp_path / f"place{len(made)}"
        if open_to_all:
            folders.append(tempfile.TemporaryDirectory(prefix="akin-place-"))
            folder = pathlib.Path(folders[-1].name)
            folder.chmod(0o755)
        made.append(operated.Place(folder, copies=open_to_all, **more))
        return made[-1]

    yield place
    for one in made:
        one.end()
    for folder in folders:
        folder.cleanup()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Small models, each of one row more than the one before."""
    folder = tmp_path_factory.mktemp("models")
    rows = [(str(c), f"I{(c * 7 + k) % 40:02}") for c in range(60) for k in range(c % 5 + 2)]
    paths = []
    for at in range(8):
        paths.append(folder / f"model{at}.akin")
        rows.append((str(200 + at), f"I{at:02}"))
        done = harness.prep("build", "-o", paths[-1], "-", stdin=harness.csv_bytes(rows))
        assert done.returncode == 0, done.err
    return paths
