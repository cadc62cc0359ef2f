"""What bash offers for akin-prep, held against what akin-prep says of itself."""
import os
import re
import subprocess

import pytest

from harness import PREP, TOP

COMMANDS = {"build", "verify", "show", "diff", "replay"}


def complete(*words):
    script = (f". {TOP}/etc/completion/akin-prep; compopt() {{ :; }}; COMP_WORDS=(akin-prep {' '.join(map(repr, words))}); "
              f"COMP_CWORD={len(words)}; _akin_prep; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", script], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0 and not done.stderr, done
    return set(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command):
    usage = subprocess.run([PREP, command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert {word for word in complete(command, "-") if word.startswith("--")} == {*re.findall(r"--[a-z-]+", usage), "--help"}


def test_words_and_files():
    assert complete("") == COMMANDS | {"--help", "--version"}
    assert complete("re") == {"replay"}
    assert complete("replay", "--by", "") == {"day", "week", "month"}
    assert complete("replay", "--server", "LIC") == {"LICENSE"}
    assert complete("replay", "--model", "LIC") == {"LICENSE"} == complete("show", "LIC")
    assert complete("replay", "-n", "") == set()
