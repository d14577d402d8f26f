"""One twin evaluated: on held-out runs, on allocations that its history never held, and by the utility of policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from agents.baselines import make_baseline
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.fidelity.measures import (
    AHEAD,
    NOISE_FLOOR,
    FloatArray,
    Measure,
    ahead_measures,
    constant,
    marginal_measures,
    monotonicity_measures,
    one_step_measures,
    performance_measures,
)
from experiments.fidelity.settings import WINDOW, Settings
from experiments.fidelity.trees import tree_errors
from experiments.fidelity.uncertainty import (
    Uncertainty,
    uncertainty_measures,
    uncertainty_on_cell,
    uncertainty_on_history,
)
from slicing_gym import Scenario
from slicing_gym.reward import utility
from twin import DigitalTwin, History, SliceTwinVectorEnv
from twin.data.columns import SPECTRAL_EFFICIENCY, SSR
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.rollout import Rollout
from twin.fidelity.scores import rank_correlation
from twin.fidelity.simulated import HeldOut, SimulatedCell
from twin.runtime.encoding import encode, to_scale
from twin.runtime.monotonicity import PLACES, monotonicity

MOMENTS = 50
"""Moments of the held-out runs from which allocations never held are tried, or one per run of which there are more."""

RANKED_FROM = 8
"""Moments of these, at most, from which allocations are ranked."""

HELD_INTERVALS = 5
"""Intervals for which each allocation is held from there."""

LAST_PART = 0.2
"""Share of each run that is held out where runs are few; more, up to a half, where all of them are short."""

POLICY_EPISODES = 20, 32
"""Episodes over which a policy's utility is the mean: in the cell one after the other, in the twin side by side."""


@dataclass(frozen=True)
class Outcome:
    """What the evaluation of one twin brought.

    Args:
        measures: its figures.
        rollout: it runs freely from many starting points.
        utilities: of the ranked allocations, in the cell and in the twin (n,) each; None for a history alone.
        twin: the twin, fitted.
        held_out: decisions that it was evaluated on.
        new: share of them whose allocation the twin was not fitted to.
        uncertainty: of allocations never held; None where there is no utility, or none was left out.
        ssr: mean SSR of each slice over the held-out decisions, by name; empty where there is no SSR.
        terms: share of the utility's variance that each of its terms makes, by variable; empty of simulated cells.
        held: fewest and most units that each slice held in what the twin was fitted to, by name.
    """

    measures: list[Measure]
    rollout: Rollout
    utilities: tuple[FloatArray, FloatArray] | None
    twin: DigitalTwin
    held_out: int
    new: float
    uncertainty: Uncertainty | None = None
    ssr: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def evaluate_twin(
    twin: DigitalTwin, history: History, held_out: History, settings: Settings, extra: HeldOut | None = None
) -> Outcome:
    """All figures of a fitted twin that need no simulator, with the noise floor if there is one.

    Args:
        twin: fitted to the history.
        history: references are taken from it.
        held_out: runs that the twin was not fitted to.
        settings: of the evaluation.
        extra: the held-out runs with what only a simulator can tell of them.
    """
    model, slices = twin.model, twin.scenario.num_slices
    evaluator = Evaluator(model, history, held_out, extra.noise_floor if extra else None, seed=twin.seed)
    one_step = evaluator.one_step()
    errors = tree_errors(model, history, held_out) if settings.tree else None
    if errors:
        scores = [
            replace(score, error={**score.error, "tree": error})
            for score, error in zip(one_step.scores, errors, strict=True)
        ]
        one_step = replace(one_step, scores=scores)
    truth = to_scale(model.scaler, encode(model.layout, model.scaler, held_out).measured)
    measures = one_step_measures(one_step, slices) + performance_measures(one_step, truth)
    names = [name for name, _ in model.layout.variables]
    longest = max(block.stop - block.start for block in held_out.sequences()) - WINDOW - 1
    near = evaluator.roll_out(min(AHEAD[-1], longest), window=WINDOW, spacing=7)
    measures += ahead_measures(near, names, slices)
    measures += marginal_measures(evaluator.roll_out(min(settings.horizon, longest), window=WINDOW), names)
    assert twin.report is not None
    moved = monotonicity(model, history, held_out)
    places = PLACES if extra is None else PLACES[:1]  # of a cell, allocations never held are compared with the truth
    measures += monotonicity_measures(moved, twin.scenario.slice_names, places)
    measures.append(constant("fit [s]", "", "twin", twin.report.seconds))
    fitted = {tuple(units) for units in history.allocation.tolist()}
    new = float(np.mean([tuple(units) not in fitted for units in held_out.allocation.tolist()]))
    ssr = held_out.performance.get(SSR.name)
    means = {} if ssr is None else dict(zip(twin.scenario.slice_names, ssr.mean(axis=0).tolist(), strict=True))
    held = dict(zip(twin.scenario.slice_names, map(tuple, moved.held.tolist()), strict=True))
    return Outcome(measures, near, None, twin, len(held_out), new, ssr=means, held=held)


def evaluate_on_history(
    twin: DigitalTwin, history: History, settings: Settings, keep: Callable[[DigitalTwin], None]
) -> tuple[Outcome, History]:
    """A twin with these settings fitted to the first part of a history and evaluated on the last, and this.

    `keep` is called with the fitted twin before anything is evaluated.
    """
    past, held_out = split(history, settings.held_out_runs)
    fitted = deepcopy(twin).fit(past, progress=settings.progress or settings.delay)
    keep(fitted)
    outcome = evaluate_twin(fitted, past, held_out, settings)
    uncertainty = uncertainty_on_history(twin, history, settings, fitted.model)
    terms = utility_terms(held_out) if fitted.model.has_reward else {}
    return replace(_with_uncertainty(outcome, uncertainty), terms=terms), held_out


