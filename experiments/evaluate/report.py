"""A comparison of policies as a table, a CSV and one number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.evaluate.rollout import Evaluation
from experiments.reporting.statistics import Estimate, Share, estimate
from experiments.reporting.tables import aligned, write_rows
from slicing_gym import Scenario

STARVED = 0.05
"""Share of the intervals with SSR 1 by starvation above which a table's SSR misleads."""

ADMITTED = 0.95
"""Share of the packets offered that have to enter the queues; below it SSR says too little of a slice."""

_BY_SLICE = ("ssr", "admitted", "starved")
"""Fields of an `Evaluation` with a value per slice, and the first words of their columns in a CSV."""


def as_table(scenario: Scenario, evaluations: Sequence[Evaluation], with_reward: bool = True) -> str:
    """The comparison as text; ± is half of a 95 % interval over the cells, [] are its ends.

    Args:
        scenario: of the cells.
        evaluations: a row each.
        with_reward: show the share at c_max (of decisions whose U reaches it): a goal where the scenario rewards it.
    """
    ssr_names = [f"SSR {name}" for name in scenario.slice_names]
    header = ["policy", "utility", *(["share at c_max"] if with_reward else []), *ssr_names, "SE [bit/s/Hz]"]
    rows = []
    for evaluation in evaluations:
        values = evaluation.estimates(scenario.slice_names)
        shown = [value for name, value in values.items() if with_reward or name != "reward"]
        rows.append([evaluation.policy, *map(str, shown)])
        rows[-1][-1] = values["spectral_efficiency"].show(1)
    return aligned(header, rows)


def queue_warnings(scenario: Scenario, evaluations: Sequence[Evaluation]) -> list[str]:
    """What SSR does not show of full queues: a table of what they admit, and a line for each slice that is starved.

    Args:
        scenario: of the cells.
        evaluations: as `compare` returns them; one that does not know it says nothing.
    """
    return [*_admission_warning(scenario, evaluations), *_starvation_warnings(scenario, evaluations)]


def _admission_warning(scenario: Scenario, evaluations: Sequence[Evaluation]) -> list[str]:
    """The share of packets admitted, of slices of which some policy keeps more than a few out."""
    known = {each.policy: each.admitted for each in evaluations if each.admitted is not None}
    few = [n for n in range(scenario.num_slices) if any(share[:, n].mean() < ADMITTED for share in known.values())]
    if not few:
        return []
    names = [scenario.slice_names[n] for n in few]
    rows = [[policy, *(str(Share(*estimate(share[:, n]))) for n in few)] for policy, share in known.items()]
    return [
        f"warning: full queues keep packets of {', '.join(names)} out, which SSR does not count; see "
        "docs/scenarios.md#an-overloaded-cell",
        aligned(["admitted of those offered", *names], rows),
    ]


def _starvation_warnings(scenario: Scenario, evaluations: Sequence[Evaluation]) -> list[str]:
    """A line for each slice that a policy starves so that full queues admit nothing: SSR is 1 in such an interval."""
    lines = []
    for n, name in enumerate(scenario.slice_names):
        found = []
        for each in evaluations:
            share = 0.0 if each.starved is None else float(each.starved[:, n].mean())
            if share > STARVED:
                found.append(f"in {share:.0%} of the intervals under {each.policy}")
                if share < 1.0:
                    others = (float(each.ssr[:, n].mean()) - share) / (1.0 - share)
                    found[-1] += f" (over the others its SSR is {others:.3f})"
        if found:
            lines.append(
                f"warning: {name}: full queues admit nothing, which counts as SSR 1, {', '.join(found)}; see "
                "docs/scenarios.md#an-overloaded-cell"
            )
    return lines


def headroom(evaluations: Sequence[Evaluation]) -> Estimate | None:
    """Utility of the one-step oracle minus that of the best fixed allocation, cell by cell; None if one is missing.

    Args:
        evaluations: as `compare` returns them.
    """
    found = {evaluation.policy: evaluation for evaluation in evaluations}
    if "one_step_oracle" not in found or "best_fixed" not in found:
        return None
    return estimate(found["one_step_oracle"].utility - found["best_fixed"].utility)


def read_csv(path: Path) -> list[Evaluation]:
    """What `write_csv` wrote.

    Raises:
        OSError, ValueError: there is no such file.
    """
    table = pd.read_csv(path)
    columns = {field: [name for name in table if name.startswith(f"{field}_")] for field in _BY_SLICE}
    found = []
    for policy, rows in table.groupby("policy", sort=False):
        by_slice = {field: rows[names].to_numpy() for field, names in columns.items()}
        unknown = {field for field in ("admitted", "starved") if not columns[field] or np.isnan(by_slice[field]).any()}
        by_slice |= dict.fromkeys(unknown)
        means = {field: rows[field].to_numpy() for field in ("utility", "reward", "spectral_efficiency")}
        found.append(Evaluation(policy=str(policy), seeds=tuple(rows["seed"].tolist()), **means, **by_slice))
    return found


def write_csv(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """One row per policy and cell, atomically.

    Args:
        path: of the CSV.
        scenario: whose slices the columns of SSR are of.
        evaluations: as `compare` returns them; what one does not know of queues stays empty.
    """
    ssr, admitted, starved = ([f"{field}_{name}" for name in scenario.slice_names] for field in _BY_SLICE)
    header = ["scenario", "policy", "seed", "utility", "reward", *ssr, "spectral_efficiency", *admitted, *starved]
    rows = []
    for e in evaluations:
        queues = [np.full_like(e.ssr, np.nan) if known is None else known for known in (e.admitted, e.starved)]
        for i, seed in enumerate(e.seeds):
            values = [e.utility[i], e.reward[i], *e.ssr[i], e.spectral_efficiency[i], *queues[0][i], *queues[1][i]]
            written = ("" if np.isnan(value) else f"{value:.6f}" for value in values)
            rows.append([scenario.name, e.policy, seed, *written])
    write_rows(path, header, rows)
