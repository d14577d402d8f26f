"""Whether a twin has a slice served worse with more units, which cannot be: units serve nobody but their slice.

Except where a starved slice counts as met. In the simulator one whose queues stay full admits nothing, and has SSR 1
in such an interval (docs/simulator.md), so that more units do lower it. The twin's arrivals are those that a log shows,
and do not say which intervals these would be; so such a fall is counted, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import share_out
from twin.data.columns import SSR
from twin.data.history import History
from twin.data.layout import IDLE
from twin.runtime.encoding import Encoded, choice_features, encode
from twin.runtime.model import TwinModel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CLEARLY = 0.05
"""How much lower an expected SSR has to be with more units to count: less is noise of a fit."""

STATES = 64
"""States of the held-out runs, at most, evenly spread, from which units are moved."""

MOSTLY = 0.5
"""Share of the states beyond which a twin contradicts physics more than not."""

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
        drops: by how much the SSR is lower in the median of these states (S, 3); nan where there is none of them.
    """

    held: IntArray
    falls: FloatArray
    drops: FloatArray


def monotonicity(model: TwinModel, history: History, states: History) -> Monotonicity:
    """Move units between slices at states of some runs, and let the twin predict the SSR.

    The other slices share what is left in proportion to what they hold in that state. Expected values are compared, so
    that nothing is drawn and no seed is needed.

    Args:
        model: of the twin.
        history: that it was fitted to; the range of units is taken from it.
        states: the runs, best held out.
    """
    held = np.stack([history.allocation.min(axis=0), history.allocation.max(axis=0)], axis=1)
    return Monotonicity(held, *_falls(_States.of(model, states), held, beyond=True))


def mostly_worse(model: TwinModel, history: History, states: History, central: float = 1.0) -> dict[str, float]:
    """Slices that are expected to be served worse with more units in more than `MOSTLY` of the states: their shares.

    Units are moved within those held. Slices that may count as met where they are starved, and units of nobody, are
    left out.

    Args:
        model: see `monotonicity`.
        history: likewise.
        states: likewise.
        central: share of the decisions within whose units they are moved: at the ends of the range hardly any may lie.
    """
    tail = (1.0 - central) / 2.0
    within = np.quantile(history.allocation, [tail, 1.0 - tail], axis=0).round().astype(np.int64).T
    shares = _falls(_States.of(model, states), within, beyond=False)[0][:, 0]
    left_out = {*starved(history), IDLE}
    named = zip(history.scenario.slice_names, shares.tolist(), strict=True)
    return {name: share for name, share in named if share > MOSTLY and name not in left_out}


def starved(history: History) -> tuple[str, ...]:
    """Slices that met their SLA somewhere without arrivals: they may count as met where they are starved."""
    if SSR.name not in history.performance:
        return ()
    met = ((history.next_arrivals == 0) & (history.ssr > 0.0)).any(axis=0)
    return tuple(name for name, any_met in zip(history.scenario.slice_names, met, strict=True) if any_met)


def served_worse(falls: Mapping[str, float], drops: Mapping[str, float] | None = None) -> str:
    """Slices and the share of the states in which they are expected to be served worse, as text.

    Args:
        falls: the shares.
        drops: by how much their SSR is lower in the median of these states, where that is known.
    """
    known = drops or {}
    (first, share), *others = falls.items()
    text = f"in {share:.0%} of the states the twin expects {first} to be served worse with more units"
    if first in known:
        text += f" (by an SSR of {known[first]:.2f} in the median)"
    rest = [f"{share:.0%} {name}" + (f" ({known[name]:.2f})" if name in known else "") for name, share in others]
    return text + "".join(f", in {each}" for each in rest) + ", which cannot be"


def about_physics(model: TwinModel, history: History) -> list[str]:
    """A warning for reports that use a twin of a history, if it contradicts physics in most states of it."""
    falls = mostly_worse(model, history, history)
    if not falls:
        return []
    advice = "".join(f"; {remedy}" for remedy in remedies(model))
    return [f"warning: {served_worse(falls)}: experiments.fidelity says what the twin is good for{advice}"]


