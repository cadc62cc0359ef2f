"""The fuzz targets, briefly: all of the corpora in the tree, then a few seconds of made-up inputs each. `make fuzz` is for
longer. They are built by clang with sanitizers of their own, so once is enough."""
import concurrent.futures
import importlib.util
import os

import pytest

from harness import BUILD, TOP

BRIEF = 3       # seconds a target
spec = importlib.util.spec_from_file_location("fuzz_run", TOP / "tests/fuzz/run.py")
fuzz_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_run)

TARGETS = sorted(p.stem.removeprefix("fuzz_") for p in (TOP / "tests/fuzz").glob("fuzz_*.c"))


@pytest.fixture(scope="module")
def runs():
    """All of them, begun at once, one a core at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {t: pool.submit(fuzz_run.fuzz, BUILD / f"fuzz/fuzz_{t}", BRIEF, keep=False) for t in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_target(runs, target):
    _, stats, trouble = runs[target].result()
    assert not trouble, trouble
    inputs = len(list((TOP / "tests/fuzz/corpus" / target).iterdir()))
    assert stats["number_of_executed_units"] > inputs and stats["edges"] > 50, stats


def test_the_corpora_stay_small():
    sizes = {t: sum(p.stat().st_size for p in (TOP / "tests/fuzz/corpus" / t).iterdir()) for t in TARGETS}
    models = sizes.pop("model")         # whose references alone are 12 KB each, nearly all of it zeros
    assert sum(sizes.values()) < 200_000 and models < 1_500_000, (sizes, models)
