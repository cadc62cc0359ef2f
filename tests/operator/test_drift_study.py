"""The study behind docs/monitoring.md, cut short: it runs, nothing is drift in what has not drifted, and what has is seen."""
import re
import subprocess
import sys

import harness

STUDY = harness.TOP / "tests/bench/drift_study.py"


def test_a_short_study():
    ran = subprocess.run([sys.executable, STUDY, "--short", harness.BUILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         timeout=300)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    assert len(re.findall("^### ", ran.stdout, re.M)) == 7
    shares = [float(share) for share in re.findall(r"^\| own mix, \w+ \| \d+ \| (0\.\d+) ", ran.stdout, re.M)]
    assert max(shares) > 0.4            # the plain population would be no reference
