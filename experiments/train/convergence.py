"""The paper's Figs. 5 and 6: share at c_max and utility over real decisions, with a twin and without, and a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents import RandomPolicy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.reporting.names import display_names
from experiments.reporting.statistics import (
    base_name,
    bootstrap_interval,
    interquartile_mean,
    over_few_seeds,
    until_shortest,
)
from experiments.reporting.style import agent_colours, curve_dashes, draw_curve, episode_axis, over_seeds, save_figure
from experiments.reporting.tables import REGRET_NOTE, aligned, write_rows
from experiments.runs.folder import NO_HEAD, Run, common_scenario, find_runs
from experiments.train.callbacks import REWARD_GOAL
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]

MEASURES = {"reward_at_c_max": "share at c_max", "utility": "mean utility U"}


def draw_convergence(folder: Path, output: Path) -> str:
    """Draw the curves of all runs below `folder`, a picture for each scenario and head, planners in each; write CSVs.

    Args:
        folder: of runs of `experiments.train`.
        output: PNG; scenario and head are added to its name.

    Returns:
        Tables, as text.
    """
    texts = []
    for (scenario, head), runs in _by_picture(find_runs(folder)).items():
        methods: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(runs, key=lambda run: (base_name(run.method), run.method)):
            methods[run.method].append(run)
        path = output.with_name(f"{output.stem}_{scenario}_{head}.png")
        random = random_baseline(common_scenario(runs), sorted({run.seed for run in runs}))
        draw(path, scenario, head, methods, random)
        what = f"[95 % interval, bootstrap{over_few_seeds(map(len, methods.values()))}]"
        texts.append(f"\nscenario {scenario}, {head} head; interquartile mean over seeds {what}")
        texts.append(table(methods, random))
        write(path.with_suffix(".csv"), runs)
        texts.append(f"written: {path}, {path.with_suffix('.csv')}, {path.with_name(path.stem + '_runs.csv')}")
    return "\n".join([*texts, REGRET_NOTE])


def _by_picture(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """Runs by scenario and head; those of planners, which have no head, with all others of their scenario."""
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.group].append(run)
    for scenario, head in list(groups):
        others = [key for key in groups if key[0] == scenario and key[1] != NO_HEAD]
        if head == NO_HEAD and others:
            planners = groups.pop((scenario, head))
            for key in others:
                groups[key] += planners
    return groups


def random_baseline(scenario: Scenario, seeds: Sequence[int], episodes: int = 20) -> dict[str, FloatArray]:
    """What random allocations earn on the same cells: means over decisions (seeds,) by measure."""
    cells, decisions = make_cells(scenario, len(seeds)), episodes * scenario.decisions_per_episode
    found = evaluate_policy("random", RandomPolicy(scenario, seed=0), cells, seeds, decisions)
    return {"utility": found.utility, "reward_at_c_max": found.reward}


def draw(
    path: Path, scenario: str, head: str, methods: Mapping[str, Sequence[Run]], random: Mapping[str, FloatArray]
) -> None:
    """Left the share at c_max (Fig. 5), if there is such a goal, right the utility (Fig. 6), against episodes."""
    everyone = [run for runs in methods.values() for run in runs]
    has_goal = any(run.has_goal for run in everyone)
    shown = {measure: label for measure, label in MEASURES.items() if has_goal or measure == "utility"}
    figure = Figure(figsize=(12, 5.2), layout="constrained")
    seeds = over_seeds(*map(len, methods.values()), intervals="shaded 95 % intervals")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    names, colours = display_names([*methods, "random"]), agent_colours([*methods, "random"])
    for axes, (measure, label) in zip(panels, shown.items(), strict=True):
        longest = 1
        for beneath, (method, runs) in zip(_later_of_its_kind(list(methods)), methods.items(), strict=True):
            curve = until_shortest([run.curve(measure) for run in runs])
            longest = max(longest, curve.shape[1])
            _line(axes, method, names[method], curve, colours[method], beneath)
        _line(axes, "random", names["random"], np.tile(random[measure][:, None], (1, longest)), colours["random"])
        if measure == "utility":
            best = interquartile_mean([float(run.summary["best_fixed_on_own_cell"]) for run in everyone])
            axes.axhline(float(best), color="black", ls=":", lw=1.2, label="best fixed")
        else:
            axes.axhline(REWARD_GOAL, color="black", ls="-.", lw=0.8)
            axes.annotate(
                f"goal: {REWARD_GOAL}", (1.05, REWARD_GOAL), xytext=(0, 3), textcoords="offset points", fontsize=8.5
            )
            axes.set_ylim(-0.02, 1.03)
        episode_axis(axes, longest)
        axes.set_title(label, fontsize=10)
        axes.grid(alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    title = f"Scenario {scenario}, {head} head: what agents earn while they learn{_of_kinds(list(methods))}"
    why = "" if has_goal else "; no share at c_max: the scenario rewards no threshold"
    figure.suptitle(f"{title}\ninterquartile mean over {seeds}{why}", fontsize=11)
    save_figure(figure, path)


def _of_kinds(methods: Sequence[str]) -> str:
    """Whether these have a twin, and how the two kinds are told apart where both are there."""
    with_twin = [method != base_name(method) for method in methods if method != "planner"]
    if all(with_twin):
        return ", all with a twin" if with_twin else ""
    return ", with a twin (solid) and without (dashed)" if any(with_twin) else ", without a twin"


def _later_of_its_kind(methods: Sequence[str]) -> list[int]:
    """How many curves of the same kind, with a twin or without, are drawn over that of each method."""
    kinds = [method != base_name(method) for method in methods]
    return [kinds[number + 1 :].count(kind) for number, kind in enumerate(kinds)]


def _line(axes: Axes, method: str, label: str, values: FloatArray, colour: str, beneath: int = 0) -> None:
    """A curve (seeds, episodes) with its interval; wider where others are drawn over it, which may coincide with it."""
    episodes = np.arange(1, values.shape[1] + 1)
    twin, wider = method != base_name(method), min(beneath, 2)
    style: dict[str, Any] = {
        "ls": ":" if method == "random" else curve_dashes(method),
        "lw": (1.8 if twin else 1.2) * (1 + wider),
        "marker": "o" if twin else "",
        "ms": 4 + 3 * wider,
    }
    draw_curve(axes, episodes, values, shade=0.18, color=colour, label=label, **style)


def table(methods: Mapping[str, Sequence[Run]], random: Mapping[str, FloatArray]) -> str:
    """Episodes to the goal, utility at as many decisions and in the end, regret and time of each method, as text."""
    rows = []
    shared = min(len(run.curve("utility")) for runs in methods.values() for run in runs)
    for method, runs in methods.items():
        goal = bootstrap_interval([run.episodes_to_goal for run in runs])
        lengths = [len(run.curve("utility")) for run in runs]
        alike = bootstrap_interval([run.curve("utility")[shared - 1] for run in runs])
        numbers = [[float(run.summary[name]) for run in runs] for name in ("utility", "regret", "cpu_seconds")]
        columns = [alike, *map(bootstrap_interval, numbers)]
        rows.append(
            [
                method,
                str(len(runs)),
                "-".join(map(str, sorted({min(lengths), max(lengths)}))),
                goal.show(1, f">{min(lengths)}"),
                *(each.show(digits) for each, digits in zip(columns, (3, 3, 0, 0), strict=True)),
            ]
        )
    chance = bootstrap_interval(random["utility"])
    rows.append(["random", str(len(random["utility"])), "-", "-", chance.show(3), "-", "-", "-"])
    header = [
        "method",
        "seeds",
        "episodes",
        f"episodes to share {REWARD_GOAL}",
        f"U in episode {shared}",
        "final U, unseen cells",
        "regret, best fixed [U]",
        "CPU seconds",
    ]
    return aligned(header, rows)


def write(path: Path, runs: Sequence[Run]) -> None:
    """Write every episode of every run, and one row per run."""
    names = ["decisions", *MEASURES]
    ordered = sorted(runs, key=lambda run: (run.method, run.seed))
    episodes = [
        [*run.group, run.method, run.seed, number, *(f"{run.curve(name)[number - 1]:.6g}" for name in names)]
        for run in ordered
        for number in range(1, len(run.curve("utility")) + 1)
    ]
    write_rows(path, ["scenario", "head", "agent", "seed", "episode", *names], episodes)
    keys = [key for key in dict.fromkeys(key for run in ordered for key in run.summary) if key != "config"]
    rows = [[run.summary.get(key) for key in keys] for run in ordered]  # versions before wrote fewer
    write_rows(path.with_name(path.stem + "_runs.csv"), keys, rows)