def utility_terms(history: History) -> dict[str, float]:
    """The share of the utility's variance that goes with each of its terms, by variable; empty if it never changes."""
    scenario, ssr, efficiency = history.scenario, history.ssr, history.spectral_efficiency
    whole = utility(scenario, efficiency, ssr)
    rest = {SPECTRAL_EFFICIENCY.name: utility(scenario, np.zeros_like(efficiency), ssr)}
    for number, name in enumerate(scenario.slice_names):
        rest[f"{SSR.name}_{name}"] = utility(
            scenario, efficiency, np.where(np.arange(ssr.shape[1]) == number, 0.0, ssr)
        )
    variance = float(whole.var())
    return {name: 1.0 - float(values.var()) / variance for name, values in rest.items()} if variance > 0.0 else {}


def split(history: History, held_out_runs: int) -> tuple[History, History]:
    """What a twin is fitted to, and what is held out: the last runs, or the last part of each where runs are few."""
    if len(history.runs) > held_out_runs:
        return history.split_by_run(last=held_out_runs)
    _, lengths = np.unique(history.run, return_counts=True)
    return history.split_by_time(min(max(LAST_PART, (WINDOW + 2) / lengths.max()), 0.5))


def _with_uncertainty(outcome: Outcome, uncertainty: Uncertainty | None) -> Outcome:
    """The outcome with what its uncertainty is worth."""
    if uncertainty is None:
        return outcome
    return replace(outcome, measures=outcome.measures + uncertainty_measures(uncertainty), uncertainty=uncertainty)


def evaluate_on_cell(
    twin: DigitalTwin, scenario: Scenario, seed: int, settings: Settings, keep: Callable[[DigitalTwin], None]
) -> Outcome:
    """A twin with these settings fitted to the history of a simulated cell, and evaluated on further runs of it.

    `keep` is called with the fitted twin before anything is evaluated.
    """
    cell = SimulatedCell(scenario, seed, settings.threads, reserved=settings.allocations)
    history = cell.record(settings.decisions)
    every = min(settings.run_length, max(1, settings.held_out_runs * settings.run_length // MOMENTS))
    held_out = cell.hold_out(settings.held_out_runs, settings.run_length, settings.copies, every)
    fitted = deepcopy(twin).fit(history, progress=settings.progress or settings.delay)
    keep(fitted)
    outcome = evaluate_twin(fitted, history, held_out.history, settings, held_out)
    in_cell, in_twin = rank_allocations(fitted, history, held_out, cell.reserved, settings.threads)
    correlation = rank_correlation(in_cell, in_twin)
    measures = [
        *outcome.measures,
        constant("rank correlation", f"{len(in_cell)} allocations", "twin", correlation),
        *policy_gaps(fitted, history, seed, settings),
    ]
    outcome = replace(outcome, measures=measures, utilities=(in_cell, in_twin))
    return _with_uncertainty(outcome, uncertainty_on_cell(fitted, history, held_out, cell.reserved, settings.copies))


def rank_allocations(
    twin: DigitalTwin, history: History, held_out: HeldOut, chosen: npt.NDArray[np.int64], threads: int
) -> tuple[FloatArray, FloatArray]:
    """Mean utility (n,) of allocations (n, n_slices) in the cell and in the twin.

    Each is held for some intervals from the same few moments of the held-out runs on; in the cell with common random
    numbers.
    """
    evaluator = Evaluator(twin.model, history, held_out.history)
    in_cell, in_twin = np.zeros(len(chosen)), np.zeros(len(chosen))
    moments = held_out.moments[:: -(-len(held_out.moments) // RANKED_FROM)]
    for row, moment in moments:
        in_cell += np.mean([interval.utility for interval in moment.what_if(chosen, intervals=HELD_INTERVALS)], axis=0)
        cells = evaluator.cells_at(row, len(chosen), threads)
        in_twin += np.mean([cells.advance(chosen).utility for _ in range(HELD_INTERVALS)], axis=0)
    return in_cell / len(moments), in_twin / len(moments)


def policy_gaps(twin: DigitalTwin, history: History, seed: int, settings: Settings) -> list[Measure]:
    """|U in the twin - U in the cell| of policies; climatology predicts the history's mean for every policy."""
    scenario, threads = twin.scenario, settings.threads
    climatology = float(utility(scenario, history.spectral_efficiency, history.ssr).mean())
    length, cell = scenario.decisions_per_episode, make_cells(scenario, 1)
    one_by_one, side_by_side = POLICY_EPISODES
    envs = gym.make_vec(
        "SliceTwin-v0", num_envs=side_by_side, twin=twin, autoreset_mode="SameStep", num_threads=threads
    )
    assert isinstance(envs, SliceTwinVectorEnv)
    found = []
    for name in settings.policies:
        policies = [make_baseline(name, scenario, cell, seed=seed, num_threads=threads) for _ in range(2)]
        in_cell = evaluate_policy(name, policies[0], cell, [seed], one_by_one * length).utility.mean()
        in_twin = evaluate_policy(name, policies[1], envs, range(side_by_side), length).utility.mean()
        found += [
            constant("|U twin - U cell|", name, "twin", float(abs(in_twin - in_cell))),
            constant("|U twin - U cell|", name, "climatology", float(abs(climatology - in_cell))),
            constant("U in the cell", name, NOISE_FLOOR, float(in_cell)),
        ]
    return found
