"""Each contender from the same moment on, in a twin, under common random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from experiments.evaluate.rollout import Chooser
from experiments.what_if.demand import Demand
from experiments.what_if.policies import Contender
from experiments.what_if.settings import Settings
from slicing_gym import Scenario
from slicing_gym.observation import ArrivalsObserver
from slicing_gym.reward import utility
from twin import DigitalTwin, History
from twin.data.layout import Layout
from twin.runtime import draws
from twin.runtime.coverage import Coverage, Outside
from twin.runtime.encoding import measured_by, one_hot
from twin.runtime.model import TwinModel

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

UTILITY = "utility"


@dataclass(frozen=True)
class Alternative:
    """What a contender would have brought: k samples, means over the intervals.

    Args:
        name: of the contender.
        units: that it gave (ahead, k, n_slices).
        values: by variable (k,) in its own unit: "utility", where SSR and SE were measured, then the columns, as
            "ssr_embb" or, of the cell, "spectral_efficiency".
        outside: of its units, what the twin was not fitted to.
    """

    name: str
    units: IntArray
    values: dict[str, FloatArray]
    outside: Outside

    def summary(self, variable: str) -> tuple[float, float, float]:
        """The mean over the samples, and the ends of the interval that holds 90 % of them."""
        drawn = self.values[variable]
        low, high = np.quantile(drawn, [0.05, 0.95])
        return float(drawn.mean()), float(low), float(high)


def largest_drawn(model: TwinModel, demand: Demand) -> dict[str, float]:
    """By variable the largest value that a twin draws, where the column itself may have larger ones."""
    variables, held = model.layout.variables, demand.held
    most = np.array([[draws.to_value(model.scaler, v, np.inf) for v in range(len(variables))]])
    found = zip(variables, demand.consistent(most)[0], strict=True)
    return {name: float(value) for (name, column), value in found if value < column.upper and name not in held}


def simulate(twin: DigitalTwin, demand: Demand, contender: Contender, settings: Settings) -> Alternative:
    """Let a contender decide from a moment on."""
    model, moment, history = twin.model, demand.moment, demand.moment.history
    layout, slices = model.layout, twin.scenario.num_slices
    samples = settings.samples
    seeds = np.random.SeedSequence(settings.seed).generate_state(samples, np.uint32).tolist()
    cells = twin.cells_at(history, moment.row, seeds, settings.threads)
    controls, observer = one_hot(layout, history.controls, len(history)), ArrivalsObserver()
    choose = None if contender.policy is None else Chooser(contender.policy, samples)
    total, worth = np.zeros((samples, layout.num_variables)), np.zeros(samples)
    given, loads = [], []
    for step, known in enumerate(demand.known()):
        loads.append(cells.measured[:, :slices].copy())
        if choose is None:
            assert contender.units is not None
            units = np.tile(contender.units[step], (samples, 1))
        else:
            seen = observer.observe(twin.scenario, {"arrivals": cells.measured[:, :slices]})
            units = chosen_units(contender, twin.scenario, choose(seen))
            choose.over[:] = False
        held = np.repeat(controls[[moment.row + step]], samples, axis=0)
        brought = cells.advance(units, controls=held, known=known)
        total += demand.consistent(cells.measured)
        worth += brought.utility
        given.append(units)
    means, utilities = total / moment.ahead, worth / moment.ahead if model.has_reward else None
    values = _by_variable(layout, demand, means, utilities)
    decided = np.stack(given)
    outside = coverage_of(model, history).outside(layout, np.stack(loads), decided)
    return Alternative(contender.name, decided, values, outside)


def chosen_units(contender: Contender, scenario: Scenario, actions: npt.NDArray[Any]) -> IntArray:
    """The units (k, n_slices) that actions (k,) mean.

    Raises:
        ValueError: they number no allocations.
    """
    codec = contender.codec
    try:
        return codec.units(scenario, codec.check_actions(codec.space(scenario), actions, len(actions)))
    except gym.error.InvalidAction as error:
        raise ValueError(f"policies: {contender.name!r} chose {error}") from error


def measured_at(twin: DigitalTwin, demand: Demand) -> dict[str, float]:
    """What the log measured from a moment on, means over the intervals; variables as of `Alternative`."""
    model, brought = twin.model, measured_by(demand.moment.history.take(demand.moment.rows))
    worth = None
    if model.has_reward:
        parts = model.split(brought)
        worth = utility(twin.scenario, parts["spectral_efficiency"], parts["ssr"]).mean(keepdims=True)
    found = _by_variable(model.layout, demand, brought.mean(axis=0, keepdims=True), worth)
    return {name: float(values[0]) for name, values in found.items()}


def _by_variable(layout: Layout, demand: Demand, values: FloatArray, worth: FloatArray | None) -> dict[str, FloatArray]:
    """Utility (k,) and variables (k, V) by name, without those of the units of nobody, and arrivals once."""
    nobody = demand.hidden
    if layout.idle is not None:
        idle = layout.scenario.slice_names[layout.idle]
        nobody |= {f"{each.name}_{idle}" for each in (layout.arrivals_column, *layout.columns) if each.per_slice}
    own = {name: values[:, v] for v, (name, _) in enumerate(layout.variables) if name not in nobody}
    return own if worth is None else {UTILITY: worth, **own}


def coverage_of(model: TwinModel, history: History) -> Coverage:
    """Which units slices held at which loads in what a twin was fitted to; in the history where it does not say.

    What was held out of its fit lies in the history, too, so that may be more.
    """
    return Coverage.of(history) if model.coverage is None else model.coverage
