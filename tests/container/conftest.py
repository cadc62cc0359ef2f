"""Built once, looked at and run by many tests, and removed whatever happens."""
import importlib.util
import os
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent)]

import buildah

spec = importlib.util.spec_from_file_location("system_conftest", HERE.parent / "system/conftest.py")
system = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system)
expected, model, start = system.expected, system.model, system.start

IMAGE = "localhost/akin:test"


@pytest.fixture(scope="session")
def store():
    if os.geteuid() != 0:
        pytest.skip("building and running an image without a daemon takes root")
    for tool in ("buildah", "mmdebstrap"):
        assert shutil.which(tool), f"{tool} is missing: etc/packages/test lists it"
    buildah.FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        buildah.open_store()
        yield
    finally:
        buildah.close_store()


@pytest.fixture(scope="session")
def base(store):
    buildah.make_base()
    return buildah.BASE


@pytest.fixture(scope="session")
def image(base):
    buildah.build(IMAGE, UI="none")             # what `make ui` could fetch is there already
    return IMAGE


@pytest.fixture(scope="session")
def configuration(image):
    return buildah.configuration(image)


@pytest.fixture
def container(image, tmp_path):
    """Containers of the image: container(AKIN_PORT=1234). Each is removed after the test."""
    made = []

    def container(**env):
        made.append(buildah.Container(image, tmp_path / f"container{len(made)}.log", **env))
        return made[-1]

    yield container
    for one in made:
        one.remove()
