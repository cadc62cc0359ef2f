"""The table of tests/unit/test_statistics.c is what this machine's SciPy and NumPy say."""
import math
import pathlib
import re
import subprocess
import sys

UNIT = pathlib.Path(__file__).resolve().parents[1] / "unit"
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def test_the_committed_table_is_what_scipy_says():
    told = subprocess.run([sys.executable, UNIT / "by_scipy.py"], check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    kept = (UNIT / "by_scipy.inc").read_text()
    assert NUMBER.sub("#", told) == NUMBER.sub("#", kept)
    assert kept.count("\n\t{") > 150
    for now, then in zip(NUMBER.findall(told), NUMBER.findall(kept), strict=True):
        assert math.isclose(float(now), float(then), rel_tol=1e-9, abs_tol=1e-15), (now, then)
