"""Cases in a process of their own: one that hangs, crashes or takes all memory is a fault, and the next ones go on."""

from __future__ import annotations

import json
import resource
import select
import subprocess
import sys
from collections.abc import Iterator

from experiments.tools.fuzz.cases import Outcomes, try_case
from slicing_gym.progress import ProgressBar

LIMIT_S = 60.0
"""Of a case, where the fuzzer has no `limit_s` of its own, and of making what cases are made of ten times as long."""

MEMORY = 16 * 2**30
"""Bytes of addresses that cases may take."""


def fuzz_apart(name: str, cases: int, seed: int, *, progress: bool = False) -> Outcomes:
    """As `fuzz`, the cases 0 to `cases` in processes of their own; with `progress` a bar counts them and the faults."""
    report, first = Outcomes(name, seed), 0
    with ProgressBar(total=cases, desc=name, disable=not progress) as bar:
        while first < cases:
            done = first
            for number, outcome, fault in _outcomes(name, first, cases, seed):
                done = number + 1
                if fault:
                    report.faults[number] = fault
                else:
                    report.counts[outcome] += 1
                bar.set_postfix(faults=len(report.faults), refresh=False)
                bar.update()
            first = done
    return report


def _outcomes(name: str, first: int, end: int, seed: int) -> Iterator[tuple[int, str, str]]:
    """Number, outcome and fault of each case until one ends the process."""
    command = [
        sys.executable,
        "-m",
        "experiments.tools.fuzz",
        name,
        "--worker",
        str(first),
        str(end),
        "--seed",
        str(seed),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number, limit = first, 10.0 * LIMIT_S
        while number < end:
            ready, _, _ = select.select([process.stdout], [], [], limit)
            line = process.stdout.readline() if ready else b""
            if not line.endswith(b"\n"):
                process.kill()
                what = f"it ended the process ({process.wait()})" if ready else f"it took more than {limit:g} s"
                yield number, "", what
                return
            found = json.loads(line)
            if isinstance(found, float):  # it is ready
                limit = found
            else:
                outcome, fault = found
                yield number, outcome, fault
                number += 1


def serve(name: str, first: int, end: int, seed: int) -> None:
    """What such a process does: its limit in a line when it is ready, and one for each case."""
    from experiments.tools.fuzz.fuzzers import make_fuzzer

    fuzzer = make_fuzzer(name)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(float(getattr(fuzzer, "limit_s", LIMIT_S)), flush=True)
    for number in range(first, end):
        print(json.dumps(try_case(fuzzer, number, seed)), flush=True)
