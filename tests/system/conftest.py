"""What the system tests share. AKIN_BUILD names the folder of the programs to test."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import harness
import independent
from upgraded import launch, program         # noqa: F401 (fixtures)


@pytest.fixture(scope="session", autouse=True)
def programs():
    for path in (harness.PREP, harness.SERVER):
        assert path.exists(), f"{path} is not built"


@pytest.fixture(scope="session")
def expected():
    """Online Retail's right answers."""
    return independent.online_retail(harness.TOP / "build/expected.pickle")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Online Retail's model, built from the shipped data."""
    path = tmp_path_factory.mktemp("model") / "online-retail.model"
    done = harness.prep("build", "-o", path, independent.DATA)
    assert done.returncode == 0, done.err
    return path


@pytest.fixture(scope="session")
def session_server(model, tmp_path_factory):
    """One server of Online Retail for tests that only read."""
    server = harness.Server(tmp_path_factory.mktemp("reader"), model, max_n=10000)
    yield server
    try:
        assert server.stop() == 0, server.logged()
        assert server.segments() == []
    finally:
        server.kill()


@pytest.fixture
def start(tmp_path):
    """Start servers; after the test each must end well and leave nothing behind."""
    servers = []

    def start(model, *arguments, **settings):
        server = harness.Server(tmp_path / f"server{len(servers)}", model, *arguments, **settings)
        servers.append(server)
        return server

    yield start
    try:
        for server in servers:
            if server.process.poll() is None:
                assert server.stop() == 0, server.logged()
            harness.no_sanitizer_report(server.logged())
            if server.token:
                assert server.segments() == []
    finally:
        for server in servers:
            server.kill()


@pytest.fixture
def small(tmp_path):
    """Build a model from rows or CSV bytes: small(rows, 'name') -> path."""
    def small(data, name="small.model", *options):
        path = tmp_path / name
        raw = data if isinstance(data, bytes) else harness.csv_bytes(data)
        done = harness.prep("build", "-o", path, *options, "-", stdin=raw)
        assert done.returncode == 0, done.err
        return path
    return small
