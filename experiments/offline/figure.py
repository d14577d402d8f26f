"""The paper's Fig. 9: what was learned from fixed histories, with and without a twin, and what was foretold of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.statistics import Interval, estimate, mean_over, stratified_bootstrap
from experiments.reporting.style import base_name, interval_bar, over_seeds, policy_colours, save_figure
from experiments.reporting.tables import aligned, write_rows

SUMMARY = "offline.json"
"""The figures of a run; written last, so that a run that has it is finished."""

ESTIMATES = {"fitted_q": "fitted Q evaluation", "twin": "the twin"}
"""What is foretold from a history alone."""

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
    for path in sorted(folder.rglob(SUMMARY)):
        summary = json.loads(path.read_text())
        if "utility" not in summary:
            continue
        group = (summary["scenario"], summary["head"], summary["history"], float(summary["conservative_weight"]))
        key = (*group, summary["agent"], summary["seed"])
        if key in seen:
            raise ValueError(f"folder: {key} is there twice, in {str(seen[key])!r} and {str(path.parent)!r}")
        seen[key] = path.parent
        groups[group].append(summary)
    if not groups:
        raise FileNotFoundError(f"folder: no finished offline run ({SUMMARY}) below {str(folder)!r}")
    return dict(groups)


def offline(folder: Path, output: Path) -> None:
    """Draw the offline runs below `folder`, a picture for each scenario and head; print tables, write CSVs.

    Args:
        folder: of runs of `experiments.offline`.
        output: PNG; scenario and head are added to its name.
    """
    pictures: dict[tuple[str, str], dict[Group, list[Summary]]] = defaultdict(dict)
    for group, runs in read_summaries(folder).items():
        pictures[group[:2]][group] = sorted(runs, key=lambda run: (base_name(run["agent"]), run["agent"], run["seed"]))
    for (scenario, head), groups in pictures.items():
        groups = dict(sorted(groups.items(), key=lambda item: (item[0][2] != "random", item[0])))
        for group, runs in groups.items():
            print(f"\n{_title(group, runs)}; interquartile mean over seeds [95 % interval]")
            print(_table(runs))
            print("\n".join(_worth_of_twins(runs)))
            print(_candidates(runs))
        path = output.with_name(f"{output.stem}_{scenario}_{head}.png")
        _draw(path, groups)
        _write(path.with_suffix(".csv"), groups)
        print(f"\nwritten: {path}, {path.with_suffix('.csv')}")


def _title(group: Group, runs: Sequence[Summary]) -> str:
    scenario, head, history, weight = group
    return f"scenario {scenario}, {head} head, {runs[0]['decisions']} decisions, {history}, eta = {weight:g}"


def _by_method(runs: Sequence[Summary]) -> dict[str, list[Summary]]:
    methods: dict[str, list[Summary]] = defaultdict(list)
    for run in runs:
        methods[run["agent"]].append(run)
    return methods


def _interval(values: Sequence[float]) -> Interval:
    return stratified_bootstrap([list(values)])


def _pairs(runs: Sequence[Summary], kind: str) -> list[tuple[float, float]]:
    """Truth on the history's own cell and what was foretold, where both are known."""
    both = [(run["utility_on_own_cell"], run["estimates"][kind]) for run in runs]
    return [(true, told) for true, told in both if true is not None and told is not None]


def _candidates(runs: Sequence[Summary]) -> str:
    """Of each method what Algorithm 2 ended with, with a twin also what Agent 2 brought from it; and which was kept."""
    rows = []
    for method, own in _by_method(runs).items():
        judged = [run["candidates"] for run in own]
        kept = [_best(each) for each in judged]
        for name in judged[0]:
            in_twin, utility = ([each[name][key] for each in judged] for key in ("in_twin", "utility"))
            times = [run["usual"][name]["in_data"] for run in own]
            counted = f"{kept.count(name)} of {len(kept)}"
            shown = [_interval(times).show(1), _shown(in_twin), _shown(utility), counted]
            rows.append([method, name.replace("_", " "), *shown])
    return aligned(["method", "what", "times in the data", "U in the twin", "U on unseen cells", "kept"], rows)


def _best(candidates: Mapping[str, Mapping[str, float]]) -> str:
    """Which of two candidates was kept: Agent 2 where they are level, as `keep_better` has it."""
    return max(reversed(list(candidates)), key=lambda name: candidates[name]["in_twin"])


def _shown(values: Sequence[float | None]) -> str:
    """An interval, or a dash where something is not known."""
    known = [value for value in values if value is not None]
    return _interval(known).show(3) if len(known) == len(values) else "-"


def _floors(runs: Sequence[Summary]) -> dict[str, list[float]]:
    """Of each floor its utility by seed: runs of a seed learned from the same history."""
    by_seed = {run["seed"]: run["floors"] for run in runs}
    return {name: [floors[name] for floors in by_seed.values()] for name in runs[0]["floors"]}


def _table(runs: Sequence[Summary]) -> str:
    rows = []
    for method, own in _by_method(runs).items():
        told = [[run["estimates"][name] for run in own] for name in ("fitted_q", "twin")]
        rows.append(
            [
                method,
                str(len(own)),
                _interval([run["utility"] for run in own]).show(3),
                _interval([run["reward_at_c_max"] for run in own]).show(2),
                _shown([run["utility_on_own_cell"] for run in own]),
                *(_shown(each) for each in told),
            ]
        )
    for name, values in _floors(runs).items():
        rows.append([name, str(len(values)), _interval(values).show(3), *"----"])
    in_data = {run["seed"]: run["utility_in_data"] for run in runs}
    rows.append(
        ["(mean of the history)", str(len(in_data)), "-", "-", _interval(list(in_data.values())).show(3), *"--"]
    )
    truth = ["U on unseen cells", "reward at c_max", "U on the history's cell"]
    return aligned(["policy", "seeds", *truth, "foretold by fitted Q", "by the twin"], rows)


