"""`make drift-demo`, with smaller windows: the whole way from a drift to a model that fits, with no hand on it."""
import subprocess
import sys

import harness


def test_drift_is_seen_and_mended_with_no_hand_on_it():
    done = subprocess.run([sys.executable, harness.TOP / "tests/drift_demo.py", "--quick", "--deadline", "240", harness.BUILD],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
    assert done.returncode == 0, done.stdout
    log = done.stdout
    for told in ("Alertmanager: AkinUnknownIdsRising fires", "receiver: retraining: Akin", "retraining ended: ok",
                 "generation 2 is served", "nothing that asks for retraining fires any more"):
        assert told in log, log
