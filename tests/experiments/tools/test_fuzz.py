"""A short run of every fuzzer, and that they find what they look for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from experiments.tools.fuzz import Fault, fuzz
from experiments.tools.fuzz.fuzzers import FUZZERS, make_fuzzer
from experiments.tools.fuzz.process import ProcessFuzzer

CASES = {"config": 12, "env": 60, "files": 40, "logs": 30, "policy": 200}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_found_in_a_few_cases(name):
    assert {*CASES, "process"} == set(FUZZERS)
    report = fuzz(name, make_fuzzer(name), range(CASES[name]), seed=1)
    assert not report.faults, str(report)
    assert report.counts["refused"] > 0
    assert report.counts["accepted"] > 0


@pytest.mark.slow
def test_a_killed_run_ends_with_the_bytes_of_a_whole_one():
    fuzzer = ProcessFuzzer(("ddqn",))
    report = fuzz("process", fuzzer, [0], seed=61)  # killed halfway
    assert dict(report.counts) == {"KILL dead with a checkpoint": 1}, str(report)
    whole = fuzzer.whole("ddqn")
    whole.digests["history.npz"] = "other"
    found = fuzz("process", fuzzer, [0], seed=61).faults[0]
    assert found == "ddqn, KILL dead with a checkpoint: other bytes in history.npz"


class Wrong:
    """Does one of what is looked for."""

    errors = (ValueError,)

    def __init__(self, what):
        self.what = what

    def try_case(self, random):
        if self.what == "runs code":
            return os.system(": nothing") == 0
        if self.what == "a case of its own":
            raise Fault(f"the number {random.integers(10**9)}")
        if self.what == "ordinary":
            raise ValueError("key: 1 given, allowed is 2")
        raise {"traceback": KeyError("x"), "lines": ValueError("a\nb"), "silent": ValueError("")}[self.what]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("runs code", "it ran code"),
        ("traceback", "not refused in words of ours: KeyError"),
        ("lines", "refused in no line, or many"),
        ("silent", "refused in no line, or many"),
    ],
)
def test_what_is_wrong_is_a_fault_with_the_command_that_makes_it_again(what, said):
    report = fuzz("files", Wrong(what), [7], seed=3)
    assert said in report.faults[7]
    assert "python -m experiments.tools.fuzz files --seed 3 --case 7" in str(report)
    assert not fuzz("files", Wrong("ordinary"), [7], seed=3).faults


def test_a_case_is_the_same_whatever_was_tried_before():
    alone = fuzz("files", Wrong("a case of its own"), [5], seed=3).faults[5]
    assert fuzz("files", Wrong("a case of its own"), range(6), seed=3).faults[5] == alone


def test_the_command_counts():
    command = [sys.executable, "-m", "experiments.tools.fuzz", "env", "--cases", "20", "--seed", "4"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("env: 20 cases tried (seed 4), ")
    assert ran.stdout.endswith(" accepted, 0 faults\n")
