"""The paper's Fig. 9: what was learned from fixed histories, with and without a twin, and what was estimated of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.offline.report import (
    ESTIMATES,
    Group,
    Summary,
    by_method,
    candidates_table,
    lower_baselines_by_seed,
    pairs,
    read_summaries,
    table,
    title,
    worth_and_errors,
    write,
)
from experiments.reporting.names import display_names
from experiments.reporting.statistics import base_name, bootstrap_interval, over_few_seeds
from experiments.reporting.style import draw_point, over_seeds, point_style, policy_colours, save_figure


def draw_offline(folder: Path, output: Path) -> str:
    """Draw the offline runs below `folder`, a picture for each scenario and head; write CSVs.

    Args:
        folder: of runs of `experiments.offline`.
        output: PNG; scenario and head are added to its name.

    Returns:
        Tables, as text.
    """
    texts = []
    pictures: dict[tuple[str, str], dict[Group, list[Summary]]] = defaultdict(dict)
    for group, runs in read_summaries(folder).items():
        pictures[group[:2]][group] = sorted(runs, key=lambda run: (base_name(run["agent"]), run["agent"], run["seed"]))
    for (scenario, head), groups in pictures.items():
        groups = dict(sorted(groups.items(), key=lambda item: (item[0][2] != "random", item[0])))
        for group, runs in groups.items():
            two = over_few_seeds(map(len, by_method(runs).values()))
            texts.append(f"\n{title(group, runs)}; interquartile mean over seeds [95 % interval{two}]")
            texts += [table(runs), *worth_and_errors(runs), candidates_table(runs)]
        path = output.with_name(f"{output.stem}_{scenario}_{head}.png")
        _draw(path, groups)
        write(path.with_suffix(".csv"), groups)
        texts.append(f"\nwritten: {path}, {path.with_suffix('.csv')}")
    return "\n".join(texts)


def _draw(path: Path, groups: Mapping[Group, Sequence[Summary]]) -> None:
    """One panel per history: points of utility, lines of lower baselines; the last one: estimates against the truth."""
    everything = [run for runs in groups.values() for run in runs]
    estimated = any(pairs(everything, kind) for kind in ESTIMATES)  # of a file nobody knows which cell it is of
    figure = Figure(figsize=(5.2 * len(groups) + 5.0 * estimated, 5.0), layout="constrained")
    panels = figure.subplots(1, len(groups) + estimated, squeeze=False)[0]
    for axes, (group, runs) in zip(panels, groups.items(), strict=False):
        _points(axes, runs)
        weight = f"weight of the conservative term η = {group[3]:g}"
        axes.set_title(f"{runs[0]['decisions']} decisions, {Path(group[2]).name}; {weight}", fontsize=10)
    panels[0].set_ylabel("mean utility U on unseen cells")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=8.5
    )
    if estimated:
        _estimated(panels[-1], everything)
    scenario, head, *_ = next(iter(groups))
    seeds = len({run["seed"] for run in everything})
    figure.suptitle(
        f"Scenario {scenario}, {head} head: learned from a fixed history, without a twin (hollow) and with one (filled)"
        f"; {over_seeds(seeds)}",
        fontsize=11,
    )
    save_figure(figure, path)


def _points(axes: Axes, runs: Sequence[Summary]) -> None:
    """One point per method, one line per lower baseline."""
    methods, baselines = by_method(runs), lower_baselines_by_seed(runs)
    everything = [*(run["utility"] for run in runs), *(value for values in baselines.values() for value in values)]
    names = display_names([*methods, *baselines])
    for x, (method, own) in enumerate(methods.items()):
        value = bootstrap_interval([run["utility"] for run in own])
        draw_point(axes, x, value, f"{value.value:.2f}", fontsize=9, zorder=3, **point_style(method))
    colours = {"behaviour_cloning": "#999999", "best_in_data": "#CC79A7", **policy_colours([])}
    for number, (name, values) in enumerate(baselines.items()):
        axes.axhline(
            float(bootstrap_interval(values).value),
            color=colours.get(name, "black"),
            ls=("--", "-.", ":")[number % 3],
            lw=1.6,
            label=names[name],
        )
    axes.set_xticks(range(len(methods)), [names[method].replace(" with", "\nwith") for method in methods], fontsize=8.5)
    axes.set_xlim(-0.5, len(methods) - 0.2)
    axes.set_ylim(min(everything) - 0.2, max(everything) + 0.2)


def _estimated(axes: Axes, runs: Sequence[Summary]) -> None:
    """Estimates from the history alone against the truth on the history's cell."""
    everything = []
    for (kind, label), marker, colour in zip(ESTIMATES.items(), "o^", ("#0072B2", "#D55E00"), strict=True):
        known = pairs(runs, kind)
        if known:
            true, estimated = zip(*known, strict=True)
            axes.scatter(true, estimated, marker=marker, s=26, alpha=0.8, color=colour, label=label)
            everything += [*true, *estimated]
    if everything:
        ends = [min(everything) - 0.1, max(everything) + 0.1]
        axes.plot(ends, ends, color="black", lw=0.8)
        axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    axes.set_xlabel("truth: U on the history's own cell")
    axes.set_ylabel("estimated from the history alone")
    axes.set_title("can one know before deploying? (on the line: yes)", fontsize=10)
