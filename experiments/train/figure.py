"""The picture of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.evaluate.figure import bars
from experiments.evaluate.rollout import Evaluation
from experiments.reporting.style import policy_colours, save_figure
from slicing_gym import Scenario


def plot_training(
    path: Path,
    scenario: Scenario,
    episodes: Mapping[str, npt.NDArray[np.float64]],
    evaluations: Sequence[Evaluation],
) -> None:
    """Left the utility of each episode while the agents learned, right the final comparison on unseen cells.

    Args:
        path: PNG to write.
        scenario: of the runs.
        episodes: mean utility of each episode (episodes,), by agent.
        evaluations: of the agents and of those they are compared with.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for agent, utility in episodes.items():
        numbers = np.arange(1, len(utility) + 1)
        left.plot(numbers, utility, color=colours[agent], lw=1.8, marker=".", label=f"{agent}, while it learns")
    for evaluation in evaluations:
        if evaluation.policy not in episodes:
            mean, name = evaluation.utility.mean(), f"{evaluation.policy}, on unseen cells"
            left.axhline(mean, color=colours[evaluation.policy], ls="--", lw=1.3, label=name)
    if max(map(len, episodes.values())) == 1:
        left.set_xlim(0.5, 1.5)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_xlabel(f"episode ({scenario.decisions_per_episode} decisions on the real environment)")
    left.set_ylabel("mean utility U of the episode")
    left.legend(frameon=False, fontsize=8.5, loc="center right")
    left.set_title("training", fontsize=10)
    bars(right, evaluations, "utility", "after training, on unseen cells: mean U")
    right.tick_params(axis="x", labelrotation=20)
    names = " and ".join(episodes)
    figure.suptitle(f"{names} on scenario {scenario.name}: {scenario.num_allocations} allocations", fontsize=11)
    save_figure(figure, path)
