"""What the benchmark costs: processor time of what is done, and an estimate of what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from experiments.benchmark_suite.plan import make_plan
from experiments.benchmark_suite.protocol import PROTOCOL, Protocol
from experiments.benchmark_suite.rows import RunKey, RunRow


class Cost(NamedTuple):
    """Processor time of training.

    Args:
        done: runs.
        done_s: that they took [s].
        missing: runs.
        missing_s: that they would take [s], by the mean of their method on all scenarios so far; of another budget, in
            proportion to the decisions.
        unknown: methods that are not run anywhere, and count nothing.
    """

    done: int
    done_s: float
    missing: int
    missing_s: float
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        """As the page shows it."""
        text = f"{self.done} runs are done; they trained for {self.done_s / 3600:.1f} h of processor time."
        if not self.missing:
            return text
        text += f" {self.missing} are missing: some {self.missing_s / 3600:.1f} h"
        rest = f" without those of {', '.join(self.unknown)}, whose cost is not known yet." if self.unknown else "."
        return text + rest


def cost_of(rows: Mapping[RunKey, RunRow], protocol: Protocol = PROTOCOL) -> Cost:
    """The cost of all runs of the protocol."""
    planned = {run for budget in protocol.training_seeds for run in make_plan(budget=budget, protocol=protocol).runs}
    missing = sorted(planned - rows.keys())
    own = [rows[run].cpu_seconds for run in planned & rows.keys()]
    expected = [_expected(run, rows.values()) for run in missing]
    unknown = {run.method for run, seconds in zip(missing, expected, strict=True) if seconds is None}
    known = [seconds for seconds in expected if seconds is not None]
    return Cost(len(own), sum(own), len(missing), sum(known), tuple(sorted(unknown)))


def _expected(run: RunKey, rows: Iterable[RunRow]) -> float | None:
    """Seconds of a run, by those of its method; None if there are none."""
    own = [(row.budget, row.cpu_seconds) for row in rows if row.method == run.method]
    if not own:
        return None
    same = [seconds for budget, seconds in own if budget == run.budget]
    return float(np.mean(same or [seconds * run.budget / budget for budget, seconds in own]))
