"""The pictures of the experiments."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.evaluation import Evaluation
from experiments.statistics import Interval, estimate
from slicing_gym import Scenario
from slicing_gym.files import atomic_write

matplotlib.use("Agg")

_BASELINE_COLOURS = {
    "random": "#999999",
    "hard": "#E69F00",
    "proportional": "#56B4E9",
    "best_fixed": "#009E73",
    "clairvoyant": "#CC79A7",
}
_OTHER_COLOURS = ("#0072B2", "#D55E00", "#F0E442", "#000000")  # Okabe and Ito's, as are those above

_AGENT_COLOURS = {
    "dqn": "#0072B2",
    "ddqn": "#D55E00",
    "gan_ddqn": "#009E73",
    "sb3_dqn": "#CC79A7",
    "sb3_qrdqn": "#E69F00",
    "random": "#999999",
}
_SPARE_COLOURS = ("#56B4E9", "#000000", "#882255", "#44AA99", "#999933")


def plain_name(arm: str) -> str:
    """Of ddqn-dt: ddqn."""
    return arm.partition("-dt")[0]


def agent_colour(arm: str) -> str:
    """Of an agent, with a twin or without; the same in every picture, whatever else is in it."""
    name = plain_name(arm)
    return _AGENT_COLOURS.get(name, _SPARE_COLOURS[zlib.crc32(name.encode()) % len(_SPARE_COLOURS)])


def interval_bar(axes: Axes, place: float, value: Interval, arm: str, **style: Any) -> None:
    """A bar with its interval in the colour of an agent, hatched where it has no twin."""
    axes.bar(
        place,
        float(value.value),
        color=agent_colour(arm),
        hatch="//" if arm == plain_name(arm) else "",
        edgecolor="white",
        yerr=[[float(value.value - value.low)], [float(value.high - value.value)]],
        error_kw={"lw": 1},
        **style,
    )


def policy_colours(policies: Sequence[str]) -> dict[str, str]:
    """A colour for each policy; a baseline has the same in every picture."""
    others = [policy for policy in policies if policy not in _BASELINE_COLOURS]
    return _BASELINE_COLOURS | {p: _OTHER_COLOURS[n % len(_OTHER_COLOURS)] for n, p in enumerate(others)}


def over_seeds(number: int) -> str:
    """How many seeds a picture is of, and that its bars are intervals if there are any."""
    return f"{number} seeds, 95 % intervals" if number > 1 else "one seed"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, atomically."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    with atomic_write(path) as file:
        file.write(picture.getvalue())


def plot_evaluation(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """Bars of utility, of reward and of SSR per slice, a colour a policy."""
    figure = Figure(figsize=(11 + 1.2 * max(len(evaluations) - 6, 0), 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.8])
    _bars(left, evaluations, "utility", "mean utility U")
    _bars(middle, evaluations, "reward", f"share of decisions with U ≥ {scenario.reward.threshold_end:g}")
    middle.set_ylim(0.0, 1.05)
    for axes in (left, middle):
        axes.tick_params(axis="x", labelrotation=30)
    width = 0.8 / len(evaluations)
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for number, evaluation in enumerate(evaluations):
        values = [estimate(evaluation.ssr[:, n]) for n in range(scenario.num_slices)]
        places = np.arange(scenario.num_slices) + (number - (len(evaluations) - 1) / 2) * width
        right.bar(
            places,
            [value.mean for value in values],
            width,
            yerr=[value.half_width for value in values],
            color=colours[evaluation.policy],
            label=evaluation.policy,
            error_kw={"lw": 1},
        )
    right.set_xticks(range(scenario.num_slices), scenario.slice_names)
    right.set_ylim(0.0, 1.05)
    right.set_title("SLA satisfaction ratio", fontsize=10)
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(evaluations), 6), frameon=False
    )
    cells = len(evaluations[0].seeds)
    what = f"mean over {cells} cells, bars show 95 % intervals" if cells > 1 else "one cell"
    figure.suptitle(f"Scenario {scenario.name}: {what}", fontsize=11)
    save_figure(figure, path)


def plot_training(
    path: Path,
    scenario: Scenario,
    rounds: Mapping[str, npt.NDArray[np.float64]],
    evaluations: Sequence[Evaluation],
) -> None:
    """Left the utility of each round while the agents learned, right the final comparison on unseen cells.

    Args:
        path: PNG to write.
        scenario: of the runs.
        rounds: mean utility of each round (rounds,), by agent.
        evaluations: of the agents and of those they are compared with.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for agent, utility in rounds.items():
        numbers = np.arange(1, len(utility) + 1)
        left.plot(numbers, utility, color=colours[agent], lw=1.8, marker=".", label=f"{agent}, while it learns")
    for evaluation in evaluations:
        if evaluation.policy not in rounds:
            mean, name = evaluation.utility.mean(), f"{evaluation.policy}, on unseen cells"
            left.axhline(mean, color=colours[evaluation.policy], ls="--", lw=1.3, label=name)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel(f"round ({scenario.decisions_per_round} decisions on the real environment)")
    left.set_ylabel("mean utility U of the round")
    left.legend(frameon=False, fontsize=8.5, loc="center right")
    left.set_title("training", fontsize=10)
    _bars(right, evaluations, "utility", "after training, on unseen cells: mean U")
    right.tick_params(axis="x", labelrotation=20)
    names = " and ".join(rounds)
    figure.suptitle(f"{names} on scenario {scenario.name}: {scenario.num_allocations} allocations", fontsize=11)
    save_figure(figure, path)


def _bars(axes: Axes, evaluations: Sequence[Evaluation], field: str, title: str) -> None:
    """One bar a policy, its value written above."""
    values = [estimate(getattr(evaluation, field)) for evaluation in evaluations]
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    shades = [colours[evaluation.policy] for evaluation in evaluations]
    names = [evaluation.policy.replace("_", "\n") for evaluation in evaluations]
    means = [value.mean for value in values]
    axes.bar(
        range(len(values)), means, 0.72, yerr=[value.half_width for value in values], color=shades, error_kw={"lw": 1}
    )
    for place, value in enumerate(values):
        axes.annotate(
            f"{value.mean:.2f}",
            (place, value.mean + np.nan_to_num(value.half_width)),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    axes.set_xticks(range(len(values)), names, fontsize=8)
    axes.margins(y=0.12)
    axes.set_title(title, fontsize=10)
