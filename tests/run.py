#!/usr/bin/python3
"""Run the tests on one or more builds and say in one line how it went.

usage: run.py [--unit] [--system] [--operator] [--container] BUILD... [-- PYTEST-ARGUMENT...]

Unit tests are the programs BUILD/unit/test_*; system tests are tests/system under pytest, told by AKIN_BUILD which
programs to start; pytest's arguments may name some of their files. Operator tests (tests/operator) and container tests
(tests/container) are run once, on the first build. The last line, "N passed, N failed", counts all; the exit status is 0
only when nothing failed and something passed.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parent.parent
ONCE = ("operator", "container")        # a second build would tell nothing new; they mount things
# A sanitizer's finding must end the program that has it, and no program may look healthy after one.
SANITIZER = {"ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:strict_string_checks=1",
             "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
             "TSAN_OPTIONS": "halt_on_error=1:exitcode=99:atexit_sleep_ms=100"}     # a second more would outlast drains


def finish(program):
    """Run it; its status and what it said. What it leaves running is ended: a failed assertion may forget a child,
    and a child that holds a pipe would keep us waiting, so the output goes to a file."""
    with tempfile.TemporaryFile() as out:
        run = subprocess.Popen([program], cwd=TOP, env={**os.environ, **SANITIZER}, stdout=out, stderr=out,
                               start_new_session=True)
        try:
            status = run.wait(600)
        except subprocess.TimeoutExpired:
            status = "no end within 600 s"
        try:
            os.killpg(run.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        run.wait()
        out.seek(0)
        return status, out.read().decode(errors="replace")


def unit(build):
    """Each program's tests; a program that dies counts as one failed test more."""
    passed = failed = 0
    programs = sorted((build / "unit").glob("test_*"))
    for program in (p for p in programs if os.access(p, os.X_OK) and not p.suffix):
        status, text = finish(program)
        ok = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", text)))
        bad = sum(map(int, re.findall(r"\[  FAILED  \] .*?(\d+) test\(s\)", text)))
        if status and not bad:
            bad = 1
        if bad or not ok:
            print(text, f"{program} ended with {status}", sep="\n")
        else:
            print(f"{program.relative_to(build.parent)}: {ok} passed", flush=True)
        passed, failed = passed + ok, failed + max(bad, 0 if ok else 1)
    return passed, failed


def system(build, folder, arguments):
    report = build / f"{folder}.xml"
    report.unlink(missing_ok=True)
    wrapper = [TOP / "tests/container/rooted"] if folder in ONCE else []
    named = any(re.search(r"\.py(::|$)", a) for a in arguments)
    subprocess.run([*wrapper, sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider",
                    f"--junitxml={report}", *([] if named else [TOP / "tests" / folder]), *arguments], cwd=TOP,
                   env={**os.environ, **SANITIZER, "AKIN_BUILD": str(build)})
    if not report.exists():
        return 0, 1
    suite = xml.parse(report).getroot()[0]
    count = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    return max(count["tests"] - failed - count["skipped"], 0), failed


def main():
    arguments = sys.argv[1:]
    mine, _, pytest = " ".join(arguments).partition(" -- ")
    mine = mine.split()
    builds = [(TOP / a).resolve() for a in mine if not a.startswith("--")]
    passed = failed = 0
    for build in builds:
        for flag, part in (("--unit", unit), ("--system", lambda b: system(b, "system", pytest.split()))):
            if flag in mine:
                print(f"== {flag[2:]} tests of {os.path.relpath(build, TOP)}", flush=True)
                ok, bad = part(build)
                passed, failed = passed + ok, failed + bad
    for folder in ONCE:
        if f"--{folder}" in mine:
            print(f"== {folder} tests", flush=True)
            ok, bad = system(builds[0], folder, pytest.split())
            passed, failed = passed + ok, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
