"""`python -m experiments.calibration`: after the traffic has changed, a calibrated twin beside one fitted anew."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from tqdm.auto import tqdm

from experiments.config.hydra import readable_errors, register_configs
from experiments.config.parts import builtin_of, scenario_of, twin_of
from experiments.evaluate.rollout import check_seeds
from experiments.reporting.statistics import Estimate, estimate
from experiments.reporting.style import save_figure
from experiments.reporting.tables import aligned, write_rows
from slicing_gym import Scenario
from slicing_gym.errors import check_integer
from slicing_gym.reward import utility
from twin import DigitalTwin, History
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import crps, r_squared
from twin.fidelity.simulated import HeldOut, SimulatedCell
from twin.twin import MIN_DECISIONS

register_configs()

METRICS = ("CRPS of the state / floor's", "CRPS of the utility", "R² of the utility", "seconds")
_COLOURS = {"calibrated": "#0072B2", "fitted anew": "#E69F00"}


@dataclass(frozen=True)
class Trial:
    """How good one twin is after the change; `values` in the order of `METRICS`."""

    seed: int
    twin: str
    fresh: int
    values: tuple[float, ...]


def check_config(config: DictConfig) -> tuple[Scenario, Scenario]:
    """The scenario before and after the change.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    before = scenario_of(config.scenario)
    twin_of(config.twin)
    check_seeds("seeds", config.seeds)
    check_integer("decisions", config.decisions, at_least=MIN_DECISIONS)
    for key in ("held_out_runs", "threads", "torch_threads"):
        check_integer(key, config[key], at_least=1)
    check_integer("copies", config.copies, at_least=2)
    for fresh in config.fresh:
        check_integer("fresh", fresh, at_least=MIN_DECISIONS)
    return before, before.replace(**builtin_of(config.change))


def judge(
    seed: int, name: str, fresh: int, twin: DigitalTwin, past: History, held_out: HeldOut, seconds: float
) -> Trial:
    """Score a twin on held-out runs of the changed network."""
    judging = Evaluator(twin.model, past, held_out.history, held_out.noise_floor, seed)
    judged = judging.one_step()
    assert judged.utility is not None
    arrivals = judged.scores[: twin.scenario.num_slices]
    state = float(np.mean([each.crps["twin"].mean() / each.crps["noise_floor"].mean() for each in arrivals]))
    drawn = judging.samples(twin.predict(held_out.history))
    parts = twin.model.split(drawn.reshape(-1, drawn.shape[2]))
    utilities = utility(held_out.history.scenario, parts["spectral_efficiency"], parts["ssr"]).reshape(drawn.shape[:2])
    score = float(crps(utilities, judged.utility).mean())
    return Trial(seed, name, fresh, (state, score, r_squared(judged.expected_utility["twin"], judged.utility), seconds))


def trials(config: DictConfig, before: Scenario, after: Scenario, seed: int) -> list[Trial]:
    """All twins of one cell."""
    past = SimulatedCell(before, seed).record(config.decisions)
    stale = twin_of(config.twin).fit(past)
    network = SimulatedCell(
        after, seed, config.threads, fork_seed=1
    )  # the same users, but nothing else that was seen before
    fresh = network.record(max(config.fresh))
    held_out = network.hold_out(config.held_out_runs, after.decisions_per_episode, config.copies, every=10**9)
    found = [judge(seed, "stale", 0, stale, past, held_out, 0.0)]
    for number in tqdm(config.fresh, desc=f"cell {seed}", disable=not config.progress, leave=False):
        few = fresh.take(np.arange(number))
        for name, twin in (("calibrated", copy.deepcopy(stale)), ("fitted anew", twin_of(config.twin))):
            (twin.calibrate if name == "calibrated" else twin.fit)(few)
            assert twin.report is not None
            found.append(judge(seed, name, number, twin, few, held_out, twin.report.seconds))
    return found


def summary(found: list[Trial]) -> dict[tuple[str, int, str], Estimate]:
    """Mean over cells by twin, number of fresh decisions and metric."""
    keys = dict.fromkeys((trial.twin, trial.fresh) for trial in found)
    return {
        (twin, fresh, metric): estimate([t.values[place] for t in found if (t.twin, t.fresh) == (twin, fresh)])
        for twin, fresh in keys
        for place, metric in enumerate(METRICS)
    }


def as_table(values: dict[tuple[str, int, str], Estimate]) -> str:
    """A row a twin, a column a metric."""
    rows = [
        [twin, str(fresh), *(str(values[twin, fresh, metric]) for metric in METRICS)]
        for twin, fresh in dict.fromkeys((key[0], key[1]) for key in values)
    ]
    return aligned(["twin", "fresh decisions", *METRICS], rows)


def plot(path: Path, values: dict[tuple[str, int, str], Estimate]) -> None:
    """Each metric against the number of fresh decisions."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, 3)
    numbers = sorted({key[1] for key in values if key[1]})
    for place, metric in ((0, METRICS[0]), (1, METRICS[1]), (2, METRICS[3])):
        panel = axes[place]
        for twin in ("calibrated", "fitted anew"):
            line = [values[twin, number, metric] for number in numbers]
            panel.errorbar(
                numbers,
                [value.mean for value in line],
                [value.half_width for value in line],
                color=_COLOURS[twin],
                marker="o",
                ms=4,
                capsize=2,
                label=twin,
            )
        stale = "" if metric == "seconds" else f" (not calibrated: {values['stale', 0, metric].mean:.2f})"
        panel.set_xscale("log")
        panel.set_xticks(numbers, [str(number) for number in numbers])
        panel.minorticks_off()
        panel.set_xlabel("decisions since the traffic changed")
        panel.set_title({"seconds": "seconds of computing"}.get(metric, metric) + stale, fontsize=10)
        panel.legend(frameon=False, fontsize=8.5)
    figure.suptitle(
        "A twin after the traffic has changed (less is better); bars are 95 % intervals over cells", fontsize=11
    )
    save_figure(figure, path)


def run(config: DictConfig, folder: Path) -> None:
    """Print the table; write `calibration.csv`, which grows cell by cell, and `calibration.png` into `folder`."""
    with readable_errors():
        before, after = check_config(config)
    torch.set_num_threads(config.torch_threads)
    found: list[Trial] = []
    for seed in config.seeds:
        found += trials(config, before, after, seed)
        rows = [[trial.seed, trial.twin, trial.fresh, *(f"{value:.6g}" for value in trial.values)] for trial in found]
        write_rows(folder / "calibration.csv", ["seed", "twin", "fresh", *METRICS], rows)
    values = summary(found)
    print(f"scenario {before.name} before, changed after; seeds {list(config.seeds)}, ± 95 % interval over cells")
    print(as_table(values))
    plot(folder / "calibration.png", values)
    print(f"written: {os.path.relpath(folder)}/calibration.csv, calibration.png")
