"""Runs that learned from histories as tables and a CSV: with a twin and without, and how far estimates were off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.reporting.statistics import bootstrap_interval, estimate, worth_of_twins
from experiments.reporting.tables import aligned, write_rows
from experiments.runs.folder import OFFLINE_SUMMARY
from slicing_gym.reading import read_json

ESTIMATES = {"fitted_q": "fitted Q evaluation", "twin": "the twin"}
"""What is estimated from a history alone."""


Summary = dict[str, Any]

Group = tuple[str, str, str, float]
"""Scenario, head, history, conservative weight."""


def read_summaries(folder: Path) -> dict[Group, list[Summary]]:
    """The finished offline runs below a folder that were compared with the truth, by what they have in common.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is there twice.
    """
    groups: dict[Group, list[Summary]] = defaultdict(list)
    seen: dict[tuple[object, ...], Path] = {}
    for path in sorted(folder.rglob(OFFLINE_SUMMARY)):
        summary = _of_today(read_json("folder", path))
        if "utility" not in summary:
            continue
        group = (summary["scenario"], summary["head"], summary["history"], float(summary["conservative_weight"]))
        key = (*group, summary["agent"], summary["seed"])
        if key in seen:
            raise ValueError(f"folder: {key} is there twice, in {str(seen[key])!r} and {str(path.parent)!r}")
        seen[key] = path.parent
        groups[group].append(summary)
    if not groups:
        raise FileNotFoundError(f"folder: no finished offline run ({OFFLINE_SUMMARY}) below {str(folder)!r}")
    return dict(groups)


def _of_today(summary: Summary) -> Summary:
    """A summary with the keys that it has today; versions before had others."""
    renamed = {"usual": "modal", "floors": "lower_baselines"}
    return {renamed.get(key, key): value for key, value in summary.items()}


def title(group: Group, runs: Sequence[Summary]) -> str:
    """What runs of a group have in common, in one line."""
    scenario, head, history, weight = group
    return f"scenario {scenario}, {head} head, {runs[0]['decisions']} decisions, {history}, eta = {weight:g}"


def by_method(runs: Sequence[Summary]) -> dict[str, list[Summary]]:
    """Runs by the agent that learned."""
    methods: dict[str, list[Summary]] = defaultdict(list)
    for run in runs:
        methods[run["agent"]].append(run)
    return methods


def pairs(runs: Sequence[Summary], kind: str) -> list[tuple[float, float]]:
    """Truth on the history's own cell and what was estimated, where both are known."""
    both = [(run["utility_on_own_cell"], run["estimates"][kind]) for run in runs]
    return [(true, estimated) for true, estimated in both if true is not None and estimated is not None]


def candidates_table(runs: Sequence[Summary]) -> str:
    """Of each method what Algorithm 2 ended with, with a twin also what Agent 2 brought from it; and which was kept."""
    rows = []
    for method, own in by_method(runs).items():
        evaluated = [run["candidates"] for run in own]
        kept = [(run.get("choice") or {}).get("kept") or _best(run["candidates"]) for run in own]
        for name in evaluated[0]:
            in_twin, utility = ([each[name][key] for each in evaluated] for key in ("in_twin", "utility"))
            times = [run["modal"][name]["in_data"] for run in own]
            counted = f"{kept.count(name)} of {len(kept)}"
            shown = [bootstrap_interval(times).show(1), _shown(in_twin), _shown(utility), counted]
            rows.append([method, name.replace("_", " "), *shown])
    return aligned(["method", "what", "times in the data", "U in the twin", "U on unseen cells", "kept"], rows)


def _best(candidates: Mapping[str, Mapping[str, float]]) -> str:
    """Which of two candidates versions before have kept, which did not say so: Agent 2 where they are level."""
    return max(reversed(list(candidates)), key=lambda name: candidates[name]["in_twin"])


def _shown(values: Sequence[float | None]) -> str:
    """An interval, or a dash where something is not known."""
    known = [value for value in values if value is not None]
    return bootstrap_interval(known).show(3) if len(known) == len(values) else "-"


def lower_baselines_by_seed(runs: Sequence[Summary]) -> dict[str, list[float]]:
    """Of each lower baseline its utility by seed: runs of a seed learned from the same history."""
    by_seed = {run["seed"]: run["lower_baselines"] for run in runs}
    return {name: [each[name] for each in by_seed.values()] for name in runs[0]["lower_baselines"]}


def table(runs: Sequence[Summary]) -> str:
    """What agents and lower baselines earn, and what was estimated."""
    rows = []
    for method, own in by_method(runs).items():
        estimated = [[run["estimates"][name] for run in own] for name in ESTIMATES]
        rows.append(
            [
                method,
                str(len(own)),
                bootstrap_interval([run["utility"] for run in own]).show(3),
                bootstrap_interval([run["reward_at_c_max"] for run in own]).show(2),
                _shown([run["utility_on_own_cell"] for run in own]),
                *(_shown(each) for each in estimated),
            ]
        )
    for name, values in lower_baselines_by_seed(runs).items():
        rows.append([name, str(len(values)), bootstrap_interval(values).show(3), *"----"])
    in_data = {run["seed"]: run["utility_in_data"] for run in runs}
    mean = bootstrap_interval(list(in_data.values())).show(3)
    rows.append(["(mean of the history)", str(len(in_data)), "-", "-", mean, *"--"])
    truth = ["U on unseen cells", "share at c_max", "U on the history's cell"]
    return aligned(["policy", "seeds", *truth, "estimated by fitted Q", "by the twin"], rows)


def worth_and_errors(runs: Sequence[Summary]) -> list[str]:
    """Of each algorithm the utility with a twin minus that without, seed by seed; and how far estimates were off."""
    utility = {(name, ""): {run["seed"]: run["utility"] for run in own} for name, own in by_method(runs).items()}
    lines = worth_of_twins(utility)
    for kind, label in ESTIMATES.items():
        off = [estimated - true for true, estimated in pairs(runs, kind)]
        if off:
            largest = max(off, key=abs)
            lines.append(
                f"{label} minus the truth: {estimate(off).show(3)}, at most {largest:+.3f} ({len(off)} policies)"
            )
    return lines


def write(path: Path, groups: Mapping[Group, Sequence[Summary]]) -> None:
    """One row per run, and of each history one row per lower baseline and seed."""
    names = ["utility", "reward_at_c_max", "utility_on_own_cell"]
    header = ["scenario", "head", "history", "conservative_weight", "policy", "seed", *names, *ESTIMATES]
    rows: list[list[object]] = []
    for group, runs in groups.items():
        for run in runs:
            numbers = [*(run[name] for name in names), *(run["estimates"][kind] for kind in ESTIMATES)]
            shown = ["" if value is None else f"{value:.6f}" for value in numbers]
            rows.append([*group, run["agent"], run["seed"], *shown])
        by_seed = {run["seed"]: run["lower_baselines"] for run in runs}
        for seed, baselines in by_seed.items():
            rows += [[*group, name, seed, f"{value:.6f}", *[""] * 4] for name, value in baselines.items()]
    write_rows(path, header, rows)