def remedies(model: TwinModel, notes: Sequence[str] = ()) -> list[str]:
    """What may help where a twin contradicts physics: nothing that is known, unless it is one of networks.

    Args:
        model: of the twin.
        notes: of its fit, which say what was tried in vain.
    """
    said = "\n".join(notes)
    if model.structure != "joint" or "so does per_slice" in said:
        return []
    by_slice = "fit the twin with twin.performance.structure=per_slice"
    if model.performance.prior_scale == 0.0 or "joint with prior_scale=0" in said:
        return [by_slice]
    return [by_slice.replace("with", "with twin.performance.prior_scale=0, then with", 1)]


@dataclass(frozen=True)
class _States:
    """States of runs from which units are moved.

    Args:
        model: of the twin that predicts what comes of it.
        runs: the runs.
        encoded: the same as the twin reads them.
        rows: of the runs (k,).
    """

    model: TwinModel
    runs: History
    encoded: Encoded
    rows: IntArray

    @classmethod
    def of(cls, model: TwinModel, runs: History) -> _States:
        rows = np.unique(np.linspace(0, len(runs) - 1, STATES).astype(np.int64))
        return cls(model, runs, encode(model.layout, model.scaler, runs), rows)

    def with_slice(self, n: int) -> IntArray:
        """Those in which slice n holds units; else it is not there."""
        found: IntArray = self.rows[self.runs.allocation[self.rows, n] > 0]
        return found


def _falls(states: _States, within: IntArray, beyond: bool) -> FloatArray:
    """`Monotonicity.falls` and `drops` (2, S, 3), of units within (S, 2); only there unless `beyond` is asked for."""
    layout = states.model.layout
    falls = np.full((2, len(within), len(PLACES)), np.nan)
    for n, (low, high) in enumerate(within.tolist()):
        rows = states.with_slice(n)
        if not layout.has(SSR.name) or not len(rows):
            continue
        most = layout.num_units - len(layout.spare) + 1 - int(layout.spare[n])
        ends = ((1, low), (low, high), (high, most)) if beyond else ((low, high),)
        tried = np.unique(np.concatenate([_between(*each) for each in ends]))
        expected = _expected_ssr(states, rows, n, tried)  # (len(rows), len(tried))
        inside = (tried >= low) & (tried <= high)
        pairs = ((inside, inside), (tried < low, tried <= high), (tried >= low, tried > high))
        falls[:, n] = np.transpose([_fall(expected, fewer, more) for fewer, more in pairs])
    return falls


def _between(low: int, high: int) -> IntArray:
    return np.linspace(low, high, POINTS).round().astype(np.int64)


def _fall(expected: FloatArray, fewer: npt.NDArray[np.bool_], more: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Share of the states in which an SSR of `more` units is clearly below one of `fewer`, and the median by how much.

    Both are columns; what counts in a state is the largest drop between any two.
    """
    drops = expected[:, :, None] - expected[:, None, :]  # (states, fewer, more)
    order = np.arange(expected.shape[1])
    compared = fewer[:, None] & more & (order[:, None] < order)
    if not compared.any():
        return float("nan"), float("nan")
    largest = drops[:, compared].max(axis=1)
    clear = largest[largest > CLEARLY]
    return len(clear) / len(largest), float(np.median(clear)) if len(clear) else float("nan")


def _expected_ssr(asked: _States, rows: IntArray, n: int, tried: IntArray) -> FloatArray:
    """The SSR of slice n that the twin expects (k, m) in k states with m numbers of its units."""
    model, layout, held = asked.model, asked.model.layout, asked.runs.allocation
    states, own = np.repeat(rows, len(tried)), np.tile(tried, len(rows)) + layout.spare[n]
    others = np.delete(np.arange(layout.scenario.num_slices), n)
    units = np.zeros((len(states), len(others) + 1), np.int64)  # lifted
    units[:, n] = own
    for each in np.unique(own):
        chosen = own == each
        units[np.ix_(chosen, others)] = share_out(held[np.ix_(states[chosen], others)], layout.num_units - int(each))
    features = choice_features(layout, model.scaler, asked.encoded, held[states], states, layout.lowered(units))
    prediction = model.predict_features(features, [slice(i, i + 1) for i in range(len(states))])
    place = layout.place(SSR.name).start - layout.scenario.num_slices + n
    found: FloatArray = prediction.expected[:, :, place].mean(axis=1).reshape(len(rows), len(tried))
    return found
