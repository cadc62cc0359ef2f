"""Tests that gain nothing from a second build: scripts, packages, documents, other people's programs around Akin. They are
run once, on the normal build. AKIN_BUILD names its folder."""
import importlib.util
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent / "container"), str(HERE.parent)]

spec = importlib.util.spec_from_file_location("system_conftest", HERE.parent / "system/conftest.py")
system = importlib.util.module_from_spec(spec)
spec.loader.exec_module(system)
programs, expected, model, start, small = system.programs, system.expected, system.model, system.start, system.small
