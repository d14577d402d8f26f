"""The twins of one cell whose traffic changes: not calibrated, calibrated on fresh decisions, fitted from scratch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from experiments.calibration.settings import Settings
from experiments.fidelity.measures import NOISE_FLOOR
from slicing_gym import Scenario
from slicing_gym.progress import ProgressBar
from slicing_gym.reward import utility
from twin import DigitalTwin, History
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import crps, r_squared
from twin.fidelity.simulated import HeldOut, SimulatedCell

STALE, CALIBRATED, FROM_SCRATCH = "stale", "calibrated", "fitted from scratch"

METRICS = {
    "state_crps": "CRPS of the state / noise floor's",
    "utility_crps": "CRPS of the utility",
    "utility_r_squared": "R² of the utility",
    "seconds": "seconds",
}
"""What a trial measures, and what it is called where it is shown."""


@dataclass(frozen=True)
class Trial:
    """How good one twin is after the change.

    Args:
        seed: of the cell.
        twin: "stale", "calibrated" or "fitted from scratch".
        fresh: decisions after the change that it was calibrated on or fitted to; 0 if stale.
        state_crps: CRPS of the arrivals one interval ahead, each over the noise floor's, then the mean over slices.
        utility_crps: CRPS of the utility.
        utility_r_squared: R² of the expected utility.
        seconds: that the calibration or the fit took.
    """

    seed: int
    twin: str
    fresh: int
    state_crps: float
    utility_crps: float
    utility_r_squared: float
    seconds: float


def run_trials(twin: DigitalTwin, before: Scenario, after: Scenario, seed: int, settings: Settings) -> list[Trial]:
    """All twins of one cell.

    Args:
        twin: with the settings of every fit.
        before: the scenario before the change.
        after: the scenario after it.
        seed: of the cell.
        settings: of the comparison.
    """
    past = SimulatedCell(before, seed).record(settings.decisions)
    stale = deepcopy(twin).fit(past)
    cell = SimulatedCell(after, seed, settings.threads, fork_seed=1)  # the same users with resampled noise
    fresh = cell.record(max(settings.fresh))
    held_out = cell.hold_out(settings.held_out_runs, after.decisions_per_episode, settings.copies, every=10**9)
    found = [_trial(seed, STALE, stale, past, held_out)]
    for number in ProgressBar(settings.fresh, desc=f"cell {seed}", disable=not settings.progress, leave=False):
        few = fresh.take(np.arange(number))
        found.append(_trial(seed, CALIBRATED, deepcopy(stale).calibrate(few), few, held_out))
        found.append(_trial(seed, FROM_SCRATCH, deepcopy(twin).fit(few), few, held_out))
    return found


def _trial(seed: int, name: str, twin: DigitalTwin, past: History, held_out: HeldOut) -> Trial:
    """Evaluate a twin on held-out runs of the changed cell.

    Args:
        seed: of the cell.
        name: what the twin is called.
        twin: fitted.
        past: what it was last fitted to or calibrated on.
        held_out: the runs, with their noise floor.
    """
    evaluator = Evaluator(twin.model, past, held_out.history, held_out.noise_floor, seed)
    one_step = evaluator.one_step()
    assert one_step.utility is not None
    assert twin.report is not None
    arrivals = one_step.scores[: twin.scenario.num_slices]
    drawn = evaluator.samples(twin.predict(held_out.history))
    parts = twin.model.split(drawn.reshape(-1, drawn.shape[2]))
    utilities = utility(held_out.history.scenario, parts["spectral_efficiency"], parts["ssr"]).reshape(drawn.shape[:2])
    return Trial(
        seed=seed,
        twin=name,
        fresh=0 if name == STALE else len(past),
        state_crps=float(np.mean([each.crps["twin"].mean() / each.crps[NOISE_FLOOR].mean() for each in arrivals])),
        utility_crps=float(crps(utilities, one_step.utility).mean()),
        utility_r_squared=r_squared(one_step.expected_utility["twin"], one_step.utility),
        seconds=0.0 if name == STALE else twin.report.seconds,
    )
