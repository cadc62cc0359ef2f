#!/usr/bin/python3
"""Run fuzz targets over the corpora in the tree, and then on made-up inputs for a while.

usage: run.py [--seconds N] FOLDER [TARGET...]

FOLDER holds the programs fuzz_TARGET; all of them are run when none is named, one a core at a time. Inputs that reach
something new are kept in FOLDER/found/TARGET and gone on from the next time; what breaks a target is left in
FOLDER/broken, and belongs into tests/fuzz/corpus with the fix. A target that breaks, or has no corpus, has failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LONGEST = {"csv": 4096, "feedback": 8192, "keys": 4096, "model": 24576, "settings": 2048}
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:allocator_may_return_null=0:handle_abort=1",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def fuzz(program, seconds, keep):
    """One target; its statistics, and what it printed when it failed."""
    target = program.name.removeprefix("fuzz_")
    corpus, dictionary = HERE / "corpus" / target, HERE / "dict" / f"{target}.dict"
    broken = program.parent / "broken"
    broken.mkdir(exist_ok=True)
    if not corpus.is_dir() or not any(corpus.iterdir()):
        return target, {}, f"{corpus} has no inputs"
    with tempfile.TemporaryDirectory() as aside:
        found = program.parent / "found" / target if keep else pathlib.Path(aside)
        found.mkdir(parents=True, exist_ok=True)
        command = [program, f"-max_total_time={seconds}", f"-max_len={LONGEST.get(target, 1024)}", "-timeout=25",
                   "-rss_limit_mb=2048", f"-artifact_prefix={broken}/{target}-", "-print_final_stats=1", "-verbosity=1",
                   *([f"-dict={dictionary}"] if dictionary.exists() else []), found, corpus]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                             env={**os.environ, **ENVIRONMENT}, timeout=seconds + 600)
    text = run.stdout.decode(errors="replace")
    stats = {k: int(v) for k, v in re.findall(r"^stat::(\w+):\s+(\d+)$", text, re.M)}
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    if reached:
        stats["edges"], stats["features"], stats["inputs"] = map(int, reached[-1])
    return target, stats, text[-8000:] if run.returncode else ""


def run(folder, seconds, wanted=(), keep=True):
    """All of them, or those wanted. How many passed and how many failed."""
    programs = sorted(p for p in folder.glob("fuzz_*") if os.access(p, os.X_OK) and not p.suffix)
    programs = [p for p in programs if not wanted or p.name.removeprefix("fuzz_") in wanted]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for target, stats, trouble in pool.map(lambda p: fuzz(p, seconds, keep), programs):
            passed, failed = passed + (not trouble), failed + bool(trouble)
            if trouble:
                print(trouble)
            print(f"fuzz_{target}: {'BROKEN, ' if trouble else ''}{stats.get('number_of_executed_units', 0)} runs, "
                  f"{stats.get('edges', 0)} edges, {stats.get('features', 0)} features, {stats.get('inputs', 0)} inputs, "
                  f"{stats.get('peak_rss_mb', 0)} MB", flush=True)
    return passed, failed + (len(programs) < max(len(wanted), 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("target", nargs="*")
    a = parser.parse_args()
    passed, failed = run(a.folder.resolve(), a.seconds, a.target)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
