"""A comparison of policies as a table, a CSV and one number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.evaluate.rollout import Evaluation
from experiments.reporting.statistics import Estimate, estimate
from experiments.reporting.tables import aligned, write_rows
from slicing_gym import Scenario

STARVED = 0.05
"""Share of the intervals with SSR 1 by starvation above which a table's SSR misleads."""


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


def starvation_warnings(scenario: Scenario, evaluations: Sequence[Evaluation]) -> list[str]:
    """A line for each slice that a policy starves so that full queues admit nothing: SSR is 1 in such an interval.

    Args:
        scenario: of the cells.
        evaluations: as `compare` returns them; one that does not know it says nothing.
    """
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
    ssr = [name for name in table if name.startswith("ssr_")]
    return [
        Evaluation(
            policy=str(policy),
            seeds=tuple(rows["seed"].tolist()),
            utility=rows["utility"].to_numpy(),
            reward=rows["reward"].to_numpy(),
            spectral_efficiency=rows["spectral_efficiency"].to_numpy(),
            ssr=rows[ssr].to_numpy(),
        )
        for policy, rows in table.groupby("policy", sort=False)
    ]


def write_csv(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """One row per policy and cell, atomically.

    Args:
        path: of the CSV.
        scenario: whose slices the columns of SSR are of.
        evaluations: as `compare` returns them.
    """
    ssr_names = [f"ssr_{name}" for name in scenario.slice_names]
    rows = []
    for e in evaluations:
        for i, seed in enumerate(e.seeds):
            values = [e.utility[i], e.reward[i], *e.ssr[i], e.spectral_efficiency[i]]
            rows.append([scenario.name, e.policy, seed, *(f"{value:.6f}" for value in values)])
    header = ["scenario", "policy", "seed", "utility", "reward", *ssr_names, "spectral_efficiency"]
    write_rows(path, header, rows)