def _worth_of_twins(runs: Sequence[Summary]) -> list[str]:
    """Of each algorithm the utility with a twin minus that without, seed by seed; and how far estimates were off."""
    methods = {name: {run["seed"]: run["utility"] for run in own} for name, own in _by_method(runs).items()}
    lines = []
    for name, own in methods.items():
        plain = base_name(name)
        if plain != name and plain in methods and own.keys() <= methods[plain].keys():
            gained = estimate([own[seed] - methods[plain][seed] for seed in own])
            lines.append(f"{name} minus {plain}: {gained.show(3)} ({mean_over(len(own))})")
    for kind, label in ESTIMATES.items():
        off = [told - true for true, told in _pairs(runs, kind)]
        if off:
            largest = max(off, key=abs)
            lines.append(
                f"{label} minus the truth: {estimate(off).show(3)}, at most {largest:+.3f} ({len(off)} policies)"
            )
    return lines


def _draw(path: Path, groups: Mapping[Group, Sequence[Summary]]) -> None:
    """A panel a history: bars of utility, floors as lines; the last panel: what was foretold against the truth."""
    everything = [run for runs in groups.values() for run in runs]
    told = any(_pairs(everything, kind) for kind in ESTIMATES)  # of a file nobody knows which cell it is of
    figure = Figure(figsize=(5.2 * len(groups) + 5.0 * told, 5.0), layout="constrained")
    panels = figure.subplots(1, len(groups) + told, squeeze=False)[0]
    for axes, (group, runs) in zip(panels, groups.items(), strict=False):
        _bars(axes, runs)
        axes.set_title(f"{runs[0]['decisions']} decisions, {Path(group[2]).name}, η = {group[3]:g}", fontsize=10)
    panels[0].set_ylabel("mean utility U on unseen cells")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8.5
    )
    if told:
        _told(panels[-1], everything)
    scenario, head, *_ = next(iter(groups))
    seeds = len({run["seed"] for run in everything})
    figure.suptitle(
        f"Scenario {scenario}, {head} head: learned from a fixed history, without a twin (hatched) and with one (-dt); "
        f"{over_seeds(seeds)}",
        fontsize=11,
    )
    save_figure(figure, path)


def _bars(axes: Axes, runs: Sequence[Summary]) -> None:
    """A bar an method, a line a floor."""
    methods, floors = _by_method(runs), _floors(runs)
    everything = [*(run["utility"] for run in runs), *(value for values in floors.values() for value in values)]
    bottom, top = min(everything) - 0.35, max(everything) + 0.3
    for place, (method, own) in enumerate(methods.items()):
        value = _interval([run["utility"] for run in own])
        interval_bar(axes, place, value, method, width=0.78)
        axes.annotate(
            f"{float(value.value):.2f}",
            (place, bottom),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    colours = {"behaviour_cloning": "#999999", "best_in_data": "#CC79A7", **policy_colours([])}
    for number, (name, values) in enumerate(floors.items()):
        axes.axhline(
            float(_interval(values).value),
            color=colours.get(name, "black"),
            ls=("--", "-.", ":")[number % 3],
            lw=1.6,
            label=name.replace("_", " "),
        )
    axes.set_xticks(range(len(methods)), [method.replace("-dt", "\n-dt") for method in methods], fontsize=8.5)
    axes.set_ylim(bottom, top)


def _told(axes: Axes, runs: Sequence[Summary]) -> None:
    """Estimates from the history alone against the truth on the history's cell."""
    everything = []
    for (kind, label), marker, colour in zip(ESTIMATES.items(), "o^", ("#0072B2", "#D55E00"), strict=True):
        pairs = _pairs(runs, kind)
        if pairs:
            true, told = zip(*pairs, strict=True)
            axes.scatter(true, told, marker=marker, s=26, alpha=0.8, color=colour, label=label)
            everything += [*true, *told]
    if everything:
        ends = [min(everything) - 0.1, max(everything) + 0.1]
        axes.plot(ends, ends, color="black", lw=0.8)
        axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    axes.set_xlabel("truth: U on the history's own cell")
    axes.set_ylabel("foretold from the history alone")
    axes.set_title("can one know before deploying? (on the line: yes)", fontsize=10)


def _write(path: Path, groups: Mapping[Group, Sequence[Summary]]) -> None:
    """A row a run, and of each history a row a floor and seed."""
    header = ["scenario", "head", "history", "conservative_weight", "policy", "seed", "utility", "reward_at_c_max"]
    header += ["utility_on_own_cell", "fitted_q", "twin"]
    rows: list[list[object]] = []
    for group, runs in groups.items():
        for run in runs:
            told = run["estimates"]
            numbers = [
                run["utility"],
                run["reward_at_c_max"],
                run["utility_on_own_cell"],
                told["fitted_q"],
                told["twin"],
            ]
            shown = ["" if value is None else f"{value:.6f}" for value in numbers]
            rows.append([*group, run["agent"], run["seed"], *shown])
        by_seed = {run["seed"]: run["floors"] for run in runs}
        for seed, floors in by_seed.items():
            rows += [[*group, name, seed, f"{value:.6f}", *[""] * 4] for name, value in floors.items()]
    write_rows(path, header, rows)
