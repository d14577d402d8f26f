"""Whether a twin has a slice served worse with more units, which cannot be: units serve nobody but their slice.

Except where a starved slice counts as met. In the simulator one whose queues stay full admits nothing, and has SSR 1
in such an interval (docs/simulator.md), so that more units do lower it. The twin's arrivals are those that a log shows,
and do not say which intervals these would be; so such a fall is counted, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import share_out
from twin.data.history import History
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import FloatArray
from twin.fidelity.uncertainty import choice_features

IntArray = npt.NDArray[np.int64]

CLEARLY = 0.05
"""How much lower an expected SSR has to be with more units to count: less is noise of a fit."""

STATES = 64
"""States of the held-out runs, at most, evenly spread, from which units are moved."""

POINTS = 7
"""Numbers of units tried within the range that was held, below it and above it."""

PLACES = ("held", "below", "above")
"""Where more units are compared with fewer: both within the range held, the fewer below it, the more above it."""


@dataclass(frozen=True)
class Monotonicity:
    """How often a twin expects a slice to be served worse with more units.

    Args:
        held: fewest and most units that the history gave each slice (S, 2).
        falls: share of the states in which the expected SSR of a slice is lower by more than `CLEARLY` with more units
            (S, 3), by `PLACES`; nan where there is nothing to compare: no units beyond, no SSR, or no such state, as of
            a slice (or units of nobody) that holds none in the held-out runs.
    """

    held: IntArray
    falls: FloatArray


def monotonicity(evaluator: Evaluator, history: History) -> Monotonicity:
    """Move units between slices at states of the held-out runs, and let the twin predict the SSR.

    The other slices share what is left in proportion to what they hold in that state. Expected values are compared, so
    that nothing is drawn and no seed is needed.

    Args:
        evaluator: of the twin, with the held-out runs.
        history: that the twin was fitted to; the range of units is taken from it.
    """
    held = np.stack([history.allocation.min(axis=0), history.allocation.max(axis=0)], axis=1)
    falls = np.full((len(held), len(PLACES)), np.nan)
    if evaluator.model.layout.has("ssr"):
        rows = np.unique(np.linspace(0, len(evaluator.held_out) - 1, STATES).astype(np.int64))
        for n, (low, high) in enumerate(held):
            falls[n] = _falls(evaluator, rows, n, int(low), int(high))
    return Monotonicity(held, falls)


def _falls(evaluator: Evaluator, rows: IntArray, n: int, low: int, high: int) -> list[float]:
    """`Monotonicity.falls` of slice n, of which `low` to `high` units were held."""
    layout = evaluator.model.layout
    rows = rows[evaluator.held_out.allocation[rows, n] > 0]  # else the slice is not there
    if not len(rows):
        return [float("nan")] * len(PLACES)
    most = layout.num_units - len(layout.spare) + 1 - int(layout.spare[n])
    tried = np.unique(np.concatenate([_between(*ends) for ends in ((1, low), (low, high), (high, most))]))
    expected = _expected_ssr(evaluator, rows, n, tried)  # (len(rows), len(tried))
    inside = (tried >= low) & (tried <= high)
    pairs = ((inside, inside), (tried < low, tried <= high), (tried >= low, tried > high))
    return [_share(expected, fewer, more) for fewer, more in pairs]


def _between(low: int, high: int) -> IntArray:
    return np.linspace(low, high, POINTS).round().astype(np.int64)


def _share(expected: FloatArray, fewer: npt.NDArray[np.bool_], more: npt.NDArray[np.bool_]) -> float:
    """Share of the states in which an SSR of `more` units is clearly below one of `fewer`; both are columns."""
    drops = expected[:, :, None] - expected[:, None, :]  # (states, fewer, more)
    order = np.arange(expected.shape[1])
    compared = fewer[:, None] & more & (order[:, None] < order)
    if not compared.any():
        return float("nan")
    return float((drops[:, compared].max(axis=1) > CLEARLY).mean())


def _expected_ssr(evaluator: Evaluator, rows: IntArray, n: int, tried: IntArray) -> FloatArray:
    """The SSR of slice n that the twin expects (k, m) in k states with m numbers of its units."""
    model, layout = evaluator.model, evaluator.model.layout
    states, own = np.repeat(rows, len(tried)), np.tile(tried, len(rows)) + layout.spare[n]
    others = np.delete(np.arange(layout.scenario.num_slices), n)
    units = np.zeros((len(states), len(others) + 1), np.int64)  # lifted
    units[:, n] = own
    for each in np.unique(own):
        chosen = own == each
        weights = evaluator.held_out.allocation[np.ix_(states[chosen], others)]
        units[np.ix_(chosen, others)] = share_out(weights, layout.num_units - int(each))
    features = choice_features(evaluator, states, layout.lowered(units))
    prediction = model.predict_features(features, [slice(i, i + 1) for i in range(len(states))])
    place = layout.place("ssr").start - layout.scenario.num_slices + n
    found: FloatArray = prediction.expected[:, :, place].mean(axis=1).reshape(len(rows), len(tried))
    return found
