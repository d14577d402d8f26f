"""Trying cases one by one: what is counted, what is a fault, and how a case is made again."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

_REFUSED, _ACCEPTED = "refused", "accepted"
_SHOWN = {_REFUSED: "refused in one line"}

CODE_RUN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "pty.spawn")
"""Events of Python's audit that no file and no call may cause."""

_seen_events: list[str] = []


class Fuzzer(Protocol):
    """Makes cases out of random numbers, and tries them."""

    errors: tuple[type[Exception], ...]
    """What a case may be refused by; the message is one line."""

    def try_case(self, random: np.random.Generator) -> bool | str:
        """Try one case.

        Returns:
            Whether it was taken; False where it was refused otherwise than by an error. Or a few words on what came
            of it, by which cases are counted.

        Raises:
            Fault: what came of it is wrong.
        """


class Fault(Exception):  # noqa: N818  # of what is tried, not of the fuzzer
    """What was taken, but is wrong."""


@dataclass
class Outcomes:
    """What came of some cases.

    Args:
        name: of the fuzzer.
        seed: of its cases.
        counts: cases by what came of them.
        faults: what is wrong, by the number of the case.
    """

    name: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """A line of counts, and each fault with the command that makes it again."""
        tried = sum(self.counts.values()) + len(self.faults)
        shown = self.counts or {_REFUSED: 0, _ACCEPTED: 0}
        counts = ", ".join(f"{number} {_SHOWN.get(what, what)}" for what, number in sorted(shown.items(), reverse=True))
        lines = [f"{self.name}: {tried} cases tried (seed {self.seed}), {counts}, {len(self.faults)} faults"]
        for number, what in self.faults.items():
            again = f"python -m experiments.tools.fuzz {self.name} --seed {self.seed} --case {number}"
            lines += [f"  {again}", f"    {what}"]
        return "\n".join(lines)


def fuzz(name: str, fuzzer: Fuzzer, cases: Iterable[int], seed: int, *, verbose: bool = False) -> Outcomes:
    """Try cases in this process.

    Args:
        name: of the fuzzer.
        fuzzer: makes and tries them.
        cases: their numbers; a case depends on its number and the seed alone.
        seed: of all of them.
        verbose: print the traceback of each fault.
    """
    report = Outcomes(name, seed)
    for number in cases:
        outcome, fault = try_case(fuzzer, number, seed, verbose=verbose)
        if fault:
            report.faults[number] = fault
        else:
            report.counts[outcome] += 1
    return report


def try_case(fuzzer: Fuzzer, number: int, seed: int, *, verbose: bool = False) -> tuple[str, str]:
    """Outcome of a case, and what is wrong about it, if anything is."""
    _listen()
    _seen_events.clear()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = fuzzer.try_case(np.random.default_rng([seed, number]))
        outcome = found if isinstance(found, str) else _ACCEPTED if found else _REFUSED
        fault = ""
    except Exception as error:  # that is what is looked for
        outcome, fault = _REFUSED, _what_is_wrong(error, fuzzer.errors)
        if fault and verbose:
            traceback.print_exc()
    if _seen_events:
        fault = f"it ran code ({_seen_events[0]})"
    return outcome, fault


def _what_is_wrong(error: Exception, allowed: tuple[type[Exception], ...]) -> str:
    """About an error, as a refusal: nothing, if it is one of those that are allowed, with a message of one line."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, Fault):
        return str(error)[:500]
    if not isinstance(error, allowed) or isinstance(error, UnicodeError):
        return f"not refused in words of ours: {' '.join(text.split())[:500]}"
    several = "\n" in str(error).strip() and " faults; mend the log" not in str(error)  # a list of them
    if not str(error).strip() or several or len(str(error)) > 20_000:
        return f"refused in no line, or many: {text[:500]!r}"
    return ""


def _listen() -> None:
    """Note events of Python's audit from now on; hooks cannot be taken away, so there is one."""
    if not _listening:
        sys.addaudithook(_note)
        _listening.append(True)


_listening: list[bool] = []


def _note(event: str, _: Any) -> None:
    if event in CODE_RUN:
        _seen_events.append(event)
