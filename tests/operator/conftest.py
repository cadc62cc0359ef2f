"""Tests that gain nothing from a second build: scripts, packages, documents, other people's programs around Akin. They are
run once, on the normal build. AKIN_BUILD names its folder."""
import importlib.util
import pathlib
import sys

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
    """Places with a server each: place(), place(shell="busybox", port=0). Nothing of them runs after the test."""
    made = []

    def place(**more):
        made.append(operated.Place(tmp_path / f"place{len(made)}", **more))
        return made[-1]

    yield place
    for one in made:
        one.end()


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
